import type * as tf from '../tf.js'
import { ARGUMENTS, type Bound, type Encoder, type Gpu, kernel, WORKGROUP_INDEX } from './kernels.js'

const SIZE = 64

const gather = kernel({
  name: 'embedding',
  params: { rows: 'u32', features: 'u32' },
  buffers: { table: 'array<f32>', ids: 'array<u32>', taken: 'array<f32>' },
  writes: ['taken'],
  workgroup: [SIZE],
  code: `
fn main(${ARGUMENTS}) {
  let row = ${WORKGROUP_INDEX};
  if (row >= params.rows) { return; }
  let start = row * params.features;
  let source = ids[row] * params.features;
  for (var i = local; i < params.features; i += ${SIZE}u) { taken[start + i] = table[source + i]; }
}`,
})

/** The rows of `table` that the first `rows` numbers of `ids`, whole and of 32 bits, name. Nothing looks whether the table has them. */
export function embeddingInto(encoder: Encoder, table: tf.Tensor2D, ids: Bound, taken: Bound, rows: number): void {
  encoder.run(gather, { table, ids, taken }, { rows, features: table.shape[1] }, [rows])
}

export function embedding(gpu: Gpu, table: tf.Tensor2D, ids: Int32Array): tf.Tensor2D {
  const taken = gpu.output<tf.Rank.R2>([ids.length, table.shape[1]])
  if (ids.length === 0) return taken
  const names = gpu.integers(ids)
  embeddingInto(gpu, table, names, taken, ids.length)
  names.dispose()
  return taken
}

/** Each sum is of the rows `order[starts[sum]]` to `order[starts[sum + 1] - 1]`: those of `x`, or beyond its last those of `more`. */
const sumRows = kernel({
  name: 'sum-rows',
  params: { sums: 'u32', features: 'u32', rows: 'u32' },
  buffers: {
    x: 'array<f32>',
    more: 'array<f32>',
    order: 'array<u32>',
    starts: 'array<u32>',
    out: 'array<f32>',
  },
  writes: ['out'],
  workgroup: [SIZE],
  code: `
fn main(${ARGUMENTS}) {
  let sum = ${WORKGROUP_INDEX};
  if (sum >= params.sums) { return; }
  let first = starts[sum];
  let last = starts[sum + 1u];
  for (var i = local; i < params.features; i += ${SIZE}u) {
    var value = 0.0;
    for (var j = first; j < last; j++) {
      let row = order[j];
      if (row < params.rows) { value += x[row * params.features + i]; }
      else { value += more[(row - params.rows) * params.features + i]; }
    }
    out[sum * params.features + i] = value;
  }
}`,
})

/** Rows with the same id that a workgroup adds; of more, parts are added first, by workgroups of their own. */
const ROWS_AT_ONCE = 64

/** Always adds in the same order: rows are sorted by their id here, and then in each sum from the first to the last. */
export function embeddingGradient(gpu: Gpu, dy: tf.Tensor2D, ids: Int32Array, vocabulary: number): tf.Tensor2D {
  const features = dy.shape[1]
  const sums = gpu.output<tf.Rank.R2>([vocabulary, features])
  const run = (
    { order, starts }: Sorted,
    buffers: { readonly x: tf.Tensor; readonly more: tf.Tensor; readonly out: tf.Tensor2D },
  ) => {
    const sorted = { order: gpu.integers(order), starts: gpu.integers(starts) }
    const params = { sums: starts.length - 1, features, rows: ids.length }
    gpu.run(sumRows, { ...buffers, ...sorted }, params, [starts.length - 1])
    sorted.order.dispose()
    sorted.starts.dispose()
  }
  // Without any row there is none to bind.
  const x = ids.length > 0 ? dy : gpu.integers([0])
  const byId = sortedById(ids, vocabulary)
  const { parts, whole } = inParts(byId)
  let partSums: tf.Tensor2D | undefined
  if (parts) {
    partSums = gpu.output<tf.Rank.R2>([parts.starts.length - 1, features])
    run(parts, { x, more: x, out: partSums })
  }
  run(whole, { x, more: partSums ?? x, out: sums })
  partSums?.dispose()
  if (x !== dy) x.dispose()
  return sums
}

/** Rows in the order of what they belong to, and where each of those starts, with the end of the last. */
interface Sorted {
  readonly order: Int32Array
  readonly starts: Int32Array
}

function sortedById(ids: Int32Array, vocabulary: number): Sorted {
  const starts = new Int32Array(vocabulary + 1)
  for (let row = 0; row < ids.length; row++) starts[ids[row]! + 1]!++
  for (let id = 0; id < vocabulary; id++) starts[id + 1]! += starts[id]!
  const next = starts.slice(0, vocabulary)
  // At least one number, as a buffer cannot be empty.
  const order = new Int32Array(Math.max(1, ids.length))
  for (let row = 0; row < ids.length; row++) order[next[ids[row]!]!++] = row
  return { order, starts }
}

/** Splits what is too long: into parts, which are taken as rows that follow the others. */
function inParts(sorted: Sorted): { readonly parts?: Sorted; readonly whole: Sorted } {
  const { order, starts } = sorted
  const sums = starts.length - 1
  const rows = starts[sums]!
  let longest = 0
  for (let sum = 0; sum < sums; sum++) longest = Math.max(longest, starts[sum + 1]! - starts[sum]!)
  if (longest <= ROWS_AT_ONCE) return { whole: sorted }
  const most = Math.max(ROWS_AT_ONCE, Math.ceil(Math.sqrt(longest)))
  const partOrder: number[] = []
  const partStarts = [0]
  const wholeOrder: number[] = []
  const wholeStarts = new Int32Array(sums + 1)
  for (let sum = 0; sum < sums; sum++) {
    const last = starts[sum + 1]!
    const length = last - starts[sum]!
    for (let first = starts[sum]!; first < last; first += length > most ? most : 1) {
      if (length <= most) {
        wholeOrder.push(order[first]!)
        continue
      }
      wholeOrder.push(rows + partStarts.length - 1)
      for (let i = first; i < Math.min(first + most, last); i++) partOrder.push(order[i]!)
      partStarts.push(partOrder.length)
    }
    wholeStarts[sum + 1] = wholeOrder.length
  }
  return {
    parts: { order: Int32Array.from(partOrder), starts: Int32Array.from(partStarts) },
    whole: { order: Int32Array.from(wholeOrder), starts: wholeStarts },
  }
}
