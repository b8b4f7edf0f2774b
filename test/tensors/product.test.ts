import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { useBackend } from '../../tensors/backend.js'
import { product } from '../../tensors/product.js'
import * as tf from '../../tensors/tf.js'
import { backends, expectAgreement, normals, on } from './agreement.js'

afterAll(() => useBackend('wasm'))

const size = fc.integer({ min: 1, max: 40 })
const inner = fc.oneof(size, fc.integer({ min: 120, max: 300 }))

describe.each(backends)('product on %s', (backend) => {
  it('is the product of matrices of any size, transposed or not, scaled or not, plus a matrix, a row or nothing', async () => {
    const plus = fc.constantFrom('matrix', 'row', undefined)
    const scales = fc.constantFrom(1, 0.25)
    await fc.assert(
      fc.asyncProperty(
        size,
        size,
        inner,
        fc.boolean(),
        fc.boolean(),
        plus,
        scales,
        async (m, n, k, a, b, added, scale) => {
          const inputs = () => ({
            left: normals<tf.Rank.R2>(1, a ? [k, m] : [m, k]),
            right: normals<tf.Rank.R2>(2, b ? [n, k] : [k, n]),
            extra: added && normals(3, added === 'row' ? [n] : [m, n]),
          })
          const expected = await on('cpu', () => {
            const { left, right, extra } = inputs()
            const c = tf.mul(tf.matMul(left, right, a, b), scale)
            return { c: extra ? tf.add(c, extra) : c }
          })
          const actual = await on(backend, () => {
            const { left, right, extra } = inputs()
            return { c: product(left, right, { a, b, plus: extra, scale }) }
          })
          expectAgreement(actual, expected)
        },
      ),
    )
  })

  it.each([
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ])('is the product of matrices that are worked on in parts (transposed: %s, %s)', async (a, b) => {
    const [m, n, k] = [21, 603, 701]
    const left = () => normals<tf.Rank.R2>(1, a ? [k, m] : [m, k])
    const right = () => normals<tf.Rank.R2>(2, b ? [n, k] : [k, n])
    const plus = () => normals(3, [m, n])
    const expected = await on('cpu', () => ({ c: tf.add(tf.matMul(left(), right(), a, b), plus()) }))
    expectAgreement(await on(backend, () => ({ c: product(left(), right(), { a, b, plus: plus() }) })), expected)
  })

  it('multiplies stacks of matrices pair by pair', async () => {
    const stacks = (flipped: (x: tf.Tensor3D) => tf.Tensor3D) => () => ({
      c: flipped(normals<tf.Rank.R3>(1, [3, 5, 7])),
    })
    const other = () => normals<tf.Rank.R3>(2, [3, 5, 6])
    const expected = await on(
      'cpu',
      stacks((x) => tf.matMul(x, other(), true, false)),
    )
    expectAgreement(
      await on(
        backend,
        stacks((x) => product(x, other(), { a: true })),
      ),
      expected,
    )
  })

  it('refuses factors that do not fit each other', async () => {
    await useBackend(backend)
    tf.tidy(() => {
      expect(() => product(normals<tf.Rank.R2>(1, [2, 3]), normals<tf.Rank.R2>(2, [4, 2]))).toThrow('inner')
      expect(() =>
        product(normals<tf.Rank.R2>(1, [2, 3]), normals<tf.Rank.R2>(2, [3, 2]), { plus: normals(3, [5]) }),
      ).toThrow()
    })
  })
})
