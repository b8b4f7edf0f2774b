import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import {
  bootstrapInterval,
  type Interval,
  iqm,
  mean,
  stratifiedBootstrapInterval,
} from '../../algorithms/statistics.js'
import { referenceOf } from '../../envs/reference-of.js'
import { make, type ReferenceScore } from '../../envs/registry.js'
import { PCG64 } from '../../envs/seeding.js'
import { type ExperimentConfig, loadConfig, measuringSpecOf, modelNameOf } from '../config.js'
import { type RandomScore, randomScore } from '../random-score.js'
import { runAt } from '../run-folder.js'
import { type ComparisonResults, type ConfigurationResult, type RunResult, resultsOf } from './results.js'
import { namedRecords, type StoredConfiguration } from './stored-run.js'

/** A run on the scale of its domain. */
export interface DomainRun {
  readonly seed: number
  /** The mean return before the first update, where it was evaluated. */
  readonly start?: number
  /** The mean return of the last evaluation, or where there is none of the last 100 episodes. */
  readonly score: number
  /** The same, 0 being the random agent's and 1 the reference's. */
  readonly normalised: { readonly start?: number; readonly score: number }
}

/** A configuration on the scale of its domain. */
export interface DomainRow {
  readonly name: string
  readonly env: string
  readonly algorithm: string
  /** What the runs began from, where that was not random weights: another run's configuration, or a model. */
  readonly from?: string
  readonly random: Pick<RandomScore, 'mean' | 'interval' | 'episodes' | 'opponent'>
  readonly reference: ReferenceScore
  /** Whether scores are of evaluations, or of training. */
  readonly evaluated: boolean
  /** Means over runs. */
  readonly start?: number
  readonly score: number
  /** The interquartile means of the normalised scores over runs, and the bootstrap 95% interval of the latter. */
  readonly normalised: { readonly start?: number; readonly iqm: number; readonly interval: Interval }
  readonly runs: readonly DomainRun[]
}

/** An algorithm over all domains: the interquartile mean of all its runs' normalised scores, and its stratified
 *  bootstrap 95% interval, a domain being a stratum. */
export interface DomainAggregate {
  readonly algorithm: string
  readonly iqm: number
  readonly interval: Interval
}

/**
 * What was compared in several environments, on one scale: 0 is the random agent, measured as the runs are, 1 the
 * environment's reference. Random and reference scores count as known; the intervals are about seeds.
 */
export interface DomainResults {
  /** Domain by domain. */
  readonly rows: readonly DomainRow[]
  /** Algorithms with one configuration in every domain; others would be means of other things. */
  readonly aggregates: readonly DomainAggregate[]
  /** What has no place on the scale. */
  readonly leftOut: readonly { readonly name: string; readonly why: string }[]
}

/**
 * What a comparison's runs came to; across domains too, where they are of several environments.
 * @param folder  the comparison's, where random scores are kept
 */
export async function comparisonResults(
  folder: string,
  configurations: readonly StoredConfiguration[],
): Promise<ComparisonResults> {
  const results = resultsOf(namedRecords(configurations))
  if (results.tasks.length < 2) return results
  const rows: DomainRow[] = []
  const leftOut: { name: string; why: string }[] = []
  for (const configuration of results.tasks.flatMap(({ configurations }) => configurations)) {
    const { name } = configuration
    const { runs } = configurations.find((stored) => stored.name === name)!
    try {
      rows.push(await domainRow(folder, configuration, loadConfig(resolve(runs[0]!.folder)), startsOf(runs)))
    } catch (error) {
      leftOut.push({ name, why: error instanceof Error ? error.message : String(error) })
    }
  }
  if (new Set(rows.map(({ env }) => env)).size < 2) return results
  return { ...results, domains: { rows, aggregates: domainAggregates(rows), leftOut } }
}

/** By seed, the mean return before the first update. */
function startsOf(runs: StoredConfiguration['runs']): ReadonlyMap<number, number> {
  return new Map(
    runs.flatMap(({ record: { seed, evaluations } }) => {
      const [first] = evaluations
      return first?.update === 0 ? [[seed, first.mean] as const] : []
    }),
  )
}

/** @throws Error that says why a configuration has no place on the scale */
async function domainRow(
  folder: string,
  { name, env, algorithm, runs: results }: ConfigurationResult,
  config: ExperimentConfig,
  starts: ReadonlyMap<number, number>,
): Promise<DomainRow> {
  const spec = measuringSpecOf(config)
  const made = make(spec)
  made.close()
  if ((made.seats ?? 1) > 1 && !config.evaluation?.opponent) throw new Error('it is not evaluated against an opponent')
  const reference = referenceOf(spec)
  const { mean: low, interval, episodes, opponent } = await randomScore(config, folder)
  if (reference.score <= low) throw new Error(`the random agent scores ${low}, no less than the reference`)
  const normalise = (score: number) => (score - low) / (reference.score - low)
  const runs = results.map((result): DomainRun => {
    const start = starts.get(result.seed)
    const score = finalOf(result)
    return {
      ...{ seed: result.seed, ...(start !== undefined && { start }), score },
      normalised: { ...(start !== undefined && { start: normalise(start) }), score: normalise(score) },
    }
  })
  const from = originOf(config)
  const scores = runs.map(({ normalised }) => normalised.score)
  const began = runs.flatMap(({ start }) => start ?? [])
  const known = began.length === runs.length
  return {
    ...{ name, env, algorithm, ...(from !== undefined && { from }) },
    random: { mean: low, interval, episodes, ...(opponent !== undefined && { opponent }) },
    reference,
    evaluated: config.evaluation !== undefined,
    ...(known && { start: mean(began) }),
    score: mean(runs.map(({ score }) => score)),
    normalised: {
      ...(known && { start: iqm(began.map(normalise)) }),
      iqm: iqm(scores),
      interval: bootstrapInterval(scores, iqm, { generator: new PCG64(0) }),
    },
    runs,
  }
}

function finalOf({ score, evaluation = score }: RunResult): number {
  return evaluation
}

/** What a run's weights were before its first update, if not drawn. */
function originOf(config: ExperimentConfig): string | undefined {
  const model = modelNameOf(config)
  if (model === undefined) return undefined
  const { path } = runAt(model)
  return existsSync(join(path, 'config.yaml')) ? loadConfig(resolve(path)).name : model
}

/** Algorithms over all domains. */
export function domainAggregates(rows: readonly Pick<DomainRow, 'env' | 'algorithm' | 'runs'>[]): DomainAggregate[] {
  const domains = new Set(rows.map(({ env }) => env)).size
  return [...new Set(rows.map(({ algorithm }) => algorithm))].flatMap((algorithm) => {
    const own = rows.filter((row) => row.algorithm === algorithm)
    if (own.length !== domains || new Set(own.map(({ env }) => env)).size !== domains) return []
    const strata = own.map(({ runs }) => runs.map(({ normalised }) => normalised.score))
    const overall = (scores: readonly ArrayLike<number>[]) => iqm(scores.flatMap((of) => Array.from(of)))
    const interval = stratifiedBootstrapInterval(strata, overall, { generator: new PCG64(0) })
    return [{ algorithm, iqm: overall(strata), interval }]
  })
}
