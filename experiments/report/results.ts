import type { Outcomes } from '../../algorithms/evaluate.js'
import {
  bootstrapInterval,
  type Interval,
  iqm,
  mean,
  median,
  probabilityOfImprovement,
  stratifiedBootstrapInterval,
} from '../../algorithms/statistics.js'
import { definitionOf } from '../../envs/registry.js'
import { PCG64 } from '../../envs/seeding.js'
import type { EndReason } from '../events.js'
import type { DomainResults } from './domains.js'
import { episodesToSolve, finalScore, type RunRecord } from './run-record.js'

/** One run, summed up. */
export interface RunResult {
  readonly seed: number
  /** Mean return of the last 100 episodes; against an opponent, of the last evaluation. */
  readonly score: number
  /** Mean return of the last evaluation, where there was one. */
  readonly evaluation?: number
  /** Against an opponent: how the games of the last evaluation ended, and the 95% interval of their mean. */
  readonly outcomes?: Outcomes
  readonly interval?: Interval
  /** Episodes until the mean of 100 reached the environment's threshold; absent if it never did. */
  readonly solvedAt?: number
  readonly episodes: number
  readonly steps: number
  /** Absent: interrupted. */
  readonly end?: EndReason
}

/** One configuration over its seeds. */
export interface ConfigurationResult {
  readonly name: string
  readonly env: string
  readonly algorithm: string
  /** Of the runs' scores: mean, interquartile mean and its bootstrap 95% interval. Of a single run against an opponent,
   *  the interval over its games. */
  readonly mean: number
  readonly iqm: number
  readonly interval: Interval
  /** The mean over seeds of the last evaluations, where every run had one. */
  readonly evaluation?: number
  /** Against an opponent: how the games of all runs' last evaluations ended. */
  readonly outcomes?: Outcomes
  /** Share of runs that solved the task, and the median of the episode at which they did; absent without a threshold. */
  readonly solved?: number
  readonly solvedAt?: number
  /** Medians over runs. */
  readonly episodes: number
  readonly steps: number
  readonly runs: readonly RunResult[]
}

/** How likely a run of `x` scores above a run of `y`, a tie counting half; at least 0.5. */
export interface Improvement {
  readonly x: string
  readonly y: string
  readonly probability: number
  readonly interval: Interval
}

/** The configurations compared on one environment. */
export interface TaskResult {
  readonly env: string
  readonly rewardThreshold?: number
  /** Whom the runs are evaluated against, where they are: scores are then means of games, 1 for a win, −1 for a loss. */
  readonly opponent?: string
  readonly configurations: readonly ConfigurationResult[]
  readonly improvements: readonly Improvement[]
}

/** Everything a comparison found. The same seeds on the same backend give the same results, byte for byte. */
export interface ComparisonResults {
  readonly tasks: readonly TaskResult[]
  /** Where several environments have a scale that they share. */
  readonly domains?: DomainResults
}

/** The runs of one configuration. */
export interface NamedRuns {
  readonly name: string
  readonly runs: readonly RunRecord[]
}

/** Sums up runs: per environment a row for each configuration, and who beats whom. Runs without a finished episode are
 *  left out; where some are evaluated against an opponent, those that are not yet as well. */
export function resultsOf(configurations: readonly NamedRuns[]): ComparisonResults {
  const all = configurations.flatMap(({ runs }) => runs).filter(({ returns }) => returns.length > 0)
  const envs = new Set(all.map(({ env }) => env))
  const tasks = [...envs].map((env) => {
    const here = all.filter((run) => run.env === env)
    const opponent = here.map(opponentOf).find((name) => name !== undefined)
    const rows = configurations.flatMap(({ name, runs }) => {
      const counted = runs.filter((run) => here.includes(run) && opponentOf(run) === opponent)
      return counted.length > 0 ? [configurationResult(name, counted)] : []
    })
    return taskResult(env, rows, opponent)
  })
  return { tasks }
}

/** Whom a run was last evaluated against, if against anyone. */
export function opponentOf({ evaluations }: RunRecord): string | undefined {
  return evaluations.at(-1)?.outcomes && evaluations.at(-1)?.opponent
}

function configurationResult(name: string, records: readonly RunRecord[]): ConfigurationResult {
  const { env, algorithm } = records[0]!
  const threshold = rewardThresholdOf(env)
  const runs = records.map(runResult).sort((a, b) => a.seed - b.seed)
  const scores = runs.map(({ score }) => score)
  const evaluations = runs.flatMap(({ evaluation }) => evaluation ?? [])
  const solvedAt = runs.flatMap((run) => run.solvedAt ?? [])
  const outcomes = runs.flatMap((run) => run.outcomes ?? [])
  const [only] = runs
  return {
    name,
    env,
    algorithm,
    mean: mean(scores),
    iqm: iqm(scores),
    interval:
      (runs.length === 1 ? only?.interval : undefined) ?? bootstrapInterval(scores, iqm, { generator: new PCG64(0) }),
    ...(outcomes.length > 0
      ? { outcomes: outcomes.reduce(added) }
      : evaluations.length === runs.length && { evaluation: mean(evaluations) }),
    ...(threshold !== undefined && { solved: solvedAt.length / runs.length }),
    ...(solvedAt.length > 0 && { solvedAt: median(solvedAt) }),
    episodes: median(runs.map(({ episodes }) => episodes)),
    steps: median(runs.map(({ steps }) => steps)),
    runs,
  }
}

/** Sums up a run of at least one episode. */
export function runResult({ env, seed, returns, steps, evaluations, end }: RunRecord): RunResult {
  const threshold = rewardThresholdOf(env)
  const solvedAt = threshold === undefined ? undefined : episodesToSolve(returns, threshold)
  const last = evaluations.at(-1)
  return {
    seed,
    score: last?.outcomes ? last.mean : finalScore(returns),
    ...(last?.outcomes ? { outcomes: last.outcomes, interval: last.interval } : last && { evaluation: last.mean }),
    ...(solvedAt !== undefined && { solvedAt }),
    episodes: returns.length,
    steps: steps.at(-1)!,
    ...(end && { end }),
  }
}

/** Games of both. */
export function added(one: Outcomes, two: Outcomes): Outcomes {
  return { wins: one.wins + two.wins, draws: one.draws + two.draws, losses: one.losses + two.losses }
}

function taskResult(env: string, configurations: readonly ConfigurationResult[], opponent?: string): TaskResult {
  const rewardThreshold = rewardThresholdOf(env)
  const improvements = configurations.flatMap((one, i) => configurations.slice(i + 1).map((two) => duel(one, two)))
  return {
    env,
    ...(rewardThreshold !== undefined && { rewardThreshold }),
    ...(opponent !== undefined && { opponent }),
    configurations,
    improvements,
  }
}

/** The likelier winner first; the order given where neither is. */
function duel(one: ConfigurationResult, two: ConfigurationResult): Improvement {
  const scoresOf = ({ runs }: ConfigurationResult) => runs.map(({ score }) => score)
  const [x, y] = probabilityOfImprovement(scoresOf(one), scoresOf(two)) < 0.5 ? [two, one] : [one, two]
  const scores = [scoresOf(x), scoresOf(y)] as const
  return {
    x: x.name,
    y: y.name,
    probability: probabilityOfImprovement(...scores),
    interval: stratifiedBootstrapInterval(scores, ([a, b]) => probabilityOfImprovement(a!, b!), {
      generator: new PCG64(0),
    }),
  }
}

/** The registered threshold of an environment; undefined where it has none or is not registered here. */
function rewardThresholdOf(env: string): number | undefined {
  try {
    return definitionOf(env).rewardThreshold
  } catch {
    return undefined
  }
}
