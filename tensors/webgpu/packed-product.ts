import { otherBackend } from '../backend-error.js'
import type { PackedWeight } from '../packed-weight.js'
import * as tf from '../tf.js'
import { factors, fourOf, productParams, putOf, putType, typeOf, unrolled } from './factors.js'
import { ARGUMENTS, type Encoder, type Gpu, gpuKernels, kernel, variants, WORKGROUP_INDEX } from './kernels.js'
import { type MatrixUnit, matrixUnit } from './matrix-unit.js'
import { direct, directWorkgroups } from './product-direct.js'
import { type TileName, tiled, tiles } from './product-tiled.js'

/** How a product with a packed weight is done, where that is not left to {@link packedProductInto}. */
export type PackedVariant = 'direct' | 'tiled' | 'matrix'

/** Of the inner dimension, what a workgroup with matrix units has of x in its memory at a time; and into multiples of what a weight in half precision
 *  is filled up with zeros, so that matrices are read of it without looking for its ends. */
const DEPTH = 128

/** How a weight lies: a line of inputs for each output, in half precision or single. */
export function packedSize(outputs: number, inputs: number, half: boolean): readonly [lines: number, width: number] {
  const multiple = (size: number, of: number) => Math.ceil(size / of) * of
  return half ? [multiple(outputs, DEPTH), multiple(inputs, DEPTH)] : [outputs, multiple(inputs, 4)]
}

const packing = variants((half: boolean) =>
  kernel({
    name: 'pack-weight',
    params: { outputs: 'u32', inputs: 'u32', lines: 'u32', width: 'u32', pairs: 'u32' },
    buffers: { weight: 'array<f32>', other: 'array<f32>', packed: `array<vec4<${half ? 'f16' : 'f32'}>>` },
    writes: ['packed'],
    workgroup: [64],
    ...(half ? { uses: ['shader-f16'] as const } : {}),
    code: `
fn main(${ARGUMENTS}) {
  let to = (${WORKGROUP_INDEX}) * 64u + local;
  let line = to / (params.width / 4u);
  let at = to % (params.width / 4u) * 4u;
  if (line >= params.lines) { return; }
  var four = vec4<f32>();
  for (var i = 0u; i < 4u; i++) {
    if (line < params.outputs && at + i < params.inputs) {
      if (params.pairs == 0u) {
        four[i] = weight[line * params.inputs + at + i];
      } else if (line % 2u == 0u) {
        four[i] = weight[line / 2u * params.inputs + at + i];
      } else {
        four[i] = other[line / 2u * params.inputs + at + i];
      }
    }
  }
  packed[to] = vec4<${half ? 'f16' : 'f32'}>(four);
}`,
  }),
)

/** Lays a weight out, [outputs, inputs]; or two of the same shape, whose lines take turns.
 *  @param half  in half precision; where there is none, in single */
export function packed(gpu: Gpu, weight: tf.Tensor2D, other: tf.Tensor2D | undefined, half: boolean): PackedWeight {
  const [features, inputs] = weight.shape
  const outputs = other ? features * 2 : features
  const inHalf = half && gpu.has('shader-f16')
  const [lines, width] = packedSize(outputs, inputs, inHalf)
  // Two numbers of half precision are in the place of one.
  const layout = gpu.output<tf.Rank.R1>([inHalf ? (lines * width) / 2 : lines * width])
  const params = { outputs, inputs, lines, width, pairs: other ? 1 : 0 }
  const workgroups = Math.ceil((lines * width) / 256)
  gpu.run(packing(inHalf), { weight, other: other ?? weight, packed: layout }, params, [workgroups])
  return { inputs, outputs, layout, form: inHalf ? 'half-lines' : 'lines' }
}

/**
 * y = x · weightᵀ + plus, of the first rows.
 *
 * @param x     [most rows, inputs]
 * @param y     [most rows, outputs], another tensor than `plus`
 * @param plus  of the shape of y, or one row for all
 * @param rows  how many are in use
 */
export function packedProductInto(
  encoder: Encoder,
  x: tf.Tensor2D,
  weight: PackedWeight,
  y: tf.Tensor2D,
  plus: tf.Tensor | undefined,
  rows: number,
  variant?: PackedVariant,
): void {
  into(encoder, x, weight, y, plus, rows, false, variant)
}

/**
 * y = silu(x · gateᵀ) · (x · upᵀ), of the first rows: the weight has the lines of both by turns, see {@link packed}.
 *
 * @param x  [most rows, inputs]
 * @param y  [most rows, outputs / 2]
 */
export function packedSwigluInto(
  encoder: Encoder,
  x: tf.Tensor2D,
  weight: PackedWeight,
  y: tf.Tensor2D,
  rows: number,
  variant?: PackedVariant,
): void {
  into(encoder, x, weight, y, undefined, rows, true, variant)
}

function into(
  encoder: Encoder,
  x: tf.Tensor2D,
  { inputs, outputs, layout, form }: PackedWeight,
  y: tf.Tensor2D,
  plus: tf.Tensor | undefined,
  rows: number,
  gated: boolean,
  chosen: PackedVariant | undefined,
): void {
  const gpu = gpuKernels()
  if (!gpu) throw otherBackend('packedProductInto', tf.getBackend())
  const half = form === 'half-lines'
  const stored = half ? 'f16' : 'f32'
  const [, width] = packedSize(outputs, inputs, half)
  const added = plus ? (plus.size === outputs ? 2 : 1) : 0
  const params = { m: rows, n: outputs, k: width, inner: inputs, depth: inputs, plus: added, scale: 1 }
  const buffers = { a: x, b: layout, plus: plus ?? x, c: y }
  const [byFourX, byFourY] = [inputs % 4 === 0, outputs % 4 === 0]
  const unit = half ? matrixUnit(gpu) : undefined
  const variant = chosen ?? (gpu.inSoftware ? 'direct' : unit ? 'matrix' : 'tiled')
  if (variant === 'direct') {
    const done = direct(false, true, byFourX, half, stored, byFourX && byFourY, gated)
    encoder.run(done, buffers, params, directWorkgroups(rows, outputs, false, true, byFourX))
  } else if (variant === 'tiled') {
    const name = tileFor(rows, outputs)
    const done = tiled(false, byFourX, true, true, half, stored, byFourY, gated, name)
    encoder.run(done, buffers, params, [
      Math.ceil(outputs / tiles[name].columns),
      Math.ceil(rows / tiles[name].rows),
      1,
    ])
  } else {
    const { m, n, k, subgroup } = unit!
    const shape = packedShape(unit!, rows, outputs, gpu.limits.maxComputeWorkgroupStorageSize)
    const done = packedMatrix(byFourX, byFourY, gated, shape.rows, shape.columns, m, n, k, subgroup)
    encoder.run(done, buffers, params, [Math.ceil(outputs / shape.columns), Math.ceil(rows / shape.rows), 1])
  }
}

/** Workgroups below which a large card is not busy: the multiprocessors of an H200. */
const ENOUGH = 132

/** With few outputs tiles are narrow, so that there are more of them, and their invocations share the inner dimension. */
function tileFor(rows: number, outputs: number): TileName {
  if (Math.ceil(outputs / tiles.small.columns) < ENOUGH) return 'narrow'
  return rows <= tiles.low.rows ? 'low' : 'small'
}

/** Rows and columns of a workgroup with matrix units. All rows, as far as there is memory, so that the weight is read once; of columns as many as leave
 *  enough workgroups, since each of them reads all of x. */
export function packedShape(unit: MatrixUnit, rows: number, outputs: number, memory: number) {
  const heights = [16, 32, 64, 128]
  const fitting = heights.filter((height) => packedMemory(unit, height) <= memory)
  const height = fitting.find((each) => each >= rows) ?? fitting.at(-1) ?? 16
  const widths = [128, 64, 32].filter((columns) => columns <= (INVOCATIONS / unit.subgroup) * 16)
  return { rows: height, columns: widths.find((columns) => outputs / columns >= ENOUGH) ?? 16 }
}

function packedMemory({ m, n, subgroup }: MatrixUnit, rows: number): number {
  return rows * (DEPTH + GAP) * 2 + (INVOCATIONS / subgroup) * m * n * 4
}

const INVOCATIONS = 256

/** See the gap of `product-matrix`. */
const GAP = 8

/**
 * Few rows by a packed weight in half precision, by a card's matrix units. What takes the time is reading the weight: each subgroup reads matrices of 16
 * of its lines straight from it, once. x goes through workgroup memory. Subgroups beyond those that the columns need share the inner dimension,
 * and what they have is added at the end.
 */
export const packedMatrix = variants(
  (
    byFourX: boolean,
    byFourY: boolean,
    gated: boolean,
    rows: number,
    columns: number,
    m: number,
    n: number,
    k: number,
    subgroup: number,
  ) => {
    const a = factors(false, byFourX, true, false, 'f16').a
    const across = columns / 16
    const slices = INVOCATIONS / subgroup / across
    const own = DEPTH / slices
    const stride = DEPTH + GAP
    const [high, wide, steps] = [rows / m, 16 / n, own / k]
    return kernel({
      name: 'packed-product-matrix',
      params: productParams,
      buffers: { a: typeOf(a), b: 'array<f16>', plus: putType(byFourY, gated), c: putType(byFourY, gated) },
      writes: ['c'],
      workgroup: [INVOCATIONS],
      uses: ['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix'],
      code: `${putOf(byFourY, gated)}
${fourOf(a)}
var<workgroup> tile_a: array<f16, ${rows * stride}>;
var<workgroup> results: array<f32, ${(INVOCATIONS / subgroup) * m * n}>;
@diagnostic(off, chromium_experimental.subgroup_matrix_uniformity)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32,
  @builtin(subgroup_id) subgroup: u32) {
  let row = workgroup.y * ${rows}u;
  let column = workgroup.x * ${columns}u;
  let own_column = column + subgroup % ${across}u * 16u;
  let own_inner = subgroup / ${across}u * ${own}u;
${unrolled(high, (i) => unrolled(wide, (j) => `  var sum_${i}_${j}: subgroup_matrix_result<f32, ${n}, ${m}>;`))}
  for (var k = 0u; k < params.k; k += ${DEPTH}u) {
${unrolled(steps, (s) =>
  unrolled(
    wide,
    (j) =>
      `    let right_${s}_${j} = subgroupMatrixLoad<subgroup_matrix_right<f16, ${n}, ${k}>, col_major>(&b, (own_column + ${j * n}u) * params.k + k + own_inner + ${s * k}u, params.k);`,
  ),
)}
    for (var i = local; i < ${(rows * DEPTH) / 4}u; i += ${INVOCATIONS}u) {
      let line = i / ${DEPTH / 4}u;
      let at = i % ${DEPTH / 4}u * 4u;
      let four = vec4<f16>(four_a(row + line, k + at));
      let to = line * ${stride}u + at;
      tile_a[to] = four.x;
      tile_a[to + 1u] = four.y;
      tile_a[to + 2u] = four.z;
      tile_a[to + 3u] = four.w;
    }
    workgroupBarrier();
${unrolled(steps, (s) =>
  unrolled(
    high,
    (i) => `    {
      let left = subgroupMatrixLoad<subgroup_matrix_left<f16, ${k}, ${m}>, row_major>(&tile_a, ${i * m * stride + s * k}u + own_inner, ${stride}u);
${unrolled(wide, (j) => `      sum_${i}_${j} = subgroupMatrixMultiplyAccumulate(left, right_${s}_${j}, sum_${i}_${j});`)}
    }`,
  ),
)}
    workgroupBarrier();
  }
${unrolled(high, (i) =>
  unrolled(
    wide,
    (j) => `  subgroupMatrixStore<row_major>(&results, subgroup * ${m * n}u, sum_${i}_${j}, ${n}u);
  workgroupBarrier();
  for (var i = local * 4u; i < ${across * m * n}u; i += ${INVOCATIONS * 4}u) {
    var four = vec4<f32>();
    for (var at = i; at < ${(INVOCATIONS / subgroup) * m * n}u; at += ${across * m * n}u) {
      four += vec4<f32>(results[at], results[at + 1u], results[at + 2u], results[at + 3u]);
    }
    let at = i % ${m * n}u;
    put(row + ${i * m}u + at / ${n}u, column + i / ${m * n}u * 16u + ${j * n}u + at % ${n}u, 0u, four);
  }
  workgroupBarrier();`,
  ),
)}
}`,
    })
  },
)

/** {@link packedProductInto} a tensor of its own. */
export function packedProduct(
  gpu: Gpu,
  x: tf.Tensor2D,
  weight: PackedWeight,
  plus: tf.Tensor | undefined,
  variant?: PackedVariant,
): tf.Tensor2D {
  const y = gpu.output<tf.Rank.R2>([x.shape[0], weight.outputs])
  packedProductInto(gpu, x, weight, y, plus, x.shape[0], variant)
  return y
}

/** {@link packedSwigluInto} a tensor of its own. */
export function packedSwiglu(gpu: Gpu, x: tf.Tensor2D, weight: PackedWeight, variant?: PackedVariant): tf.Tensor2D {
  const y = gpu.output<tf.Rank.R2>([x.shape[0], weight.outputs / 2])
  packedSwigluInto(gpu, x, weight, y, x.shape[0], variant)
  return y
}
