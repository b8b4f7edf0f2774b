import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { useBackend } from '../../tensors/backend.js'
import { packedGate, packedProduct, packedSwiglu, packedWeight } from '../../tensors/packed-weight.js'
import { swigluComposed } from '../../tensors/swiglu.js'
import * as tf from '../../tensors/tf.js'
import { backends, expectAgreement, normals, on } from './agreement.js'

afterAll(() => useBackend('wasm'))

describe.each(backends)('packedProduct on %s', (backend) => {
  it('is the product with the weight it was made of, plus a matrix, a row or nothing', async () => {
    const size = fc.integer({ min: 1, max: 40 })
    const plus = fc.constantFrom('matrix', 'row', undefined)
    await fc.assert(
      fc.asyncProperty(size, size, size, plus, async (rows, outputs, inputs, added) => {
        const x = () => normals<tf.Rank.R2>(1, [rows, inputs])
        const weight = () => normals<tf.Rank.R2>(2, [outputs, inputs])
        const extra = () => (added ? normals(3, added === 'row' ? [outputs] : [rows, outputs]) : undefined)
        const expected = await on('cpu', () => {
          const y = tf.matMul(x(), weight(), false, true)
          return { y: added ? tf.add(y, extra()!) : y }
        })
        const actual = await on(backend, () => ({ y: packedProduct(x(), packedWeight(weight()), extra()) }))
        expectAgreement(actual, expected)
      }),
    )
  })

  it('gates one product by another', async () => {
    const x = () => normals<tf.Rank.R2>(1, [3, 20])
    const gate = () => normals<tf.Rank.R2>(2, [10, 20])
    const up = () => normals<tf.Rank.R2>(3, [10, 20])
    const expected = await on('cpu', () => ({
      y: swigluComposed(tf.matMul(x(), gate(), false, true), tf.matMul(x(), up(), false, true)),
    }))
    expectAgreement(await on(backend, () => ({ y: packedSwiglu(x(), packedGate(gate(), up())) })), expected)
  })

  it('refuses rows of another size', async () => {
    await useBackend(backend)
    tf.tidy(() => {
      const weight = packedWeight(normals<tf.Rank.R2>(1, [3, 4]))
      expect(() => packedProduct(normals<tf.Rank.R2>(2, [2, 5]), weight)).toThrow('rows of 5')
      const gate = packedGate(normals<tf.Rank.R2>(1, [3, 4]), normals<tf.Rank.R2>(1, [3, 4]))
      expect(() => packedSwiglu(normals<tf.Rank.R2>(2, [2, 5]), gate)).toThrow('rows of 5')
    })
  })

  it('tells that it was laid out on a backend that is no longer in use', async () => {
    await useBackend(backend)
    const weight = packedWeight(normals<tf.Rank.R2>(1, [3, 4]))
    await useBackend('cpu')
    const x = normals<tf.Rank.R2>(2, [2, 4])
    const multiply = () => packedProduct(x, weight).dispose()
    if (weight.form === 'transposed') expect(multiply).not.toThrow()
    else expect(multiply).toThrow('laid out on another backend than cpu, which is in use now')
    tf.dispose([weight.layout, x])
  })
})
