import { product } from '../product.js'
import * as tf from '../tf.js'
import type { TokenScores, TokenScoresGradient } from '../token-scores.js'
import { copyInto } from './copy.js'
import { ARGUMENTS, type Gpu, kernel, variants, WORKGROUP_INDEX } from './kernels.js'
import { workgroupMax, workgroupSum } from './reduce.js'

/** Most numbers of logits that are there at once: 64 MiB of them. */
const MOST_LOGITS = 2 ** 24

/** Rows of logits that are there at once where the vocabulary is large: as many as tokens of it, so that all of the products are of matrices
 *  that are large both ways. */
const ROWS_AT_ONCE = 4096

/** Beyond that they would not fit into one dimension of a dispatch. */
const MOST_ROWS = 32_768

/** How scores are worked out: of how many rows and of how many tokens of the vocabulary logits are there at once, and by how many
 *  invocations a row of them is gone through. */
export interface ScoresLayout {
  readonly rows: number
  readonly columns: number
  readonly lanes: 1 | 256
}

/** The numbers of a row of which only a part has been seen: the largest logit, the sum of e^(logit − largest), that of the same times
 *  (logit − largest), and the logit of the row's token. Parts of the vocabulary come one after another. */
const gather = variants((lanes: number) =>
  kernel({
    name: 'token-scores',
    params: { rows: 'u32', columns: 'u32', first: 'u32', start: 'u32', inverse: 'f32' },
    buffers: { logits: 'array<f32>', tokens: 'array<u32>', states: 'array<vec4<f32>>' },
    writes: ['states'],
    workgroup: [lanes === 1 ? 64 : lanes],
    code: `
${
  // In software waiting for each other costs more than rows that are not read side by side.
  lanes === 1
    ? 'fn largest(x: f32, local: u32) -> f32 { return x; } fn total(x: f32, local: u32) -> f32 { return x; }'
    : workgroupMax('largest', lanes) + workgroupSum('total', lanes)
}
/** The same sums, as they are when the largest is \`most\`. */
fn moved(state: vec4<f32>, most: f32) -> vec4<f32> {
  let off = state.x - most;
  let scale = exp(off);
  return vec4<f32>(most, scale * state.y, scale * (state.z + off * state.y), state.w);
}
fn main(${ARGUMENTS}) {
  let row = ${lanes === 1 ? `(${WORKGROUP_INDEX}) * 64u + local` : WORKGROUP_INDEX};
  if (row >= params.rows) { return; }
  let begin = row * params.columns;
  // No infinity, of which two would have no difference.
  var own = vec4<f32>(-1e30, 0.0, 0.0, 0.0);
  for (var i = ${lanes === 1 ? '0u' : 'local'}; i < params.columns; i += ${lanes}u) {
    let logit = logits[begin + i] * params.inverse;
    if (logit > own.x) { own = moved(own, logit); }
    let off = logit - own.x;
    let e = exp(off);
    own.y += e;
    own.z += e * off;
  }
  own = moved(own, largest(own.x, local));
  var state = vec4<f32>(own.x, total(own.y, local), total(own.z, local), 0.0);
  if (${lanes === 1 ? 'true' : 'local == 0u'}) {
    let at = params.first + row;
    if (params.start > 0u) {
      let before = states[at];
      let most = max(before.x, state.x);
      state = moved(before, most) + moved(state, most);
      state.x = most;
    }
    // Below the start it wraps around to a large number.
    let token = tokens[at] - params.start;
    if (token < params.columns) { state.w = logits[begin + token] * params.inverse; }
    states[at] = state;
  }
}`,
  }),
)

const finish = kernel({
  name: 'token-scores-end',
  params: { rows: 'u32' },
  buffers: { states: 'array<vec4<f32>>', logProbs: 'array<f32>', entropies: 'array<f32>', logSums: 'array<f32>' },
  writes: ['logProbs', 'entropies', 'logSums'],
  workgroup: [64],
  code: `
fn main(${ARGUMENTS}) {
  let row = (${WORKGROUP_INDEX}) * 64u + local;
  if (row >= params.rows) { return; }
  let state = states[row];
  let logSum = log(state.y);
  logProbs[row] = state.w - state.x - logSum;
  entropies[row] = logSum - state.z / state.y;
  logSums[row] = state.x + logSum;
}`,
})

export function tokenScores(
  gpu: Gpu,
  hidden: tf.Tensor2D,
  head: tf.Tensor2D,
  tokens: Int32Array,
  temperature: number,
  half: boolean,
  layout = layoutOf(gpu, tokens.length, head.shape[0]),
): Required<TokenScores> {
  const rows = tokens.length
  if (rows === 0) return { logProbs: tf.zeros([0]), entropies: tf.zeros([0]), logSums: tf.zeros([0]) }
  const states = gpu.output<tf.Rank.R2>([rows, 4])
  const names = gpu.integers(tokens)
  inParts(gpu, hidden, head, layout, half, (logits, x, weights) => {
    const params = {
      rows: x.count,
      columns: weights.count,
      first: x.from,
      start: weights.from,
      inverse: 1 / temperature,
    }
    const workgroups = layout.lanes === 1 ? Math.ceil(x.count / 64) : x.count
    gpu.run(gather(layout.lanes), { logits, tokens: names, states }, params, [workgroups])
  })
  const [logProbs, entropies, logSums] = [gpu.output([rows]), gpu.output([rows]), gpu.output([rows])] as const
  gpu.run(finish, { states, logProbs, entropies, logSums }, { rows }, [Math.ceil(rows / 64)])
  tf.dispose([states, names])
  return { logProbs, entropies, logSums } as Required<TokenScores>
}

/** Puts the gradients of logits in their places. */
const differentiate = kernel({
  name: 'token-scores-gradient',
  params: { columns: 'u32', first: 'u32', start: 'u32', spread: 'u32', inverse: 'f32' },
  buffers: {
    logits: 'array<f32>',
    tokens: 'array<u32>',
    logSums: 'array<f32>',
    entropies: 'array<f32>',
    dLogProbs: 'array<f32>',
    dEntropies: 'array<f32>',
  },
  writes: ['logits'],
  workgroup: [64],
  code: `
fn main(${ARGUMENTS}) {
  let column = workgroup.x * 64u + local;
  if (column >= params.columns) { return; }
  let row = params.first + workgroup.y;
  let at = workgroup.y * params.columns + column;
  let logProb = logits[at] * params.inverse - logSums[row];
  let p = exp(logProb);
  let slope = dLogProbs[row];
  var dLogit = -slope * p;
  if (params.start + column == tokens[row]) { dLogit += slope; }
  if (params.spread != 0u) { dLogit -= dEntropies[row] * p * (logProb + entropies[row]); }
  logits[at] = dLogit * params.inverse;
}`,
})

/** @param known  what {@link tokenScores} said of the same; worked out again if it is not given */
export function tokenScoresGradient(
  gpu: Gpu,
  dLogProbs: tf.Tensor1D,
  dEntropies: tf.Tensor1D | undefined,
  hidden: tf.Tensor2D,
  head: tf.Tensor2D,
  tokens: Int32Array,
  temperature: number,
  half: boolean,
  known: TokenScores | undefined,
  layout = layoutOf(gpu, tokens.length, head.shape[0]),
): TokenScoresGradient {
  const rows = tokens.length
  const [vocabulary, features] = head.shape
  if (rows === 0) return { dHidden: tf.zeros([0, features]), dHead: tf.zeros([vocabulary, features]) }
  const again = known?.logSums ? undefined : tokenScores(gpu, hidden, head, tokens, temperature, half, layout)
  const [logSums, entropies] = [(again ?? known)!.logSums!, (again ?? known)!.entropies]
  const names = gpu.integers(tokens)
  const ofRows = new Sums(gpu, hidden.shape)
  const ofHead = new Sums(gpu, head.shape)
  inParts(gpu, hidden, head, layout, half, (logits, x, weights) => {
    const spread = dEntropies ? 1 : 0
    const params = { columns: weights.count, first: x.from, start: weights.from, spread, inverse: 1 / temperature }
    const slopes = { dLogProbs, dEntropies: dEntropies ?? dLogProbs }
    const workgroups = [Math.ceil(weights.count / 64), x.count] as const
    gpu.run(differentiate, { logits, tokens: names, logSums, entropies, ...slopes }, params, workgroups)
    ofRows.add(x, (plus) => product(logits, weights.lines, { plus, half }))
    ofHead.add(weights, (plus) => product(logits, x.lines, { a: true, plus, half }))
    if (x.from + x.count === rows) ofHead.put(weights)
    if (weights.from + weights.count === vocabulary) ofRows.put(x)
  })
  names.dispose()
  if (again) tf.dispose([again.logProbs, again.entropies, again.logSums])
  return { dHidden: ofRows.whole, dHead: ofHead.whole }
}

/** Some lines of a matrix. */
interface Part {
  readonly lines: tf.Tensor2D
  readonly from: number
  readonly count: number
}

/** A matrix that comes in parts, each a sum. */
class Sums {
  readonly #gpu: Gpu
  readonly #shape: [number, number]
  readonly #sums = new Map<number, tf.Tensor2D>()
  #whole: tf.Tensor2D | undefined

  constructor(gpu: Gpu, shape: [number, number]) {
    this.#gpu = gpu
    this.#shape = shape
  }

  /** @param sum  what is added, and the sum before */
  add({ from }: Part, sum: (before: tf.Tensor2D | undefined) => tf.Tensor2D): void {
    const before = this.#sums.get(from)
    this.#sums.set(from, sum(before))
    before?.dispose()
  }

  /** The part's sum is complete. */
  put({ from, count }: Part): void {
    const sum = this.#sums.get(from)!
    this.#sums.delete(from)
    if (count === this.#shape[0]) {
      this.#whole = sum
      return
    }
    this.#whole ??= this.#gpu.output<tf.Rank.R2>(this.#shape)
    copyInto(this.#gpu, sum, 0, this.#whole, from * this.#shape[1], sum.size)
    sum.dispose()
  }

  /** Once every part is complete. */
  get whole(): tf.Tensor2D {
    return this.#whole!
  }
}

/** The logits of some rows and some tokens of the vocabulary at a time: of one part of the vocabulary after another those of all rows.
 *  @param use  may change the logits, which are gone afterwards */
function inParts(
  gpu: Gpu,
  hidden: tf.Tensor2D,
  head: tf.Tensor2D,
  layout: ScoresLayout,
  half: boolean,
  use: (logits: tf.Tensor2D, x: Part, weights: Part) => void,
): void {
  const blocks = [...partsOf(gpu, hidden, layout.rows)]
  for (const weights of partsOf(gpu, head, layout.columns)) {
    for (const x of blocks) {
      const logits = product(x.lines, weights.lines, { b: true, half })
      use(logits, x, weights)
      logits.dispose()
    }
    if (weights.lines !== head) weights.lines.dispose()
  }
  for (const { lines } of blocks) if (lines !== hidden) lines.dispose()
}

/** Copies, unless all lines are in one part. */
function* partsOf(gpu: Gpu, matrix: tf.Tensor2D, size: number): Generator<Part> {
  const [all, features] = matrix.shape
  if (all <= size) {
    yield { lines: matrix, from: 0, count: all }
    return
  }
  for (let from = 0; from < all; from += size) {
    const count = Math.min(size, all - from)
    const lines = gpu.output<tf.Rank.R2>([count, features])
    copyInto(gpu, matrix, from * features, lines, 0, count * features)
    yield { lines, from, count }
  }
}

/** Parts of about the same size. */
function layoutOf(gpu: Gpu, rows: number, vocabulary: number): ScoresLayout {
  const most = Math.min(MOST_LOGITS, gpu.limits.maxStorageBufferBindingSize / 4)
  const lanes = gpu.inSoftware ? 1 : 256
  const evenly = (all: number, most: number) => Math.ceil(all / Math.ceil(all / most) / 64) * 64
  const ofRows = rows <= ROWS_AT_ONCE ? rows : evenly(rows, ROWS_AT_ONCE)
  if (vocabulary * ofRows > most)
    return { rows: ofRows, columns: evenly(vocabulary, Math.floor(most / ofRows / 64) * 64), lanes }
  return { rows: Math.min(rows, Math.floor(most / vocabulary), MOST_ROWS), columns: vocabulary, lanes }
}
