import { type Factor, factors, fourOf, productParams, putOf, putType, typeOf, unrolled } from './factors.js'
import { kernel, variants } from './kernels.js'

/** Of the inner dimension, what is in workgroup memory at a time. */
export const MATRIX_DEPTH = 32

/** Numbers between the lines of a tile: without them those of a column would be in the same bank of memory. A multiple of 16 bytes, as loading a matrix wants. */
const GAP = 8

/** A tile of a product that a workgroup works on, and how many subgroups share it. */
export const matrixTiles = {
  large: { rows: 128, columns: 128, down: 2, across: 4 },
  small: { rows: 64, columns: 64, down: 2, across: 2 },
} as const
export type MatrixTile = keyof typeof matrixTiles

/** Bytes of workgroup memory that {@link matrix} takes, at most. */
export function matrixMemory(name: MatrixTile): number {
  const { rows, columns, down, across } = matrixTiles[name]
  const tile = (side: number) => Math.max(side * (MATRIX_DEPTH + GAP), MATRIX_DEPTH * (side + GAP)) * 2
  return tile(rows) + tile(columns) + down * across * 16 * 16 * 4
}

/**
 * A product by a card's matrix units, whose sizes are m, n and k: tiles of both factors are rounded to half precision into workgroup memory, as they
 * lie, and each subgroup multiplies its part of them.
 *
 * What a subgroup does alike is not known to be so by WGSL's analysis, which knows only of whole workgroups: hence the diagnostic is off.
 */
export const matrix = variants(
  (
    flipA: boolean,
    byFourA: boolean,
    flipB: boolean,
    byFourB: boolean,
    byFourC: boolean,
    name: MatrixTile,
    m: number,
    n: number,
    k: number,
    subgroup: number,
  ) => {
    const { a, b } = factors(flipA, byFourA, flipB, byFourB, 'f32')
    const { rows, columns, down, across } = matrixTiles[name]
    const size = down * across * subgroup
    const [ownRows, ownColumns] = [rows / down, columns / across]
    const [high, wide] = [ownRows / m, ownColumns / n]
    const result = `subgroup_matrix_result<f32, ${n}, ${m}>`
    const [sideA, sideB] = [side(a, rows), side(b, columns)]
    const fetch = (from: string) => `${sideA.fetch(size, 'row', from)}\n${sideB.fetch(size, 'column', from)}`
    return kernel({
      name: 'product-matrix',
      params: productParams,
      buffers: { a: typeOf(a), b: typeOf(b), plus: putType(byFourC, false), c: putType(byFourC, false) },
      writes: ['c'],
      workgroup: [size],
      uses: ['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix'],
      code: `${putOf(byFourC, false)}
${fourOf(a)}
${fourOf(b)}
var<workgroup> tile_a: array<f16, ${sideA.length}>;
var<workgroup> tile_b: array<f16, ${sideB.length}>;
var<workgroup> results: array<f32, ${down * across * m * n}>;
@diagnostic(off, chromium_experimental.subgroup_matrix_uniformity)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32,
  @builtin(subgroup_id) subgroup: u32, @builtin(subgroup_invocation_id) lane: u32) {
  let row = workgroup.y * ${rows}u;
  let column = workgroup.x * ${columns}u;
  let first = workgroup.z * params.depth;
  let last = min(first + params.depth, params.k);
  let own_row = subgroup / ${across}u * ${ownRows}u;
  let own_column = subgroup % ${across}u * ${ownColumns}u;
${unrolled(high, (i) => unrolled(wide, (j) => `  var sum_${i}_${j}: ${result};`))}
${sideA.declare(size)}
${sideB.declare(size)}
  for (var k = first; ; k += ${MATRIX_DEPTH}u) {
    if (k < last) {
${fetch('k')}
    }
    if (k > first) {
${unrolled(
  MATRIX_DEPTH / k,
  (step) => `    {
${unrolled(high, (i) => `      let left_${i} = ${sideA.load(`subgroup_matrix_left<f16, ${k}, ${m}>`, 'row_major', 'col_major', `own_row + ${i * m}u`, step * k)};`)}
${unrolled(wide, (j) => `      let right_${j} = ${sideB.load(`subgroup_matrix_right<f16, ${n}, ${k}>`, 'col_major', 'row_major', `own_column + ${j * n}u`, step * k)};`)}
${unrolled(high, (i) => unrolled(wide, (j) => `      sum_${i}_${j} = subgroupMatrixMultiplyAccumulate(left_${i}, right_${j}, sum_${i}_${j});`))}
    }`,
)}
    }
    workgroupBarrier();
    if (k >= last) { break; }
${sideA.keep(size)}
${sideB.keep(size)}
    workgroupBarrier();
  }
  let own = subgroup * ${m * n}u;
${unrolled(high, (i) =>
  unrolled(
    wide,
    (j) => `  subgroupMatrixStore<row_major>(&results, own, sum_${i}_${j}, ${n}u);
  workgroupBarrier();
  for (var at = lane * 4u; at < ${m * n}u; at += ${subgroup * 4}u) {
    let four = vec4<f32>(results[own + at], results[own + at + 1u], results[own + at + 2u], results[own + at + 3u]);
    put(row + own_row + ${i * m}u + at / ${n}u, column + own_column + ${j * n}u + at % ${n}u, workgroup.z, four);
  }
  workgroupBarrier();`,
  ),
)}
}`,
    })
  },
)

/** Code for the tile of a factor, with so many rows or columns of the product. */
function side({ name, alongInner }: Factor, outer: number) {
  const [lines, width] = alongInner ? [outer, MATRIX_DEPTH] : [MATRIX_DEPTH, outer]
  const stride = width + GAP
  const each = (size: number, code: (i: number, line: string, at: string) => string) =>
    unrolled((lines * width) / 4 / size, (i) => {
      const four = `(local + ${i * size}u)`
      return code(i, `${four} / ${width / 4}u`, `${four} % ${width / 4}u * 4u`)
    })
  return {
    length: lines * stride,
    declare: (size: number) => each(size, (i) => `  var next_${name}_${i}: vec4<f32>;`),
    fetch: (size: number, start: string, k: string) =>
      each(size, (i, line, at) => {
        const place = alongInner ? `${start} + ${line}, ${k} + ${at}` : `${k} + ${line}, ${start} + ${at}`
        return `    next_${name}_${i} = four_${name}(${place});`
      }),
    keep: (size: number) =>
      each(
        size,
        (i, line, at) => `    {
      let to = ${line} * ${stride}u + ${at};
      let four = vec4<f16>(next_${name}_${i});
      tile_${name}[to] = four.x;
      tile_${name}[to + 1u] = four.y;
      tile_${name}[to + 2u] = four.z;
      tile_${name}[to + 3u] = four.w;
    }`,
      ),
    load: (type: string, along: string, across: string, place: string, k: number) =>
      alongInner
        ? `subgroupMatrixLoad<${type}, ${along}>(&tile_${name}, (${place}) * ${stride}u + ${k}u, ${stride}u)`
        : `subgroupMatrixLoad<${type}, ${across}>(&tile_${name}, ${k * stride}u + ${place}, ${stride}u)`,
  }
}
