import type * as tf from '../tf.js'
import { eachNumber } from './each-number.js'
import type { Gpu } from './kernels.js'

const roundInto = eachNumber('round-to-half', 'y[i] = quantizeToF16(x[i])')

/** The numbers of a matrix rounded to half precision, in single precision. */
export function roundedToHalf(gpu: Gpu, x: tf.Tensor2D): tf.Tensor2D {
  const y = gpu.output<tf.Rank.R2>(x.shape)
  roundInto(gpu, x, y, x.size)
  return y
}
