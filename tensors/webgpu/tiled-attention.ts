import { type AttentionKernel, attentionParams, keyBlock, NEVER, queryBlock } from './attention-kernel.js'
import { each, featuresType, fixedHeads, loading, storing, unitsOf } from './head-features.js'
import { ARGUMENTS, type Gpu, kernel, variants } from './kernels.js'

/** A workgroup has SIDE × SIDE invocations: in y each has every SIDEth row of the workgroup's block, in x every SIDEth of a tile. */
const SIDE = 8
const SIZE = SIDE * SIDE

/** How many rows of a block and of a tile an invocation has: the more, the fewer reads for as many products. */
export type TileSize = readonly [rows: number, columns: number]

/** The best first. */
const sizes: readonly TileSize[] = [
  [4, 4],
  [4, 2],
  [2, 2],
  [2, 1],
  [1, 1],
]

/** What a kernel is made for. */
interface Tiles {
  readonly headSize: number
  /** Of a block and of a tile, for each invocation. */
  readonly rows: number
  readonly columns: number
}

/** Vectors from one row to the next in workgroup memory: an odd number, so that rows that are read side by side are in different banks. */
function strideOf(headSize: number): number {
  return unitsOf(headSize) | 1
}

/** Numbers from one row of weights to the next. */
function weightStride(columns: number): number {
  return SIDE * columns + 8
}

/** Vectors of so many rows; they may be read up to SIDE behind their end. */
function vectorsOf(headSize: number, rows: number): number {
  return SIDE * rows * strideOf(headSize) + SIDE
}

function forwardBytes({ headSize, rows, columns }: Tiles): number {
  const vectors = vectorsOf(headSize, rows) + vectorsOf(headSize, columns)
  return vectors * 16 + SIDE * rows * (weightStride(columns) + SIDE) * 4
}

function gradientBytes({ headSize, rows, columns }: Tiles): number {
  const vectors = 2 * (vectorsOf(headSize, rows) + vectorsOf(headSize, columns))
  return vectors * 16 + 2 * SIDE * rows * weightStride(columns) * 4
}

/** The best that there is room for. */
function tilesWithin(limit: number, headSize: number, bytes: (tiles: Tiles) => number): Tiles | undefined {
  return sizes.map(([rows, columns]) => ({ headSize, rows, columns })).find((tiles) => bytes(tiles) <= limit)
}

/** Whether a workgroup's memory has room for heads of that size. */
export function fits(gpu: Gpu, headSize: number): boolean {
  return tilesWithin(gpu.limits.maxComputeWorkgroupStorageSize, headSize, gradientBytes) !== undefined
}

function maker<B extends string>(
  bytes: (tiles: Tiles) => number,
  make: (tiles: Tiles) => AttentionKernel<B>,
): (gpu: Gpu, headSize: number, size?: TileSize) => AttentionKernel<B> {
  const made = variants((headSize: number, rows: number, columns: number) => make({ headSize, rows, columns }))
  return (gpu, headSize, size) => {
    if (size) return made(headSize, ...size)
    const tiles = tilesWithin(gpu.limits.maxComputeWorkgroupStorageSize, headSize, bytes)
    if (!tiles) throw new RangeError(`attention: a workgroup's memory has no room for heads of ${headSize} features`)
    return made(headSize, tiles.rows, tiles.columns)
  }
}

const PLACE = `
  let x = local % ${SIDE}u;
  let y = local / ${SIDE}u;`

/** Room for rows of features. */
function memory(headSize: number, rows: number, ...names: readonly string[]): string {
  return names.map((name) => `var<workgroup> ${name}: array<vec4<f32>, ${vectorsOf(headSize, rows)}>;\n`).join('')
}

/** Brings rows from `first` on to a workgroup's memory; zeros where there are no more tokens. */
function bring(to: string, from: string, first: string, head: string, headSize: number, rows: number): string {
  const units = unitsOf(headSize)
  return `
  for (var e = local; e < ${SIDE * rows * units}u; e += ${SIZE}u) {
    let place = e / ${units}u;
    let unit = e % ${units}u;
    var four = vec4<f32>();
    if (${first} + place < params.length) { four = load_${from}((base + ${first} + place) * ${head}, unit); }
    ${to}[place * ${strideOf(headSize)}u + unit] = four;
  }`
}

/** `NAME_i_j`: the products of the invocation's rows of a block and of a tile. */
function products(name: string, block: string, tile: string, { headSize, rows, columns }: Tiles): string {
  const stride = strideOf(headSize)
  const pairs = (line: (i: number, j: number) => string) => each(rows, (i) => each(columns, (j) => line(i, j)))
  return `
  ${pairs((i, j) => `var ${name}_${i}_${j} = 0.0;`)}
  for (var unit = 0u; unit < ${unitsOf(headSize)}u; unit++) {
    ${each(rows, (i) => `let a_${i} = ${block}[(y + ${SIDE * i}u) * ${stride}u + unit];`)}
    ${each(columns, (j) => `let b_${j} = ${tile}[(x + ${SIDE * j}u) * ${stride}u + unit];`)}
    ${pairs((i, j) => `${name}_${i}_${j} += dot(a_${i}, b_${j});`)}
  }`
}

/** Vectors of each row's features that an invocation sums up: every SIDEth. */
function sumsOf(headSize: number): number {
  return Math.ceil(unitsOf(headSize) / SIDE)
}

function zeroSums(name: string, { headSize, rows }: Tiles): string {
  return each(rows, (i) => each(sumsOf(headSize), (c) => `var ${name}_${i}_${c} = vec4<f32>();`))
}

/** Adds a tile's rows to `NAME_i_c`, each as the weights have it. */
function addWeighted(name: string, weights: string, tile: string, { headSize, rows, columns }: Tiles): string {
  const vectors = sumsOf(headSize)
  return `
  for (var j = 0u; j < ${SIDE * columns}u; j++) {
    ${each(rows, (i) => `let w_${i} = ${weights}[(y + ${SIDE * i}u) * ${weightStride(columns)}u + j];`)}
    ${each(vectors, (c) => `let b_${c} = ${tile}[j * ${strideOf(headSize)}u + x + ${SIDE * c}u];`)}
    ${each(rows, (i) => each(vectors, (c) => `${name}_${i}_${c} += w_${i} * b_${c};`))}
  }`
}

/** Writes `NAME_i_c`, times a factor, where there are such tokens and features. */
function store(
  to: string,
  name: string,
  factor: (i: number) => string,
  head: string,
  { headSize, rows }: Tiles,
): string {
  const vector = (i: number, c: number) => `
    if (x + ${SIDE * c}u < ${unitsOf(headSize)}u) {
      store_${to}((base + own_${i}) * ${head}, x + ${SIDE * c}u, ${name}_${i}_${c} * ${factor(i)});
    }`
  return each(rows, (i) => `if (own_${i} < params.length) {${each(sumsOf(headSize), (c) => vector(i, c))}\n}`)
}

/** `own_i`: which tokens of the row the invocation's rows of the block are, and `segment_i` what they belong to. */
function own({ rows }: Tiles): string {
  return each(
    rows,
    (i) => `let own_${i} = first + y + ${SIDE * i}u;
  let segment_${i} = segments[base + min(own_${i}, params.length - 1u)];`,
  )
}

/** `other_j`: which tokens of the row the invocation's rows of the tile are, and `others_j` what they belong to. */
function others({ columns }: Tiles): string {
  return each(
    columns,
    (j) => `let other_${j} = tile + x + ${SIDE * j}u;
    let others_${j} = segments[base + min(other_${j}, params.length - 1u)];`,
  )
}

const weightAt = (i: number, j: number, columns: number) =>
  `(y + ${SIDE * i}u) * ${weightStride(columns)}u + x + ${SIDE * j}u`

/** O = softmax(Q Kᵀ) V for a block of queries, tile by tile of keys, with the largest score so far subtracted. */
export const forward = maker(forwardBytes, (tiles) => {
  const { headSize, rows, columns } = tiles
  const form = fixedHeads(headSize)
  const type = featuresType(form)
  const pairs = (line: (i: number, j: number) => string) => each(rows, (i) => each(columns, (j) => line(i, j)))
  const head = 'params.heads + head'
  const keyHead = 'params.keyHeads + keyHead'
  return {
    block: SIDE * rows,
    kernel: kernel({
      name: 'attention-tiled',
      params: attentionParams,
      buffers: { q: type, k: type, v: type, segments: 'array<i32>', out: type, statistics: 'array<vec2<f32>>' },
      writes: ['out', 'statistics'],
      workgroup: [SIZE],
      code: `${loading(form, 'q', 'k', 'v')}${storing(form, 'out')}
${memory(headSize, rows, 'queries')}${memory(headSize, columns, 'keys')}
var<workgroup> weights: array<f32, ${SIDE * rows * weightStride(columns)}>;
var<workgroup> parts: array<f32, ${SIDE * rows * SIDE}>;
fn main(${ARGUMENTS}) {
  ${PLACE}${queryBlock(SIDE * rows)}
  ${own(tiles)}
  ${bring('queries', 'q', 'first', head, headSize, rows)}
  ${each(rows, (i) => `var largest_${i} = ${NEVER};\nvar sum_${i} = 0.0;`)}
  ${zeroSums('out', tiles)}
  for (var tile = start; tile < end; tile += ${SIDE * columns}u) {
    workgroupBarrier();
    ${bring('keys', 'k', 'tile', keyHead, headSize, columns)}
    ${others(tiles)}
    workgroupBarrier();
    ${products('s', 'queries', 'keys', tiles)}
    ${pairs((i, j) => `s_${i}_${j} = select(${NEVER}, s_${i}_${j} * params.scale, other_${j} <= own_${i} && others_${j} == segment_${i});`)}
    ${each(rows, (i) => {
      const most = Array.from({ length: columns }, (_, j) => `s_${i}_${j}`).reduce((a, b) => `max(${a}, ${b})`)
      return `parts[(y + ${SIDE * i}u) * ${SIDE}u + x] = ${most};`
    })}
    workgroupBarrier();
    ${bring('keys', 'v', 'tile', keyHead, headSize, columns)}
    ${each(
      rows,
      (i) => `
    var most_${i} = largest_${i};
    for (var part = 0u; part < ${SIDE}u; part++) { most_${i} = max(most_${i}, parts[(y + ${SIDE * i}u) * ${SIDE}u + part]); }
    let before_${i} = exp(largest_${i} - most_${i});
    largest_${i} = most_${i};
    sum_${i} *= before_${i};
    ${each(sumsOf(headSize), (c) => `out_${i}_${c} *= before_${i};`)}
    ${each(
      columns,
      (j) => `let p_${i}_${j} = select(0.0, exp(s_${i}_${j} - most_${i}), s_${i}_${j} > ${NEVER});
    sum_${i} += p_${i}_${j};
    weights[${weightAt(i, j, columns)}] = p_${i}_${j};`,
    )}`,
    )}
    workgroupBarrier();
    ${addWeighted('out', 'weights', 'keys', tiles)}
  }
  workgroupBarrier();
  ${each(rows, (i) => `parts[(y + ${SIDE * i}u) * ${SIDE}u + x] = sum_${i};`)}
  workgroupBarrier();
  ${each(
    rows,
    (i) => `var whole_${i} = 0.0;
  for (var part = 0u; part < ${SIDE}u; part++) { whole_${i} += parts[(y + ${SIDE * i}u) * ${SIDE}u + part]; }
  let inverse_${i} = 1.0 / whole_${i};
  if (x == 0u && own_${i} < params.length) {
    statistics[(workgroup.z * params.heads + head) * params.length + own_${i}] = vec2<f32>(largest_${i}, inverse_${i});
  }`,
  )}
  ${store('out', 'out', (i) => `inverse_${i}`, head, tiles)}
}`,
    }),
  }
})

/** dQ = dS K / √headSize for a block of queries, tile by tile of keys. */
export const queryGradient = maker(gradientBytes, (tiles) => {
  const { headSize, rows, columns } = tiles
  const form = fixedHeads(headSize)
  const type = featuresType(form)
  const pairs = (line: (i: number, j: number) => string) => each(rows, (i) => each(columns, (j) => line(i, j)))
  const head = 'params.heads + head'
  const keyHead = 'params.keyHeads + keyHead'
  return {
    block: SIDE * rows,
    kernel: kernel({
      name: 'attention-query-gradient-tiled',
      params: attentionParams,
      buffers: {
        q: type,
        k: type,
        v: type,
        segments: 'array<i32>',
        dOut: type,
        sums: 'array<vec4<f32>>',
        dq: type,
      },
      writes: ['dq'],
      workgroup: [SIZE],
      code: `${loading(form, 'q', 'k', 'v', 'dOut')}${storing(form, 'dq')}
${memory(headSize, rows, 'queries', 'slopes')}${memory(headSize, columns, 'keys', 'values')}
var<workgroup> weights: array<f32, ${SIDE * rows * weightStride(columns)}>;
fn main(${ARGUMENTS}) {
  ${PLACE}${queryBlock(SIDE * rows)}
  ${own(tiles)}
  ${bring('queries', 'q', 'first', head, headSize, rows)}
  ${bring('slopes', 'dOut', 'first', head, headSize, rows)}
  let kept = (workgroup.z * params.heads + head) * params.length;
  ${each(rows, (i) => `let of_${i} = sums[kept + min(own_${i}, params.length - 1u)];`)}
  ${zeroSums('dq', tiles)}
  for (var tile = start; tile < end; tile += ${SIDE * columns}u) {
    workgroupBarrier();
    ${bring('keys', 'k', 'tile', keyHead, headSize, columns)}
    ${bring('values', 'v', 'tile', keyHead, headSize, columns)}
    ${others(tiles)}
    workgroupBarrier();
    ${products('s', 'queries', 'keys', tiles)}
    ${products('d', 'slopes', 'values', tiles)}
    ${pairs(
      (i, j) => `
    let w_${i}_${j} = exp(s_${i}_${j} * params.scale - of_${i}.x) * of_${i}.y * (d_${i}_${j} - of_${i}.z);
    weights[${weightAt(i, j, columns)}] = select(0.0, w_${i}_${j}, other_${j} <= own_${i} && others_${j} == segment_${i});`,
    )}
    workgroupBarrier();
    ${addWeighted('dq', 'weights', 'keys', tiles)}
  }
  ${store('dq', 'dq', () => 'params.scale', head, tiles)}
}`,
    }),
  }
})

/** dV = Pᵀ dO and dK = dSᵀ Q / √headSize for a block of keys, tile by tile of the queries of all heads that share them. */
export const keyGradient = maker(gradientBytes, (tiles) => {
  const { headSize, rows, columns } = tiles
  const form = fixedHeads(headSize)
  const type = featuresType(form)
  const pairs = (line: (i: number, j: number) => string) => each(rows, (i) => each(columns, (j) => line(i, j)))
  const head = 'params.heads + head'
  const keyHead = 'params.keyHeads + keyHead'
  return {
    block: SIDE * rows,
    kernel: kernel({
      name: 'attention-key-gradient-tiled',
      params: attentionParams,
      buffers: {
        q: type,
        k: type,
        v: type,
        segments: 'array<i32>',
        dOut: type,
        sums: 'array<vec4<f32>>',
        dk: type,
        dv: type,
      },
      writes: ['dk', 'dv'],
      workgroup: [SIZE],
      code: `${loading(form, 'q', 'k', 'v', 'dOut')}${storing(form, 'dk', 'dv')}
${memory(headSize, rows, 'keys', 'values')}${memory(headSize, columns, 'queries', 'slopes')}
var<workgroup> weights: array<f32, ${SIDE * rows * weightStride(columns)}>;
var<workgroup> changes: array<f32, ${SIDE * rows * weightStride(columns)}>;
fn main(${ARGUMENTS}) {
  ${PLACE}${keyBlock(SIDE * rows)}
  ${own(tiles)}
  ${bring('keys', 'k', 'first', keyHead, headSize, rows)}
  ${bring('values', 'v', 'first', keyHead, headSize, rows)}
  ${zeroSums('dk', tiles)}
  ${zeroSums('dv', tiles)}
  for (var head = keyHead * group; head < (keyHead + 1u) * group; head++) {
    let kept = (workgroup.z * params.heads + head) * params.length;
    for (var tile = first; tile < end; tile += ${SIDE * columns}u) {
      workgroupBarrier();
      ${bring('queries', 'q', 'tile', head, headSize, columns)}
      ${bring('slopes', 'dOut', 'tile', head, headSize, columns)}
      ${others(tiles)}
      ${each(columns, (j) => `let of_${j} = sums[kept + min(other_${j}, params.length - 1u)];`)}
      workgroupBarrier();
      ${products('s', 'keys', 'queries', tiles)}
      ${products('d', 'values', 'slopes', tiles)}
      ${pairs(
        (i, j) => `
      let looks_${i}_${j} = own_${i} <= other_${j} && other_${j} < params.length && others_${j} == segment_${i};
      let w_${i}_${j} = select(0.0, exp(s_${i}_${j} * params.scale - of_${j}.x) * of_${j}.y, looks_${i}_${j});
      weights[${weightAt(i, j, columns)}] = w_${i}_${j};
      changes[${weightAt(i, j, columns)}] = w_${i}_${j} * (d_${i}_${j} - of_${j}.z);`,
      )}
      workgroupBarrier();
      ${addWeighted('dv', 'weights', 'slopes', tiles)}
      ${addWeighted('dk', 'changes', 'queries', tiles)}
    }
  }
  ${store('dk', 'dk', () => 'params.scale', keyHead, tiles)}
  ${store('dv', 'dv', () => '1.0', keyHead, tiles)}
}`,
    }),
  }
})
