import { existsSync } from 'node:fs'
import { defineConfig } from 'vitest/config'
import { softwareAdapters } from './test/software-adapters.js'

/** What computes on a graphics card, in the tests that go through all backends. */
const onWebgpu = [
  'test/tensors/*.test.ts',
  'test/tensors/webgpu/*.test.ts',
  'test/agents/llm/golden.test.ts',
  'test/experiments/bench/countdown-webgpu.test.ts',
]

const shared = {
  globalSetup: 'test/temporary-folder.ts',
  setupFiles: 'test/property-seed.ts',
  testTimeout: 60_000,
  // A condition is waited for; the default of a second would be a timed assertion on a busy machine.
  expect: { poll: { timeout: 30_000 } },
}

export default defineConfig({
  test: {
    projects: [
      {
        test: { ...shared, name: 'tests', include: ['test/**/*.test.ts'], exclude: ['test/tensors/webgpu/*.test.ts'] },
      },
      // Outside CI what is not installed is left out.
      ...Object.entries(softwareAdapters)
        .filter(([, driver]) => process.env.CI || existsSync(driver))
        .map(([name, driver]) => ({
          test: {
            ...shared,
            name,
            include: onWebgpu,
            env: { RXGYM_TEST_WEBGPU: name, VK_DRIVER_FILES: driver, XDG_RUNTIME_DIR: '/tmp' },
          },
        })),
      // The card of the machine itself: npm run test:gpu.
      ...(process.env.RXGYM_TEST_WEBGPU ? [{ test: { ...shared, name: 'gpu', include: onWebgpu } }] : []),
    ],
  },
})
