import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { writeAtomically } from './checkpoint.js'
import type { WorkerReport, WorkerStart, WorkerTask } from './compare-worker.js'
import { configYaml, type ExperimentConfig, firstStageOf, loadConfig, placesOf } from './config.js'
import { UsageError } from './errors.js'
import type { EndReason } from './events.js'
import { comparisonResults } from './report/domains.js'
import type { ReportFiles } from './report/report.js'
import { type ComparisonResults, type RunResult, runResult } from './report/results.js'
import {
  type ComparisonPlan,
  isRunFolder,
  PLAN_FILE,
  readStoredComparison,
  readStoredRun,
  runFolderOf,
} from './report/stored-run.js'

/** What {@link compare} takes. */
export interface CompareOptions {
  /** What is compared, each with a name of its own. */
  readonly configs: readonly ExperimentConfig[]
  /** Runs of each configuration: with its own seed, the next one, and so on. */
  readonly seeds: number
  /** Where the runs go, as `<folder>/<name>/seed-<n>`, and the results beside them. */
  readonly folder: string
  /** Runs at the same time. Default: one a core; on `webgpu` one, since they share a card. */
  readonly jobs?: number | undefined
  /** Begins anew where the folder holds runs of the same names; otherwise what is there is kept and gone on with. */
  readonly fresh?: boolean | undefined
  /** Modules that register environments of your own: every worker imports them. */
  readonly imports?: readonly string[] | undefined
  /** Whether to write `report.html`. Default true. */
  readonly report?: boolean | undefined
  /** What to type to run it again, for the report. */
  readonly command?: string | undefined
  /** Ends every run after its present update, with a checkpoint. */
  readonly stop?: AbortSignal | undefined
  readonly onEvent?: ((event: CompareEvent) => void) | undefined
}

/** One run of a comparison. */
export interface ComparedRun {
  readonly name: string
  readonly seed: number
  readonly folder: string
}

/** What a comparison tells as it goes. */
export type CompareEvent =
  | { readonly type: 'plan'; readonly runs: readonly ComparedRun[]; readonly jobs: number }
  | { readonly type: 'begin'; readonly run: ComparedRun }
  /** Something that was mended, or differs from when the run began. */
  | { readonly type: 'notice'; readonly run: ComparedRun; readonly message: string }
  | {
      readonly type: 'progress'
      readonly run: ComparedRun
      readonly episodes: number
      readonly steps: number
      readonly meanReturn: number
    }
  | {
      readonly type: 'ended'
      readonly run: ComparedRun
      readonly reason: EndReason
      /** Absent if no episode ended. */
      readonly result?: RunResult
      readonly seconds?: number
      /** Whether it was there already, from an earlier comparison in this folder. */
      readonly kept: boolean
    }
  | { readonly type: 'failed'; readonly run: ComparedRun; readonly message: string }

/** A run that did not come to its end. */
export interface CompareFailure {
  readonly name: string
  readonly seed: number
  readonly message: string
}

/** What a comparison came to. */
export interface Comparison {
  readonly folder: string
  /** Also in `results.json`, which holds nothing else but the failures. */
  readonly results: ComparisonResults
  readonly failures: readonly CompareFailure[]
  /** Whether it was stopped before every run had ended; the same call goes on with it. */
  readonly stopped: boolean
  readonly report?: ReportFiles
}

interface Job extends ComparedRun {
  readonly config: ExperimentConfig
  /** What has to be trained before it. */
  readonly stage?: Job
}

/**
 * Runs every configuration from every seed, on all cores, and compares how they ended. A run that fails does not hold up
 * the others. What a comparison of the same configurations left in the folder is kept, and unfinished runs go on.
 *
 * Where a language agent starts from a preset, that is trained first, as it is, in a folder beside the runs: once for
 * each seed, whoever starts from it. A preset that is itself compared is trained as it is compared. Data is read from the
 * folder that the first to start from it names.
 *
 * @throws UsageError if two configurations share a name, the folder holds other runs under these names, or a preset that is
 *   started from starts from another one itself
 */
export async function compare(options: CompareOptions): Promise<Comparison> {
  const { configs, seeds, folder, fresh = false, imports = [], report = true, stop, onEvent = () => {} } = options
  const { stages, compared } = plan(configs, seeds, folder)
  const jobs = [...stages, ...compared]
  if (fresh) for (const job of jobs) discard(job)
  const kept = jobs.filter((job) => isKept(job))
  const most = configs.some(({ backend }) => backend === 'webgpu') ? 1 : availableParallelism()
  const parallel = Math.max(1, Math.min(options.jobs ?? most, jobs.length - kept.length))
  mkdirSync(folder, { recursive: true })
  const written: ComparisonPlan = {
    configurations: configs.map(({ name }) => ({
      name,
      seeds: compared.flatMap((job) => (job.name === name ? [job.seed] : [])),
    })),
    ...(options.command !== undefined && { command: options.command }),
  }
  writeAtomically(join(folder, PLAN_FILE), Buffer.from(`${JSON.stringify(written, undefined, 2)}\n`))

  onEvent({ type: 'plan', runs: jobs.map(comparedRun), jobs: parallel })
  for (const job of kept) onEvent(ended(job, endOf(job.folder) ?? 'budget', true))
  const failures: CompareFailure[] = []
  const reasons = new Map<Job, EndReason>(kept.map((job) => [job, 'budget']))
  const fail = (job: Job, message: string) => {
    failures.push({ name: job.name, seed: job.seed, message })
    onEvent({ type: 'failed', run: comparedRun(job), message })
  }
  const waiting = jobs.filter((job) => !kept.includes(job))
  const lanes = Array.from({ length: parallel }, () => new Lane(imports, stop))
  const runAll = (queue: Job[]) =>
    Promise.all(
      lanes.map(async (lane) => {
        for (let job = queue.shift(); job && !stop?.aborted; job = queue.shift()) {
          if (job.stage && reasons.get(job.stage) === undefined) {
            fail(job, `${job.stage.name}, which it starts from, failed`)
            continue
          }
          const run = comparedRun(job)
          onEvent({ type: 'begin', run })
          const outcome = await lane.run(job, (news) => onEvent({ ...news, run }))
          if (outcome.type === 'failed') {
            fail(job, outcome.message)
          } else {
            reasons.set(job, outcome.reason)
            onEvent(ended(job, outcome.reason, false))
          }
        }
      }),
    )
  try {
    await runAll(waiting.filter(({ stage }) => !stage))
    await runAll(waiting.filter(({ stage }) => stage))
  } finally {
    await Promise.all(lanes.map((lane) => lane.close()))
  }

  const order = new Map(jobs.map(({ name, seed }, i) => [`${name} ${seed}`, i]))
  failures.sort((a, b) => order.get(`${a.name} ${a.seed}`)! - order.get(`${b.name} ${b.seed}`)!)
  const results = compared.some(hasEvents)
    ? await comparisonResults(folder, readStoredComparison(folder))
    : { tasks: [] }
  const content = { ...results, ...(failures.length > 0 && { failures }) }
  writeAtomically(join(folder, 'results.json'), Buffer.from(`${JSON.stringify(content, undefined, 2)}\n`))
  const stopped = reasons.size + failures.length < jobs.length || [...reasons.values()].includes('stopped')
  const files =
    report && results.tasks.length > 0 ? await (await import('./report/report.js')).writeReport(folder) : undefined
  return { folder, results, failures, stopped, ...(files && { report: files }) }
}

function plan(
  configs: readonly ExperimentConfig[],
  seeds: number,
  folder: string,
): { readonly stages: readonly Job[]; readonly compared: readonly Job[] } {
  if (configs.length === 0) throw new UsageError('compare what? Name presets or .yaml files.')
  if (!Number.isInteger(seeds) || seeds < 1) throw new UsageError(`seeds must be a whole number from 1, got ${seeds}`)
  if (isRunFolder(folder)) throw new UsageError(`${folder} holds a single run; choose another --out.`)
  const names = configs.map(({ name }) => name)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) {
    throw new UsageError(`two configurations are named ${twice}; give one another name, by "name:" in its YAML file`)
  }
  // Seed by seed, so that a comparison that is stopped has something of everything
  const all = Array.from({ length: seeds }, (_, i) =>
    configs.map((config) => jobOf({ ...config, seed: config.seed + i }, folder)),
  ).flat()
  const stages: Job[] = []
  const compared = all.map((job): Job => {
    const { config, seed } = job
    const { agent } = config
    const preset = firstStageOf(config)
    if (preset === undefined || agent.type !== 'language') return job
    const known = [...all, ...stages].find((other) => other.name === preset && other.seed === seed)
    const own = (): ExperimentConfig => ({
      ...loadConfig(preset, placesOf(config, preset)),
      seed,
      backend: config.backend,
    })
    const stage = known ?? jobOf(own(), folder)
    const before = firstStageOf(stage.config)
    if (before !== undefined) {
      throw new UsageError(
        `${job.name} starts from ${preset}, which itself starts from ${before}: one stage is trained here, not two. Train it ` +
          `first, for every seed (rxgym train ${preset} --seed ${seed}), and name its runs: agent.model=runs/${preset}-s{seed}`,
      )
    }
    if (!known) stages.push(stage)
    return { ...job, stage, config: { ...config, agent: { ...agent, model: stage.folder } } }
  })
  return { stages, compared }
}

function jobOf(config: ExperimentConfig, folder: string): Job {
  const { name, seed } = config
  return { name, seed, folder: runFolderOf(folder, name, seed), config }
}

/** Whether an earlier comparison finished this run.
 *  @throws UsageError if the folder holds a run of another configuration */
function isKept({ name, folder, config }: Job): boolean {
  const file = join(folder, 'config.yaml')
  if (!existsSync(file)) return false
  if (readFileSync(file, 'utf8') !== configYaml(asBegun(config, file))) {
    throw new UsageError(
      `${folder} holds a run of ${name} with other settings. Begin anew with --fresh, or choose another --out.`,
    )
  }
  const end = endOf(folder)
  return end !== undefined && end !== 'stopped'
}

/** A configuration as its run has it, which names the checkpoint that a language model started from: see `createRun`. */
function asBegun(config: ExperimentConfig, file: string): ExperimentConfig {
  const { agent } = config
  if (agent.type !== 'language' || agent.model === undefined) return config
  const begun = loadConfig(file).agent
  const same = begun.type === 'language' && begun.model?.replace(/@\d+$/, '') === agent.model
  return same ? { ...config, agent: { ...agent, model: begun.model } } : config
}

function endOf(folder: string): EndReason | undefined {
  return isRunFolder(folder) && hasEvents({ folder }) ? readStoredRun(folder).record.end : undefined
}

/** Takes away what an earlier comparison left of a run: a run's folder, nothing else. */
function discard({ folder }: Job): void {
  if (existsSync(join(folder, 'config.yaml'))) rmSync(folder, { recursive: true })
}

function ended(job: Job, reason: EndReason, kept: boolean): CompareEvent {
  const stored = hasEvents(job) ? readStoredRun(job.folder) : undefined
  const result = stored && stored.record.returns.length > 0 ? runResult(stored.record) : undefined
  return {
    ...{ type: 'ended', run: comparedRun(job), reason, kept },
    ...(result && { result }),
    ...(stored?.seconds !== undefined && { seconds: stored.seconds }),
  }
}

function hasEvents({ folder }: { readonly folder: string }): boolean {
  const file = join(folder, 'events.jsonl')
  return existsSync(file) && readFileSync(file, 'utf8').includes('\n')
}

function comparedRun({ name, seed, folder }: Job): ComparedRun {
  return { name, seed, folder }
}

type News = Extract<WorkerReport, { type: 'progress' | 'notice' }>
type Outcome = Exclude<WorkerReport, News>

/** One run after another in a worker thread; a worker that dies takes only its own run with it. */
class Lane {
  readonly #imports: readonly string[]
  readonly #stop: AbortSignal | undefined
  #worker: Worker | undefined

  constructor(imports: readonly string[], stop: AbortSignal | undefined) {
    this.#imports = imports
    this.#stop = stop
  }

  run({ config, folder }: Job, onNews: (news: News) => void): Promise<Outcome> {
    const worker = this.#start()
    return new Promise<Outcome>((resolve) => {
      const settle = (outcome: Outcome) => {
        worker.off('message', listen).off('error', fail).off('exit', exit)
        this.#stop?.removeEventListener('abort', stop)
        resolve(outcome)
      }
      const listen = (report: WorkerReport) => {
        if (report.type === 'progress' || report.type === 'notice') onNews(report)
        else settle(report)
      }
      const fail = (error: unknown) => {
        this.#worker = undefined
        settle({ type: 'failed', message: error instanceof Error ? error.message : String(error) })
      }
      const exit = (code: number) => fail(new Error(`its worker ended with exit code ${code}`))
      const stop = () => worker.postMessage({ type: 'stop' } satisfies WorkerTask)
      worker.on('message', listen).on('error', fail).on('exit', exit)
      this.#stop?.addEventListener('abort', stop)
      const resume = existsSync(join(folder, 'config.yaml'))
      worker.postMessage({ type: 'run', config, folder, resume } satisfies WorkerTask)
    })
  }

  async close(): Promise<void> {
    const worker = this.#worker
    this.#worker = undefined
    await worker?.terminate()
  }

  #start(): Worker {
    const workerData: WorkerStart = { imports: this.#imports }
    this.#worker ??= new Worker(workerModule(), { workerData })
    return this.#worker
  }
}

/** The worker's compiled module. A worker thread takes no TypeScript: run from the sources, as the tests do, it is the one
 *  that `npm run build` made. */
function workerModule(): URL {
  const compiled = import.meta.url.endsWith('.ts') ? '../dist/experiments/compare-worker.js' : './compare-worker.js'
  const module = new URL(compiled, import.meta.url)
  if (!existsSync(module)) throw new Error(`${fileURLToPath(module)} is missing: run npm run build`)
  return module
}
