import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { useBackend } from '../../tensors/backend.js'
import { firstNotFinite } from '../../tensors/finite.js'
import * as tf from '../../tensors/tf.js'
import { backends, normal } from './agreement.js'

afterAll(() => useBackend('wasm'))

/** The answer for tensors of these numbers, in their order. Nothing may be left behind. */
async function answer(
  backend: (typeof backends)[number],
  numbers: Readonly<Record<string, Float32Array>>,
): Promise<string | undefined> {
  await useBackend(backend)
  const before = tf.memory().numTensors
  const tensors = Object.fromEntries(Object.entries(numbers).map(([name, values]) => [name, tf.tensor1d(values)]))
  const name = await firstNotFinite(tensors)
  tf.dispose(tensors)
  expect(tf.memory().numTensors).toBe(before)
  return name
}

describe.each(backends)('firstNotFinite on %s', (backend) => {
  it('names the first tensor with a number that is infinite or none', async () => {
    const numbers = fc.constantFrom(0, -0, 1, -3.4e38, 1e-45, Number.NaN, Infinity, -Infinity)
    const finite = fc.constantFrom(0, -0, 1, -3.4e38, 1e-45)
    const tensor = (number: fc.Arbitrary<number>) =>
      fc.array(number, { maxLength: 6 }).map((values) => Float32Array.from(values))
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(tensor(finite), tensor(numbers)), { maxLength: 5 }), async (tensors) => {
        const named = Object.fromEntries(tensors.map((values, i) => [`tensor ${i}`, values]))
        const first = tensors.findIndex((values) => !values.every(Number.isFinite))
        expect(await answer(backend, named)).toBe(first < 0 ? undefined : `tensor ${first}`)
      }),
    )
  })

  it.each([0, 4095, 4096, 70_000, 99_999])('sees a number at %i of 100,000', async (at) => {
    const values = normal(1, 100_000)
    values[at] = Number.NaN
    expect(await answer(backend, { finite: normal(2, 5000), not: values })).toBe('not')
  })

  it('names none where all are finite, and of whole numbers none', async () => {
    expect(await answer(backend, { a: normal(1, 10_000) })).toBeUndefined()
    const whole = tf.tensor1d([2139095040, -1], 'int32')
    expect(await firstNotFinite({ whole })).toBeUndefined()
    whole.dispose()
  })

  it('finds what an operation made infinite', async () => {
    await useBackend(backend)
    const [x, y] = tf.tidy(() => [tf.mul(tf.tensor1d([1, 3e38]), 2), tf.sub(tf.tensor1d([1]), 1)])
    expect(await firstNotFinite({ y: y!, x: x! })).toBe('x')
    tf.dispose([x!, y!])
  })
})
