import { PCG64 } from '../../envs/seeding.js'
import type { HostTensor } from '../../tensors/safetensors.js'

/** A prime number, so that rows of a matrix differ. */
const NUMBERS = 65_537

/**
 * Weights to measure with, normal with standard deviation 0.02 but for norms, which are 1. The same random numbers again and again: as many
 * of their own for every weight would take longer than all else.
 */
export function* randomWeights(
  shapes: ReadonlyMap<string, readonly number[]>,
): Generator<readonly [name: string, HostTensor]> {
  const random = new PCG64(5)
  const numbers = Float32Array.from({ length: NUMBERS }, () => random.normal(0, 0.02))
  for (const [name, shape] of shapes) {
    const data = new Float32Array(shape.reduce((product, length) => product * length, 1))
    if (name.endsWith('norm.weight')) data.fill(1)
    else {
      for (let at = 0; at < data.length; at += NUMBERS) {
        data.set(numbers.subarray(0, Math.min(NUMBERS, data.length - at)), at)
      }
    }
    yield [name, { shape, data }]
  }
}
