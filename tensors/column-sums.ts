import * as tf from './tf.js'
import { wasmKernels } from './wasm/kernels.js'
import { columnSums as onGpu } from './webgpu/column-sums.js'
import { gpuKernels } from './webgpu/kernels.js'

/** The sum of each column: the gradient of a row that was added to all rows.
 *  @param x  [rows, columns]
 *  @returns [columns] */
export function columnSums(x: tf.Tensor2D): tf.Tensor1D {
  const gpu = gpuKernels()
  if (gpu) return onGpu(gpu, x)
  const kernels = wasmKernels()
  if (!kernels) return tf.sum(x, 0)
  const [rows, columns] = x.shape
  const sums = kernels.output<tf.Rank.R1>([columns])
  kernels.sumColumns(rows, columns, kernels.address(x), kernels.address(sums))
  return sums
}
