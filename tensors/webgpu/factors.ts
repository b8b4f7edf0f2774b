/** How the numbers of a factor lie in memory: as in a tensor, or in half precision, with lines of a multiple of 4. */
export type Stored = 'f32' | 'f16'

/**
 * A factor of a product of [m, inner] and [inner, n], as a kernel reads it: lines of numbers one behind the other, which go along the inner
 * dimension or across it.
 */
export interface Factor {
  readonly name: 'a' | 'b'
  readonly alongInner: boolean
  /** Lines begin at multiples of four numbers: they are read four at a time. */
  readonly byFour: boolean
  readonly stored: Stored
}

/** The numbers that every product is given. `k` is the length of b's lines where they go along the inner dimension, `inner` of a's: they differ
 *  where b was laid out with zeros behind. A workgroup does the `depth` products from `depth` times its place in the third dimension on.
 *  `plus`: 0 for none, 1 for a matrix, 2 for a row. */
export const productParams = {
  m: 'u32',
  n: 'u32',
  k: 'u32',
  inner: 'u32',
  depth: 'u32',
  plus: 'u32',
  scale: 'f32',
} as const

export function factors(flipA: boolean, byFourA: boolean, flipB: boolean, byFourB: boolean, stored: Stored) {
  return {
    a: { name: 'a', alongInner: !flipA, byFour: byFourA, stored: 'f32' },
    b: { name: 'b', alongInner: flipB, byFour: byFourB, stored },
  } as const satisfies Record<string, Factor>
}

export function typeOf({ byFour, stored }: Factor): string {
  return byFour ? `array<vec4<${stored}>>` : `array<${stored}>`
}

/** How many lines a factor has, and of how many numbers. */
export function extent({ name, alongInner }: Factor): readonly [lines: string, width: string] {
  const [inner, outer] = name === 'a' ? ['params.inner', 'params.m'] : ['params.k', 'params.n']
  return alongInner ? [outer, inner] : [inner, outer]
}

/** WGSL of `four_a(line, at)`: four numbers of a line from `at` on, a multiple of 4; zeros beyond the ends. */
export function fourOf(factor: Factor): string {
  const { name, byFour } = factor
  const [lines, width] = extent(factor)
  return `
fn four_${name}(line: u32, at: u32) -> vec4<f32> {
  var four = vec4<f32>();
  if (line < ${lines} && at < ${width}) {
    let start = line * ${width} + at;
${
  byFour
    ? `    four = vec4<f32>(${name}[start / 4u]);`
    : `    let left = ${width} - at;
    four.x = f32(${name}[start]);
    if (left > 1u) { four.y = f32(${name}[start + 1u]); }
    if (left > 2u) { four.z = f32(${name}[start + 2u]); }
    if (left > 3u) { four.w = f32(${name}[start + 3u]); }`
}
  }
  return four;
}`
}

/**
 * WGSL of `put(row, column, sums)`: four sums of a row from a column on, a multiple of 4, go where they belong, scaled and with what is added.
 *
 * @param byFour   n is a multiple of 4, and `c` and `plus` are read and written four numbers at a time
 * @param gated    columns are pairs of a gate and what it is for: of a pair silu(gate) · other is kept, in half as many columns
 */
export function putOf(byFour: boolean, gated: boolean): string {
  const add = (type: string, per: string) => `
    if (params.plus != 0u) { sum += ${type}(plus[(select(0u, row * params.n, params.plus == 1u) + column)${per}]); }`
  if (byFour && !gated) {
    return `
fn put(row: u32, column: u32, part: u32, sums: vec4<f32>) {
  if (row < params.m && column < params.n) {
    var sum = sums * params.scale;${add('vec4<f32>', ' / 4u')}
    c[(part * params.m * params.n + row * params.n + column) / 4u] = sum;
  }
}`
  }
  const write = gated
    ? `
fn put(row: u32, first: u32, part: u32, sums: vec4<f32>) {
  put_pair(row, first, part, sums.xy);
  put_pair(row, first + 2u, part, sums.zw);
}
fn put_pair(row: u32, column: u32, part: u32, pair: vec2<f32>) {
  let gate = with_plus(row, column, pair.x);
  let other = with_plus(row, column + 1u, pair.y);
  if (row < params.m && column < params.n) {
    c[((part * params.m + row) * params.n + column) / 2u] = gate / (1.0 + exp(-gate)) * other;
  }
}`
    : `
fn put(row: u32, first: u32, part: u32, sums: vec4<f32>) {
  put_one(row, first, part, sums.x);
  put_one(row, first + 1u, part, sums.y);
  put_one(row, first + 2u, part, sums.z);
  put_one(row, first + 3u, part, sums.w);
}
fn put_one(row: u32, column: u32, part: u32, product: f32) {
  if (row < params.m && column < params.n) {
    c[(part * params.m + row) * params.n + column] = with_plus(row, column, product);
  }
}`
  return `
fn with_plus(row: u32, column: u32, product: f32) -> f32 {
  var sum = product * params.scale;
  if (row < params.m && column < params.n) {${add('f32', '')}
  }
  return sum;
}${write}`
}

/** The type of `c` and `plus` for {@link putOf}. */
export function putType(byFour: boolean, gated: boolean): string {
  return byFour && !gated ? 'array<vec4<f32>>' : 'array<f32>'
}

/** 0 to count − 1, each through a function, as lines of code. */
export function unrolled(count: number, line: (i: number) => string): string {
  return Array.from({ length: count }, (_, i) => line(i)).join('\n')
}
