import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import {
  type AttentionMask,
  type AttentionShape,
  attention,
  attentionComposed,
  attentionGradient,
  attentionMask,
} from '../../tensors/attention.js'
import { useBackend } from '../../tensors/backend.js'
import * as tf from '../../tensors/tf.js'
import * as onGpu from '../../tensors/webgpu/attention.js'
import { gpuKernels } from '../../tensors/webgpu/kernels.js'
import { backends, expectAgreement, expectSlopes, normal, normals, on } from './agreement.js'

afterAll(() => useBackend('wasm'))

const shapes = fc
  .record({
    rows: fc.integer({ min: 1, max: 3 }),
    length: fc.integer({ min: 1, max: 40 }),
    keyHeads: fc.integer({ min: 1, max: 2 }),
    group: fc.integer({ min: 1, max: 3 }),
    headSize: fc.integer({ min: 1, max: 21 }),
  })
  .chain(({ group, ...shape }) =>
    fc.record({
      shape: fc.constant({ ...shape, heads: shape.keyHeads * group }),
      segments: fc.array(fc.nat(3), { minLength: shape.rows * shape.length, maxLength: shape.rows * shape.length }),
      together: fc.boolean(),
    }),
  )
  // Segments of rows as batches have them, and any.
  .map(({ shape, segments, together }) => ({ shape, segments: together ? segments.sort() : segments }))

type Three = [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D]

/** On a card both ways of its kernels are tested, whichever it would take. */
const ways = backends.flatMap((backend): [typeof backend, onGpu.AttentionVariant | undefined][] =>
  backend === 'webgpu'
    ? [
        [backend, 'tiled'],
        [backend, 'plain'],
      ]
    : [[backend, undefined]],
)

/** Attention and its gradient, the kernels' way that is asked for. */
function both(
  [q, k, v]: Three,
  dOut: tf.Tensor2D,
  mask: AttentionMask,
  shape: AttentionShape,
  variant: onGpu.AttentionVariant | undefined,
) {
  const gpu = gpuKernels()
  if (!gpu || !variant) {
    const attended = attention(q, k, v, mask, shape)
    return { out: attended.out, ...attentionGradient(dOut, attended, mask, shape) }
  }
  const inputs = { q, k, v, segments: mask.segments }
  const outputs = onGpu.attention(gpu, inputs, shape, variant)
  return { out: outputs.out, ...onGpu.attentionGradient(gpu, dOut, inputs, outputs, shape, variant) }
}

const inputsOf = ({ rows, length, heads, keyHeads, headSize }: AttentionShape): Three => [
  normals(1, [rows * length, heads * headSize], 2),
  normals(2, [rows * length, keyHeads * headSize], 2),
  normals(3, [rows * length, keyHeads * headSize]),
]

describe.each(ways)('attention on %s %s', (backend, variant) => {
  it("agrees with its composition, its gradient with the composition's", async () => {
    await fc.assert(
      fc.asyncProperty(shapes, async ({ shape, segments }) => {
        const slopes = () => normals<tf.Rank.R2>(4, [shape.rows * shape.length, shape.heads * shape.headSize])
        const expected = await on('cpu', () => {
          const mask = attentionMask(segments, shape.rows, shape.length)
          const of = (...three: tf.Tensor[]) => attentionComposed(...(three as Three), mask, shape).out
          const three = inputsOf(shape)
          const [dq, dk, dv] = tf.grads(of)(three, slopes()) as [tf.Tensor, tf.Tensor, tf.Tensor]
          return { out: of(...three), dq, dk, dv }
        })
        const actual = await on(backend, () => {
          const mask = attentionMask(segments, shape.rows, shape.length)
          return both(inputsOf(shape), slopes(), mask, shape, variant)
        })
        expectAgreement(actual, expected)
      }),
    )
  })

  it('has the gradient that finite differences give', () => {
    const shape = { rows: 2, length: 7, heads: 4, keyHeads: 2, headSize: 6 }
    const mask = () => attentionMask(new Int32Array(14).fill(1, 3), 2, 7)
    return expectSlopes(
      backend,
      [
        [normal(1, 14 * 24), [14, 24]],
        [normal(2, 14 * 12), [14, 12]],
        [normal(3, 14 * 12), [14, 12]],
      ],
      (three) => attention(...(three as unknown as Three), mask(), shape).out,
      (three, dOut) => {
        const attended = attention(...(three as unknown as Three), mask(), shape)
        const { dq, dk, dv } = attentionGradient(dOut as tf.Tensor2D, attended, mask(), shape)
        return [dq, dk, dv]
      },
    )
  })

  it('gives a token the values of its own segment up to itself alone', async () => {
    const shape = { rows: 1, length: 5, heads: 1, keyHeads: 1, headSize: 1 }
    const { out } = await on(backend, () => {
      const zeros = tf.zeros<tf.Rank.R2>([5, 1])
      const mask = attentionMask([1, 1, 2, 2, 0], 1, 5)
      return { out: attention(zeros, zeros, tf.tensor2d([1, 3, 10, 20, 7], [5, 1]), mask, shape).out }
    })
    expectAgreement({ out: out! }, { out: Float32Array.of(1, 2, 10, 15, 7) })
  })

  it('does not overflow where scores are large', async () => {
    const shape = { rows: 1, length: 9, heads: 1, keyHeads: 1, headSize: 4 }
    const results = await on(backend, () => {
      const large = () => normals<tf.Rank.R2>(1, [9, 4], 300)
      const mask = attentionMask(new Int32Array(9), 1, 9)
      return both([large(), large(), normals(2, [9, 4])], normals(3, [9, 4]), mask, shape, variant)
    })
    for (const numbers of Object.values(results)) expect(numbers.every(Number.isFinite)).toBe(true)
  })
})
