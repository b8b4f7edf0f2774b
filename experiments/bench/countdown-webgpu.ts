import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import type { Interval } from '../../algorithms/statistics.js'
import { mean } from '../../algorithms/statistics.js'
import type { BackendName } from '../../tensors/backend.js'
import { type CompareEvent, compare } from '../compare.js'
import { configYaml, type ExperimentConfig, loadConfig } from '../config.js'
import { UsageError } from '../errors.js'
import { learningCurveChart } from '../report/charts.js'
import type { Curve } from '../report/curves.js'
import { plural } from '../report/numbers.js'
import type { RunRecord } from '../report/run-record.js'
import { isRunFolder, jsonIn, readStoredRun, runFolderOf, type StoredRun } from '../report/stored-run.js'
import { type Machine, machineFacts } from './bench.js'
import { COUNTDOWN_PRESETS } from './countdown-learning.js'
import { countdownWebgpuPage } from './countdown-webgpu-page.js'

/** The two trainings, the second from where the first ended. */
export const STAGES = ['sft', 'rloo'] as const
/** One of {@link STAGES}. */
export type Stage = (typeof STAGES)[number]

/** Two numbers whose difference, as a share of the larger of them, is beyond this are not told apart by rounding alone:
 *  on the first updates of the same seed the backends are within a millionth. */
export const ROUNDING = 1e-5
/** Beyond this share, two runs of a seed learn from different numbers. */
export const CLEARLY = 1e-2
/** Of numbers below this size the difference is told as a share of it: a loss that is a sum around 0 has no digits of its own. */
export const SMALL = 0.01

/** An evaluation of a run on the held-out tasks. */
export interface Evaluated {
  /** Of its stage. */
  readonly update: number
  /** Mean reward, with its 95% interval over the tasks. */
  readonly reward: number
  readonly interval: Interval
  /** The share of right answers. */
  readonly correct?: number
  /** Of SFT. */
  readonly validationLoss?: number
}

/** A run of a stage. */
export interface StageRun {
  readonly updates: number
  /** Whether it came to the end of its budget. */
  readonly ended: boolean
  readonly episodes: number
  /** With its evaluations; absent where no time was kept. */
  readonly seconds?: number
  /** ISO 8601; absent where no facts were kept. */
  readonly began?: string
  readonly commit?: string
  readonly processor?: string
  /** The card and its driver, or whatever stood in for them; only of `webgpu`. */
  readonly adapter?: string
  readonly evaluations: readonly Evaluated[]
}

/** Both stages from a seed; RLOO is absent where a run in {@link CountdownWebgpuOptions.runs} had not come so far. */
export interface SeedRun {
  readonly seed: number
  readonly sft: StageRun
  readonly rloo?: StageRun
}

/** An evaluation that all of wasm's seeds had, and webgpu's beside it. */
export interface ComparedEvaluation {
  readonly stage: Stage
  readonly update: number
  /** Mean rewards, in the order of the seeds. */
  readonly wasm: readonly number[]
  readonly least: number
  readonly greatest: number
  readonly webgpu: readonly {
    readonly seed: number
    readonly reward: number
    /** How far above the greatest; below the least if negative; 0 within. */
    readonly outside: number
  }[]
}

/** A metric of an update that is not the same on both. */
export interface Difference {
  readonly update: number
  readonly metric: string
  readonly wasm: number
  readonly webgpu: number
}

/** How far the runs of one seed went together. */
export interface SameSeed {
  readonly stage: Stage
  readonly seed: number
  /** Updates that both had. */
  readonly updates: number
  /** The first difference beyond {@link ROUNDING}, and the first beyond {@link CLEARLY}; absent where there is none. */
  readonly beyondRounding?: Difference
  readonly clear?: Difference
  readonly validationLosses: readonly { readonly update: number; readonly wasm: number; readonly webgpu: number }[]
}

/** What an earlier `rxgym bench countdown-learning` found of other seeds: it keeps the ends of both stages, not the way there. */
export interface RecordedShares {
  readonly began: string
  readonly commit?: string
  readonly seeds: readonly { readonly seed: number; readonly sft: number; readonly rloo: number }[]
}

/** All that was found. */
export interface CountdownWebgpu {
  readonly command: string
  readonly machine: Machine
  /** As they ran, but for seed and backend. */
  readonly configs: Readonly<Record<Stage, ExperimentConfig>>
  /** How many tasks an evaluation asks. */
  readonly tasks: number
  readonly wasm: readonly SeedRun[]
  readonly webgpu: readonly SeedRun[]
  readonly evaluations: readonly ComparedEvaluation[]
  readonly sameSeed: readonly SameSeed[]
  readonly recorded?: RecordedShares
}

export interface CountdownWebgpuOptions {
  /** How many are trained on `webgpu`, from 0 on. */
  readonly seeds: number
  /** How many are trained on `wasm` at least: those of `webgpu`, and the next ones. */
  readonly wasmSeeds: number
  /** Where the runs go. Those that are there are kept, and unfinished ones go on. */
  readonly folder: string
  /** A folder with runs of both stages on `webgpu`, as `rxgym train countdown-tiny --backend webgpu` leaves them: they are
   *  taken as they are, finished or not, and nothing is trained on `webgpu`. */
  readonly runs?: string | undefined
  /** Where `countdown-webgpu.md`, `.json` and `.svg` go; they are not written if absent. */
  readonly results?: string | undefined
  /** `countdown.json` of `rxgym bench countdown-learning`, told beside if it is there. */
  readonly recorded?: string | undefined
  /** What was typed, for the page. */
  readonly command: string
  /** Fields of both presets that differ, as `--set` takes them. */
  readonly overrides?: readonly string[]
  /** What is trained on in place of `webgpu`, for tests where there is no adapter. */
  readonly backend?: BackendName
  readonly stop?: AbortSignal
  readonly onEvent?: (event: CompareEvent) => void
}

/**
 * Trains `countdown-tiny`, both stages, on `webgpu` and on `wasm`, and tells whether the curves of the one lie within the
 * spread of the other's seeds, and from which update on the same seed gives other numbers.
 *
 * @throws UsageError if a folder holds runs of other settings, or {@link CountdownWebgpuOptions.runs} none
 * @throws Error if a run fails or it is stopped: then nothing is written
 */
export async function countdownWebgpu(options: CountdownWebgpuOptions): Promise<CountdownWebgpu> {
  const { seeds, wasmSeeds, folder, runs, results, recorded, command, overrides = [], backend = 'webgpu' } = options
  const { load, ...machine } = machineFacts()
  const configs = configsOf(0, 'auto', overrides)
  const train = (on: BackendName, first: number, count: number) =>
    trainSeeds(join(folder, on), configsOf(first, on, overrides), count, options)
  // First the ones that may not run at all, or take long
  const begun = runs === undefined ? await train(backend, 0, seeds) : foundIn(runs, backend, overrides)
  const numbers = begun.map(({ seed }) => seed)
  const first = Math.min(...numbers)
  const wasm = await train('wasm', first, Math.max(wasmSeeds, Math.max(...numbers) - first + 1))
  // A run that still goes on has come further meanwhile
  const present = runs === undefined ? begun : foundIn(runs, backend, overrides)
  const webgpu = present.filter(({ seed }) => numbers.includes(seed))

  const earlier = recorded === undefined ? undefined : recordedShares(recorded)
  const found: CountdownWebgpu = {
    command,
    machine: { ...machine, load: [load[0], loadavg()[0]!] },
    configs,
    tasks: configs.rloo.evaluation!.episodes,
    wasm: wasm.map(seedRun),
    webgpu: webgpu.map(seedRun),
    evaluations: comparedEvaluations(wasm.map(seedRun), webgpu.map(seedRun)),
    sameSeed: webgpu.flatMap((run) => sameSeed(wasm.find(({ seed }) => seed === run.seed)!, run)),
    ...(earlier && { recorded: earlier }),
  }
  if (results !== undefined) {
    const picture = await countdownWebgpuPicture(found)
    const page = countdownWebgpuPage(found)
    writeFileSync(join(results, 'countdown-webgpu.svg'), picture)
    writeFileSync(join(results, 'countdown-webgpu.json'), `${JSON.stringify(found, undefined, 2)}\n`)
    writeFileSync(join(results, 'countdown-webgpu.md'), page)
  }
  return found
}

/** Both stages of a seed, as their folders hold them. */
interface StoredSeed {
  readonly seed: number
  readonly sft: StoredRun
  readonly rloo?: StoredRun
}

function configsOf(
  seed: number,
  backend: BackendName,
  overrides: readonly string[],
): Readonly<Record<Stage, ExperimentConfig>> {
  const fields = [`seed=${seed}`, `backend=${backend}`, ...overrides]
  return { sft: loadConfig(COUNTDOWN_PRESETS.sft, fields), rloo: loadConfig(COUNTDOWN_PRESETS.rloo, fields) }
}

async function trainSeeds(
  folder: string,
  configs: Readonly<Record<Stage, ExperimentConfig>>,
  seeds: number,
  { command, stop, onEvent }: CountdownWebgpuOptions,
): Promise<StoredSeed[]> {
  const { failures, stopped } = await compare({
    ...{ configs: STAGES.map((stage) => configs[stage]), seeds, folder, report: false, command },
    ...(stop && { stop }),
    ...(onEvent && { onEvent }),
  })
  const [failure] = failures
  if (failure)
    throw new Error(`${failure.name} seed ${failure.seed} on ${configs.sft.backend} failed: ${failure.message}`)
  if (stopped) throw new Error('stopped; no results were written. The same command goes on')
  return Array.from({ length: seeds }, (_, i) => {
    const seed = configs.sft.seed + i
    const run = (stage: Stage) => readStoredRun(runFolderOf(folder, COUNTDOWN_PRESETS[stage], seed))
    return { seed, sft: run('sft'), rloo: run('rloo') }
  })
}

/** The runs of both stages on a backend, wherever in a folder they lie, by seed. */
function foundIn(folder: string, backend: BackendName, overrides: readonly string[]): StoredSeed[] {
  if (!existsSync(folder)) throw new UsageError(`--runs: there is no folder ${folder}`)
  const found: Record<Stage, Map<number, StoredRun>> = { sft: new Map(), rloo: new Map() }
  for (const place of runFoldersIn(folder)) {
    const config = loadConfig(join(place, 'config.yaml'))
    const stage = STAGES.find((stage) => COUNTDOWN_PRESETS[stage] === config.name)
    if (!stage || config.backend !== backend) continue
    const expected = configsOf(config.seed, backend, overrides)[stage]
    if (configYaml(withModelOf(config, expected)) !== configYaml(expected)) {
      throw new UsageError(`${place} holds a run of ${config.name} with other settings than the preset's`)
    }
    const other = found[stage].get(config.seed)
    if (other) {
      throw new UsageError(
        `${other.folder} and ${place} are both seed ${config.seed} of ${config.name}: leave one of them`,
      )
    }
    found[stage].set(config.seed, readStoredRun(place))
  }
  const seeds = [...found.sft.values()]
    .map((sft): StoredSeed => {
      const { seed } = sft.record
      const rloo = found.rloo.get(seed)
      return { seed, sft, ...(rloo && { rloo }) }
    })
    .sort((a, b) => a.seed - b.seed)
  if (seeds.length === 0) {
    throw new UsageError(
      `${folder} holds no run of ${COUNTDOWN_PRESETS.sft} on ${backend}. rxgym train ${COUNTDOWN_PRESETS.rloo} --backend ${backend} makes one.`,
    )
  }
  return seeds
}

/** Run folders at most three levels down, as `train` and `compare` lay them out. */
function runFoldersIn(folder: string, levels = 3): string[] {
  if (isRunFolder(folder)) return [folder]
  if (levels === 0) return []
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(folder, name))
    .sort()
    .flatMap((each) => runFoldersIn(each, levels - 1))
}

/** A configuration with the model that another one starts from: a run's names the checkpoint. */
function withModelOf(config: ExperimentConfig, { agent: other }: ExperimentConfig): ExperimentConfig {
  const { agent } = config
  if (agent.type !== 'language' || other.type !== 'language' || other.model === undefined) return config
  return { ...config, agent: { ...agent, model: other.model } }
}

function seedRun({ seed, sft, rloo }: StoredSeed): SeedRun {
  return { seed, sft: stageRun(sft), ...(rloo && { rloo: stageRun(rloo) }) }
}

/** What `facts.json` holds, of what is told. */
const toldFacts = z.object({
  began: z.string().optional(),
  commit: z.string().optional(),
  processor: z.string().optional(),
  backend: z.object({ adapter: z.string().optional() }).optional(),
})

function stageRun({ record, facts, seconds }: StoredRun): StageRun {
  const { backend, ...told } = toldFacts.parse(facts)
  return {
    updates: record.updates.length,
    ended: record.end !== undefined && record.end !== 'stopped',
    episodes: record.returns.length,
    ...(seconds !== undefined && { seconds }),
    ...(told.began !== undefined && { began: told.began }),
    ...(told.commit !== undefined && { commit: told.commit }),
    ...(told.processor !== undefined && { processor: told.processor }),
    ...(backend?.adapter !== undefined && { adapter: backend.adapter }),
    evaluations: record.evaluations.map(({ update, mean: reward, interval, correct, validationLoss }) => ({
      ...{ update, reward, interval },
      ...(correct !== undefined && { correct }),
      ...(validationLoss !== undefined && { validationLoss }),
    })),
  }
}

/** Each evaluation that all of wasm's seeds had and one of webgpu's, in order. */
export function comparedEvaluations(wasm: readonly SeedRun[], webgpu: readonly SeedRun[]): ComparedEvaluation[] {
  return STAGES.flatMap((stage) =>
    (wasm[0]?.[stage]?.evaluations ?? []).flatMap(({ update }) => {
      const here = (run: SeedRun) => run[stage]?.evaluations.find((evaluation) => evaluation.update === update)?.reward
      const rewards = wasm.flatMap((run) => here(run) ?? [])
      const [least, greatest] = [Math.min(...rewards), Math.max(...rewards)]
      const beside = webgpu.flatMap((run) => {
        const reward = here(run)
        if (reward === undefined) return []
        const outside = reward > greatest ? reward - greatest : reward < least ? reward - least : 0
        return [{ seed: run.seed, reward, outside }]
      })
      if (rewards.length < wasm.length || beside.length === 0) return []
      return [{ stage, update, wasm: rewards, least, greatest, webgpu: beside }]
    }),
  )
}

function sameSeed(wasm: StoredSeed, webgpu: StoredSeed): SameSeed[] {
  return STAGES.flatMap((stage) => {
    const [one, other] = [wasm[stage]?.record, webgpu[stage]?.record]
    return one && other ? [{ stage, seed: webgpu.seed, ...apart(one, other) }] : []
  })
}

/** Where two runs of the same configuration and seed begin to differ. */
export function apart(
  wasm: Pick<RunRecord, 'updates' | 'evaluations'>,
  webgpu: Pick<RunRecord, 'updates' | 'evaluations'>,
): Omit<SameSeed, 'stage' | 'seed'> {
  const beyondRounding = firstDifference(wasm.updates, webgpu.updates, ROUNDING)
  const clear = firstDifference(wasm.updates, webgpu.updates, CLEARLY)
  return {
    updates: Math.min(wasm.updates.length, webgpu.updates.length),
    ...(beyondRounding && { beyondRounding }),
    ...(clear && { clear }),
    validationLosses: wasm.evaluations.flatMap(({ update, validationLoss: loss }) => {
      const other = webgpu.evaluations.find((evaluation) => evaluation.update === update)?.validationLoss
      return loss === undefined || other === undefined ? [] : [{ update, wasm: loss, webgpu: other }]
    }),
  }
}

/** The metric that differs the most at the first update at which one differs by more than a share. */
function firstDifference(
  wasm: RunRecord['updates'],
  webgpu: RunRecord['updates'],
  beyond: number,
): Difference | undefined {
  for (const [i, { update, metrics }] of wasm.entries()) {
    const other = webgpu[i]?.metrics
    if (!other) return undefined
    const differences = Object.keys(metrics)
      .map((metric) => ({ metric, by: shareApart(metrics[metric]!, other[metric] ?? Number.NaN) }))
      .filter(({ by }) => by > beyond)
      .sort((a, b) => b.by - a.by)
    const [most] = differences
    if (most) {
      const { metric } = most
      return { update, metric, wasm: metrics[metric]!, webgpu: other[metric] ?? Number.NaN }
    }
  }
  return undefined
}

/** How far two numbers are apart, as a share of the larger one; infinitely if only one of them is a number. */
export function shareApart(a: number, b: number): number {
  if (Object.is(a, b)) return 0
  const by = Math.abs(a - b) / Math.max(Math.abs(a), Math.abs(b), SMALL)
  return Number.isNaN(by) ? Number.POSITIVE_INFINITY : by
}

const estimated = z.object({ correct: z.object({ mean: z.number() }) })
const recordedFile = z.object({
  machine: z.object({ began: z.string(), commit: z.string().optional() }),
  seeds: z.array(z.object({ seed: z.int(), sft: estimated, rloo: estimated })),
})

/** The ends of both stages in a `countdown.json`; undefined where there is none.
 *  @throws CorruptFileError if it is something else */
export function recordedShares(file: string): RecordedShares | undefined {
  const found = jsonIn(file, recordedFile)
  if (!found) return undefined
  const { began, commit } = found.machine
  const seeds = found.seeds.map(({ seed, sft, rloo }) => ({ seed, sft: sft.correct.mean, rloo: rloo.correct.mean }))
  return { began, ...(commit !== undefined && { commit }), seeds }
}

/** Mean reward over the updates of both stages: wasm's mean in the band of its seeds, and each of webgpu's seeds in its
 *  interval over the tasks. */
export function countdownWebgpuPicture({
  wasm,
  webgpu,
  tasks,
}: Pick<CountdownWebgpu, 'wasm' | 'webgpu' | 'tasks'>): Promise<string> {
  const before = wasm[0]!.sft.updates
  /** RLOO goes on where SFT ended, and begins with the evaluation that SFT ended with. */
  const along = ({ stage, update }: { readonly stage: Stage; readonly update: number }) =>
    stage === 'sft' ? [update] : update > 0 ? [before + update] : []
  const spread: Curve = {
    name: 'wasm',
    // All of its evaluations, also those that webgpu has not come to
    points: comparedEvaluations(wasm, wasm).flatMap((point) =>
      along(point).map((x) => ({ x, y: mean(point.wasm), low: point.least, high: point.greatest })),
    ),
  }
  const beside = webgpu.map(
    (run): Curve => ({
      name: webgpu.length > 1 ? `webgpu s${run.seed}` : 'webgpu',
      points: STAGES.flatMap((stage) =>
        (run[stage]?.evaluations ?? []).flatMap(({ update, reward, interval: [low, high] }) =>
          along({ stage, update }).map((x) => ({ x, y: reward, low, high })),
        ),
      ),
    }),
  )
  return learningCurveChart([spread, ...beside], {
    ...{ axis: 'updates', labels: true, width: 820, height: 420 },
    title: 'Learning Countdown on webgpu and on wasm',
    subtitle: [
      `Mean reward of greedy completions on ${plural(tasks, 'held-out task')}, over updates: ${before} of SFT, then RLOO`,
      `wasm: mean of ${plural(wasm.length, 'seed')} between the least and the greatest; webgpu: ${webgpu.length > 1 ? 'each seed' : `seed ${webgpu[0]!.seed}`} with its 95% interval over tasks`,
    ],
  })
}
