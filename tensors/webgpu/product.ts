import type { ProductOptions, ProductSizes } from '../product.js'
import * as tf from '../tf.js'
import { ARGUMENTS, type Gpu, kernel, WORKGROUP_INDEX } from './kernels.js'
import { matrixUnit } from './matrix-unit.js'
import { direct, directWorkgroups } from './product-direct.js'
import { MATRIX_DEPTH, matrix, matrixMemory, matrixTiles } from './product-matrix.js'
import { tiled, tiles } from './product-tiled.js'
import { roundedToHalf } from './rounding.js'

/** How a product is done, where that is not left to {@link product}: `matrix` only with factors that are rounded to half precision. */
export interface ProductWay {
  readonly variant?: 'direct' | 'tiled' | 'matrix'
  readonly tile?: 'large' | 'small'
  /** Into how many parts the inner dimension is cut, at most. */
  readonly parts?: number
}

/** Workgroups that keep a large card busy: two for each of the 132 multiprocessors of an H200. How many a card has WebGPU does not tell, and a
 *  smaller one loses little by more. */
const ENOUGH = 264

/** Of the inner dimension, what a part has at least: less would be done sooner than its sums are written and read again. */
const LEAST_DEPTH = 256

/** a · b, by tiles. Where these would be too few to keep a card busy (few rows, or the gradient of a weight, whose inner dimension is the long one)
 *  the tiles are smaller, then the inner dimension is cut into parts, whose sums are added at the end. */
export function product(
  gpu: Gpu,
  a: tf.Tensor2D,
  b: tf.Tensor2D,
  { m, n, k }: ProductSizes,
  { a: flipA = false, b: flipB = false, plus, half: halfWanted = false, scale = 1 }: ProductOptions,
  way: ProductWay = {},
): tf.Tensor2D {
  const half = halfWanted && gpu.has('shader-f16')
  const unit = half ? matrixUnit(gpu) : undefined
  const variant = way.variant ?? (gpu.inSoftware ? 'direct' : unit ? 'matrix' : 'tiled')
  const byFour = (size: number) => size % 4 === 0
  const [byFourA, byFourB] = [byFour(flipA ? m : k), byFour(flipB ? k : n)]
  const c = gpu.output<tf.Rank.R2>([m, n])
  const added = plus ? (plus.size === m * n ? 1 : 2) : 0
  const sizes = { m, n, k, inner: k }
  if (variant === 'direct') {
    // Steps are of four along the inner dimension, unless both factors lie across it.
    const aligned = byFourA && byFourB && ((flipA && !flipB) || byFour(k))
    const done = direct(flipA, flipB, aligned, false, 'f32', aligned && byFour(n), false)
    const params = { ...sizes, depth: k, plus: added, scale }
    // Once, as each number is read by many invocations.
    const rounded = half ? { a: roundedToHalf(gpu, a), b: roundedToHalf(gpu, b) } : undefined
    const buffers = { a, b, plus: plus ?? a, c, ...rounded }
    gpu.run(done, buffers, params, directWorkgroups(m, n, flipA, flipB, aligned))
    if (rounded) tf.dispose([rounded.a, rounded.b])
    return c
  }
  const large = way.tile ? way.tile === 'large' : isLarge(gpu, m, n, k, variant === 'matrix')
  const { rows, columns } = (variant === 'matrix' ? matrixTiles : tiles)[large ? 'large' : 'small']
  const grid: [number, number] = [Math.ceil(n / columns), Math.ceil(m / rows)]
  const step = variant === 'matrix' ? MATRIX_DEPTH : tiles.small.depth
  const most = way.parts ?? Math.min(Math.floor(ENOUGH / (grid[0] * grid[1])), Math.floor(k / LEAST_DEPTH))
  const depth = Math.max(1, Math.ceil(k / Math.max(1, most) / step)) * step
  const parts = Math.max(1, Math.ceil(k / depth))
  const name = large ? 'large' : 'small'
  const done =
    variant === 'tiled'
      ? tiled(flipA, byFourA, flipB, byFourB, half, 'f32', byFour(n), false, name)
      : matrix(flipA, byFourA, flipB, byFourB, byFour(n), name, unit!.m, unit!.n, unit!.k, unit!.subgroup)
  if (parts === 1) {
    gpu.run(done, { a, b, plus: plus ?? a, c }, { ...sizes, depth, plus: added, scale }, [...grid, 1])
    return c
  }
  const sums = gpu.output<tf.Rank.R3>([parts, m, n])
  gpu.run(done, { a, b, plus: a, c: sums }, { ...sizes, depth, plus: 0, scale: 1 }, [...grid, parts])
  const params = { size: m * n, n, parts, plus: added, scale }
  gpu.run(partSums, { sums, plus: plus ?? a, c }, params, [Math.ceil((m * n) / 64)])
  sums.dispose()
  return c
}

/** Whether large tiles, each of whose numbers is read less often, are enough in number; parts of the inner dimension count. */
function isLarge(gpu: Gpu, m: number, n: number, k: number, byMatrices: boolean): boolean {
  if (byMatrices) {
    const { rows, columns, down, across } = matrixTiles.large
    const invocations = down * across * (matrixUnit(gpu)?.subgroup ?? 32)
    if (matrixMemory('large') > gpu.limits.maxComputeWorkgroupStorageSize) return false
    if (invocations > gpu.limits.maxComputeInvocationsPerWorkgroup) return false
    return enough(m, n, k, rows, columns)
  }
  return enough(m, n, k, tiles.large.rows, tiles.large.columns)
}

function enough(m: number, n: number, k: number, rows: number, columns: number): boolean {
  if (m <= rows / 2 || n <= columns / 2) return false
  const parts = Math.max(1, Math.floor(k / (2 * LEAST_DEPTH)))
  return Math.ceil(m / rows) * Math.ceil(n / columns) * parts >= ENOUGH / 2
}

/** Adds the parts of a product. */
const partSums = kernel({
  name: 'product-parts',
  params: { size: 'u32', n: 'u32', parts: 'u32', plus: 'u32', scale: 'f32' },
  buffers: { sums: 'array<f32>', plus: 'array<f32>', c: 'array<f32>' },
  writes: ['c'],
  workgroup: [64],
  code: `
fn main(${ARGUMENTS}) {
  let at = (${WORKGROUP_INDEX}) * 64u + local;
  if (at >= params.size) { return; }
  var sum = 0.0;
  for (var part = 0u; part < params.parts; part++) { sum += sums[part * params.size + at]; }
  sum *= params.scale;
  if (params.plus == 1u) { sum += plus[at]; }
  if (params.plus == 2u) { sum += plus[at % params.n]; }
  c[at] = sum;
}`,
})
