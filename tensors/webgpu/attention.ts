import type { AttentionGradient, AttentionShape } from '../attention.js'
import type * as tf from '../tf.js'
import type { AttentionKernel } from './attention-kernel.js'
import { anyHeads, featuresType, loading } from './head-features.js'
import { ARGUMENTS, type Gpu, kernel, variants, WORKGROUP_INDEX } from './kernels.js'
import * as plain from './plain-attention.js'
import * as tiled from './tiled-attention.js'

/**
 * How the kernels go about it. Both ways are FlashAttention-2's (Dao 2023, algorithms 1 and 2): scores are worked out again wherever they are
 * needed, and never are all there; no two invocations add into one number, so that results are the same on every run.
 *
 * - `tiled`, for cards: a workgroup takes a block of queries (or keys) and brings tiles of the others into its memory, as large as there is
 *   room for; or of the size that is given;
 * - `plain`, for adapters in software, where barriers are dear: an invocation takes a few queries (or keys) and reads the others where they are.
 */
export type AttentionVariant = 'tiled' | tiled.TileSize | 'plain'

/** What suits the adapter: heads of more features than a workgroup's memory has room for are not tiled either. */
export function attentionVariant(gpu: Gpu, headSize: number): AttentionVariant {
  return gpu.inSoftware || !tiled.fits(gpu, headSize) ? 'plain' : 'tiled'
}

/** What the kernels read: heads' features, token by token as they come out of the products. */
export interface AttentionInputs {
  readonly q: tf.Tensor2D
  readonly k: tf.Tensor2D
  readonly v: tf.Tensor2D
  /** [3 · rows · length, at least] as `attentionMask` makes it. */
  readonly segments: tf.Tensor1D
}

export interface AttentionOutputs {
  readonly out: tf.Tensor2D
  /** [rows · heads, length, 2] */
  readonly statistics: tf.Tensor3D
}

/**
 * Which segment each token belongs to, and where its row has the first and the last token of the segment: queries look at no key before, keys are
 * looked at by no query behind.
 *
 * @returns [3, rows · length]
 */
export function segmentSpans(segments: ArrayLike<number>, rows: number, length: number): Int32Array {
  const tokens = rows * length
  const spans = new Int32Array(3 * tokens)
  spans.set(segments)
  for (let row = 0; row < rows; row++) {
    const firsts = new Map<number, number>()
    const lasts = new Map<number, number>()
    for (let i = 0; i < length; i++) {
      const own = segments[row * length + i]!
      if (!firsts.has(own)) firsts.set(own, i)
      lasts.set(own, i)
    }
    for (let i = 0; i < length; i++) {
      const own = segments[row * length + i]!
      spans[tokens + row * length + i] = firsts.get(own)!
      spans[2 * tokens + row * length + i] = lasts.get(own)!
    }
  }
  return spans
}

export function attention(
  gpu: Gpu,
  inputs: AttentionInputs,
  shape: AttentionShape,
  variant = attentionVariant(gpu, shape.headSize),
): AttentionOutputs {
  const { rows, length, heads, headSize } = shape
  const out = gpu.output<tf.Rank.R2>([rows * length, heads * headSize])
  const statistics = gpu.output<tf.Rank.R3>([rows * heads, length, 2])
  const made = variant === 'plain' ? plain.forward(headSize) : tiled.forward(gpu, headSize, sizeOf(variant))
  run(gpu, made, { ...inputs, out, statistics }, shape, heads)
  return { out, statistics }
}

export function attentionGradient(
  gpu: Gpu,
  dOut: tf.Tensor2D,
  inputs: AttentionInputs,
  { out, statistics }: AttentionOutputs,
  shape: AttentionShape,
  variant = attentionVariant(gpu, shape.headSize),
): AttentionGradient {
  const { rows, length, heads, keyHeads, headSize } = shape
  const sums = gpu.output<tf.Rank.R3>([rows * heads, length, 4])
  const all = rows * heads * length
  const sizes = { all, length, heads, headSize }
  gpu.run(outputSums(headSize % 4 === 0), { dOut, out, statistics, sums }, sizes, [Math.ceil(all / 64)])
  const dq = gpu.output<tf.Rank.R2>([rows * length, heads * headSize])
  const dk = gpu.output<tf.Rank.R2>([rows * length, keyHeads * headSize])
  const dv = gpu.output<tf.Rank.R2>([rows * length, keyHeads * headSize])
  const [ofQueries, ofKeys] =
    variant === 'plain'
      ? [plain.queryGradient(headSize), plain.keyGradient(headSize)]
      : [tiled.queryGradient(gpu, headSize, sizeOf(variant)), tiled.keyGradient(gpu, headSize, sizeOf(variant))]
  const buffers = { ...inputs, dOut, sums }
  run(gpu, ofKeys, { ...buffers, dk, dv }, shape, keyHeads)
  run(gpu, ofQueries, { ...buffers, dq }, shape, heads)
  sums.dispose()
  return { dq, dk, dv }
}

function sizeOf(variant: 'tiled' | tiled.TileSize): tiled.TileSize | undefined {
  return variant === 'tiled' ? undefined : variant
}

function run<B extends string>(
  gpu: Gpu,
  { kernel, block }: AttentionKernel<B>,
  buffers: Readonly<Record<B, tf.Tensor>>,
  { rows, length, heads, keyHeads, headSize }: AttentionShape,
  headsOfBlocks: number,
): void {
  const params = { length, tokens: rows * length, heads, keyHeads, headSize, scale: 1 / Math.sqrt(headSize) }
  gpu.run(kernel, buffers, params, [Math.ceil(length / block), headsOfBlocks, rows])
}

/** Beside each query's statistics Σ dO · O, which is Σ dP · P. */
const outputSums = variants((whole: boolean) => {
  const form = anyHeads(whole)
  const type = featuresType(form)
  return kernel({
    name: 'attention-output-sums',
    params: { all: 'u32', length: 'u32', heads: 'u32', headSize: 'u32' },
    buffers: { dOut: type, out: type, statistics: 'array<vec2<f32>>', sums: 'array<vec4<f32>>' },
    writes: ['sums'],
    workgroup: [64],
    code: `${loading(form, 'dOut', 'out')}
fn main(${ARGUMENTS}) {
  let at = (${WORKGROUP_INDEX}) * 64u + local;
  if (at >= params.all) { return; }
  let token = at / (params.length * params.heads) * params.length + at % params.length;
  let head = token * params.heads + at / params.length % params.heads;
  var sum = 0.0;
  for (var unit = 0u; unit * 4u < params.headSize; unit++) { sum += dot(load_dOut(head, unit), load_out(head, unit)); }
  sums[at] = vec4<f32>(statistics[at], sum, 0.0);
}`,
  })
})
