import { writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import type { Agent } from '../../agents/agent.js'
import { countdownSolver } from '../../agents/text/countdown-solver.js'
import { randomExpressionAgent } from '../../agents/text/random-expression-agent.js'
import { type Estimate, evaluate, type PassAt } from '../../algorithms/evaluate.js'
import { bootstrapInterval, mean } from '../../algorithms/statistics.js'
import { make } from '../../envs/registry.js'
import { PCG64 } from '../../envs/seeding.js'
import type { Message } from '../../envs/spaces/conversation.js'
import type { EnvSpec } from '../../envs/spec.js'
import { textEnvOf } from '../../envs/text/text-env.js'
import { type CompareEvent, compare } from '../compare.js'
import { type ExperimentConfig, loadConfig, measuringSpecOf } from '../config.js'
import { learningCurveChart } from '../report/charts.js'
import { type Curve, scoreCurve } from '../report/curves.js'
import { plural } from '../report/numbers.js'
import type { RunRecord } from '../report/run-record.js'
import { readStoredRun, runFolderOf } from '../report/stored-run.js'
import { loadPolicy } from '../run.js'
import { type Machine, machineFacts } from './bench.js'
import { countdownLearningPage } from './countdown-learning-page.js'
import { shareWithInterval } from './tables.js'

/** The presets of the three trainings. */
export const COUNTDOWN_PRESETS = {
  sft: 'countdown-tiny-sft',
  rloo: 'countdown-tiny',
  givenAnswer: 'countdown-tiny-given-answer',
} as const

/** A training of a seed. */
export type Training = keyof typeof COUNTDOWN_PRESETS

/** Completions of each task where they are drawn: the 8 of pass@8 and best-of-8. */
export const SAMPLES = 8
/** The order of the tasks, and what is drawn: the same for everything that is measured. */
const SEED = 0

/** One completion of every held-out task, the likeliest tokens of a model. */
export interface GreedyScore {
  /** The share of the tasks that are solved. */
  readonly correct: Estimate
  /** Each part of the reward by its name: `format`, `correctness`, `process` among them. */
  readonly parts: Readonly<Record<string, Estimate>>
  /** The mean length of the completions. */
  readonly characters: number
  readonly seconds: number
}

/** {@link SAMPLES} completions of every held-out task, drawn at the temperature of the preset. */
export interface SampledScore {
  /** For k = 1, 2, 4 and 8. */
  readonly passAt: readonly PassAt[]
  /** The share of the tasks whose most frequent answer is right; absent where no completion has an answer. */
  readonly majority?: Estimate
  /** The share solved by the completion that the environment's own check likes best. */
  readonly bestOf: Estimate
  readonly seconds: number
}

/** How much one training of a seed saw. */
export interface Trained {
  readonly updates: number
  /** Demonstrations, or completions tried. */
  readonly episodes: number
  /** With its evaluations; absent where no time was kept. */
  readonly seconds?: number
}

/** What became of a seed. */
export interface CountdownSeed {
  readonly seed: number
  readonly trained: Readonly<Record<Training, Trained>>
  /** The fresh model. */
  readonly base: GreedyScore
  readonly sft: GreedyScore & { readonly sampled: SampledScore }
  readonly rloo: GreedyScore & { readonly sampled: SampledScore }
  /** A model that was trained with the answer in the prompt, with the answer in the prompt. */
  readonly givenAnswer: GreedyScore
  /** RLOO − SFT, greedy, task by task. */
  readonly gain: Estimate
  /** Of measuring all of it. */
  readonly seconds: number
}

/** A completion for the page: not a chosen one. */
export interface CountdownSample {
  /** `RLOO, the first task it solves` */
  readonly what: string
  readonly seed: number
  readonly prompt: string
  readonly completion: string
}

/** The numbers of a seed that are summed up over seeds. */
export const figures = {
  base: ({ base }) => base.correct,
  sft: ({ sft }) => sft.correct,
  rloo: ({ rloo }) => rloo.correct,
  gain: ({ gain }) => gain,
  givenAnswer: ({ givenAnswer }) => givenAnswer.correct,
  sftPass1: ({ sft }) => sft.sampled.passAt[0],
  sftPass8: ({ sft }) => sft.sampled.passAt.at(-1),
  sftMajority: ({ sft }) => sft.sampled.majority,
  sftBestOf: ({ sft }) => sft.sampled.bestOf,
  rlooPass1: ({ rloo }) => rloo.sampled.passAt[0],
  rlooPass8: ({ rloo }) => rloo.sampled.passAt.at(-1),
  rlooMajority: ({ rloo }) => rloo.sampled.majority,
  rlooBestOf: ({ rloo }) => rloo.sampled.bestOf,
} as const satisfies Readonly<Record<string, (seed: CountdownSeed) => Estimate | undefined>>

/** One of {@link figures}. */
export type FigureName = keyof typeof figures

/** All that was found. */
export interface CountdownLearning {
  readonly command: string
  readonly machine: Machine
  /** As they ran, but for the seed. */
  readonly configs: Readonly<Record<Training, ExperimentConfig>>
  /** Numbers in the model. */
  readonly parameters: number
  /** How many tasks are held out. */
  readonly tasks: number
  /** What chance gives, and what can be had. */
  readonly bounds: { readonly randomExpression: GreedyScore; readonly solver: GreedyScore }
  readonly seeds: readonly CountdownSeed[]
  /** Means over seeds, each with the bootstrap 95% interval of that mean. */
  readonly overSeeds: Readonly<Partial<Record<FigureName, Estimate>>>
  readonly samples: readonly CountdownSample[]
}

export interface CountdownLearningOptions {
  readonly seeds: number
  /** Where the runs go. Those that are there are kept, and unfinished ones go on. */
  readonly folder: string
  /** Where `countdown.md`, `countdown.json` and `countdown.svg` go; they are not written if absent. */
  readonly results?: string | undefined
  /** What was typed, for the page. */
  readonly command: string
  /** Fields of all presets that differ, as `--set` takes them. */
  readonly overrides?: readonly string[]
  readonly stop?: AbortSignal
  readonly onEvent?: (event: CompareEvent) => void
  /** Is told what was measured after the training, a line each. */
  readonly onLine?: (line: string) => void
}

/**
 * Trains a small language model on Countdown from several seeds, first by imitation, then by RLOO; measures it before and
 * after each on the same held-out tasks, beside one that is given the answer, and writes the page of it.
 *
 * @throws UsageError if the folder holds runs of other settings
 * @throws Error if a run fails or it is stopped: then nothing is written
 */
export async function countdownLearning(options: CountdownLearningOptions): Promise<CountdownLearning> {
  const { seeds, folder, results, command, overrides = [], stop, onEvent, onLine = () => {} } = options
  const { load, ...machine } = machineFacts()
  const runs: Runs = (training, seed) => {
    const of = training === 'rloo' ? 'rloo' : 'sft'
    return runFolderOf(join(folder, of), COUNTDOWN_PRESETS[training], seed)
  }
  const shared = ['seed=1', ...overrides]
  const model = join(folder, 'sft', COUNTDOWN_PRESETS.sft, 'seed-{seed}')
  const configs: Readonly<Record<Training, ExperimentConfig>> = {
    sft: loadConfig(COUNTDOWN_PRESETS.sft, shared),
    rloo: loadConfig(COUNTDOWN_PRESETS.rloo, [
      ...shared,
      { flag: 'agent.model', path: ['agent', 'model'], value: model },
    ]),
    givenAnswer: loadConfig(COUNTDOWN_PRESETS.givenAnswer, shared),
  }
  const goOn = (ended = stop?.aborted) => {
    if (ended) throw new Error('stopped; no results were written. The same command goes on')
  }
  for (const [out, stage] of [
    ['sft', [configs.sft, configs.givenAnswer]],
    ['rloo', [configs.rloo]],
  ] as const) {
    const { failures, stopped } = await compare({
      ...{ configs: stage, seeds, folder: join(folder, out), report: false, command },
      ...(stop && { stop }),
      ...(onEvent && { onEvent }),
    })
    const [failure] = failures
    if (failure) throw new Error(`${failure.name} seed ${failure.seed} failed: ${failure.message}`)
    goOn(stopped)
  }

  const onMeasured = (line: string) => {
    onLine(line)
    goOn()
  }
  const heldOut = { ...(await heldOutOf(configs.sft)), onMeasured }
  const given = { ...(await heldOutOf(configs.givenAnswer)), onMeasured }
  const bounds = {
    randomExpression: (await greedy('random expressions', randomExpressionAgent(), heldOut)).score,
    solver: (await greedy('solver', countdownSolver(), heldOut)).score,
  }
  const numbers = Array.from({ length: seeds }, (_, i) => configs.sft.seed + i)
  const measured: Measured[] = []
  for (const seed of numbers) measured.push(await measure(seed, runs, heldOut, given))
  const found = measured.map(({ result }) => result)
  const learned: CountdownLearning = {
    command,
    machine: { ...machine, load: [load[0], loadavg()[0]!] },
    configs,
    parameters: readStoredRun(runs('sft', numbers[0]!)).record.parameters,
    tasks: heldOut.tasks,
    bounds,
    seeds: found,
    overSeeds: overSeeds(found),
    samples: measured[0]!.samples,
  }
  if (results !== undefined) {
    const records = numbers.map((seed) => ({
      sft: readStoredRun(runs('sft', seed)).record,
      rloo: readStoredRun(runs('rloo', seed)).record,
    }))
    const picture = await learningPicture(records, heldOut.tasks)
    const page = countdownLearningPage(learned)
    writeFileSync(join(results, 'countdown.svg'), picture)
    writeFileSync(join(results, 'countdown.json'), `${JSON.stringify(learned, undefined, 2)}\n`)
    writeFileSync(join(results, 'countdown.md'), page)
  }
  return learned
}

/** The folder of a training's run. */
type Runs = (training: Training, seed: number) => string

/** The tasks that nothing was trained on. */
interface HeldOut {
  readonly spec: EnvSpec
  /** How many there are: each is asked once. */
  readonly tasks: number
  readonly parallel: number
  readonly onMeasured: (line: string) => void
}

async function heldOutOf(config: ExperimentConfig): Promise<Omit<HeldOut, 'onMeasured'>> {
  const spec = measuringSpecOf(config)
  const env = make(spec)
  try {
    return { spec, tasks: (await textEnvOf(env).tasks()).length, parallel: config.parallel }
  } finally {
    env.close()
  }
}

interface Measured {
  readonly result: CountdownSeed
  readonly samples: readonly CountdownSample[]
}

/** Everything that is measured of a seed. */
async function measure(seed: number, runs: Runs, heldOut: HeldOut, given: HeldOut): Promise<Measured> {
  const began = performance.now()
  const run = (training: Training) => runs(training, seed)
  const base = await ofRun(`${run('sft')}@0`, (policy) => greedy(`base s${seed}`, policy, heldOut))
  const both = (name: string) => async (policy: TextAgent) => ({
    ...(await greedy(name, policy, heldOut)),
    sampled: await sampled(name, policy, heldOut),
  })
  const sft = await ofRun(run('sft'), both(`SFT s${seed}`))
  const rloo = await ofRun(run('rloo'), both(`RLOO s${seed}`))
  const answer = await ofRun(run('givenAnswer'), (policy) => greedy(`given the answer s${seed}`, policy, given))
  const result: CountdownSeed = {
    seed,
    trained: { sft: trained(run('sft')), rloo: trained(run('rloo')), givenAnswer: trained(run('givenAnswer')) },
    base: base.score,
    sft: { ...sft.score, sampled: sft.sampled },
    rloo: { ...rloo.score, sampled: rloo.sampled },
    givenAnswer: answer.score,
    gain: estimate(rloo.answers.map(({ solved }, i) => Number(solved) - Number(sft.answers[i]!.solved))),
    seconds: (performance.now() - began) / 1000,
  }
  const sample = (what: string, answer: Answer | undefined) =>
    answer ? [{ what, seed, prompt: answer.prompt, completion: answer.completion }] : []
  const samples = [
    ...sample(
      'After RLOO, the first task that it solves',
      rloo.answers.find(({ solved }) => solved),
    ),
    ...sample(
      'After RLOO, the first task that it does not solve',
      rloo.answers.find(({ solved }) => !solved),
    ),
    ...sample('Before training, the first task', base.answers[0]),
  ]
  return { result, samples }
}

type TextAgent = Agent<readonly Message[], string>

/** What is found with the policy of a run, or of `RUN@UPDATE`. */
async function ofRun<T>(run: string, find: (policy: TextAgent) => Promise<T>): Promise<T> {
  const { policy } = await loadPolicy(run)
  try {
    // of a preset that acts in a text environment
    return await find(policy as Agent as TextAgent)
  } finally {
    policy.close()
  }
}

/** What an agent made of a task. */
interface Answer {
  readonly prompt: string
  readonly completion: string
  readonly solved: boolean
}

/** One completion of every task. The answers of two agents stand in the same order. */
async function greedy(
  name: string,
  agent: TextAgent,
  { spec, tasks, parallel, onMeasured }: HeldOut,
): Promise<{ readonly score: GreedyScore; readonly answers: readonly Answer[] }> {
  const began = performance.now()
  const answers: Answer[] = []
  const { correct, parts, characters } = await evaluate({
    ...{ env: spec, agent, episodes: tasks, greedy: true, seed: SEED, parallel },
    onEpisode: ({ observations, info }) =>
      answers.push({
        prompt: observations[0]!.map(({ content }) => content).join('\n'),
        completion: String(info.completion),
        solved: info.correct === true,
      }),
  })
  const seconds = (performance.now() - began) / 1000
  onMeasured(
    `${name}: solves ${shareWithInterval(correct!)} of ${plural(tasks, 'held-out task')}  ${seconds.toFixed(1)} s`,
  )
  return { score: { correct: correct!, parts: parts!, characters: characters!, seconds }, answers }
}

/** {@link SAMPLES} completions of every task. */
async function sampled(
  name: string,
  agent: TextAgent,
  { spec, tasks, parallel, onMeasured }: HeldOut,
): Promise<SampledScore> {
  const began = performance.now()
  const { passAt, majority, bestOf } = await evaluate({
    ...{ env: spec, agent, episodes: tasks, samples: SAMPLES, seed: SEED, parallel },
  })
  const seconds = (performance.now() - began) / 1000
  const best = bestOf!.correct!
  onMeasured(`${name}: best of ${SAMPLES} solves ${shareWithInterval(best)}  ${seconds.toFixed(1)} s`)
  return { passAt: passAt!, ...(majority && { majority }), bestOf: best, seconds }
}

/** How much the training of a run folder saw. */
export function trained(run: string): Trained {
  const { record, seconds } = readStoredRun(run)
  const { updates, returns } = record
  return { updates: updates.length, episodes: returns.length, ...(seconds !== undefined && { seconds }) }
}

function overSeeds(seeds: readonly CountdownSeed[]): CountdownLearning['overSeeds'] {
  const names = Object.keys(figures) as FigureName[]
  return Object.fromEntries(
    names.flatMap((name) => {
      const of: (seed: CountdownSeed) => Estimate | undefined = figures[name]
      const means = seeds.flatMap((seed) => of(seed)?.mean ?? [])
      return means.length === seeds.length ? [[name, estimate(means)]] : []
    }),
  )
}

/** A mean with its bootstrap 95% interval. */
export function estimate(values: readonly number[]): Estimate {
  return { mean: mean(values), interval: bootstrapInterval(values, mean, { generator: new PCG64(SEED) }) }
}

/** Both stages in one picture: RLOO goes on where SFT ended. */
function learningPicture(
  runs: readonly { readonly sft: RunRecord; readonly rloo: RunRecord }[],
  tasks: number,
): Promise<string> {
  const later = ({ sft, rloo }: (typeof runs)[number]): RunRecord => ({
    ...rloo,
    evaluations: rloo.evaluations.map((each) => ({ ...each, episodes: each.episodes + sft.returns.length })),
  })
  const curves: Curve[] = [
    scoreCurve(
      'SFT',
      runs.map(({ sft }) => sft),
      'episodes',
    ),
    scoreCurve('RLOO', runs.map(later), 'episodes'),
  ]
  const over =
    runs.length > 1 ? `Interquartile mean and 95% interval over ${runs.length} seeds` : '95% interval over tasks'
  return learningCurveChart(curves, {
    ...{ axis: 'episodes', limits: [0, 1], labels: true, width: 820, height: 420 },
    title: 'Learning Countdown from nothing',
    subtitle: [
      `Mean reward of greedy completions on ${plural(tasks, 'held-out task')}, over demonstrations and then tries`,
      over,
    ],
  })
}
