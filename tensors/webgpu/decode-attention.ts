import type { CacheShape } from '../key-value-cache.js'
import type * as tf from '../tf.js'
import { each, roomFor, unitsOf } from './head-features.js'
import { ARGUMENTS, type Bound, type Encoder, type Gpu, kernel, variants, WORKGROUP_INDEX } from './kernels.js'

/** Keys and values on the device: [rows, keyHeads, capacity, units of four features] each; a head's last unit goes on with zeros. */
export interface DeviceCache {
  readonly shape: CacheShape
  /** Whether they are in half precision: two numbers in 32 bits, which every adapter packs and unpacks. */
  readonly half: boolean
  readonly keys: tf.Tensor1D
  readonly values: tf.Tensor1D
}

/** What is kept, of no values yet. The caller disposes of both tensors. */
export function deviceCache(gpu: Gpu, shape: CacheShape, half: boolean): DeviceCache {
  const { rows, capacity, keyHeads, headSize } = shape
  const words = rows * keyHeads * capacity * unitsOf(headSize) * (half ? 2 : 4)
  return { shape, half, keys: gpu.output<tf.Rank.R1>([words]), values: gpu.output<tf.Rank.R1>([words]) }
}

/** How a kernel sees the cache's buffers: four features each. */
function cacheType(half: boolean): string {
  return half ? 'array<vec2<u32>>' : 'array<vec4<f32>>'
}

function packed(half: boolean, four: string): string {
  return half ? `vec2<u32>(pack2x16float(${four}.xy), pack2x16float(${four}.zw))` : four
}

function unpacking(half: boolean): string {
  return half
    ? 'fn unpacked(four: vec2<u32>) -> vec4<f32> { return vec4<f32>(unpack2x16float(four.x), unpack2x16float(four.y)); }'
    : 'fn unpacked(four: vec4<f32>) -> vec4<f32> { return four; }'
}

const keepKernel = variants((half: boolean) => {
  return kernel({
    name: 'keep-keys',
    params: { tokens: 'u32', rows: 'u32', capacity: 'u32', keyHeads: 'u32', headSize: 'u32' },
    buffers: {
      k: 'array<f32>',
      v: 'array<f32>',
      slots: 'array<u32>',
      places: 'array<u32>',
      keys: cacheType(half),
      values: cacheType(half),
    },
    writes: ['keys', 'values'],
    workgroup: [64],
    code: `
fn main(${ARGUMENTS}) {
  let units = (params.headSize + 3u) / 4u;
  let at = (${WORKGROUP_INDEX}) * 64u + local;
  let unit = at % units;
  let head = at / units % params.keyHeads;
  let token = at / (units * params.keyHeads);
  if (token >= params.tokens) { return; }
  let slot = slots[token];
  let place = places[token];
  if (slot >= params.rows || place >= params.capacity) { return; }
  var key = vec4<f32>();
  var value = vec4<f32>();
  for (var i = 0u; i < min(4u, params.headSize - unit * 4u); i++) {
    let at_token = (token * params.keyHeads + head) * params.headSize + unit * 4u + i;
    key[i] = k[at_token];
    value[i] = v[at_token];
  }
  let to = ((slot * params.keyHeads + head) * params.capacity + place) * units + unit;
  keys[to] = ${packed(half, 'key')};
  values[to] = ${packed(half, 'value')};
}`,
  })
})

/**
 * Keeps keys and values as they are.
 *
 * @param k, v    [tokens, keyHeads · headSize]
 * @param slots   array<u32> [tokens] whose row of the cache each is; of a row that there is not nothing is kept
 * @param places  array<u32> [tokens] where in it
 */
export function keepInto(
  encoder: Encoder,
  { shape, half, keys, values }: DeviceCache,
  tokens: number,
  { k, v, slots, places }: Readonly<Record<'k' | 'v' | 'slots' | 'places', Bound>>,
): void {
  const { rows, capacity, keyHeads, headSize } = shape
  const units = tokens * keyHeads * unitsOf(headSize)
  const buffers = { k, v, slots, places, keys, values }
  const params = { tokens, rows, capacity, keyHeads, headSize }
  encoder.run(keepKernel(half), buffers, params, [Math.ceil(units / 64)])
}

const ropeAndKeepKernel = variants((half: boolean) => {
  return kernel({
    name: 'rope-and-keep',
    params: { tokens: 'u32', rows: 'u32', capacity: 'u32', heads: 'u32', keyHeads: 'u32', headSize: 'u32' },
    buffers: {
      qkv: 'array<f32>',
      cos: 'array<f32>',
      sin: 'array<f32>',
      slots: 'array<u32>',
      places: 'array<u32>',
      q: 'array<f32>',
      keys: cacheType(half),
      values: cacheType(half),
    },
    writes: ['q', 'keys', 'values'],
    workgroup: [64],
    code: `
fn main(${ARGUMENTS}) {
  let units = (params.headSize + 3u) / 4u;
  let at = (${WORKGROUP_INDEX}) * 64u + local;
  let half = params.headSize / 2u;
  let all = params.heads + 2u * params.keyHeads;
  let unit = at % units;
  let head = at / units % all;
  let token = at / (units * all);
  if (token >= params.tokens) { return; }
  let slot = slots[token];
  let place = places[token];
  if (slot >= params.rows || place >= params.capacity) { return; }
  let start = (token * all + head) * params.headSize;
  var four = vec4<f32>();
  for (var i = 0u; i < min(4u, params.headSize - unit * 4u); i++) {
    let feature = unit * 4u + i;
    if (head >= params.heads + params.keyHeads) {
      four[i] = qkv[start + feature];
      continue;
    }
    let pair = feature % half;
    let first = qkv[start + pair];
    let second = qkv[start + pair + half];
    let angle = place * half + pair;
    four[i] = select(second * cos[angle] + first * sin[angle], first * cos[angle] - second * sin[angle], feature == pair);
    if (head < params.heads) { q[(token * params.heads + head) * params.headSize + feature] = four[i]; }
  }
  if (head < params.heads) { return; }
  let keyHead = (head - params.heads) % params.keyHeads;
  let to = ((slot * params.keyHeads + keyHead) * params.capacity + place) * units + unit;
  if (head < params.heads + params.keyHeads) { keys[to] = ${packed(half, 'four')}; }
  else { values[to] = ${packed(half, 'four')}; }
}`,
  })
})

/** What a step of the decode loop reads and writes; the loop changes the contents of `slots` and `places` between steps. */
export interface NewTokens {
  /** [tokens, (heads + 2 · keyHeads) · headSize] queries, then keys, then values */
  readonly qkv: Bound
  /** [context, headSize / 2] of each place's angles, as `ropeAngles` has them */
  readonly cos: Bound
  readonly sin: Bound
  /** array<u32> [tokens] the row of the cache that each one goes on with; of one that there is not nothing is read or written */
  readonly slots: Bound
  /** array<u32> [tokens] each one's place in its row, which is also its position: how many tokens are before it */
  readonly places: Bound
  /** [tokens, heads · headSize] out: the queries, turned */
  readonly q: Bound
}

/** Turns new queries and keys by their places' angles (`rope`), and keeps keys and values at (slot, place). Heads have an even number of features. */
export function ropeAndKeepInto(
  encoder: Encoder,
  { shape, half, keys, values }: DeviceCache,
  tokens: number,
  { qkv, cos, sin, slots, places, q }: NewTokens,
): void {
  const { rows, capacity, heads, keyHeads, headSize } = shape
  if (headSize % 2 !== 0) throw new RangeError(`rope: a head of ${headSize} features has no halves`)
  const units = tokens * (heads + 2 * keyHeads) * unitsOf(headSize)
  const buffers = { qkv, cos, sin, slots, places, q, keys, values }
  const params = { tokens, rows, capacity, heads, keyHeads, headSize }
  encoder.run(ropeAndKeepKernel(half), buffers, params, [Math.ceil(units / 64)])
}

/**
 * How decode attention goes about it.
 *
 * - `split`, for cards: it is bound by reading keys and values, each of which is read once for all query heads that share it; a row's places are
 *   split among workgroups, whose results are put together in a second pass (Dao et al. 2023, "Flash-Decoding for long-context inference");
 * - `plain`, for adapters in software: an invocation goes through all places for one query head, without barriers.
 */
export type DecodeVariant = 'split' | 'plain'

/** Places of one part: a workgroup's. */
const PART = 64
const SIZE = 64

/** Where the parts' results are between the two passes. It may serve all layers, one after the other. */
export interface DecodeScratch {
  /** Places whose keys are in a workgroup's memory at once. */
  readonly tile: number
  readonly parts: number
  /** [tokens, heads, parts, units, 4] weighted sums of values, and [tokens, heads, parts, 2] the largest score and the sum of weights. */
  readonly sums: tf.Tensor1D
  readonly statistics: tf.Tensor1D
}

/** @returns nothing where `plain` is right: in software, or where heads are too large for a workgroup's memory. The caller disposes of both
 *  tensors. */
export function decodeScratch(
  gpu: Gpu,
  { capacity, heads, keyHeads, headSize }: CacheShape,
  tokens: number,
  variant: DecodeVariant = gpu.inSoftware ? 'plain' : 'split',
): DecodeScratch | undefined {
  const limit = gpu.limits.maxComputeWorkgroupStorageSize
  const tile = [32, 16, 8, 4].find((places) => splitBytes(headSize, heads / keyHeads, places) <= limit)
  if (variant === 'plain' || !tile) return undefined
  const parts = Math.ceil(capacity / PART)
  return {
    tile,
    parts,
    sums: gpu.output<tf.Rank.R1>([tokens * heads * parts * unitsOf(headSize) * 4]),
    statistics: gpu.output<tf.Rank.R1>([tokens * heads * parts * 2]),
  }
}

/** Vectors from one key to the next in a workgroup's memory: odd, so that neighbours are in different banks. */
function strideOf(headSize: number): number {
  return unitsOf(headSize) | 1
}

/** Vectors that hold first a tile of keys, then a part of the sums of every lane. */
function vectorsOf(headSize: number, tile: number): number {
  return Math.max(tile * strideOf(headSize), SIZE)
}

function splitBytes(headSize: number, group: number, tile: number): number {
  return (group * unitsOf(headSize) + vectorsOf(headSize, tile)) * 16 + (group * PART + SIZE) * 4
}

/** One workgroup for each token, key head and part. */
const partKernel = variants((headSize: number, group: number, tile: number, half: boolean) => {
  const units = unitsOf(headSize)
  const stride = strideOf(headSize)
  // In the first half of the work `sides` invocations share a place, each having every so manieth head; in the second each `lane` has
  // some of the places of every unit.
  const sides = SIZE / tile
  const perSide = Math.ceil(group / sides)
  const across = Math.min(units, SIZE)
  const lanes = Math.floor(SIZE / across)
  return kernel({
    name: 'decode-attention-parts',
    params: { rows: 'u32', capacity: 'u32', heads: 'u32', keyHeads: 'u32', parts: 'u32', scale: 'f32' },
    buffers: {
      q: 'array<f32>',
      keys: cacheType(half),
      values: cacheType(half),
      slots: 'array<u32>',
      places: 'array<u32>',
      sums: 'array<vec4<f32>>',
      statistics: 'array<vec2<f32>>',
    },
    writes: ['sums', 'statistics'],
    workgroup: [SIZE],
    code: `${unpacking(half)}
var<workgroup> queries: array<vec4<f32>, ${group * units}>;
var<workgroup> vectors: array<vec4<f32>, ${vectorsOf(headSize, tile)}>;
var<workgroup> weights: array<f32, ${group * PART}>;
var<workgroup> eighths: array<f32, ${SIZE}>;
fn main(${ARGUMENTS}) {
  let part = workgroup.x;
  let keyHead = workgroup.y;
  let token = workgroup.z;
  let slot = slots[token];
  let length = min(places[token], params.capacity - 1u) + 1u;
  let first = part * ${PART}u;
  if (slot >= params.rows || first >= length) { return; }
  let count = min(${PART}u, length - first);
  let base = ((slot * params.keyHeads + keyHead) * params.capacity + first) * ${units}u;
  for (var e = local; e < ${group * units}u; e += ${SIZE}u) {
    let unit = e % ${units}u;
    let at_token = (token * params.heads + keyHead * ${group}u + e / ${units}u) * ${headSize}u + unit * 4u;
    var four = vec4<f32>(q[at_token], 0.0, 0.0, 0.0);
    if (unit * 4u + 1u < ${headSize}u) { four.y = q[at_token + 1u]; }
    if (unit * 4u + 2u < ${headSize}u) { four.z = q[at_token + 2u]; }
    if (unit * 4u + 3u < ${headSize}u) { four.w = q[at_token + 3u]; }
    queries[e] = four * params.scale;
  }
  let place = local % ${tile}u;
  let side = local / ${tile}u;
  for (var begin = 0u; begin < count; begin += ${tile}u) {
    workgroupBarrier();
    for (var e = local; e < min(${tile}u, count - begin) * ${units}u; e += ${SIZE}u) {
      vectors[e / ${units}u * ${stride}u + e % ${units}u] = unpacked(keys[base + begin * ${units}u + e]);
    }
    workgroupBarrier();
    ${each(perSide, (i) => `var s_${i} = 0.0;`)}
    for (var unit = 0u; unit < ${units}u; unit++) {
      let key = vectors[place * ${stride}u + unit];
      ${each(perSide, (i) => `s_${i} += dot(key, queries[min(side + ${sides * i}u, ${group - 1}u) * ${units}u + unit]);`)}
    }
    ${each(perSide, (i) => `if (side + ${sides * i}u < ${group}u) { weights[(side + ${sides * i}u) * ${PART}u + begin + place] = s_${i}; }`)}
  }
  workgroupBarrier();
  let at = (token * params.heads + keyHead * ${group}u) * params.parts + part;
  let eighth = local % 8u;
  for (var turn = 0u; turn < ${group}u; turn += ${SIZE / 8}u) {
    let head = turn + local / 8u;
    let start = min(head, ${group - 1}u) * ${PART}u;
    var most = weights[start];
    for (var i = eighth; i < count; i += 8u) { most = max(most, weights[start + i]); }
    eighths[local] = most;
    workgroupBarrier();
    for (var i = 0u; i < 8u; i++) { most = max(most, eighths[local - eighth + i]); }
    workgroupBarrier();
    var sum = 0.0;
    if (head < ${group}u) {
      for (var i = eighth; i < count; i += 8u) {
        let weight = exp(weights[start + i] - most);
        weights[start + i] = weight;
        sum += weight;
      }
    }
    eighths[local] = sum;
    workgroupBarrier();
    if (eighth == 0u && head < ${group}u) {
      for (var i = 1u; i < 8u; i++) { sum += eighths[local + i]; }
      statistics[at + head * params.parts] = vec2<f32>(most, sum);
    }
    workgroupBarrier();
  }
  let lane = local / ${across}u;
  for (var begin = 0u; begin < ${units}u; begin += ${across}u) {
    let unit = begin + local % ${across}u;
    ${each(group, (head) => `var sum_${head} = vec4<f32>();`)}
    if (lane < ${lanes}u && unit < ${units}u) {
      for (var i = lane; i < count; i += ${lanes}u) {
        let value = unpacked(values[base + i * ${units}u + unit]);
        ${each(group, (head) => `sum_${head} += weights[${head * PART}u + i] * value;`)}
      }
    }
    ${each(
      group,
      (head) => `
    workgroupBarrier();
    vectors[local] = sum_${head};
    workgroupBarrier();
    if (lane == 0u && unit < ${units}u) {
      var whole = vectors[local];
      for (var other = 1u; other < ${lanes}u; other++) { whole += vectors[local + other * ${across}u]; }
      sums[(at + ${head}u * params.parts) * ${units}u + unit] = whole;
    }`,
    )}
  }
}`,
  })
})

/** One invocation for each token, query head and unit. */
const combineKernel = kernel({
  name: 'decode-attention-combine',
  params: { tokens: 'u32', rows: 'u32', capacity: 'u32', heads: 'u32', headSize: 'u32', parts: 'u32' },
  buffers: {
    sums: 'array<vec4<f32>>',
    statistics: 'array<vec2<f32>>',
    slots: 'array<u32>',
    places: 'array<u32>',
    out: 'array<f32>',
  },
  writes: ['out'],
  workgroup: [SIZE],
  code: `
fn main(${ARGUMENTS}) {
  let units = (params.headSize + 3u) / 4u;
  let at = (${WORKGROUP_INDEX}) * ${SIZE}u + local;
  let unit = at % units;
  let head = at / units;
  let token = head / params.heads;
  if (token >= params.tokens || slots[token] >= params.rows) { return; }
  let filled = min(places[token], params.capacity - 1u) / ${PART}u + 1u;
  let first = head * params.parts;
  var most = statistics[first].x;
  for (var part = 1u; part < filled; part++) { most = max(most, statistics[first + part].x); }
  var sum = 0.0;
  var four = vec4<f32>();
  for (var part = 0u; part < filled; part++) {
    let weight = exp(statistics[first + part].x - most);
    sum += weight * statistics[first + part].y;
    four += weight * sums[(first + part) * units + unit];
  }
  for (var i = 0u; i < min(4u, params.headSize - unit * 4u); i++) { out[head * params.headSize + unit * 4u + i] = four[i] / sum; }
}`,
})

/** Places between two looks at the largest score. */
const PLACES = 2

/** One invocation for each token and query head. */
const plainKernel = variants((room: number, half: boolean) => {
  const places = (line: (j: number) => string) => each(PLACES, line)
  const over = (name: string, join: (a: string, b: string) => string) =>
    Array.from({ length: PLACES }, (_, j) => `${name}_${j}`).reduce(join)
  return kernel({
    name: 'decode-attention-plain',
    params: {
      tokens: 'u32',
      rows: 'u32',
      capacity: 'u32',
      heads: 'u32',
      keyHeads: 'u32',
      headSize: 'u32',
      scale: 'f32',
    },
    buffers: {
      q: 'array<f32>',
      keys: cacheType(half),
      values: cacheType(half),
      slots: 'array<u32>',
      places: 'array<u32>',
      out: 'array<f32>',
    },
    writes: ['out'],
    workgroup: [SIZE],
    code: `${unpacking(half)}
fn main(${ARGUMENTS}) {
  let units = (params.headSize + 3u) / 4u;
  let at = (${WORKGROUP_INDEX}) * ${SIZE}u + local;
  let token = at / params.heads;
  if (token >= params.tokens || slots[token] >= params.rows) { return; }
  let length = min(places[token], params.capacity - 1u) + 1u;
  let keyHead = at % params.heads / (params.heads / params.keyHeads);
  let base = (slots[token] * params.keyHeads + keyHead) * params.capacity;
  var query: array<vec4<f32>, ${room}>;
  var sums: array<vec4<f32>, ${room}>;
  for (var i = 0u; i < params.headSize; i++) { query[i / 4u][i % 4u] = q[at * params.headSize + i] * params.scale; }
  var largest = -1e38;
  var sum = 0.0;
  for (var place = 0u; place < length; place += ${PLACES}u) {
    ${places((j) => `let at_${j} = (base + min(place + ${j}u, length - 1u)) * units;\nvar s_${j} = 0.0;`)}
    for (var u = 0u; u < units; u++) { ${places((j) => `s_${j} += dot(query[u], unpacked(keys[at_${j} + u]));`)} }
    let most = max(largest, ${over('s', (a, b) => `max(${a}, ${b})`)});
    let before = exp(largest - most);
    largest = most;
    ${places((j) => `let p_${j} = select(0.0, exp(s_${j} - most), place + ${j}u < length);`)}
    sum = sum * before + ${over('p', (a, b) => `${a} + ${b}`)};
    for (var u = 0u; u < units; u++) {
      var four = sums[u] * before;
      ${places((j) => `four += p_${j} * unpacked(values[at_${j} + u]);`)}
      sums[u] = four;
    }
  }
  for (var i = 0u; i < params.headSize; i++) { out[at * params.headSize + i] = sums[i / 4u][i % 4u] / sum; }
}`,
  })
})

/** What one step of decode attention reads and writes. */
export interface NewQueries {
  /** [tokens, heads · headSize] */
  readonly q: Bound
  /** array<u32> [tokens] the row of the cache that each one looks at; where there is none its output is left as it is */
  readonly slots: Bound
  /** array<u32> [tokens] each one's own place, the last that it looks at */
  readonly places: Bound
  /** [tokens, heads · headSize] */
  readonly out: Bound
}

/**
 * softmax(q kᵀ / √headSize) v of one new token a row, over its row's places up to its own. The dispatches are the same whatever the places
 * are; parts that hold none return at once.
 *
 * @param scratch  of {@link decodeScratch}, for as many tokens and this cache's shape
 */
export function decodeAttentionInto(
  encoder: Encoder,
  { shape, half, keys, values }: DeviceCache,
  tokens: number,
  { q, slots, places, out }: NewQueries,
  scratch: DecodeScratch | undefined,
): void {
  const { rows, capacity, heads, keyHeads, headSize } = shape
  const scale = 1 / Math.sqrt(headSize)
  if (!scratch) {
    const params = { tokens, rows, capacity, heads, keyHeads, headSize, scale }
    const buffers = { q, keys, values, slots, places, out }
    encoder.run(plainKernel(roomFor(headSize), half), buffers, params, [Math.ceil((tokens * heads) / SIZE)])
    return
  }
  const { tile, parts, sums, statistics } = scratch
  encoder.run(
    partKernel(headSize, heads / keyHeads, tile, half),
    { q, keys, values, slots, places, sums, statistics },
    { rows, capacity, heads, keyHeads, parts, scale },
    [parts, keyHeads, tokens],
  )
  const units = tokens * heads * unitsOf(headSize)
  encoder.run(
    combineKernel,
    { sums, statistics, slots, places, out },
    { tokens, rows, capacity, heads, headSize, parts },
    [Math.ceil(units / SIZE)],
  )
}
