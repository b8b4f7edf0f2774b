import {
  extent,
  type Factor,
  factors,
  fourOf,
  productParams,
  putOf,
  putType,
  type Stored,
  typeOf,
  unrolled,
} from './factors.js'
import { ARGUMENTS, kernel, variants } from './kernels.js'

/** Invocations of a workgroup: beside each other in the same rows, so that what is read of `a` is the same for all, and lavapipe reads it once. */
const LANES = 8

/** Rows and columns of a product that an invocation works on, by how its factors lie: measured on lavapipe. Lines that are not aligned are rare;
 *  with few numbers for each invocation such adapters compile the shader sooner. */
function shapeOf(flipA: boolean, flipB: boolean, aligned: boolean): readonly [rows: number, columns: number] {
  if (!aligned) return [flipA ? 4 : 2, 4]
  return flipB ? [8, 4] : [4, 8]
}

/** Workgroups that do a product in this way. */
export function directWorkgroups(
  m: number,
  n: number,
  flipA: boolean,
  flipB: boolean,
  aligned: boolean,
): [number, number] {
  const [rows, columns] = shapeOf(flipA, flipB, aligned)
  return [Math.ceil(n / (columns * LANES)), Math.ceil(m / rows)]
}

/**
 * A product for adapters in software: an invocation holds a tile of it in registers and reads the factors where they are. There are no barriers,
 * which such adapters pay dearly for, and what several invocations read is in the processor's cache.
 *
 * @param aligned  all lines are of a multiple of 4 numbers, and so is the inner dimension where a step is of four
 * @param half     a's numbers are rounded to half precision where they are read
 * @param gated    see {@link putOf}
 */
export const direct = variants(
  (
    flipA: boolean,
    flipB: boolean,
    aligned: boolean,
    half: boolean,
    stored: Stored,
    byFourC: boolean,
    gated: boolean,
  ) => {
    const { a, b } = factors(flipA, aligned, flipB, aligned || stored === 'f16', stored)
    const [rows, columns] = shapeOf(flipA, flipB, aligned)
    const body = flipA ? (flipB ? acrossAlong : acrossAcross) : flipB ? alongAlong : alongAcross
    return kernel({
      name: 'product-direct',
      params: productParams,
      buffers: { a: typeOf(a), b: typeOf(b), plus: putType(byFourC, gated), c: putType(byFourC, gated) },
      writes: ['c'],
      workgroup: [LANES],
      ...(stored === 'f16' ? { uses: ['shader-f16'] as const } : {}),
      code: `${putOf(byFourC, gated)}
${fourOf(a)}
${fourOf(b)}
fn rounded(four: vec4<f32>) -> vec4<f32> { return ${half ? 'quantizeToF16(four)' : 'four'}; }
fn main(${ARGUMENTS}) {
  let row = workgroup.y * ${rows}u;
  let column = (workgroup.x * ${LANES}u + local) * ${columns}u;
  if (row >= params.m || column >= params.n) { return; }
  // Beyond the ends the last are read again; what comes of them is not kept.
${starts(a, 'row', rows)}
${starts(b, 'column', columns)}
${body(aligned ? reader(a) : checked(a, 'row'), aligned ? reader(b) : checked(b, 'column'), rows, columns)}
}`,
    })
  },
)

/** Code that reads four numbers of a factor: at the inner place `k`, of its i-th row or column (four, where its lines go across). */
type Read = (i: number, k: string) => string

/** Where an aligned factor's lines begin, or places in its lines are. */
function starts(factor: Factor, outer: string, count: number): string {
  if (!factor.byFour) return ''
  const [lines, width] = extent(factor)
  return factor.alongInner
    ? unrolled(count, (i) => `  let ${factor.name}_${i} = min(${outer} + ${i}u, ${lines} - 1u) * ${width} / 4u;`)
    : unrolled(count / 4, (i) => `  let ${factor.name}_${i} = min(${outer} + ${i * 4}u, ${width} - 4u) / 4u;`)
}

function reader(factor: Factor): Read {
  const { name, alongInner } = factor
  const [, width] = extent(factor)
  return (i, k) => {
    const at = alongInner ? `${name}_${i} + (${k}) / 4u` : `${name}_${i} + (${k}) * (${width} / 4u)`
    return name === 'a' ? `rounded(vec4<f32>(a[${at}]))` : `vec4<f32>(b[${at}])`
  }
}

function checked({ name, alongInner }: Factor, outer: string): Read {
  return (i, k) => {
    const four = `four_${name}(${alongInner ? `${outer} + ${i}u, ${k}` : `${k}, ${outer} + ${i * 4}u`})`
    return name === 'a' ? `rounded(${four})` : four
  }
}

function alongAlong(a: Read, b: Read, rows: number, columns: number): string {
  return `${unrolled(rows, (r) => `  var sum_${r} = vec4<f32>();`)}
  for (var k = 0u; k < params.inner; k += 4u) {
${unrolled(columns, (c) => `    let right_${c} = ${b(c, 'k')};`)}
${unrolled(
  rows,
  (r) => `    let left_${r} = ${a(r, 'k')};
    sum_${r} += vec4<f32>(${Array.from({ length: 4 }, (_, c) => `dot(left_${r}, right_${c})`).join(', ')});`,
)}
  }
${unrolled(rows, (r) => `  put(row + ${r}u, column, 0u, sum_${r});`)}`
}

function alongAcross(a: Read, b: Read, rows: number, columns: number): string {
  const fours = columns / 4
  return `${sumsOf(rows, fours)}
  for (var k = 0u; k < params.inner; k += 4u) {
${unrolled(rows, (r) => `    let left_${r} = ${a(r, 'k')};`)}
${unrolled(
  4,
  (j) => `    {
${unrolled(fours, (c) => `      let right_${c} = ${b(c, `k + ${j}u`)};`)}
${unrolled(rows, (r) => unrolled(fours, (c) => `      sum_${r}_${c} += left_${r}[${j}] * right_${c};`))}
    }`,
)}
  }
${putAll(rows, fours)}`
}

function acrossAcross(a: Read, b: Read, rows: number, columns: number): string {
  const fours = columns / 4
  return `${sumsOf(rows, fours)}
  for (var k = 0u; k < params.inner; k++) {
${unrolled(rows / 4, (r) => `    let left_${r} = ${a(r, 'k')};`)}
${unrolled(fours, (c) => `    let right_${c} = ${b(c, 'k')};`)}
${unrolled(rows, (r) => unrolled(fours, (c) => `    sum_${r}_${c} += left_${r >> 2}[${r & 3}] * right_${c};`))}
  }
${putAll(rows, fours)}`
}

function acrossAlong(a: Read, b: Read, rows: number, columns: number): string {
  const fours = rows / 4
  return `${sumsOf(columns, fours)}
  for (var k = 0u; k < params.inner; k += 4u) {
${unrolled(columns, (c) => `    let right_${c} = ${b(c, 'k')};`)}
${unrolled(
  4,
  (j) => `    {
${unrolled(fours, (r) => `      let left_${r} = ${a(r, `k + ${j}u`)};`)}
${unrolled(columns, (c) => unrolled(fours, (r) => `      sum_${c}_${r} += right_${c}[${j}] * left_${r};`))}
    }`,
)}
  }
${unrolled(rows, (r) => {
  const of = (c: number) => `sum_${c}_${r >> 2}[${r & 3}]`
  return `  put(row + ${r}u, column, 0u, vec4<f32>(${of(0)}, ${of(1)}, ${of(2)}, ${of(3)}));`
})}`
}

function sumsOf(lines: number, fours: number): string {
  return unrolled(lines, (r) => unrolled(fours, (c) => `  var sum_${r}_${c} = vec4<f32>();`))
}

function putAll(rows: number, fours: number): string {
  return unrolled(rows, (r) => unrolled(fours, (c) => `  put(row + ${r}u, column + ${c * 4}u, 0u, sum_${r}_${c});`))
}
