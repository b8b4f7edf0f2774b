import { expect } from 'vitest'
import { PCG64 } from '../../envs/seeding.js'
import { useBackend } from '../../tensors/backend.js'
import * as tf from '../../tensors/tf.js'

export type TestedBackend = 'cpu' | 'wasm' | 'webgpu'

/** Backends that compute: by composed operations, and by kernels where they are built. With RXGYM_TEST_WEBGPU it is the adapter that is in reach. */
export const backends: readonly TestedBackend[] = process.env.RXGYM_TEST_WEBGPU ? ['webgpu'] : ['cpu', 'wasm']

/** Normally distributed numbers, always the same of a seed, and a tensor of them. */
export function normal(seed: number, size: number, scale = 1): Float32Array {
  const generator = new PCG64(seed)
  return Float32Array.from({ length: size }, () => generator.normal() * scale)
}

/** {@link normal}, in a shape. */
export function normals<R extends tf.Rank>(seed: number, shape: tf.ShapeMap[R], scale = 1): tf.Tensor<R> {
  return tf.tensor(normal(seed, tf.util.sizeFromShape(shape), scale), shape)
}

/** What `work` computes on a backend. It may leave nothing else behind. */
export async function on(
  backend: TestedBackend,
  work: () => Readonly<Record<string, tf.Tensor>>,
): Promise<Record<string, Float32Array>> {
  await useBackend(backend)
  const before = tf.memory().numTensors
  const results = tf.tidy(() => work() as tf.NamedTensorMap)
  const read: Record<string, Float32Array> = {}
  for (const [name, tensor] of Object.entries(results)) read[name] = (await tensor.data()) as Float32Array
  tf.dispose(results)
  expect(tf.memory().numTensors).toBe(before)
  return read
}

/** The same names, sizes and numbers, to 1e-5 of the largest of each. */
export function expectAgreement(
  actual: Readonly<Record<string, Float32Array>>,
  expected: Readonly<Record<string, Float32Array>>,
): void {
  expect(Object.keys(actual)).toEqual(Object.keys(expected))
  for (const [name, numbers] of Object.entries(expected)) {
    const own = actual[name]!
    expect(own.length, name).toBe(numbers.length)
    const largest = numbers.reduce((most, number) => Math.max(most, Math.abs(number)), 0)
    let worst = 0
    for (let i = 0; i < numbers.length; i++) {
      const off = Math.abs(own[i]! - numbers[i]!)
      worst = off <= worst ? worst : off
    }
    expect(worst, `${name}, of ${largest}`).toBeLessThanOrEqual(1e-5 * Math.max(largest, 1e-3))
  }
}

/**
 * Whether gradients are the slopes of a function along a random direction, as central differences have them.
 *
 * @param f          of tensors, weighted and summed
 * @param gradients  its gradients by `weights`, one for each input
 */
export async function expectSlopes(
  backend: TestedBackend,
  inputs: readonly (readonly [Float32Array, number[]])[],
  f: (inputs: readonly tf.Tensor[]) => tf.Tensor,
  gradients: (inputs: readonly tf.Tensor[], weights: tf.Tensor) => readonly tf.Tensor[],
): Promise<void> {
  await useBackend(backend)
  const tensors = () => inputs.map(([data, shape]) => tf.tensor(data, shape))
  const shape = tf.tidy(() => f(tensors()).shape)
  const weights = normal(77, tf.util.sizeFromShape(shape))
  const slopes = tf.tidy(() => gradients(tensors(), tf.tensor(weights, shape)) as tf.Tensor[])
  const found = await Promise.all(slopes.map((each) => each.data() as Promise<Float32Array>))
  tf.dispose(slopes)
  expect(found).toHaveLength(inputs.length)
  const step = 1e-2
  for (const [i, [data, ofShape]] of inputs.entries()) {
    const direction = normal(78 + i, data.length)
    const at = async (distance: number) => {
      const values = tf.tidy(() => {
        const moved = tensors()
        moved[i] = tf.tensor(
          data.map((x, j) => x + distance * direction[j]!),
          ofShape,
        )
        return f(moved)
      })
      const read = (await values.data()) as Float32Array
      values.dispose()
      return read.reduce((sum, value, j) => sum + value * weights[j]!, 0)
    }
    const slope = ((await at(step)) - (await at(-step))) / (2 * step)
    const own = found[i]!.reduce((sum, value, j) => sum + value * direction[j]!, 0)
    expect(Math.abs(own - slope), `input ${i}: ${own} for ${slope}`).toBeLessThan(0.01 * (1 + Math.abs(slope)))
  }
}
