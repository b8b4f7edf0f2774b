import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { diagnosisText } from '../../../experiments/doctor/diagnosis-text.js'
import type { Diagnosis } from '../../../experiments/doctor/doctor.js'
import { softwareAdapters } from '../../software-adapters.js'

const cli = fileURLToPath(new URL('../../../dist/experiments/cli.js', import.meta.url))
const run = promisify(execFile)

async function doctor(args: readonly string[], drivers = '/nonexistent', more: Record<string, string> = {}) {
  const env = { ...process.env, VK_DRIVER_FILES: drivers, XDG_RUNTIME_DIR: '/tmp', ...more }
  return (await run(process.execPath, [cli, 'doctor', ...args], { env })).stdout
}

const some = z.number().positive()
const findings = z.strictObject({
  backend: z.enum(['wasm', 'cpu', 'webgpu', 'tensorflow']),
  choose: z.string().includes('--backend'),
  runs: z.literal(true),
  reason: z.string().min(1),
  startSeconds: some,
  // No machine of today is beyond these.
  gigaflops: some.max(1e6),
  gigaflopsHalf: some.max(1e7).optional(),
  gigabytes: some.max(1e5),
  adapter: z
    .strictObject({
      name: z.string().min(1),
      vendor: z.string(),
      architecture: z.string(),
      driver: z.string(),
      software: z.boolean(),
      memory: some.optional(),
      half: z.boolean(),
      subgroups: z.strictObject({ least: some, most: some }).nullable(),
      subgroupMatrices: z.array(z.string()),
      timestamps: z.boolean(),
      limits: z.record(z.string(), some),
    })
    .optional(),
})
const missing = z.strictObject({
  backend: findings.shape.backend,
  choose: findings.shape.choose,
  runs: z.literal(false),
  why: z.string().min(1),
})
const diagnosis = z.strictObject({
  rxgym: z.string(),
  node: z.string(),
  platform: z.string(),
  processor: z.string(),
  cores: some,
  memory: z.strictObject({ total: some, free: some }),
  backends: z.array(z.discriminatedUnion('runs', [findings, missing])),
})

// Rates are measured for a second each on what may be a busy machine.
describe('rxgym doctor', { timeout: 120_000 }, () => {
  it('measures what is always there, and says how to get what is not', async () => {
    const { backends, node } = diagnosis.parse(JSON.parse(await doctor(['--json'])))
    expect(node).toBe(process.versions.node)
    const [wasm, cpu, webgpu, tensorflow] = backends
    expect([wasm?.runs, cpu?.runs]).toEqual([true, true])
    expect(webgpu).toMatchObject({
      backend: 'webgpu',
      runs: false,
      why: expect.stringMatching(/^webgpu: no adapter found\. /),
    })
    // Where the optional package is installed it runs.
    if (!tensorflow?.runs) expect(tensorflow?.why).toContain('npm install @tensorflow/tfjs-node-gpu')
  })

  const drivers = Object.values(softwareAdapters)
  it.skipIf(!process.env.CI && !drivers.every(existsSync))('lists every adapter with what it can do', async () => {
    const found = diagnosis.parse(JSON.parse(await doctor(['--backend', 'webgpu', '--json'], drivers.join(':'))))
    const [swiftshader, lavapipe] = found.backends as z.infer<typeof findings>[]
    expect(found.backends).toHaveLength(2)
    expect(swiftshader).toMatchObject({
      choose: "RXGYM_ADAPTER='SwiftShader Device (Subzero)' --backend webgpu",
      adapter: { vendor: 'google', software: true, half: false, subgroups: { least: 4, most: 4 } },
    })
    expect(swiftshader).not.toHaveProperty('gigaflopsHalf')
    expect(lavapipe).toMatchObject({
      adapter: { vendor: 'mesa', software: true, half: true },
      gigaflopsHalf: expect.any(Number),
    })
    expect(lavapipe!.adapter!.limits).toMatchObject({ maxStorageBufferBindingSize: 2 ** 27 })
    const text = diagnosisText(found as Diagnosis)
    expect(text).toContain(
      "webgpu: swiftshader-device-subzero-\n  chosen by    RXGYM_ADAPTER='SwiftShader Device (Subzero)'",
    )
    expect(text).toMatch(/features {5}shader-f16, subgroups of \d+, timestamps\n {2}matrix units none\n/)
    expect(text).toMatch(/products {5}[\d.]+ GFLOP\/s, [\d.]+ in half precision\n {2}copies {7}[\d.]+ GB\/s/)
  })

  it.skipIf(!process.env.CI && !drivers.every(existsSync))(
    'tells where the adapter that was chosen is not there',
    async () => {
      const args = ['--backend', 'webgpu', '--json']
      const found = diagnosis.parse(JSON.parse(await doctor(args, drivers[0], { RXGYM_ADAPTER: 'quadro' })))
      expect(found.backends).toMatchObject([
        { runs: false, why: expect.stringContaining('no adapter has "quadro" in its name; there are SwiftShader') },
        { runs: true },
      ])
    },
  )

  it('examines only what is asked for, in words', async () => {
    const text = await doctor(['--backend', 'wasm'])
    expect(text).toMatch(/^rxgym .*, Node .*\n.* cores?, .* of memory/)
    expect(text.match(/^\w+: /gm)).toEqual(['wasm: '])
  })
})
