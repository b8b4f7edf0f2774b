import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { useBackend } from '../../../tensors/backend.js'
import * as tf from '../../../tensors/tf.js'
import { type Gpu, gpuKernels, shaderOf } from '../../../tensors/webgpu/kernels.js'
import { type ProductWay, product } from '../../../tensors/webgpu/product.js'
import { type MatrixTile, matrix } from '../../../tensors/webgpu/product-matrix.js'
import { expectAgreement, normals, on } from '../agreement.js'
import { roundedToHalf } from './half.js'
import { emulated } from './matrix-emulation.js'
import { refusals } from './null-device.js'

let gpu: Gpu
beforeAll(async () => {
  await useBackend('webgpu')
  gpu = gpuKernels()!
})
afterAll(() => useBackend('wasm'))

/** A product of random factors in one of the ways, and as tfjs's reference has it. */
async function compared(
  [m, n, k]: readonly [number, number, number],
  [a, b]: readonly [boolean, boolean],
  added: 'matrix' | 'row' | undefined,
  way: ProductWay,
  half = false,
) {
  const of = (rounded: boolean) => {
    const each = (seed: number, shape: [number, number]) => {
      const drawn = normals<tf.Rank.R2>(seed, shape)
      return rounded ? roundedToHalf(drawn) : drawn
    }
    return {
      left: each(1, a ? [k, m] : [m, k]),
      right: each(2, b ? [n, k] : [k, n]),
      plus: added && normals(3, added === 'row' ? [n] : [m, n]),
    }
  }
  const expected = await on('cpu', () => {
    const { left, right, plus } = of(half)
    const c = tf.mul(tf.matMul(left, right, a, b), 0.5)
    return { c: plus ? tf.add(c, plus) : c }
  })
  const actual = await on('webgpu', () => {
    const { left, right, plus } = of(false)
    return { c: product(gpu, left, right, { m, n, k }, { a, b, plus, scale: 0.5, half }, way) }
  })
  expectAgreement(actual, expected)
}

describe('a product without workgroup memory', () => {
  it.each([
    [false, true],
    [true, false],
  ])('rounds factors to half precision when asked to, where it can (transposed: %s, %s)', async (a, b) => {
    if (gpu.has('shader-f16')) await compared([20, 12, 64], [a, b], 'row', { variant: 'direct' }, true)
  })
})

// A few examples of each: adapters in software take seconds to compile one of these.
describe('a product by tiles', () => {
  it.each([
    { flipped: [false, false], shape: [65, 130, 40], added: undefined, parts: 1 },
    { flipped: [false, true], shape: [70, 64, 301], added: 'row', parts: 3 },
    { flipped: [true, false], shape: [20, 68, 130], added: 'matrix', parts: 2 },
    { flipped: [true, true], shape: [129, 3, 64], added: 'matrix', parts: 1 },
  ] as const)("agrees with tfjs's on the processor ($flipped, $shape, $added, $parts)", (example) =>
    compared(example.shape, example.flipped, example.added, { variant: 'tiled', tile: 'small', parts: example.parts }),
  )

  it('does so with large ones', () =>
    compared([130, 260, 49], [false, true], 'row', { variant: 'tiled', tile: 'large', parts: 1 }))

  it('rounds factors to half precision when asked to, where it can', async () => {
    if (!gpu.has('shader-f16')) return
    await compared([30, 66, 100], [false, true], 'row', { variant: 'tiled', tile: 'small' }, true)
  })
})

it('ignores that half precision is asked for where there is none', async () => {
  if (!gpu.has('shader-f16')) await compared([5, 6, 7], [false, true], undefined, {}, false)
  const c = await on('webgpu', () => ({
    c: product(
      gpu,
      normals<tf.Rank.R2>(1, [2, 3]),
      normals<tf.Rank.R2>(2, [3, 2]),
      { m: 2, n: 2, k: 3 },
      { half: true },
    ),
  }))
  expect(c.c!.every(Number.isFinite)).toBe(true)
})

it('spreads NaN and infinity only over their row', async () => {
  for (const way of [{ variant: 'direct' }, { variant: 'tiled', tile: 'small' }] as const) {
    const a = new Float32Array(9 * 10).fill(1)
    a[3] = Number.NaN
    a[24] = Number.POSITIVE_INFINITY
    const { c } = await on('webgpu', () => ({
      c: product(gpu, tf.tensor2d(a, [9, 10]), tf.ones<tf.Rank.R2>([10, 6]), { m: 9, n: 6, k: 10 }, {}, way),
    }))
    const rows = Array.from({ length: 9 }, (_, row) => new Set(c!.subarray(row * 6, row * 6 + 6)))
    expect(rows.map((row) => [...row])).toEqual([
      [Number.NaN],
      [10],
      [Number.POSITIVE_INFINITY],
      ...Array.from({ length: 6 }, () => [10]),
    ])
  }
})

const allFlips = [
  [false, false],
  [false, true],
  [true, false],
  [true, true],
] as const
const units = [
  { m: 16, n: 16, k: 16 },
  { m: 16, n: 8, k: 16 },
  { m: 8, n: 8, k: 8 },
] as const

describe('the products by matrix units', () => {
  it('are WGSL that Dawn accepts, for all flips and alignments', async () => {
    const codes: string[] = []
    for (const { m, n, k } of units)
      for (const tile of ['large', 'small'] as MatrixTile[])
        for (const [a, b] of allFlips)
          for (const byFour of [true, false])
            codes.push(shaderOf(matrix(a, byFour, b, byFour, byFour, tile, m, n, k, 32)))
    expect(await refusals(codes)).toEqual([])
  })

  // Adapters in software take seconds to compile one; but nothing else computes with these kernels where there is no such card.
  it.each([
    [false, true, 'row', [21, 70, 40]],
    [true, false, undefined, [9, 12, 30]],
  ] as const)(
    'agree with tfjs on the processor, their units emulated (transposed: %s, %s)',
    {
      timeout: 240_000,
    },
    async (a, b, added, [m, n, k]) => {
      if (!gpu.has('shader-f16')) return
      const fours = [(a ? m : k) % 4 === 0, (b ? k : n) % 4 === 0, n % 4 === 0] as const
      const kernel = emulated(matrix(a, fours[0], b, fours[1], fours[2], 'small', 16, 16, 16, 32))
      const inputs = () => ({
        left: normals<tf.Rank.R2>(1, a ? [k, m] : [m, k]),
        right: normals<tf.Rank.R2>(2, b ? [n, k] : [k, n]),
        row: added && normals<tf.Rank.R1>(3, [n]),
      })
      const expected = await on('cpu', () => {
        const { left, right, row } = inputs()
        const c = tf.mul(tf.matMul(roundedToHalf(left), roundedToHalf(right), a, b), 0.5)
        return { c: row ? tf.add(c, row) : c }
      })
      const actual = await on('webgpu', () => {
        const { left, right, row } = inputs()
        const c = gpu.output<tf.Rank.R2>([m, n])
        const params = { m, n, k, inner: k, depth: k, plus: row ? 2 : 0, scale: 0.5 }
        const buffers = { a: left, b: right, plus: row ?? left, c }
        gpu.run(kernel, buffers, params, [Math.ceil(n / 64), Math.ceil(m / 64), 1])
        return { c }
      })
      expectAgreement(actual, expected)
    },
  )
})
