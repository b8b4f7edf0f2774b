import * as tf from './tf.js'
import { type Kernels, wasmKernels } from './wasm/kernels.js'
import { gpuKernels } from './webgpu/kernels.js'
import * as onGpu from './webgpu/product.js'

/** How two factors are multiplied. */
export interface ProductOptions {
  /** The first is taken with its rows and columns exchanged. */
  readonly a?: boolean
  /** The second is. */
  readonly b?: boolean
  /** Multiplies the product, before anything is added: 1 unless given. It undoes the scale of a loss in its gradients. */
  readonly scale?: number
  /** Added to the product of two matrices: one of its shape, or one row for all of its rows. */
  readonly plus?: tf.Tensor | undefined
  /** Both factors of two matrices are rounded to half precision, and sums are in single: several times as fast on cards with matrix units.
   *  Where the backend cannot, it is ignored. Numbers of 65,520 and more become infinite, those below 6e-8 zero. */
  readonly half?: boolean
}

/** A product is of [m, k] and [k, n], as they are after rows and columns were exchanged. */
export interface ProductSizes {
  readonly m: number
  readonly n: number
  readonly k: number
}

/** The matrix product of two matrices, or of two stacks of them pair by pair. */
export function product<T extends tf.Tensor2D | tf.Tensor3D>(a: T, b: T, options: ProductOptions = {}): T {
  if (a.rank === 2) {
    // A tensor of rank 2 is one of those that T may be.
    const [left, right] = [a, b] as [tf.Tensor2D, tf.Tensor2D]
    const gpu = gpuKernels()
    if (gpu) return onGpu.product(gpu, left, right, sizesOf(left, right, options), options) as T
    const kernels = wasmKernels()
    if (kernels) return fused(kernels, left, right, options) as T
  }
  return productComposed(a, b, options)
}

/**
 * {@link product} of tfjs's operations.
 *
 * On the WebAssembly backend a factor is transposed before the product: it multiplies transposed matrices far slower
 * than it transposes and multiplies them.
 */
export function productComposed<T extends tf.Tensor2D | tf.Tensor3D>(
  a: T,
  b: T,
  { a: flipA = false, b: flipB = false, plus, scale = 1 }: ProductOptions = {},
): T {
  return tf.tidy(() => {
    const c: T =
      tf.getBackend() === 'wasm'
        ? tf.matMul(flipA ? flipped(a) : a, flipB ? flipped(b) : b)
        : tf.matMul(a, b, flipA, flipB)
    const scaled = scale === 1 ? c : tf.mul<T>(c, scale)
    return plus ? tf.add(scaled, plus) : scaled
  })
}

function flipped<T extends tf.Tensor2D | tf.Tensor3D>(matrix: T): T {
  return tf.transpose(matrix, matrix.rank === 2 ? [1, 0] : [0, 2, 1])
}

/** @throws RangeError if the factors do not fit each other, or what is added does not fit the product */
function sizesOf(a: tf.Tensor2D, b: tf.Tensor2D, { a: flipA, b: flipB, plus }: ProductOptions): ProductSizes {
  const [m, k] = flipA ? [a.shape[1], a.shape[0]] : a.shape
  const [inner, n] = flipB ? [b.shape[1], b.shape[0]] : b.shape
  if (inner !== k) throw new RangeError(`product: ${m} × ${k} by ${inner} × ${n}: the inner sizes differ`)
  if (plus && plus.size !== m * n && plus.size !== n) throw unfit(m, n, plus)
  return { m, n, k }
}

function unfit(m: number, n: number, plus: tf.Tensor): RangeError {
  return new RangeError(`product: ${m} × ${n} plus [${plus.shape}]: neither of its shape nor one row of it`)
}

function fused(kernels: Kernels, a: tf.Tensor2D, b: tf.Tensor2D, options: ProductOptions): tf.Tensor2D {
  const { a: flipA = false, b: flipB = false, plus, scale = 1 } = options
  if (scale !== 1) {
    return tf.tidy(() => {
      const scaled: tf.Tensor2D = tf.mul(fused(kernels, a, b, { a: flipA, b: flipB }), scale)
      return plus ? tf.add(scaled, plus) : scaled
    })
  }
  const { m, n, k } = sizesOf(a, b, options)
  const { address } = kernels
  const [start, startRow] = startOf(kernels, m, n, plus)
  const c = kernels.output<tf.Rank.R2>([m, n])
  const [scratch] = kernels.scratch(kernels.multiplyScratch(m, n, k, flipA)) as [number]
  kernels.multiply(m, n, k, address(a, m * k), flipA, address(b, k * n), flipB, address(c), start, startRow, scratch)
  return c
}

/** Where what a product is added to is, and how far its rows are apart in bytes. */
export function startOf(kernels: Kernels, m: number, n: number, plus: tf.Tensor | undefined): [number, number] {
  if (!plus) return [0, 0]
  if (plus.size === m * n) return [kernels.address(plus, m * n), n * 4]
  if (plus.size === n) return [kernels.address(plus, n), 0]
  throw unfit(m, n, plus)
}
