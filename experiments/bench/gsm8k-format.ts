import { writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import type { Agent } from '../../agents/agent.js'
import { type Estimate, evaluate } from '../../algorithms/evaluate.js'
import { mean } from '../../algorithms/statistics.js'
import { make } from '../../envs/registry.js'
import type { Message } from '../../envs/spaces/conversation.js'
import type { EnvSpec } from '../../envs/spec.js'
import { type TextOutcome, textEnvOf, textOutcome } from '../../envs/text/text-env.js'
import { type CompareEvent, compare } from '../compare.js'
import { type ExperimentConfig, envSpecOf, loadConfig } from '../config.js'
import { learningCurveChart } from '../report/charts.js'
import type { Curve, CurvePoint } from '../report/curves.js'
import { plural, share } from '../report/numbers.js'
import type { RunRecord } from '../report/run-record.js'
import { readStoredRun, runFolderOf } from '../report/stored-run.js'
import { loadPolicy } from '../run.js'
import { type Machine, machineFacts } from './bench.js'
import { estimate, type Trained, trained } from './countdown-learning.js'
import { gsm8kFormatPage } from './gsm8k-format-page.js'

/** The presets of the two trainings. */
export const FORMAT_PRESETS = { sft: 'gsm8k-format-tiny-sft', rloo: 'gsm8k-format-tiny' } as const

/** What is measured of a seed, in order: the fresh model, and what each training left. */
export const STAGES = ['base', 'sft', 'rloo'] as const
export type Stage = (typeof STAGES)[number]

/** The likeliest tokens, and tokens drawn at the temperature of the preset. */
export const MODES = ['greedy', 'sampled'] as const
export type Mode = (typeof MODES)[number]

/** The order of the problems, and what is drawn: the same for everything that is measured. */
const SEED = 0
/** Updates whose completions are one point of the picture. */
const POINT = 5

/** One completion of every test problem. */
export interface FormatScore {
  /** The share in the form that is asked for: it starts with the reasoning, which an answer follows. */
  readonly format: Estimate
  /** The share that is that form to the letter, every tag on a line of its own, and nothing else. */
  readonly strict: Estimate
  /** The share whose answer is right. */
  readonly correct: Estimate
  /** The mean reward, at most 4. */
  readonly reward: Estimate
  /** The mean length of the completions. */
  readonly characters: number
  readonly seconds: number
}

/** What became of a seed. */
export interface FormatSeed {
  readonly seed: number
  readonly trained: Readonly<Record<'sft' | 'rloo', Trained>>
  readonly scores: Readonly<Record<Stage, Readonly<Record<Mode, FormatScore>>>>
  /** RLOO − SFT, problem by problem. */
  readonly gain: Readonly<Record<Mode, { readonly format: Estimate; readonly correct: Estimate }>>
  /** Of measuring all of it. */
  readonly seconds: number
}

/** A completion for the page: of the first problem, not a chosen one. */
export interface FormatSample {
  readonly stage: Stage
  readonly mode: Mode
  readonly seed: number
  readonly completion: string
}

/** All that was found. */
export interface Gsm8kFormat {
  readonly command: string
  readonly machine: Machine
  /** As they ran, but for the seed and for where the data lay. */
  readonly configs: Readonly<Record<'sft' | 'rloo', ExperimentConfig>>
  /** Numbers in the model. */
  readonly parameters: number
  /** Problems of the test split: each is asked once. */
  readonly problems: number
  readonly seeds: readonly FormatSeed[]
  /** The question of the samples. */
  readonly question: string
  readonly samples: readonly FormatSample[]
}

export interface Gsm8kFormatOptions {
  readonly seeds: number
  /** Where the runs go. Those that are there are kept, and unfinished ones go on. */
  readonly folder: string
  /** Where `train.jsonl` and `test.jsonl` of GSM8K lie; the hub unless given. */
  readonly data?: string | undefined
  /** Where `gsm8k-format.md`, `.json` and `.svg` go; they are not written if absent. */
  readonly results?: string | undefined
  /** What was typed, for the page. */
  readonly command: string
  /** Fields of both presets that differ, as `--set` takes them. */
  readonly overrides?: readonly string[]
  readonly stop?: AbortSignal
  readonly onEvent?: (event: CompareEvent) => void
  /** Is told what was measured after the training, a line each. */
  readonly onLine?: (line: string) => void
}

/**
 * Trains a small language model on GSM8K from several seeds, shortly by imitation, then by RLOO under the XML reward, and
 * measures on every test problem in which form it answers and how often it is right, before and after each.
 *
 * @throws UsageError if the folder holds runs of other settings
 * @throws Error if a run fails or it is stopped: then nothing is written
 */
export async function gsm8kFormat(options: Gsm8kFormatOptions): Promise<Gsm8kFormat> {
  const { seeds, folder, data, results, command, overrides = [], stop, onEvent, onLine = () => {} } = options
  const { load, ...machine } = machineFacts()
  const runs = (training: 'sft' | 'rloo', seed: number) =>
    runFolderOf(join(folder, training), FORMAT_PRESETS[training], seed)
  const set = (flag: string, value: string) => ({ flag, path: flag.split('.'), value })
  const shared = ['seed=1', ...(data === undefined ? [] : [set('env.options.folder', data)]), ...overrides]
  const configs = {
    sft: loadConfig(FORMAT_PRESETS.sft, shared),
    rloo: loadConfig(FORMAT_PRESETS.rloo, [
      ...shared,
      set('agent.model', join(folder, 'sft', FORMAT_PRESETS.sft, 'seed-{seed}')),
    ]),
  }
  const goOn = (ended = stop?.aborted) => {
    if (ended) throw new Error('stopped; no results were written. The same command goes on')
  }
  for (const training of ['sft', 'rloo'] as const) {
    const { failures, stopped } = await compare({
      ...{ configs: [configs[training]], seeds, folder: join(folder, training), report: false, command },
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
  const test = await testOf(configs.sft)
  const numbers = Array.from({ length: seeds }, (_, i) => configs.sft.seed + i)
  const measured: Measured[] = []
  for (const seed of numbers) {
    measured.push(await measure(seed, (training) => runs(training, seed), { ...test, onMeasured }))
  }
  const [first] = measured
  const found: Gsm8kFormat = {
    command,
    machine: { ...machine, load: [load[0], loadavg()[0]!] },
    configs: { sft: placeless(configs.sft), rloo: placeless(configs.rloo) },
    parameters: readStoredRun(runs('sft', numbers[0]!)).record.parameters,
    problems: test.problems,
    seeds: measured.map(({ result }) => result),
    question: first!.question,
    samples: first!.samples,
  }
  if (results !== undefined) {
    const picture = await formatPicture(numbers.map((seed) => readStoredRun(runs('rloo', seed)).record))
    writeFileSync(join(results, 'gsm8k-format.svg'), picture)
    writeFileSync(join(results, 'gsm8k-format.json'), `${JSON.stringify(found, undefined, 2)}\n`)
    writeFileSync(join(results, 'gsm8k-format.md'), gsm8kFormatPage(found))
  }
  return found
}

/** Without what is of one machine: where the data lies, and the run that another begins from. */
function placeless(config: ExperimentConfig): ExperimentConfig {
  const { folder: _, ...options } = config.env.options
  const { agent } = config
  const named = agent.type === 'language' && agent.model !== undefined ? { ...agent, model: FORMAT_PRESETS.sft } : agent
  return { ...config, agent: named, env: { ...config.env, options } }
}

/** The problems that nothing was trained on. */
interface Test {
  readonly spec: EnvSpec
  readonly problems: number
  readonly parallel: number
}

async function testOf(config: ExperimentConfig): Promise<Test> {
  const spec = envSpecOf({ env: { ...config.env, options: { ...config.env.options, split: 'test' } } })
  const env = make(spec)
  try {
    return { spec, problems: (await textEnvOf(env).tasks()).length, parallel: config.parallel }
  } finally {
    env.close()
  }
}

interface Measured {
  readonly result: FormatSeed
  readonly question: string
  readonly samples: readonly FormatSample[]
}

/** Everything that is measured of a seed. */
async function measure(
  seed: number,
  run: (training: 'sft' | 'rloo') => string,
  test: Test & { readonly onMeasured: (line: string) => void },
): Promise<Measured> {
  const began = performance.now()
  const base = await scoresOf('base', `${run('sft')}@0`, seed, test)
  const sft = await scoresOf('sft', run('sft'), seed, test)
  const rloo = await scoresOf('rloo', run('rloo'), seed, test)
  const stages = { base, sft, rloo }
  const gain = (mode: Mode) => {
    const pairs = rloo[mode].answers.map((after, i) => ({ after, before: sft[mode].answers[i]! }))
    const of = (value: (answer: Answer) => boolean) =>
      estimate(pairs.map(({ after, before }) => Number(value(after)) - Number(value(before))))
    return { format: of(({ inForm }) => inForm), correct: of(({ correct }) => correct) }
  }
  const result: FormatSeed = {
    seed,
    trained: { sft: trained(run('sft')), rloo: trained(run('rloo')) },
    scores: perStage((stage) => perMode((mode) => stages[stage][mode].score)),
    gain: perMode(gain),
    seconds: (performance.now() - began) / 1000,
  }
  const samples = STAGES.flatMap((stage) =>
    MODES.map((mode) => ({ stage, mode, seed, completion: stages[stage][mode].answers[0]!.completion })),
  )
  return { result, question: base.greedy.answers[0]!.question, samples }
}

/** What an agent made of a problem. */
interface Answer {
  readonly question: string
  readonly completion: string
  readonly inForm: boolean
  readonly correct: boolean
}

type Scores = Readonly<Record<Mode, { readonly score: FormatScore; readonly answers: readonly Answer[] }>>

/** Of the policy of a run, or of `RUN@UPDATE`. The answers of two stages stand in the same order. */
async function scoresOf(
  stage: Stage,
  run: string,
  seed: number,
  { spec, problems, parallel, onMeasured }: Test & { readonly onMeasured: (line: string) => void },
): Promise<Scores> {
  const { policy } = await loadPolicy(run)
  // of a preset that acts in a text environment
  const agent = policy as Agent as Agent<readonly Message[], string>
  const scored = async (mode: Mode) => {
    const began = performance.now()
    const answers: Answer[] = []
    const { correct, parts, characters, ...reward } = await evaluate({
      ...{ env: spec, agent, episodes: problems, greedy: mode === 'greedy', seed: SEED, parallel },
      onEpisode: ({ observations, info }) => answers.push(answerOf(observations[0]!, textOutcome(info)!)),
    })
    const seconds = (performance.now() - began) / 1000
    // the environment has these parts
    const [format, strict] = [parts!.format!, asShare(parts!['xml.strict']!)]
    onMeasured(
      `${stage} s${seed}, ${mode}: ${share(format.mean)} of ${plural(problems, 'test problem')} in the form, ` +
        `${share(correct!.mean)} right  ${seconds.toFixed(1)} s`,
    )
    const { mean, interval } = reward
    return {
      score: { format, strict, correct: correct!, reward: { mean, interval }, characters: characters!, seconds },
      answers,
    }
  }
  try {
    return { greedy: await scored('greedy'), sampled: await scored('sampled') }
  } finally {
    policy.close()
  }
}

function answerOf(prompt: readonly Message[], { completion, parts, correct }: TextOutcome): Answer {
  return { question: prompt.at(-1)!.content, completion, inForm: parts.format === 1, correct }
}

/** A part of the reward that pays 0.5 or nothing, as the share of completions that it is paid for. */
function asShare({ mean, interval: [low, high] }: Estimate): Estimate {
  return { mean: mean * 2, interval: [low * 2, high * 2] }
}

function perMode<T>(of: (mode: Mode) => T): Record<Mode, T> {
  return { greedy: of('greedy'), sampled: of('sampled') }
}

function perStage<T>(of: (stage: Stage) => T): Record<Stage, T> {
  return { base: of('base'), sft: of('sft'), rloo: of('rloo') }
}

/** What RLOO's own completions were, over its updates. */
function formatPicture(runs: readonly RunRecord[]): Promise<string> {
  const curves = [curveOf('in the form', 'format', runs), curveOf('right answer', 'correctness', runs)]
  const over = runs.length > 1 ? `Mean, lowest and highest of ${runs.length} seeds` : 'One seed'
  return learningCurveChart(curves, {
    ...{ axis: 'episodes', limits: [0, 1], labels: true, width: 820, height: 420 },
    title: 'RLOO under the XML reward, on GSM8K',
    subtitle: [`Share of the completions that it learns from, ${POINT} updates at a time`, over],
  })
}

function curveOf(name: string, part: string, runs: readonly RunRecord[]): Curve {
  const count = Math.min(...runs.map(({ updates }) => updates.length))
  const points = Array.from({ length: Math.ceil(count / POINT) }, (_, i): CurvePoint => {
    const parts = runs.map(({ updates }) => updates.slice(i * POINT, Math.min((i + 1) * POINT, count)))
    const means = parts.map((few) => mean(few.map(({ metrics }) => metrics[`rewards/${part}/mean`]!)))
    const x = parts[0]!.at(-1)!.episodes
    return { x, y: mean(means), low: Math.min(...means), high: Math.max(...means) }
  })
  return { name, points }
}
