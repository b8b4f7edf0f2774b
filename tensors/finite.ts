import type * as tf from './tf.js'
import { firstNotFinite as onGpu } from './webgpu/finite.js'
import { gpuKernels } from './webgpu/kernels.js'

/** The name of the first tensor that has a number that is infinite or none, in the order in which they are given; undefined if there is none.
 *  Tensors stay where they are computed: it reads one number of each back where it can. */
export async function firstNotFinite(tensors: Readonly<Record<string, tf.Tensor>>): Promise<string | undefined> {
  const gpu = gpuKernels()
  if (gpu) return onGpu(gpu, tensors)
  for (const [name, tensor] of Object.entries(tensors)) {
    for (const number of await tensor.data()) if (!Number.isFinite(number)) return name
  }
  return undefined
}
