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
import { backends, expectAgreement, expectSlopes, normal, normals, on, type TestedBackend } from './agreement.js'

afterAll(() => useBackend('wasm'))

const shapesOf = (headSize: fc.Arbitrary<number>) =>
  fc
    .record({
      rows: fc.integer({ min: 1, max: 3 }),
      length: fc.integer({ min: 1, max: 40 }),
      keyHeads: fc.integer({ min: 1, max: 2 }),
      group: fc.integer({ min: 1, max: 3 }),
      headSize,
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

const adapter = process.env.RXGYM_TEST_WEBGPU
const inSoftware = adapter === 'swiftshader' || adapter === 'lavapipe'

type Way = readonly [TestedBackend, onGpu.AttentionVariant | undefined]

function waysOf(variants: readonly onGpu.AttentionVariant[]): Way[] {
  return backends.flatMap((backend): Way[] =>
    backend === 'webgpu' ? variants.map((variant) => [backend, variant]) : [[backend, undefined]],
  )
}

/** All ways that the kernels of `webgpu` have; in software the tiles that are compiled fastest. */
const ways = waysOf(inSoftware ? ['plain', [1, 1]] : ['plain', [1, 1], [2, 2], 'tiled'])

/** Lavapipe compiles the largest tiles for minutes. */
const waysOfMany = waysOf(adapter === 'lavapipe' ? ['plain'] : ['plain', 'tiled'])

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

/** The gradients as one. The kernels take dP − Σ dO · O, whose terms may be nearly the same: what is left of a gradient that is nearly nothing is off
 *  by the rounding of larger numbers than itself. */
function joined({ out, dq, dk, dv }: Record<string, Float32Array>): Record<string, Float32Array> {
  return { out: out!, gradients: Float32Array.from([...dq!, ...dk!, ...dv!]) }
}

const inputsOf = ({ rows, length, heads, keyHeads, headSize }: AttentionShape): Three => [
  normals(1, [rows * length, heads * headSize], 2),
  normals(2, [rows * length, keyHeads * headSize], 2),
  normals(3, [rows * length, keyHeads * headSize]),
]

describe.each(ways)('attention on %s %s', (backend, variant) => {
  // Tiles are compiled for each size: in software for seconds.
  const tiled = adapter === 'lavapipe' ? fc.constant(8) : fc.constantFrom(6, 8)
  const headSizes = inSoftware && variant !== 'plain' ? tiled : fc.integer({ min: 1, max: 21 })

  it("agrees with its composition, its gradient with the composition's", { timeout: 300_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(shapesOf(headSizes), async ({ shape, segments }) => {
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
        if (variant) expectAgreement(joined(actual), joined(expected))
        else expectAgreement(actual, expected)
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
    const shape = { rows: 1, length: 9, heads: 1, keyHeads: 1, headSize: 8 }
    const results = await on(backend, () => {
      const large = () => normals<tf.Rank.R2>(1, [9, 8], 300)
      const mask = attentionMask(new Int32Array(9), 1, 9)
      return both([large(), large(), normals(2, [9, 8])], normals(3, [9, 8]), mask, shape, variant)
    })
    for (const numbers of Object.values(results)) expect(numbers.every(Number.isFinite)).toBe(true)
  })

  it('gives the same again, to the bit', async () => {
    const shape = { rows: 2, length: 37, heads: 6, keyHeads: 2, headSize: 8 }
    const run = () =>
      on(backend, () => {
        const mask = attentionMask(new Int32Array(74).fill(1, 9), 2, 37)
        return both(inputsOf(shape), normals(4, [74, 48]), mask, shape, variant)
      })
    expect(await run()).toEqual(await run())
  })

  it('can be recorded by tfjs, with a mask that was made for the kernels', async () => {
    const shape = { rows: 1, length: 9, heads: 2, keyHeads: 1, headSize: 8 }
    const slopes = () => normals<tf.Rank.R2>(4, [9, 16])
    const mask = () => attentionMask([0, 1, 1, 1, 2, 2, 2, 0, 0], 1, 9)
    const recorded = await on(backend, () => {
      const made = mask()
      const of = (...three: tf.Tensor[]) => attention(...(three as Three), made, shape).out
      const [dq, dk, dv] = tf.grads(of)(inputsOf(shape), slopes()) as [tf.Tensor, tf.Tensor, tf.Tensor]
      return { dq, dk, dv }
    })
    const { dq, dk, dv } = await on(backend, () => both(inputsOf(shape), slopes(), mask(), shape, variant))
    expectAgreement({ dq: dq!, dk: dk!, dv: dv! }, recorded)
  })
})

describe.each(waysOfMany)('attention of many tokens on %s %s', (backend, variant) => {
  const shape = { rows: 1, length: 300, heads: 14, keyHeads: 2, headSize: 64 }
  const slopes = () => normals<tf.Rank.R2>(4, [300, 14 * 64])
  const segments = new Int32Array(300).fill(1, 0, 90).fill(2, 90, 280)

  // On SwiftShader most of the time goes into compiling, three kernels for tiles of 64 features.
  it('agrees with its composition, as its gradient does', { timeout: 300_000 }, async () => {
    const actual = await on(backend, () =>
      both(inputsOf(shape), slopes(), attentionMask(segments, 1, 300), shape, variant),
    )
    const expected = await on('cpu', () => {
      const mask = attentionMask(segments, 1, 300)
      const attended = attentionComposed(...inputsOf(shape), mask, shape)
      return { out: attended.out, ...attentionGradient(slopes(), attended, mask, shape) }
    })
    expectAgreement(actual, expected)
  })
})
