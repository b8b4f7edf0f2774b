import { afterAll, describe, expect, it } from 'vitest'
import { useBackend } from '../../../tensors/backend.js'
import * as tf from '../../../tensors/tf.js'
import * as composed from '../../../tensors/token-scores.js'
import { gpuKernels } from '../../../tensors/webgpu/kernels.js'
import { tokenScores, tokenScoresGradient } from '../../../tensors/webgpu/token-scores.js'
import { expectAgreement, normals, on } from '../agreement.js'

afterAll(() => useBackend('wasm'))

const [ROWS, VOCABULARY, FEATURES, TEMPERATURE] = [12, 700, 8, 0.8]
const tokens = Int32Array.from({ length: ROWS }, (_, i) => (i * 191) % VOCABULARY)
const inputs = () =>
  [
    normals<tf.Rank.R1>(3, [ROWS]),
    normals<tf.Rank.R1>(4, [ROWS]),
    normals<tf.Rank.R2>(1, [ROWS, FEATURES]),
    normals<tf.Rank.R2>(2, [VOCABULARY, FEATURES], 2),
  ] as const

describe.each([1, 256] as const)('Token scores, a row by %i invocations,', (lanes) => {
  it.each([
    [12, 700],
    [12, 300],
    [8, 700],
    [8, 128],
  ])('agree with their composition in parts of %i rows and %i tokens', async (rows, columns) => {
    const expected = await on('cpu', () => {
      const [dLogProbs, dEntropies, hidden, head] = inputs()
      const { logProbs, entropies } = composed.tokenScores(hidden, head, tokens, TEMPERATURE)
      const of = composed.tokenScoresGradient
      return { logProbs, entropies, ...of(dLogProbs, dEntropies, hidden, head, tokens, TEMPERATURE) }
    })
    const layout = { rows, columns, lanes }
    const scored = (known: boolean) =>
      on('webgpu', () => {
        const gpu = gpuKernels()!
        const [dLogProbs, dEntropies, hidden, head] = inputs()
        const scores = tokenScores(gpu, hidden, head, tokens, TEMPERATURE, false, layout)
        const slopes = [dLogProbs, dEntropies, hidden, head, tokens, TEMPERATURE, false] as const
        const gradients = tokenScoresGradient(gpu, ...slopes, known ? scores : undefined, layout)
        return { logProbs: scores.logProbs, entropies: scores.entropies, ...gradients }
      })
    const actual = await scored(true)
    expectAgreement(actual, expected)
    expect(await scored(false)).toEqual(actual)
  })

  it('are those of logits far from 0', async () => {
    const { logProbs, entropies } = await on('webgpu', () => {
      const hidden = tf.tensor2d([1, 1, 1], [3, 1])
      const head = tf.tensor2d([0, -2e4, 3e4, 3e4, -1e5], [5, 1])
      return tokenScores(gpuKernels()!, hidden, head, Int32Array.of(2, 3, 0), 1, false, {
        rows: 2,
        columns: 2,
        lanes,
      }) as Readonly<Record<string, tf.Tensor>>
    })
    expectAgreement(
      { logProbs: logProbs!, entropies: entropies! },
      {
        logProbs: Float32Array.of(-Math.log(2), -Math.log(2), -3e4 - Math.log(2)),
        entropies: new Float32Array(3).fill(Math.log(2)),
      },
    )
    expect(logProbs![0]).toBeCloseTo(-Math.log(2), 6)
  })

  it('are not numbers where a logit is none, in that row alone', async () => {
    const { logProbs, entropies } = await on('webgpu', () => {
      const hidden = tf.tensor2d([1, 0, Number.NaN, 1], [2, 2])
      const head = tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2])
      return tokenScores(gpuKernels()!, hidden, head, Int32Array.of(2, 1), 1, false, {
        rows: 2,
        columns: 2,
        lanes,
      }) as Readonly<Record<string, tf.Tensor>>
    })
    expect([...logProbs!].map(Number.isNaN)).toEqual([false, true])
    expect([...entropies!].map(Number.isNaN)).toEqual([false, true])
  })
})

describe('Token scores of products in half precision', () => {
  it('are close to those in single', async () => {
    const scored = (half: boolean) =>
      on('webgpu', () => {
        const [dLogProbs, dEntropies, hidden, head] = inputs()
        const { logProbs, entropies } = composed.tokenScores(hidden, head, tokens, TEMPERATURE, half)
        const of = composed.tokenScoresGradient
        return { logProbs, entropies, ...of(dLogProbs, dEntropies, hidden, head, tokens, TEMPERATURE, half) }
      })
    const [single, half] = [await scored(false), await scored(true)]
    for (const [name, numbers] of Object.entries(single)) {
      const largest = Math.max(...numbers.map(Math.abs))
      const off = Math.max(...numbers.map((number, i) => Math.abs(number - half[name]![i]!)))
      expect(off, name).toBeLessThan(5e-3 * largest)
    }
  })
})
