import { writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { bootstrapInterval, type Interval, iqm, mean, median } from '../../algorithms/statistics.js'
import { PCG64 } from '../../envs/seeding.js'
import { type CompareEvent, compare } from '../compare.js'
import { loadConfig } from '../config.js'
import { presets } from '../presets/presets.js'
import { shown, shownScore } from '../report/numbers.js'
import { curvesOf, learningCurvePicture } from '../report/page.js'
import { resultsOf } from '../report/results.js'
import { episodesToSolve, finalScore, type RunRecord, runningMeans } from '../report/run-record.js'
import { namedRecords, readStoredComparison, secondsOf } from '../report/stored-run.js'
import { type Machine, machineFacts } from './bench.js'
import { loadLine, machineLine } from './tables.js'

/** Environment steps at which a published result is read off. */
const FRAMES = 200_000
const THRESHOLD = 475

/** What a preset is to reach. */
interface Target {
  readonly preset: string
  /** Runs that solve the task, of {@link TARGET_SEEDS}. */
  readonly solved: number
  readonly score?: number
  readonly atFrames?: number
}

const TARGET_SEEDS = 30
const targets: readonly Target[] = [
  { preset: 'cartpole-reinforce', solved: 27 },
  { preset: 'cartpole-reinforce-tuned', solved: 30, score: 490, atFrames: 490 },
  { preset: 'cartpole-rloo', solved: 28 },
]

/** A mean and an interquartile mean over runs, with the bootstrap 95% interval of the latter. */
interface Summary {
  readonly mean: number
  readonly iqm: number
  readonly interval: Interval
}

/** How one preset learned. */
export interface LearningResult {
  readonly preset: string
  readonly runs: number
  /** Runs in which the mean of 100 episodes reached 475, and how many were to. */
  readonly solved: number
  readonly solvedTarget: number
  /** Of these runs: the median of the episode at which it did, and its bootstrap 95% interval. */
  readonly solvedAt?: { readonly median: number; readonly interval: Interval }
  /** Mean return of the last 100 episodes. */
  readonly score: Summary
  readonly scoreTarget?: number
  /** Mean return of the last 100 episodes that ended within 200,000 steps; a run that ended before counts with its last. */
  readonly atFrames: Summary
  readonly atFramesTarget?: number
  /** Medians over runs. */
  readonly episodes: number
  readonly steps: number
  readonly seconds?: number
  readonly perSeed: readonly PerSeed[]
}

interface PerSeed {
  readonly seed: number
  readonly solvedAt?: number
  readonly score: number
  readonly atFrames: number
  readonly episodes: number
  readonly steps: number
}

export interface LearningResults {
  readonly command: string
  readonly machine: Machine
  readonly presets: readonly LearningResult[]
}

export interface LearningOptions {
  readonly seeds: number
  /** Where the runs go. */
  readonly folder: string
  /** Where `cartpole.md`, `cartpole.json` and `cartpole.svg` go; they are not written if absent. */
  readonly results?: string | undefined
  /** What was typed, for the page. */
  readonly command: string
  readonly stop?: AbortSignal
  readonly onEvent?: (event: CompareEvent) => void
}

/** Trains the presets for CartPole anew from many seeds, sums up how they learned, and writes the page of it.
 *  @throws Error if a run fails or it is stopped: then nothing is written */
export async function learning(options: LearningOptions): Promise<LearningResults> {
  const { seeds, folder, results, command, stop, onEvent } = options
  const { load, ...machine } = machineFacts()
  const configs = targets.map(({ preset }) => loadConfig(preset, ['seed=1']))
  const { failures, stopped } = await compare({
    ...{ configs, seeds, folder, fresh: true },
    ...(stop && { stop }),
    ...(onEvent && { onEvent }),
  })
  const [failure] = failures
  if (failure) throw new Error(`${failure.name} seed ${failure.seed} failed: ${failure.message}`)
  if (stopped) throw new Error('stopped; no results were written')

  const configurations = readStoredComparison(folder)
  const seconds = secondsOf(configurations)
  const learned: LearningResults = {
    command,
    machine: { ...machine, load: [load[0], loadavg()[0]!] },
    presets: configurations.map(({ name, runs }) =>
      learningResult(
        targets.find(({ preset }) => preset === name)!,
        runs.map(({ record }) => record),
        seconds.get(name),
      ),
    ),
  }
  if (results !== undefined) {
    const [task] = resultsOf(namedRecords(configurations)).tasks
    const picture = await learningCurvePicture(task!, curvesOf(task!, configurations, 'episodes'))
    writeFileSync(join(results, 'cartpole.svg'), picture)
    writeFileSync(join(results, 'cartpole.json'), `${JSON.stringify(learned, undefined, 2)}\n`)
    writeFileSync(join(results, 'cartpole.md'), learningPage(learned))
  }
  return learned
}

/** Sums up a preset's runs. */
export function learningResult(
  { preset, solved, score, atFrames }: Target,
  records: readonly RunRecord[],
  seconds?: number,
): LearningResult {
  const perSeed = records.map(perSeedOf)
  const solvedAt = perSeed.flatMap((run) => run.solvedAt ?? [])
  return {
    preset,
    runs: records.length,
    solved: solvedAt.length,
    solvedTarget: Math.ceil((records.length * solved) / TARGET_SEEDS),
    ...(solvedAt.length > 0 && {
      solvedAt: {
        median: median(solvedAt),
        interval: bootstrapInterval(solvedAt, median, { generator: new PCG64(0) }),
      },
    }),
    score: summaryOf(perSeed.map((run) => run.score)),
    ...(score !== undefined && { scoreTarget: score }),
    atFrames: summaryOf(perSeed.map((run) => run.atFrames)),
    ...(atFrames !== undefined && { atFramesTarget: atFrames }),
    episodes: median(perSeed.map((run) => run.episodes)),
    steps: median(perSeed.map((run) => run.steps)),
    ...(seconds !== undefined && { seconds }),
    perSeed,
  }
}

function perSeedOf({ seed, returns, steps }: RunRecord): PerSeed {
  const solvedAt = episodesToSolve(returns, THRESHOLD)
  const within = steps.filter((count) => count <= FRAMES).length
  return {
    seed,
    ...(solvedAt !== undefined && { solvedAt }),
    score: finalScore(returns),
    atFrames: runningMeans(returns)[Math.max(within, 1) - 1]!,
    episodes: returns.length,
    steps: steps.at(-1)!,
  }
}

function summaryOf(values: readonly number[]): Summary {
  return { mean: mean(values), iqm: iqm(values), interval: bootstrapInterval(values, iqm, { generator: new PCG64(0) }) }
}

/** What was learned as the terminal and the page show it: one Markdown table. */
export function learningTable(results: readonly LearningResult[]): string {
  const header = [
    '',
    `runs that reach ${THRESHOLD}`,
    'at episode: median (95% interval)',
    'last 100 episodes: mean',
    'IQM (95% interval)',
    `at ${FRAMES.toLocaleString('en-US')} steps: mean`,
    'IQM (95% interval)',
    'episodes',
    'steps',
    'seconds',
  ]
  const lines = results.map((row) => [
    `\`${row.preset}\``,
    `${row.solved} of ${row.runs} (target ${row.solvedTarget})`,
    row.solvedAt ? `${shown(row.solvedAt.median)} (${row.solvedAt.interval.map(shown).join(' to ')})` : '–',
    `${shownScore(row.score.mean)}${aimed(row.scoreTarget, '≥')}`,
    `${shownScore(row.score.iqm)} (${row.score.interval.map(shownScore).join(' to ')})`,
    `${shownScore(row.atFrames.mean)}${aimed(row.atFramesTarget, '>')}`,
    `${shownScore(row.atFrames.iqm)} (${row.atFrames.interval.map(shownScore).join(' to ')})`,
    shown(row.episodes),
    shown(row.steps),
    row.seconds === undefined ? '–' : row.seconds.toFixed(1),
  ])
  return [header, header.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function aimed(target: number | undefined, sign: string): string {
  return target === undefined ? '' : ` (target ${sign} ${target})`
}

function learningPage({ command, machine, presets: results }: LearningResults): string {
  return `# Learning CartPole-v1

Written by \`${command}\` on ${machine.began.slice(0, 10)}; every number here is from that run, and each seed's are in \`cartpole.json\`.

- Machine: ${machineLine(machine)}
- Commit: ${machine.commit ?? 'unknown'}
- ${loadLine(machine.load)[0]!.toUpperCase()}${loadLine(machine.load).slice(1)}
- Seeds: ${results[0]?.perSeed.map(({ seed }) => seed).join(', ')}

![Learning curves of the presets on CartPole-v1](cartpole.svg)

${learningTable(results)}

A run reaches ${THRESHOLD} when the mean return of its last 100 training episodes does. The actions of these episodes are drawn, not the
likeliest ones. IQM is the interquartile mean over runs, its interval from 2,000 bootstrap resamples of the runs (rliable's definitions).
"At ${FRAMES.toLocaleString('en-US')} steps" is the mean of the last 100 episodes that ended by then; a run that ended before counts with its last. SLM-Lab publishes
483 for its REINFORCE at 200 k frames. Episodes, steps and seconds are medians over runs, several of which ran side by side.

## The presets

${results.map(({ preset }) => `- \`${preset}\`: ${presets[preset]?.description}. Source: ${presets[preset]?.source}.`).join('\n')}
`
}
