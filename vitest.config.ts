import { existsSync } from 'node:fs'
import { defineConfig } from 'vitest/config'
import { softwareAdapters } from './test/software-adapters.js'

const onlyOnWebgpu = 'test/**/webgpu/*.test.ts'
/** What computes on a graphics card, in the tests that go through all backends. */
const onWebgpu = [
  'test/tensors/{adam,added,attention,column-sums,embedding,finite,key-value-cache}.test.ts',
  'test/tensors/{packed-weight,product,rms-norm,rope,swiglu,token-scores}.test.ts',
  ...['test/agents/llm/golden.test.ts', onlyOnWebgpu],
]
/** What runs commands there, which one adapter is enough for. */
const commandsOnWebgpu = [
  'test/experiments/bench/gpu-operations.test.ts',
  'test/experiments/bench/countdown-webgpu.test.ts',
  'test/tensors/webgpu/gpu-bench.test.ts',
]

const shared = {
  globalSetup: 'test/temporary-folder.ts',
  setupFiles: 'test/property-seed.ts',
  testTimeout: 60_000,
  // A condition is waited for; the default of a second would be a timed assertion on a busy machine.
  expect: { poll: { timeout: 30_000 } },
}

/** An adapter in software compiles a kernel in seconds, and where it keeps none, anew for each file. */
const compiling = { ...shared, testTimeout: 600_000, hookTimeout: 600_000 }

export default defineConfig({
  test: {
    // Every core, where vitest leaves one free: of two that is half the time.
    maxWorkers: '100%',
    projects: [
      {
        test: { ...shared, name: 'tests', include: ['test/**/*.test.ts'], exclude: [onlyOnWebgpu] },
      },
      // Outside CI what is not installed is left out.
      ...Object.entries(softwareAdapters)
        .filter(([, driver]) => process.env.CI || existsSync(driver))
        .map(([name, driver]) => ({
          test: {
            ...compiling,
            name,
            ...(name === 'lavapipe'
              ? { include: [...onWebgpu, ...commandsOnWebgpu] }
              : { include: onWebgpu, exclude: commandsOnWebgpu }),
            env: { RXGYM_TEST_WEBGPU: name, VK_DRIVER_FILES: driver, XDG_RUNTIME_DIR: '/tmp' },
          },
        })),
      // The card of the machine itself: npm run test:gpu.
      ...(process.env.RXGYM_TEST_WEBGPU ? [{ test: { ...compiling, name: 'gpu', include: onWebgpu } }] : []),
    ],
  },
})
