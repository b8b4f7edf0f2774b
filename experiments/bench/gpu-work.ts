import { median } from '../../algorithms/statistics.js'
import { PCG64 } from '../../envs/seeding.js'
import { type Effort, type Measurement, rateOfPromises, threadMicroseconds } from './measure.js'

/** Something that a graphics card does in a language model, at its sizes: what others are given to do the same. */
export type GpuWork =
  /** x · w: [m, k] by [k, n]; with `half`, of numbers of half precision where whoever does it has them. */
  | { readonly kind: 'product'; readonly m: number; readonly n: number; readonly k: number; readonly half?: true }
  /** x / √(mean(x²) + {@link EPSILON}) · weight, row by row. */
  | { readonly kind: 'rms-norm'; readonly rows: number; readonly features: number }
  /** Causal attention with grouped queries: `rows` sequences of `length` tokens. */
  | {
      readonly kind: 'attention'
      readonly rows: number
      readonly length: number
      readonly heads: number
      readonly keyHeads: number
      readonly headSize: number
    }
  /** (silu(x · gate) · (x · up)) · down. */
  | { readonly kind: 'mlp'; readonly rows: number; readonly hidden: number; readonly intermediate: number }

export const EPSILON = 1e-6

/** Columns, that is numbers of a row, of everything that is read and written; rows are the first dimension of `x`. */
export type GpuInputs = Readonly<Record<string, Float32Array>>

/** How far a result may be off, as a part of the largest number of its row. */
const TOLERANCE = { single: 1e-3, half: 3e-2 }

/** What a work's inputs are called, and their shapes; what is multiplied with from the right is [inputs, outputs]. */
export function inputShapes(work: GpuWork): Readonly<Record<string, readonly [rows: number, columns: number]>> {
  switch (work.kind) {
    case 'product':
      return { x: [work.m, work.k], w: [work.k, work.n] }
    case 'rms-norm':
      return { x: [work.rows, work.features], weight: [1, work.features] }
    case 'attention': {
      const tokens = work.rows * work.length
      const [q, k] = [work.heads * work.headSize, work.keyHeads * work.headSize]
      return { x: [tokens, q], k: [tokens, k], v: [tokens, k] }
    }
    case 'mlp': {
      const { rows, hidden, intermediate } = work
      const into = [hidden, intermediate] as const
      return { x: [rows, hidden], gate: into, up: into, down: [intermediate, hidden] }
    }
  }
}

/** Rows and columns of what comes out. */
export function outputShape(work: GpuWork): readonly [rows: number, columns: number] {
  const { x, w } = inputShapes(work)
  return [x![0], (w ?? x!)[1]]
}

/** What doing it once counts for: 1e9 operations of arithmetic, of a norm 1e9 bytes that are read and written. Of attention only what the mask
 *  leaves is counted. */
export function billions(work: GpuWork): number {
  switch (work.kind) {
    case 'product':
      return (2 * work.m * work.n * work.k) / 1e9
    case 'rms-norm':
      return (2 * 4 * work.rows * work.features) / 1e9
    case 'attention': {
      const { rows, length, heads, headSize } = work
      return (4 * rows * heads * headSize * ((length * (length + 1)) / 2)) / 1e9
    }
    case 'mlp':
      return (6 * work.rows * work.hidden * work.intermediate) / 1e9
  }
}

/** Numbers of a work's inputs, the same for whoever does it: normal, and divided by √rows where they are multiplied with from the right. */
export function gpuInputs(work: GpuWork): GpuInputs {
  const random = new PCG64(6)
  // A prime number of them, again and again, so that rows differ: as many of their own would take longer than all else.
  const numbers = Float32Array.from({ length: 65_537 }, () => random.normal())
  const isFactor = (name: string) => ['w', 'gate', 'up', 'down'].includes(name)
  return Object.fromEntries(
    Object.entries(inputShapes(work)).map(([name, [rows, columns]], at) => {
      const scale = isFactor(name) ? 1 / Math.sqrt(rows) : 1
      const start = at * 9973
      return [
        name,
        Float32Array.from({ length: rows * columns }, (_, i) => numbers[(start + i) % numbers.length]! * scale),
      ]
    }),
  )
}

/** A row of what comes out, by plain arithmetic in double precision. */
export function expectedRow(work: GpuWork, inputs: GpuInputs, row: number): Float64Array {
  const [, columns] = inputShapes(work).x!
  const x = Float64Array.from(inputs.x!.subarray(row * columns, (row + 1) * columns))
  switch (work.kind) {
    case 'product':
      return rowTimes(x, inputs.w!)
    case 'rms-norm': {
      const inverse = 1 / Math.sqrt(x.reduce((sum, each) => sum + each * each, 0) / x.length + EPSILON)
      return x.map((each, i) => each * inverse * inputs.weight![i]!)
    }
    case 'attention':
      return attendedRow(work, x, inputs, row)
    case 'mlp': {
      const up = rowTimes(x, inputs.up!)
      const activated = rowTimes(x, inputs.gate!).map((gate, i) => (gate / (1 + Math.exp(-gate))) * up[i]!)
      return rowTimes(activated, inputs.down!)
    }
  }
}

function rowTimes(x: Float64Array, matrix: Float32Array): Float64Array {
  const columns = matrix.length / x.length
  const sums = new Float64Array(columns)
  for (let i = 0; i < x.length; i++) {
    for (let j = 0; j < columns; j++) sums[j]! += x[i]! * matrix[i * columns + j]!
  }
  return sums
}

function attendedRow(
  { length, heads, keyHeads, headSize }: GpuWork & { kind: 'attention' },
  q: Float64Array,
  { k, v }: GpuInputs,
  row: number,
): Float64Array {
  const first = row - (row % length)
  const out = new Float64Array(q.length)
  for (let head = 0; head < heads; head++) {
    const keyHead = Math.floor(head / (heads / keyHeads))
    const at = (token: number) => (token * keyHeads + keyHead) * headSize
    const scores = Array.from({ length: row - first + 1 }, (_, j) => {
      let score = 0
      for (let i = 0; i < headSize; i++) score += q[head * headSize + i]! * k![at(first + j) + i]!
      return score / Math.sqrt(headSize)
    })
    const most = Math.max(...scores)
    const weights = scores.map((score) => Math.exp(score - most))
    const sum = weights.reduce((a, b) => a + b)
    for (const [j, weight] of weights.entries()) {
      for (let i = 0; i < headSize; i++) out[head * headSize + i]! += (weight / sum) * v![at(first + j) + i]!
    }
  }
  return out
}

/** @throws Error if the first, the middle or the last row of a result is not what it is to be */
export function checkResult(work: GpuWork, inputs: GpuInputs, result: Float32Array): void {
  const [rows, columns] = outputShape(work)
  if (result.length !== rows * columns) throw new Error(`${work.kind}: ${result.length} numbers for ${rows * columns}`)
  const tolerance = TOLERANCE[work.kind === 'product' && work.half ? 'half' : 'single']
  for (const row of new Set([0, Math.floor(rows / 2), rows - 1])) {
    const expected = expectedRow(work, inputs, row)
    const largest = expected.reduce((most, each) => Math.max(most, Math.abs(each)), 0)
    // Put so that a difference that is NaN is too large.
    const wrong = expected.findIndex((each, i) => !(Math.abs(result[row * columns + i]! - each) <= tolerance * largest))
    if (wrong >= 0) {
      throw new Error(
        `${work.kind}: wrong at row ${row}, column ${wrong}: ${result[row * columns + wrong]} for ${expected[wrong]}`,
      )
    }
  }
}

/** Who does a work. */
export interface GpuWorker {
  /** Asks the device to do it, once or more often, and lets go of what comes out.
   *  @returns how often */
  ask(): number | Promise<number>
  /** Waits until the device has done all that it was asked for. */
  done(): Promise<void>
  /** What comes out, all of it. */
  result(): Promise<Float32Array>
}

/** Of a repetition, what at least is asked for before the device is waited for. */
const PART = 0.1
const MOST_AT_ONCE = 2 ** 14

/**
 * Billions of operations, or of bytes ({@link billions}), that a worker does in a second, and in a second of processor time, where its
 * result is right. The device is waited for after so many that this costs nothing.
 *
 * @throws Error if the result is wrong
 */
export async function gpuRate(
  work: GpuWork,
  inputs: GpuInputs,
  worker: GpuWorker,
  effort: Pick<Effort, 'seconds' | 'repetitions'>,
): Promise<Measurement> {
  checkResult(work, inputs, await worker.result())
  const some = async (count: number) => {
    let asked = 0
    while (asked < count) asked += await worker.ask()
    await worker.done()
    return asked
  }
  let together = 1
  await some(together)
  for (;;) {
    const began = performance.now()
    together = await some(together)
    if (performance.now() - began >= 1000 * PART * effort.seconds || together >= MOST_AT_ONCE) break
    together *= 2
  }
  // In thousands, since a rate in processor time is told as a whole number.
  const thousands = 1e6 * billions(work)
  const { values, details } = await rateOfPromises(async () => thousands * (await some(together)), effort)
  return {
    values: values.map((perSecond) => perSecond / 1e6),
    details: { together, perCpuSecond: Number((details.perCpuSecond / 1e6).toPrecision(3)) },
  }
}

/** Calls of a repetition, and milliseconds of it, at least: a thread's time is known to a few. */
const CALLS = 1000
const CALLING = 100
/** So many repetitions are left out: only after thousands of calls they are compiled as well as they will be. */
const WARM_UP = 3

/** Microseconds that a call which asks the device for something takes of this thread, and by the clock, once for each repetition, after a
 *  warm-up: the device is not waited for.
 *  @param call  asks, and lets go of what comes out; several at once count for as many as it says */
export async function callTime(
  call: () => number | Promise<number>,
  done: () => Promise<void>,
  { repetitions }: Pick<Effort, 'repetitions'>,
): Promise<{ readonly values: number[]; readonly byClock: number }> {
  const values: number[] = []
  const byClock: number[] = []
  for (let repetition = 0; repetition < WARM_UP + repetitions; repetition++) {
    const [began, beganByClock] = [threadMicroseconds(), performance.now()]
    let asked = 0
    do {
      const count = call()
      asked += typeof count === 'number' ? count : await count
    } while (asked < CALLS || performance.now() - beganByClock < CALLING)
    const [ended, endedByClock] = [threadMicroseconds(), performance.now()]
    await done()
    if (repetition < WARM_UP) continue
    values.push((ended - began) / asked)
    byClock.push((1000 * (endedByClock - beganByClock)) / asked)
  }
  return { values, byClock: Number(median(byClock).toFixed(1)) }
}
