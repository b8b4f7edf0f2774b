import {
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
import { kernel, variants } from './kernels.js'

/**
 * A tile of a product that a workgroup works on.
 *
 * Of each invocation are `own` × `own` numbers; `depth` of the inner dimension are in workgroup memory at a time. `slices` groups of invocations do the
 * same tile, each a part of every step, and add what they have at the end: more invocations for a tile with few numbers.
 */
export type TileName = 'large' | 'small' | 'narrow' | 'low'

interface Tile {
  readonly rows: number
  readonly columns: number
  readonly own: number
  readonly depth: number
  readonly slices: number
}

/** Each has 256 invocations and at most 16 KiB of workgroup memory, which any card has. `narrow` and `low` are for few rows. */
export const tiles: Readonly<Record<TileName, Tile>> = {
  large: { rows: 128, columns: 128, own: 8, depth: 16, slices: 1 },
  small: { rows: 64, columns: 64, own: 4, depth: 32, slices: 1 },
  narrow: { rows: 64, columns: 16, own: 4, depth: 32, slices: 4 },
  low: { rows: 16, columns: 64, own: 4, depth: 32, slices: 4 },
}

/**
 * A product for cards: tiles of both factors go through workgroup memory, the next ones into registers meanwhile.
 *
 * Whichever way the factors lie, the tiles lie across the inner dimension there: blocks of 4 × 4 are turned in registers.
 *
 * @param half   the tiles are in half precision
 * @param gated  see {@link putOf}
 */
export const tiled = variants(
  (
    flipA: boolean,
    byFourA: boolean,
    flipB: boolean,
    byFourB: boolean,
    half: boolean,
    stored: Stored,
    byFourC: boolean,
    gated: boolean,
    name: TileName,
  ) => {
    const { a, b } = factors(flipA, byFourA, flipB, byFourB, stored)
    const { rows, columns, own, depth, slices } = tiles[name]
    const [across, down] = [columns / own, rows / own]
    const places = across * down
    const size = places * slices
    const fours = own / 4
    const type = half ? 'f16' : 'f32'
    const blocksA = (rows * depth) / 16
    const blocks = blocksA + (columns * depth) / 16
    const rounds = Math.ceil(blocks / size)
    /** For the block that is this invocation's in a round, code for one of a and code for one of b. */
    const each = (round: number, code: (factor: Factor, side: number, block: string) => string) => {
      const block = `(local + ${round * size}u)`
      const ofB = `if (${block} < ${blocks}u) {\n${code(b, columns, `(${block} - ${blocksA}u)`)}\n  }`
      return `  if (${block} < ${blocksA}u) {\n${code(a, rows, block)}\n  } else ${ofB}`
    }
    const fetch = (k: string) =>
      unrolled(rounds, (round) =>
        each(round, (factor, side, block) => {
          const [outer, inner] = placeIn(factor, side, depth, block)
          const outerStart = factor.name === 'a' ? 'row' : 'column'
          return unrolled(4, (i) => {
            const [o, k0] = [`${outerStart} + ${outer} * 4u`, `${k} + ${inner} * 4u`]
            const place = factor.alongInner ? `${o} + ${i}u, ${k0}` : `${k0} + ${i}u, ${o}`
            return `    next_${round}[${i}] = four_${factor.name}(${place});`
          })
        }),
      )
    const keep = unrolled(rounds, (round) =>
      each(round, (factor, side, block) => {
        const [outer, inner] = placeIn(factor, side, depth, block)
        return `    ${factor.alongInner ? `next_${round} = transpose(next_${round});` : ''}
${unrolled(4, (i) => `    tile_${factor.name}[(${inner} * 4u + ${i}u) * ${side / 4}u + ${outer}] = vec4<${type}>(next_${round}[${i}]);`)}`
      }),
    )
    return kernel({
      name: 'product-tiled',
      params: productParams,
      buffers: { a: typeOf(a), b: typeOf(b), plus: putType(byFourC, gated), c: putType(byFourC, gated) },
      writes: ['c'],
      workgroup: [size],
      ...(half || stored === 'f16' ? { uses: ['shader-f16'] as const } : {}),
      code: `${putOf(byFourC, gated)}
${fourOf(a)}
${fourOf(b)}
var<workgroup> tile_a: array<vec4<${type}>, ${(rows * depth) / 4}>;
var<workgroup> tile_b: array<vec4<${type}>, ${(columns * depth) / 4}>;
${slices > 1 ? `var<workgroup> others: array<vec4<f32>, ${(rows * columns) / 4}>;` : ''}
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let row = workgroup.y * ${rows}u;
  let column = workgroup.x * ${columns}u;
  let first = workgroup.z * params.depth;
  let last = min(first + params.depth, params.k);
  let place = local % ${places}u;
  let slice = local / ${places}u;
  let x = place % ${across}u;
  let y = place / ${across}u;
${unrolled(own, (r) => unrolled(fours, (c) => `  var sum_${r}_${c} = vec4<f32>();`))}
${unrolled(rounds, (round) => `  var next_${round}: mat4x4<f32>;`)}
  for (var k = first; ; k += ${depth}u) {
    if (k < last) {
${fetch('k')}
    }
    if (k > first) {
      let end = min((slice + 1u) * ${depth / slices}u, last + ${depth}u - k);
      for (var i = slice * ${depth / slices}u; i < end; i++) {
${unrolled(fours, (r) => `        let left_${r} = vec4<f32>(tile_a[i * ${rows / 4}u + ${r * down}u + y]);`)}
${unrolled(fours, (c) => `        let right_${c} = vec4<f32>(tile_b[i * ${columns / 4}u + ${c * across}u + x]);`)}
${unrolled(own, (r) => unrolled(fours, (c) => `        sum_${r}_${c} += left_${r >> 2}[${r & 3}] * right_${c};`))}
      }
    }
    workgroupBarrier();
    if (k >= last) { break; }
${keep}
    workgroupBarrier();
  }
${unrolled(
  slices - 1,
  (s) => `  if (slice == ${s + 1}u) {
${unrolled(own, (r) => unrolled(fours, (c) => `    others[${(r * fours + c) * places}u + place] = sum_${r}_${c};`))}
  }
  workgroupBarrier();
  if (slice == 0u) {
${unrolled(own, (r) => unrolled(fours, (c) => `    sum_${r}_${c} += others[${(r * fours + c) * places}u + place];`))}
  }
  workgroupBarrier();`,
)}
  if (slice == 0u) {
${unrolled(own, (r) =>
  unrolled(
    fours,
    (c) =>
      `    put(row + (${(r >> 2) * down}u + y) * 4u + ${r & 3}u, column + (${c * across}u + x) * 4u, workgroup.z, sum_${r}_${c});`,
  ),
)}
  }
}`,
    })
  },
)

/** Which block of a tile is whose: neighbours read on along a line. */
function placeIn({ alongInner }: Factor, side: number, depth: number, block: string): readonly [string, string] {
  return alongInner
    ? [`(${block} / ${depth / 4}u)`, `(${block} % ${depth / 4}u)`]
    : [`(${block} % ${side / 4}u)`, `(${block} / ${side / 4}u)`]
}
