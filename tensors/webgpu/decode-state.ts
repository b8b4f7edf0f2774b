import type * as tf from '../tf.js'
import { ARGUMENTS, type Bound, type Encoder, kernel, WORKGROUP_INDEX } from './kernels.js'

const SIZE = 64

const embed = kernel({
  name: 'embed-last',
  params: { rows: 'u32', features: 'u32' },
  buffers: { table: 'array<f32>', last: 'array<i32>', slots: 'array<i32>', x: 'array<f32>' },
  writes: ['x'],
  workgroup: [SIZE],
  code: `
fn main(${ARGUMENTS}) {
  let row = ${WORKGROUP_INDEX};
  if (row >= params.rows) { return; }
  let source = u32(last[slots[row]]) * params.features;
  let own = row * params.features;
  for (var i = local; i < params.features; i += ${SIZE}u) { x[own + i] = table[source + i]; }
}`,
})

/** x [rows, features]: the embedding of the token that was drawn last in each row's slot. */
export function embedLastInto(
  encoder: Encoder,
  table: tf.Tensor2D,
  { last, slots, x }: { readonly last: Bound; readonly slots: Bound; readonly x: Bound },
  rows: number,
): void {
  encoder.run(embed, { table, last, slots, x }, { rows, features: table.shape[1] }, [rows])
}

const keep = kernel({
  name: 'keep-draws',
  params: { rows: 'u32' },
  buffers: {
    slots: 'array<i32>',
    tokens: 'array<i32>',
    logProbs: 'array<f32>',
    last: 'array<i32>',
    drawn: 'array<vec2<i32>>',
  },
  writes: ['last', 'drawn'],
  workgroup: [SIZE],
  code: `
fn main(@builtin(global_invocation_id) place: vec3<u32>) {
  let row = place.x;
  if (row >= params.rows) { return; }
  // Below 0 it says why none was drawn: the host stops then, and until it does another is gone on with.
  last[slots[row]] = max(tokens[row], 0);
  drawn[row] = vec2(tokens[row], bitcast<i32>(logProbs[row]));
}`,
})

/** What was drawn, kept for the next step by its slot, and beside its log-probability's bits for the host: drawn [rows, 2] i32. */
export function keepDrawsInto(
  encoder: Encoder,
  buffers: {
    readonly slots: Bound
    readonly tokens: Bound
    readonly logProbs: Bound
    readonly last: Bound
    readonly drawn: Bound
  },
  rows: number,
): void {
  encoder.run(keep, buffers, { rows }, [Math.ceil(rows / SIZE)])
}
