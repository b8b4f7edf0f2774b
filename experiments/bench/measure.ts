import { readFileSync } from 'node:fs'
import { median } from '../../algorithms/statistics.js'
import type { Json } from '../../envs/spec.js'

/** How long and how often things are measured. */
export interface Effort {
  /** Seconds of one repetition of a rate, and of the warm-up before the first. */
  readonly seconds: number
  /** Repetitions of a rate. */
  readonly repetitions: number
  /** Runs of a whole training, each from another seed. */
  readonly trainings: number
  /** Seeds of the time to a first solve. */
  readonly solves: number
  /** Updates over which memory is watched. */
  readonly updates: number
  /** Seeds of the peers that train. */
  readonly peerTrainings: number
  /** Games of a match. */
  readonly games: number
  /** Sequences of a language model's step, and prompts that it goes on with at once. */
  readonly sequences: number
  /** Blocks of the checkpoint that is loaded. */
  readonly checkpointLayers: number
}

/** What the published figures are measured with. */
export const FULL: Effort = {
  seconds: 1,
  repetitions: 7,
  trainings: 7,
  solves: 15,
  updates: 10_000,
  peerTrainings: 3,
  games: 1000,
  sequences: 32,
  checkpointLayers: 24,
}

/** A look in a minute; too short for a figure that is told to others. */
export const QUICK: Effort = {
  seconds: 0.2,
  repetitions: 3,
  trainings: 2,
  solves: 3,
  updates: 1000,
  peerTrainings: 1,
  games: 100,
  sequences: 32,
  checkpointLayers: 2,
}

/** What was measured, repetition by repetition, and what there is to say about it. */
export interface Measurement {
  readonly values: readonly number[]
  readonly details?: { readonly [name: string]: Json }
  /** Why the figure is none that a target is of, where it is not. */
  readonly notJudged?: string
}

/** Tells that a row cannot be measured here, and why: the others still are. */
export class NotMeasurable extends Error {}

/** Measurements, summed up. */
export interface Figure extends Measurement {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** The middle and the ends of what was measured.
 *  @throws RangeError if nothing was */
export function figureOf(measurement: Measurement): Figure {
  const { values } = measurement
  if (values.length === 0) throw new RangeError('nothing was measured')
  return { ...measurement, median: median(values), min: Math.min(...values), max: Math.max(...values) }
}

/** Things done in a second, once for each repetition, after a warm-up as long as one of them. Also the median of things
 *  done in a second of processor time, all threads together: on a machine that does other work too, it says what the
 *  process would have done alone, or nearly so.
 *  @param chunk  does some of them, for about a millisecond or more, and says how many */
export function rate(
  chunk: () => number,
  { seconds, repetitions }: Pick<Effort, 'seconds' | 'repetitions'>,
): Measurement & { readonly details: { readonly perCpuSecond: number } } {
  const values: number[] = []
  const perCpuSecond: number[] = []
  for (let repetition = 0; repetition <= repetitions; repetition++) {
    const watch = stopwatch()
    let done = 0
    do done += chunk()
    while (watch.milliseconds() < 1000 * seconds)
    if (repetition === 0) continue
    values.push((1000 * done) / watch.milliseconds())
    perCpuSecond.push((1000 * done) / watch.cpuMilliseconds())
  }
  return { values, details: { perCpuSecond: Math.round(median(perCpuSecond)) } }
}

/** {@link rate} of a chunk that gives a promise. */
export async function rateOfPromises(
  chunk: () => Promise<number>,
  { seconds, repetitions }: Pick<Effort, 'seconds' | 'repetitions'>,
): Promise<Measurement & { readonly details: { readonly perCpuSecond: number } }> {
  const values: number[] = []
  const perCpuSecond: number[] = []
  for (let repetition = 0; repetition <= repetitions; repetition++) {
    const watch = stopwatch()
    let done = 0
    do done += await chunk()
    while (watch.milliseconds() < 1000 * seconds)
    if (repetition === 0) continue
    values.push((1000 * done) / watch.milliseconds())
    perCpuSecond.push((1000 * done) / watch.cpuMilliseconds())
  }
  return { values, details: { perCpuSecond: Math.round(median(perCpuSecond)) } }
}

/** How long it is since now, by the clock and in processor time, all threads together; the latter never 0. */
export function stopwatch(): { readonly milliseconds: () => number; readonly cpuMilliseconds: () => number } {
  const cpuBefore = process.cpuUsage()
  const began = performance.now()
  return {
    milliseconds: () => performance.now() - began,
    cpuMilliseconds: () => {
      const { user, system } = process.cpuUsage(cpuBefore)
      return Math.max(1, user + system) / 1000
    },
  }
}

/** Microseconds that this thread has been on a core since it began, as precisely as the system keeps it (a few milliseconds); where it does not
 *  tell, the clock's. */
export function threadMicroseconds(): number {
  // Node has it from 23.9 on; before, Linux tells it in a file.
  const { threadCpuUsage } = process as { threadCpuUsage?: () => { user: number; system: number } }
  if (threadCpuUsage) {
    const { user, system } = threadCpuUsage.call(process)
    return user + system
  }
  try {
    return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[0]) / 1000
  } catch {
    return 1000 * performance.now()
  }
}

/** How often a repetition of {@link versus} goes from one to the other. */
const TURNS = 10

/**
 * How many times as fast one is as the other, once for each repetition, after a warm-up; the median of each one's things
 * a second; and how many times as fast by processor time, all threads together. They take turns, so that what else the
 * machine does slows both.
 * @param one  as {@link rate} takes it
 */
export async function versus(
  one: () => number | Promise<number>,
  other: () => number | Promise<number>,
  { seconds, repetitions }: Pick<Effort, 'seconds' | 'repetitions'>,
): Promise<{
  readonly values: number[]
  readonly one: number
  readonly other: number
  readonly byCpuSecond: number
}> {
  const values: number[] = []
  const byCpuSecond: number[] = []
  const ones: number[] = []
  const others: number[] = []
  for (let repetition = 0; repetition <= repetitions; repetition++) {
    const first = { chunk: one, done: 0, milliseconds: 0, cpu: 0 }
    const second = { ...first, chunk: other }
    for (let turn = 0; turn < TURNS; turn++) {
      for (const side of [first, second]) {
        const watch = stopwatch()
        do side.done += await side.chunk()
        while (watch.milliseconds() < (1000 * seconds) / TURNS)
        side.milliseconds += watch.milliseconds()
        side.cpu += watch.cpuMilliseconds()
      }
    }
    if (repetition === 0) continue
    const a = (1000 * first.done) / first.milliseconds
    const b = (1000 * second.done) / second.milliseconds
    ones.push(a)
    others.push(b)
    values.push(a / b)
    byCpuSecond.push(first.done / first.cpu / (second.done / second.cpu))
  }
  return { values, one: median(ones), other: median(others), byCpuSecond: median(byCpuSecond) }
}
