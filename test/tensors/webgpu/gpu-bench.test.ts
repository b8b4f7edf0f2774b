import { afterAll, describe, expect, it } from 'vitest'
import { bench, type Row } from '../../../experiments/bench/bench.js'
import { gpuRows } from '../../../experiments/bench/gpu.js'
import { SOFTWARE } from '../../../experiments/bench/gpu-model.js'
import type { Effort } from '../../../experiments/bench/measure.js'
import { useBackend } from '../../../tensors/backend.js'
import { gpuKernels } from '../../../tensors/webgpu/kernels.js'

const effort: Effort = {
  ...{ seconds: 0.01, repetitions: 1, trainings: 1, solves: 1, updates: 1, peerTrainings: 1, games: 1 },
  ...{ sequences: 1, checkpointLayers: 1 },
}
// On a card its sizes would take minutes: they are what `rxgym bench gpu` is for.
await useBackend('webgpu')
const inSoftware = gpuKernels()!.inSoftware
afterAll(() => useBackend('wasm'))

const rowOf = (name: string): Row => gpuRows.find((row) => row.name === name)!
const number = expect.any(Number)
/** The first row compiles the kernels, for which such adapters take long. */
const COMPILING = 300_000

describe.skipIf(!inSoftware)('rxgym bench gpu', () => {
  it.each([
    ['gpu-card', { copyGBps: number }],
    ['gpu-decode', { parameters: number, msPerStep: number, limitMsPerStep: number, dispatchesPerStep: number }],
    ['gpu-decode-limit', { copyGBps: number }],
    ['gpu-log-probs', { tokens: SOFTWARE.training.rows * SOFTWARE.training.length, shareOfLimit: number }],
    ['gpu-train-step', { checkpointedMs: number, shareOfLimit: number }],
    ['gpu-rloo-step', { generationSeconds: number, updateSeconds: number }],
  ])(
    '%s is measured, and no target is judged by a processor',
    async (name, details) => {
      const { rows } = await bench([rowOf(name)], { effort, peers: false })
      expect(rows).toMatchObject([{ median: number, details, notJudged: expect.stringContaining('the processor') }])
      expect('reached' in rows[0]!).toBe(false)
    },
    COMPILING,
  )

  // Half a minute, as a model of half a billion weights is drawn.
  it(
    "counts the memory of a card's sizes without one, and what is submitted a step",
    async () => {
      const { rows } = await bench([rowOf('gpu-memory')], { effort, peers: false })
      const gib = { peakGiB: number, weightsGiB: 3.681, optimiserGiB: 3.681, cacheGiB: 1.125 }
      const details = { adapter: expect.stringContaining('computes nothing'), dispatchesPerStep: number, ...gib }
      expect(rows).toMatchObject([{ reached: true, details }])
      // All that stays, and the gradients.
      const [peakGiB] = rows.flatMap((row) => ('details' in row ? [row.details?.peakGiB] : []))
      expect(peakGiB).toBeGreaterThan(1.5 * 3.681 + 3.681)
      await useBackend('webgpu')
      expect(gpuKernels()!.inSoftware).toBe(true)
    },
    COMPILING,
  )

  it('does not tell the work of an adapter on the processor from its own', async () => {
    const { rows } = await bench([rowOf('gpu-decode-cpu')], { effort, peers: false })
    expect(rows).toMatchObject([{ skipped: expect.stringContaining('the processor') }])
  })
})
