import { product } from './product.js'
import * as tf from './tf.js'
import { type Kernels, wasmKernels } from './wasm/kernels.js'
import * as onGpu from './webgpu/attention.js'
import { gpuKernels } from './webgpu/kernels.js'

/** The sizes of an attention: `rows` sequences of `length` tokens each. Query heads share key heads in groups, in order. */
export interface AttentionShape {
  readonly rows: number
  readonly length: number
  readonly heads: number
  readonly keyHeads: number
  readonly headSize: number
}

/** What each token may look at. */
export interface AttentionMask {
  /** [rows · length, and more] which segment of its row a token belongs to; behind them what the backend's kernels need. */
  readonly segments: tf.Tensor1D
  /** [rows, 1, length, length] 0 where a token may look, else a number so low that nothing is left of it; where it is needed. */
  readonly added: tf.Tensor4D | undefined
}

/** What comes out, and what the gradient needs. */
export interface Attention {
  /** [rows · length, heads · headSize] */
  readonly out: tf.Tensor2D
  readonly kept: Kept | Composed
}

/** What the kernels keep. */
interface Kept {
  readonly q: tf.Tensor2D
  readonly k: tf.Tensor2D
  readonly v: tf.Tensor2D
  /** [rows · heads, length, 2] each query's largest score, and 1 / the sum of e^(score − largest). */
  readonly statistics: tf.Tensor3D
}

/** What the composition keeps. */
interface Composed {
  /** [rows · keyHeads, heads / keyHeads · length, headSize] the queries as they were multiplied; keys and values have length rows. */
  readonly q: tf.Tensor3D
  readonly k: tf.Tensor3D
  readonly v: tf.Tensor3D
  /** [rows · keyHeads, heads / keyHeads · length, length] */
  readonly weights: tf.Tensor3D
}

/** Added to what may not be looked at; finite, so that a row in which nothing may be looked at has no NaN. */
const NEVER = -1e9

/**
 * What each token may look at: tokens of its own sequence that are not after it.
 *
 * @param segments  [rows · length] which sequence a token belongs to; several may stand in one row, and padding is one too
 * @returns disposed of by the caller
 */
export function attentionMask(segments: ArrayLike<number>, rows: number, length: number): AttentionMask {
  if (gpuKernels()) {
    return { segments: tf.tensor1d(onGpu.segmentSpans(segments, rows, length), 'int32'), added: undefined }
  }
  // The kernels read whole vectors of them.
  const padded = new Int32Array(rows * length + 8)
  padded.set(segments)
  return {
    segments: tf.tensor1d(padded, 'int32'),
    added: wasmKernels() ? undefined : addedMask(segments, rows, length),
  }
}

function addedMask(segments: ArrayLike<number>, rows: number, length: number): tf.Tensor4D {
  const mask = new Float32Array(rows * length * length)
  let at = 0
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < length; i++) {
      const own = segments[row * length + i]
      for (let j = 0; j < length; j++) mask[at++] = j <= i && segments[row * length + j] === own ? 0 : NEVER
    }
  }
  return tf.tensor4d(mask, [rows, 1, length, length])
}

/** {@link addedMask} of segments that are a tensor already, which not every backend lets one read at once. */
function addedOf(segments: tf.Tensor1D, rows: number, length: number): tf.Tensor {
  const own = tf.slice(segments, 0, rows * length)
  const same = tf.equal(tf.reshape(own, [rows, 1, length, 1]), tf.reshape(own, [rows, 1, 1, length]))
  const places = tf.range(0, length, 1, 'int32')
  const before = tf.lessEqual(tf.reshape(places, [1, 1, 1, length]), tf.reshape(places, [1, 1, length, 1]))
  return tf.where(tf.logicalAnd(same, before), 0, NEVER)
}

/**
 * softmax(q kᵀ / √headSize + mask) v, head by head (Vaswani et al. 2017, eq. 1), with grouped queries (Ainslie et al. 2023).
 *
 * @param q     [rows · length, heads · headSize]
 * @param k     [rows · length, keyHeads · headSize]; v the same
 * @param mask  as {@link attentionMask} makes it
 */
export function attention(
  q: tf.Tensor2D,
  k: tf.Tensor2D,
  v: tf.Tensor2D,
  mask: AttentionMask,
  shape: AttentionShape,
): Attention {
  const gpu = gpuKernels()
  if (gpu) {
    const { out, statistics } = onGpu.attention(gpu, { q, k, v, segments: mask.segments }, shape)
    return { out, kept: { q: gpu.clone(q), k: gpu.clone(k), v: gpu.clone(v), statistics } }
  }
  const kernels = wasmKernels()
  return kernels ? fused(kernels, q, k, v, mask, shape) : attentionComposed(q, k, v, mask, shape)
}

/** {@link attention} of tfjs's operations. */
export function attentionComposed(
  q: tf.Tensor2D,
  k: tf.Tensor2D,
  v: tf.Tensor2D,
  { segments, added }: AttentionMask,
  shape: AttentionShape,
): Attention {
  return tf.tidy(() => {
    const { rows, length, heads, keyHeads, headSize } = shape
    const group = heads / keyHeads
    const queries = stacked(tf.mul(q, 1 / Math.sqrt(headSize)), shape, heads)
    const keys = stacked(k, shape, keyHeads)
    const values = stacked(v, shape, keyHeads)
    const scores = tf.reshape(product(queries, keys, { b: true }), [rows, heads, length, length])
    const mask = added ?? addedOf(segments, rows, length)
    const weights = tf.reshape(tf.softmax(tf.add(scores, mask)), [
      rows * keyHeads,
      group * length,
      length,
    ]) as tf.Tensor3D
    const kept = { q: queries, k: keys, v: values, weights }
    return { out: unstacked(product(weights, values), shape, heads), kept } as unknown as tf.TensorContainer
  }) as unknown as Attention
}

/** What comes out of {@link attentionGradient}. */
export interface AttentionGradient {
  readonly dq: tf.Tensor2D
  readonly dk: tf.Tensor2D
  readonly dv: tf.Tensor2D
}

/** The gradients of {@link attention}: with P the weights, dV = Pᵀ dO, dP = dO Vᵀ, dS = P · (dP − Σ dP · P), dQ = dS K / √headSize and
 *  dK = dSᵀ Q / √headSize. */
export function attentionGradient(
  dOut: tf.Tensor2D,
  { out, kept }: Attention,
  { segments }: AttentionMask,
  shape: AttentionShape,
): AttentionGradient {
  if ('weights' in kept) return gradientComposed(dOut, kept, shape)
  const gpu = gpuKernels()
  if (gpu) {
    const { q, k, v, statistics } = kept
    return onGpu.attentionGradient(gpu, dOut, { q, k, v, segments }, { out, statistics }, shape)
  }
  const kernels = wasmKernels()
  if (!kernels) throw new Error('attentionGradient: the backend was changed after the forward pass')
  const { rows, length, heads, keyHeads, headSize } = shape
  const { address } = kernels
  const { q, k, v, statistics } = kept
  const [queries, keys] = sizesOf(shape)
  const dq = kernels.output<tf.Rank.R2>(q.shape)
  const dk = kernels.output<tf.Rank.R2>(k.shape)
  const dv = kernels.output<tf.Rank.R2>(v.shape)
  const [scratch] = kernels.scratch(kernels.attendScratch(length, headSize)) as [number]
  kernels.attendGradient(
    rows,
    length,
    heads,
    keyHeads,
    headSize,
    1 / Math.sqrt(headSize),
    address(q, queries),
    address(k, keys),
    address(v, keys),
    address(segments),
    address(statistics),
    address(dOut, queries),
    address(dq),
    address(dk),
    address(dv),
    scratch,
  )
  return { dq, dk, dv }
}

function fused(
  kernels: Kernels,
  q: tf.Tensor2D,
  k: tf.Tensor2D,
  v: tf.Tensor2D,
  { segments }: AttentionMask,
  shape: AttentionShape,
): Attention {
  const { rows, length, heads, keyHeads, headSize } = shape
  const { address } = kernels
  const [queries, keys] = sizesOf(shape)
  const out = kernels.output<tf.Rank.R2>(q.shape)
  const statistics = kernels.output<tf.Rank.R3>([rows * heads, length, 2])
  const [scratch] = kernels.scratch(kernels.attendScratch(length, headSize)) as [number]
  kernels.attend(
    rows,
    length,
    heads,
    keyHeads,
    headSize,
    1 / Math.sqrt(headSize),
    address(q, queries),
    address(k, keys),
    address(v, keys),
    address(segments),
    address(out),
    address(statistics),
    scratch,
  )
  // Of their own, as what the composition keeps is.
  return { out, kept: { q: tf.clone(q), k: tf.clone(k), v: tf.clone(v), statistics } }
}

/** Numbers of all queries, and of all keys. */
function sizesOf({ rows, length, heads, keyHeads, headSize }: AttentionShape): [number, number] {
  return [rows * length * heads * headSize, rows * length * keyHeads * headSize]
}

function gradientComposed(dOut: tf.Tensor2D, { q, k, v, weights }: Composed, shape: AttentionShape): AttentionGradient {
  return tf.tidy(() => {
    const { heads, keyHeads, headSize } = shape
    const slopes = stacked(dOut, shape, heads)
    const dWeights = product(slopes, v, { b: true })
    const dScores = tf.mul(weights, tf.sub(dWeights, tf.sum(tf.mul(dWeights, weights), 2, true))) as tf.Tensor3D
    return {
      dq: tf.mul(unstacked(product(dScores, k), shape, heads), 1 / Math.sqrt(headSize)) as tf.Tensor2D,
      // The queries are divided already.
      dk: unstacked(product(dScores, q, { a: true }), shape, keyHeads),
      dv: unstacked(product(weights, slopes, { a: true }), shape, keyHeads),
    }
  })
}

/** [rows · length, heads · headSize] as [rows · keyHeads, heads / keyHeads · length, headSize]. */
function stacked(x: tf.Tensor, { rows, length, keyHeads, headSize }: AttentionShape, heads: number): tf.Tensor3D {
  const apart = tf.transpose(tf.reshape(x, [rows, length, heads, headSize]), [0, 2, 1, 3])
  return tf.reshape(apart, [rows * keyHeads, (heads / keyHeads) * length, headSize])
}

/** {@link stacked}, undone. */
function unstacked(x: tf.Tensor, { rows, length, headSize }: AttentionShape, heads: number): tf.Tensor2D {
  const apart = tf.transpose(tf.reshape(x, [rows, heads, length, headSize]), [0, 2, 1, 3])
  return tf.reshape(apart, [rows * length, heads * headSize])
}
