import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { added } from '../../tensors/added.js'
import { useBackend } from '../../tensors/backend.js'
import * as tf from '../../tensors/tf.js'
import { backends, expectAgreement, normals, on } from './agreement.js'

afterAll(() => useBackend('wasm'))

describe.each(backends)('added on %s', (backend) => {
  it('is the sum, and takes the place of both', async () => {
    const size = fc.integer({ min: 1, max: 40 })
    await fc.assert(
      fc.asyncProperty(size, size, async (rows, columns) => {
        const both = () => [normals<tf.Rank.R2>(1, [rows, columns]), normals<tf.Rank.R2>(2, [rows, columns])] as const
        const expected = await on('cpu', () => ({ sum: tf.add(...both()) }))
        const given = await on(backend, () => {
          const [sum, x] = both()
          const before = tf.memory().numTensors
          const whole = added(sum, x)
          expect(tf.memory().numTensors).toBe(before - 1)
          expect(x.isDisposed).toBe(true)
          return { sum: whole }
        })
        expectAgreement(given, expected)
      }),
    )
  })

  it('is what is read, though the sum was read before', async () => {
    await useBackend(backend)
    let sum = tf.tensor1d([1, 2, 3])
    await sum.data()
    sum = added(sum, tf.tensor1d([10, 20, 30]))
    expect(Array.from(await sum.data())).toEqual([11, 22, 33])
    sum.dispose()
  })
})
