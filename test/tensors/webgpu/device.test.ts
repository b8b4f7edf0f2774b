import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { openDevice } from '../../../tensors/webgpu/device.js'

const folder = mkdtempSync(join(tmpdir(), 'rxgym-device-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What a process of its own says that asks for the backend: the adapter, or why there is none. */
function asked(env: Record<string, string>, node: readonly string[] = []): string {
  const backend = JSON.stringify(new URL('../../../dist/tensors/backend.js', import.meta.url).href)
  const program = join(folder, 'ask.mjs')
  writeFileSync(
    program,
    `import { useBackend } from ${backend}
    console.log(await useBackend('webgpu').then(({ reason }) => reason, ({ name, message }) => name + ': ' + message))
    process.exit()`,
  )
  // Dawn's own words go to stderr.
  return execFileSync(process.execPath, [...node, program], {
    env: { ...process.env, ...env },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim()
}

/** Has the package fail to be found, or to load. */
function hooked(code: string): readonly string[] {
  writeFileSync(
    join(folder, 'hooks.mjs'),
    `export const resolve = (name, context, next) => { if (name === 'webgpu') { ${code} } return next(name, context) }`,
  )
  writeFileSync(
    join(folder, 'register.mjs'),
    `import { register } from 'node:module'; register('./hooks.mjs', import.meta.url)`,
  )
  return ['--import', join(folder, 'register.mjs')]
}

describe('A device', () => {
  it('has every limit of its adapter that kernels use', async () => {
    const { device, adapter, features } = await openDevice()
    for (const limit of ['maxStorageBufferBindingSize', 'maxComputeWorkgroupStorageSize'] as const) {
      expect(device.limits[limit]).toBe(adapter.limits[limit])
    }
    for (const feature of features) expect(device.features.has(feature)).toBe(true)
    device.destroy()
  })
})

describe('Where webgpu cannot start it says why, and the way out:', () => {
  it('no package', () => {
    const gone = hooked(
      `throw Object.assign(new Error("Cannot find package 'webgpu' imported from here"), { code: 'ERR_MODULE_NOT_FOUND' })`,
    )
    expect(asked({}, gone)).toBe(
      'BackendError: webgpu: the package webgpu is not installed. Install it (npm install webgpu), or choose --backend wasm.',
    )
  })

  it('a package without a binary for the platform', () => {
    const broken = hooked(`throw new Error("Cannot find module './dist/plan9-mips/dawn.node'")`)
    expect(asked({}, broken)).toMatch(
      /^BackendError: webgpu: the package webgpu does not load \(Error: Cannot find module .*dawn\.node'\)\. It has binaries for Linux/,
    )
  })

  it('no driver', () => {
    expect(asked({ VK_DRIVER_FILES: '/nonexistent' })).toMatch(
      /^BackendError: webgpu: no adapter found\. The Vulkan loader is there, and finds no driver that works: .*, or choose --backend wasm\.$/,
    )
  })

  it('no Vulkan loader', () => {
    // An empty file is no library, and none further on is looked for.
    writeFileSync(join(folder, 'libvulkan.so.1'), '')
    expect(asked({ LD_LIBRARY_PATH: folder })).toBe(
      'BackendError: webgpu: no adapter found. Install the Vulkan loader (Debian: libvulkan1) and a driver, or choose --backend wasm.',
    )
  })

  it('no adapter of the name that RXGYM_ADAPTER asks for', () => {
    expect(asked({ RXGYM_ADAPTER: 'Voodoo2' })).toMatch(
      /^BackendError: webgpu: no adapter has "Voodoo2" in its name; there are .+\. Set RXGYM_ADAPTER to a part of one, or unset it, or choose --backend wasm\.$/,
    )
  })
})

it('RXGYM_ADAPTER chooses by a part of the name', () => {
  const there = /there are (.+)\. Set/.exec(asked({ RXGYM_ADAPTER: 'Voodoo2' }))![1]!
  expect(asked({ RXGYM_ADAPTER: there.slice(0, 8) })).toMatch(/^asked for; /)
})
