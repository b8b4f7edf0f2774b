import * as tf from './tf.js'
import { wasmKernels } from './wasm/kernels.js'
import { gpuKernels } from './webgpu/kernels.js'
import * as onGpu from './webgpu/rms-norm.js'

/** A normalised x, and what its gradient needs. */
export interface RmsNorm {
  /** [rows, features] */
  readonly y: tf.Tensor2D
  /** [rows, 1] 1 / √(mean(x²) + epsilon) */
  readonly inverse: tf.Tensor2D
}

/** y = x / √(mean(x²) + epsilon) · weight, row by row (Zhang & Sennrich 2019, "Root Mean Square Layer Normalization", eq. 4).
 *  @param x       [rows, features]
 *  @param weight  [features] */
export function rmsNorm(x: tf.Tensor2D, weight: tf.Tensor1D, epsilon: number): RmsNorm {
  const gpu = gpuKernels()
  if (gpu) return onGpu.rmsNorm(gpu, x, weight, epsilon)
  const kernels = wasmKernels()
  if (!kernels) return rmsNormComposed(x, weight, epsilon)
  const { address } = kernels
  const [rows, features] = x.shape
  const y = kernels.output<tf.Rank.R2>([rows, features])
  const inverse = kernels.output<tf.Rank.R2>([rows, 1])
  const [from, scale] = [address(x), address(weight, features)]
  kernels.normalise(rows, features, from, scale, epsilon, address(y), address(inverse))
  return { y, inverse }
}

/** {@link rmsNorm} of tfjs's operations. */
export function rmsNormComposed(x: tf.Tensor2D, weight: tf.Tensor1D, epsilon: number): RmsNorm {
  return tf.tidy(() => {
    const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(x), 1, true), epsilon)) as tf.Tensor2D
    return { y: tf.mul(tf.mul(x, inverse), weight) as tf.Tensor2D, inverse }
  }) as unknown as RmsNorm
}

/** What comes out of {@link rmsNormGradient}. */
export interface RmsNormGradient {
  readonly dx: tf.Tensor2D
  readonly dWeight: tf.Tensor1D
}

/** The gradients of {@link rmsNorm}: with n = x · inverse and g = dy · weight, dx = inverse · (g − n · mean(g · n)) and
 *  dweight = Σ dy · n over the rows.
 *  @param plus  added to dx: the gradient that goes past the norm */
export function rmsNormGradient(
  dy: tf.Tensor2D,
  x: tf.Tensor2D,
  weight: tf.Tensor1D,
  inverse: tf.Tensor2D,
  plus?: tf.Tensor2D,
): RmsNormGradient {
  const gpu = gpuKernels()
  if (gpu) return onGpu.rmsNormGradient(gpu, dy, x, weight, inverse, plus)
  const kernels = wasmKernels()
  if (!kernels) return rmsNormGradientComposed(dy, x, weight, inverse, plus)
  const { address } = kernels
  const [rows, features] = x.shape
  const dx = kernels.output<tf.Rank.R2>([rows, features])
  const dWeight = kernels.output<tf.Rank.R1>([features])
  const [slopes, given] = [address(dy, x.size), address(x)]
  const [scale, kept] = [address(weight, features), address(inverse, rows)]
  const added = plus ? address(plus, x.size) : 0
  kernels.normaliseGradient(rows, features, slopes, given, scale, kept, added, address(dx), address(dWeight))
  return { dx, dWeight }
}

/** {@link rmsNormGradient} of tfjs's operations. */
export function rmsNormGradientComposed(
  dy: tf.Tensor2D,
  x: tf.Tensor2D,
  weight: tf.Tensor1D,
  inverse: tf.Tensor2D,
  plus?: tf.Tensor2D,
): RmsNormGradient {
  return tf.tidy(() => {
    const n = tf.mul(x, inverse)
    const g = tf.mul(dy, weight)
    const dx = tf.mul(inverse, tf.sub(g, tf.mul(n, tf.mean(tf.mul(g, n), 1, true)))) as tf.Tensor2D
    return { dx: plus ? (tf.add(dx, plus) as tf.Tensor2D) : dx, dWeight: tf.sum(tf.mul(dy, n), 0) as tf.Tensor1D }
  })
}
