import * as tf from './tf.js'
import { added as onGpu } from './webgpu/added.js'
import { gpuKernels } from './webgpu/kernels.js'

/** `sum + x`, of one shape, in the place of both: neither is to be used any more. On a graphics card it takes no memory beside theirs. */
export function added<R extends tf.Rank>(sum: tf.Tensor<R>, x: tf.Tensor<R>): tf.Tensor<R> {
  const gpu = gpuKernels()
  if (gpu) return onGpu(gpu, sum, x)
  const both = tf.add<tf.Tensor<R>>(sum, x)
  tf.dispose([sum, x])
  return both
}
