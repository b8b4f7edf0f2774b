import * as tf from './tf.js'
import { wasmKernels } from './wasm/kernels.js'
import * as onGpu from './webgpu/embedding.js'
import { gpuKernels } from './webgpu/kernels.js'

/** The rows of a table that `ids` name.
 *  @param table  [vocabulary, features]
 *  @returns [ids, features]
 *  @throws RangeError if the table has no such row */
export function embedding(table: tf.Tensor2D, ids: Int32Array): tf.Tensor2D {
  const [vocabulary, features] = table.shape
  checkIds(ids, vocabulary)
  const gpu = gpuKernels()
  if (gpu) return onGpu.embedding(gpu, table, ids)
  const kernels = wasmKernels()
  if (!kernels) return tf.tidy(() => tf.gather(table, tf.tensor1d(ids, 'int32')))
  const rows = kernels.output<tf.Rank.R2>([ids.length, features])
  const [, names] = kernels.scratch(0, ids) as [number, number]
  kernels.gatherRows(ids.length, features * 4, kernels.address(table), names, kernels.address(rows))
  return rows
}

/** The gradient of {@link embedding}: every row of `dy` added to the table's row that its id names.
 *  @returns [vocabulary, features]
 *  @throws RangeError if the table has no such row */
export function embeddingGradient(dy: tf.Tensor2D, ids: Int32Array, vocabulary: number): tf.Tensor2D {
  checkIds(ids, vocabulary)
  const gpu = gpuKernels()
  if (gpu) return onGpu.embeddingGradient(gpu, dy, ids, vocabulary)
  const kernels = wasmKernels()
  if (!kernels) return embeddingGradientComposed(dy, ids, vocabulary)
  const features = dy.shape[1]
  const sums = kernels.output<tf.Rank.R2>([vocabulary, features])
  const [, names] = kernels.scratch(0, ids) as [number, number]
  kernels.addRows(
    ids.length,
    features,
    kernels.address(dy, ids.length * features),
    names,
    vocabulary,
    kernels.address(sums),
  )
  return sums
}

/** {@link embeddingGradient} of tfjs's operations. */
export function embeddingGradientComposed(dy: tf.Tensor2D, ids: Int32Array, vocabulary: number): tf.Tensor2D {
  if (tf.getBackend() !== 'wasm') return tf.tidy(() => tf.unsortedSegmentSum(dy, tf.tensor1d(ids, 'int32'), vocabulary))
  // The WebAssembly backend has no sum over segments.
  const features = dy.shape[1]
  const slopes = dy.dataSync() as Float32Array
  const sums = new Float32Array(vocabulary * features)
  for (let row = 0; row < ids.length; row++) {
    const to = ids[row]! * features
    for (let i = 0; i < features; i++) sums[to + i]! += slopes[row * features + i]!
  }
  return tf.tensor2d(sums, [vocabulary, features])
}

function checkIds(ids: Int32Array, vocabulary: number): void {
  // A loop, as a callback for each would show in every step of decoding.
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i]!
    if (id < 0 || id >= vocabulary) throw new RangeError(`id ${id} at ${i}: the table has rows 0 to ${vocabulary - 1}`)
  }
}
