import * as tf from './tf.js'
import { type Kernels, wasmKernels } from './wasm/kernels.js'

/** How two factors are multiplied. */
export interface ProductOptions {
  /** The first is taken with its rows and columns exchanged. */
  readonly a?: boolean
  /** The second is. */
  readonly b?: boolean
  /** Added to the product of two matrices: one of its shape, or one row for all of its rows. */
  readonly plus?: tf.Tensor | undefined
  /** Both factors are rounded to half precision, sums are in single; where the backend cannot, it is ignored. */
  readonly half?: boolean
}

/** The matrix product of two matrices, or of two stacks of them pair by pair. */
export function product<T extends tf.Tensor2D | tf.Tensor3D>(a: T, b: T, options: ProductOptions = {}): T {
  const kernels = a.rank === 2 ? wasmKernels() : undefined
  // A tensor of rank 2 is one of those that T may be.
  if (kernels) return fused(kernels, a as tf.Tensor2D, b as tf.Tensor2D, options) as T
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
  { a: flipA = false, b: flipB = false, plus }: ProductOptions = {},
): T {
  return tf.tidy(() => {
    const c: T =
      tf.getBackend() === 'wasm'
        ? tf.matMul(flipA ? flipped(a) : a, flipB ? flipped(b) : b)
        : tf.matMul(a, b, flipA, flipB)
    return plus ? tf.add(c, plus) : c
  })
}

function flipped<T extends tf.Tensor2D | tf.Tensor3D>(matrix: T): T {
  return tf.transpose(matrix, matrix.rank === 2 ? [1, 0] : [0, 2, 1])
}

function fused(
  kernels: Kernels,
  a: tf.Tensor2D,
  b: tf.Tensor2D,
  { a: flipA = false, b: flipB = false, plus }: ProductOptions,
): tf.Tensor2D {
  const [m, k] = flipA ? [a.shape[1], a.shape[0]] : a.shape
  const [inner, n] = flipB ? [b.shape[1], b.shape[0]] : b.shape
  if (inner !== k) throw new RangeError(`product: ${m} × ${k} by ${inner} × ${n}: the inner sizes differ`)
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
  throw new RangeError(`product: ${m} × ${n} plus [${plus.shape}]: neither of its shape nor one row of it`)
}
