import * as tf from './tf.js'
import { gpuKernels } from './webgpu/kernels.js'

/** What matrix products are computed in. Sums, and all between products, are in single precision. */
export const computeTypes = ['float32', 'float16'] as const
export type ComputeType = (typeof computeTypes)[number]

/** Why products cannot be computed in half precision on the backend in use; nothing where they can. */
export function noHalf(): string | undefined {
  if (tf.getBackend() !== 'webgpu') return `backend ${tf.getBackend()} has none; webgpu has`
  return gpuKernels()?.has('shader-f16')
    ? undefined
    : 'the adapter has no shader-f16 (rxgym doctor lists what there is)'
}
