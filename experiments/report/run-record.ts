import type { Metrics } from '../../algorithms/algorithm.js'
import type { Outcomes } from '../../algorithms/evaluate.js'
import { mean } from '../../algorithms/statistics.js'
import type { EndReason, TrainEvent, WrittenSample } from '../events.js'

/** An episode that can be played again: the seed it started from and what was done. */
export interface ReplayableEpisode {
  /** Its place in the run, from 0. */
  readonly index: number
  readonly seed: number
  /** The policy's, as {@link RunRecord} has it. */
  readonly return: number
  /** Who played each seat; absent where the policy played all. */
  readonly players?: readonly string[]
  readonly length: number
  readonly actions: readonly number[]
}

/** What is kept of an update. */
export interface UpdateRecord {
  readonly update: number
  readonly episodes: number
  readonly steps: number
  readonly metrics: Metrics
}

/** What is kept of an evaluation. */
export interface EvaluationRecord {
  readonly update: number
  readonly episodes: number
  readonly steps: number
  readonly mean: number
  readonly iqm: number
  readonly interval: readonly [number, number]
  /** Whom the policy played, and how the games ended; only against an opponent. */
  readonly opponent?: string
  readonly outcomes?: Outcomes
  /** The share of correct episodes, and the mean of each part of the reward; only where the environment tells of them. */
  readonly correct?: number
  readonly parts?: Readonly<Record<string, number>>
  /** Of an algorithm that imitates. */
  readonly validationLoss?: number
  /** The first few completions, of a policy that writes. */
  readonly written?: readonly WrittenSample[]
}

/** A run's events column by column, as the report reads them. Row i of `returns` and `steps` is episode i. */
export interface RunRecord {
  readonly env: string
  readonly algorithm: string
  readonly seed: number
  readonly backend: string
  readonly parameters: number
  /** Each episode's return: where several play, of the first seat that was the policy's. */
  readonly returns: readonly number[]
  /** Environment steps of the run up to each episode's end. */
  readonly steps: readonly number[]
  readonly updates: readonly UpdateRecord[]
  readonly evaluations: readonly EvaluationRecord[]
  /** Absent: the run was interrupted, or still goes on. */
  readonly end?: EndReason
  /** How many play. */
  readonly seats: number
  readonly first?: ReplayableEpisode
  /** The episode of the highest return, the earliest of several. Where several play, of the highest return of any seat
   *  that was the policy's, the latest of several. */
  readonly best?: ReplayableEpisode
  readonly last?: ReplayableEpisode
  /** The last episode before each evaluation, in order. */
  readonly stages: readonly ReplayableEpisode[]
}

/** How many episodes a score and the solved criterion look back on. */
export const WINDOW = 100

/** Reads a run's events.
 *  @throws Error if they do not begin with `start` */
export function recordOf(events: Iterable<TrainEvent>): RunRecord {
  let start: Extract<TrainEvent, { type: 'start' }> | undefined
  let end: EndReason | undefined
  let first: ReplayableEpisode | undefined
  let best: ReplayableEpisode | undefined
  let last: ReplayableEpisode | undefined
  let seats = 1
  const stages: ReplayableEpisode[] = []
  let highest = Number.NEGATIVE_INFINITY
  const returns: number[] = []
  const steps: number[] = []
  const updates: UpdateRecord[] = []
  const evaluations: EvaluationRecord[] = []
  for (const event of events) {
    if (event.type === 'start') {
      start ??= event
      end = undefined
    } else if (event.type === 'episode') {
      const { index, seed, length, actions, players } = event
      seats = event.returns.length
      const own = event.returns.filter((_, seat) => (players?.[seat] ?? 'self') === 'self')
      const score = own[0] ?? 0
      returns.push(score)
      steps.push(event.steps)
      const replayable = actions && { index, seed, length, actions, return: score, ...(players && { players }) }
      if (replayable && index === 0) first = replayable
      last = replayable
      const height = Math.max(...own)
      if (height > highest || (seats > 1 && height === highest)) {
        highest = height
        best = replayable
      }
    } else if (event.type === 'update') {
      updates.push({ update: event.update, episodes: event.episodes, steps: event.steps, metrics: event.metrics })
    } else if (event.type === 'evaluation') {
      evaluations.push(event)
      if (last && stages.at(-1) !== last) stages.push(last)
    } else if (event.type === 'end') {
      end = event.reason
    }
  }
  if (!start) throw new Error('the events of this run do not begin with "start"')
  const { env, algorithm, seed, backend, parameters } = start
  return {
    ...{ env, algorithm, seed, backend, parameters, returns, steps, updates, evaluations, seats, stages },
    ...(end && { end }),
    ...(first && { first }),
    ...(best && { best }),
    ...(last && { last }),
  }
}

/** Entry i: the mean return of the last 100 episodes up to episode i, of all while there are fewer. */
export function runningMeans(returns: ArrayLike<number>, window = WINDOW): Float64Array {
  const means = new Float64Array(returns.length)
  let sum = 0
  for (let i = 0; i < returns.length; i++) {
    sum += returns[i]!
    if (i >= window) sum -= returns[i - window]!
    means[i] = sum / Math.min(i + 1, window)
  }
  return means
}

/** The mean return of a run's last 100 episodes; NaN before the first has ended. */
export function finalScore(returns: readonly number[]): number {
  return mean(returns.slice(-WINDOW))
}

/** How many episodes it took until the mean of the last 100 was at least `threshold`; undefined if it never was. */
export function episodesToSolve(returns: readonly number[], threshold: number): number | undefined {
  const at = runningMeans(returns).findIndex((value, i) => i >= WINDOW - 1 && value >= threshold)
  return at < 0 ? undefined : at + 1
}
