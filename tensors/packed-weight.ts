import { otherBackend } from './backend-error.js'
import { startOf } from './product.js'
import { swiglu } from './swiglu.js'
import * as tf from './tf.js'
import { wasmKernels } from './wasm/kernels.js'
import { gpuKernels } from './webgpu/kernels.js'
import * as onGpu from './webgpu/packed-product.js'

/** A weight laid out once, for many products with few rows: there, laying it out takes as long as multiplying. */
export interface PackedWeight {
  readonly inputs: number
  readonly outputs: number
  readonly layout: tf.Tensor
  /** `transposed`: [inputs, outputs]; `panels`: as WebAssembly's kernels read it; `lines`, `half-lines`: as the kernels of `webgpu` do, the latter
   *  in half precision. */
  readonly form: 'transposed' | 'panels' | 'lines' | 'half-lines'
}

/** @param weight  [outputs, inputs]
 *  @param half    both factors are rounded to half precision, as {@link ProductOptions.half} has it */
export function packedWeight(weight: tf.Tensor2D, half = false): PackedWeight {
  const gpu = gpuKernels()
  if (gpu) return onGpu.packed(gpu, weight, undefined, half)
  const kernels = wasmKernels()
  const [outputs, inputs] = weight.shape
  if (!kernels) return { inputs, outputs, layout: tf.transpose(weight), form: 'transposed' }
  const layout = kernels.output<tf.Rank.R1>([Math.ceil(outputs / 8) * 8 * inputs])
  kernels.packWeight(outputs, inputs, kernels.address(weight), kernels.address(layout))
  return { inputs, outputs, layout, form: 'panels' }
}

/** x · weightᵀ + plus.
 *  @param x     [rows, inputs]
 *  @param plus  [rows, outputs], or one row for all
 *  @returns [rows, outputs] */
export function packedProduct(x: tf.Tensor2D, weight: PackedWeight, plus?: tf.Tensor): tf.Tensor2D {
  const { inputs, outputs, layout, form } = weight
  const [rows] = x.shape
  expectInputs(x, inputs)
  if (form === 'transposed') {
    return tf.tidy(() => {
      const y: tf.Tensor2D = tf.matMul(x, layout as tf.Tensor2D)
      return plus ? tf.add(y, plus) : y
    })
  }
  const gpu = form === 'panels' ? undefined : gpuKernels()
  if (gpu) return onGpu.packedProduct(gpu, x, weight, plus)
  const kernels = form === 'panels' ? wasmKernels() : undefined
  if (!kernels) throw otherBackend('packedProduct', tf.getBackend())
  const { address } = kernels
  const [start, startRow] = startOf(kernels, rows, outputs, plus)
  const y = kernels.output<tf.Rank.R2>([rows, outputs])
  const [scratch] = kernels.scratch(kernels.multiplyPackedScratch(rows, outputs)) as [number]
  kernels.multiplyPacked(rows, outputs, inputs, address(x), address(layout), address(y), start, startRow, scratch)
  return y
}

function expectInputs(x: tf.Tensor2D, inputs: number): void {
  const [, columns] = x.shape
  if (columns !== inputs) throw new RangeError(`packed product: rows of ${columns} for a weight of ${inputs} inputs`)
}

/** The two weights that {@link packedSwiglu} takes; on `webgpu` the first has both. */
export interface PackedGate {
  readonly gate: PackedWeight
  readonly up?: PackedWeight
}

/** @param gate  [outputs, inputs]
 *  @param up    [outputs, inputs]
 *  @param half  see {@link packedWeight} */
export function packedGate(gate: tf.Tensor2D, up: tf.Tensor2D, half = false): PackedGate {
  const gpu = gpuKernels()
  if (gpu) return { gate: onGpu.packed(gpu, gate, up, half) }
  return { gate: packedWeight(gate, half), up: packedWeight(up, half) }
}

/** silu(x · gateᵀ) · (x · upᵀ): the gated half of a transformer's feed-forward layer (Shazeer 2020, "GLU Variants Improve Transformer").
 *  @param x  [rows, inputs]
 *  @returns [rows, outputs] */
export function packedSwiglu(x: tf.Tensor2D, { gate, up }: PackedGate): tf.Tensor2D {
  if (up) return tf.tidy(() => swiglu(packedProduct(x, gate), packedProduct(x, up)))
  expectInputs(x, gate.inputs)
  const gpu = gpuKernels()
  if (!gpu) throw otherBackend('packedSwiglu', tf.getBackend())
  return onGpu.packedSwiglu(gpu, x, gate)
}
