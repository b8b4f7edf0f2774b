import type * as tf from '../tf.js'
import { eachNumber } from './each-number.js'
import type { Gpu } from './kernels.js'

/** y += x, of so many numbers. */
export const addInto = eachNumber('add', 'y[i] += x[i]')

export function added<R extends tf.Rank>(gpu: Gpu, sum: tf.Tensor<R>, x: tf.Tensor<R>): tf.Tensor<R> {
  addInto(gpu, x, sum, sum.size)
  gpu.backend.changed(sum)
  x.dispose()
  return sum
}
