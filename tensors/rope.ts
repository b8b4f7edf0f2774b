import * as tf from './tf.js'
import { wasmKernels } from './wasm/kernels.js'
import { gpuKernels } from './webgpu/kernels.js'
import { rope as onGpu } from './webgpu/rope.js'

/** Rows of angles: their cosines and sines, [rows, 1, half a head]. */
export interface Angles {
  readonly cos: tf.Tensor3D
  readonly sin: tf.Tensor3D
}

/** How a head's frequencies are stretched beyond the context they were trained in, as Llama 3 does it. */
export interface Llama3Scaling {
  readonly factor: number
  readonly lowFrequencyFactor: number
  readonly highFrequencyFactor: number
  /** The context before it was stretched, in tokens. */
  readonly originalContext: number
}

/**
 * The frequencies of rotary position embedding: θ^(−2i / headSize) for i from 0 to headSize / 2 (Su et al. 2021, "RoFormer", section
 * 3.2.2). With `scaling`, waves longer than originalContext / lowFrequencyFactor are slowed down by `factor`, shorter than
 * originalContext / highFrequencyFactor left, and between them mixed linearly (transformers, `_compute_llama3_parameters`).
 */
export function ropeFrequencies(headSize: number, theta: number, scaling?: Llama3Scaling): Float32Array {
  return Float32Array.from({ length: headSize / 2 }, (_, i) => {
    const frequency = theta ** (-(2 * i) / headSize)
    if (!scaling) return frequency
    const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalContext } = scaling
    const wave = (2 * Math.PI) / frequency
    if (wave < originalContext / high) return frequency
    if (wave > originalContext / low) return frequency / factor
    const smooth = (originalContext / wave - low) / (high - low)
    return ((1 - smooth) * frequency) / factor + smooth * frequency
  })
}

/** @param positions  [rows] each row's place in its sequence, from 0 */
export function ropeAngles(positions: ArrayLike<number>, frequencies: Float32Array): Angles {
  const half = frequencies.length
  const cos = new Float32Array(positions.length * half)
  const sin = new Float32Array(positions.length * half)
  const rowOf = new Map<number, number>()
  for (let row = 0; row < positions.length; row++) {
    // Sequences beside each other have the same positions.
    const same = rowOf.get(positions[row]!)
    if (same !== undefined) {
      for (const values of [cos, sin]) values.copyWithin(row * half, same * half, (same + 1) * half)
      continue
    }
    rowOf.set(positions[row]!, row)
    for (let i = 0; i < half; i++) {
      // In single precision, as the reference multiplies.
      const angle = Math.fround(positions[row]! * frequencies[i]!)
      cos[row * half + i] = Math.cos(angle)
      sin[row * half + i] = Math.sin(angle)
    }
  }
  const shape: [number, number, number] = [positions.length, 1, half]
  return { cos: tf.tensor3d(cos, shape), sin: tf.tensor3d(sin, shape) }
}

/**
 * Turns each head's pairs of features, i and i + headSize / 2, by the row's angles (the layout of Hugging Face checkpoints).
 *
 * @param x        [rows, heads · headSize]
 * @param inverse  turns them back, which is also the gradient
 */
export function rope(x: tf.Tensor2D, heads: number, angles: Angles, inverse = false): tf.Tensor2D {
  const gpu = gpuKernels()
  if (gpu) return onGpu(gpu, x, heads, angles, inverse)
  const kernels = wasmKernels()
  if (!kernels) return ropeComposed(x, heads, angles, inverse)
  const [rows, features] = x.shape
  const turned = kernels.output<tf.Rank.R2>([rows, features])
  const half = features / heads / 2
  const { address } = kernels
  const [cos, sin] = [address(angles.cos, rows * half), address(angles.sin, rows * half)]
  kernels.turn(rows, heads, half, address(x), cos, sin, inverse ? -1 : 1, address(turned))
  return turned
}

/** {@link rope} of tfjs's operations. */
export function ropeComposed(x: tf.Tensor2D, heads: number, { cos, sin }: Angles, inverse = false): tf.Tensor2D {
  return tf.tidy(() => {
    const [rows, features] = x.shape
    const half = features / heads / 2
    const [first, second] = tf.split(tf.reshape(x, [rows, heads, 2 * half]), 2, 2) as [tf.Tensor3D, tf.Tensor3D]
    const turn = inverse ? tf.neg(sin) : sin
    const turned = tf.concat(
      [tf.sub(tf.mul(first, cos), tf.mul(second, turn)), tf.add(tf.mul(second, cos), tf.mul(first, turn))],
      2,
    )
    return tf.reshape(turned, [rows, features])
  })
}
