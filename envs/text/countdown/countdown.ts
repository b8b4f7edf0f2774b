import {
  type CountdownTask,
  countdownAnswer,
  countdownScore,
  countdownScored,
} from '../../../rewards/countdown-score.js'
import { processCompleteness } from '../../../rewards/process-completeness.js'
import type { Scored } from '../../../rewards/rubric.js'
import { refuseUnknownOptions } from '../../did-you-mean.js'
import { type Env, show } from '../../env.js'
import { register } from '../../registry.js'
import type { Message } from '../../spaces/conversation.js'
import { calculatorInstruction, calculatorTool } from '../calculator.js'
import { checkBoolean, checkChoice } from '../option-checks.js'
import { sharedTasks } from '../shared-tasks.js'
import { type TextEnv, textEnv } from '../text-env.js'
import { type CountdownSplit, checkedTasksOptions, countdownSplit, countdownTasks } from './generator.js'
import { countdownMessages, countdownPrompt } from './prompt.js'
import { readCountdownDemonstrations, readCountdownRecords } from './records.js'
import { solveCountdown } from './solver.js'
import { countdownTrace } from './trace.js'

declare module '../../registry.js' {
  interface EnvTypes {
    'Countdown-v1': Env<readonly Message[], string, 'async'>
  }
}

/** The options of `Countdown-v1`. */
export interface CountdownOptions {
  readonly split?: CountdownSplit
  readonly count?: number
  readonly numbers?: number | readonly number[]
  readonly min?: number
  readonly max?: number
  readonly targetMin?: number
  readonly targetMax?: number
  readonly dataSeed?: number
  readonly file?: string
  readonly demonstrations?: string
  readonly prompt?: 'base' | 'chat' | 'messages' | 'brief'
  readonly calculator?: boolean
  readonly givenAnswer?: boolean
  readonly render?: 'text'
}

/** A task of `Countdown-v1`. */
export interface GivenCountdownTask extends CountdownTask {
  /** With `givenAnswer`: the solution that the prompt gives away. */
  readonly givenAnswer?: string
  /** With `demonstrations`: how somebody answered, behind `<think>`. */
  readonly demonstration?: string
}

/** What the reward of `Countdown-v1` is made of. */
export type CountdownRewardParts = ReturnType<typeof countdownScored>['parts'] & {
  /** What {@link processCompleteness} gives, 0 to 1: the share of the equations in the reasoning that are true. Not paid. */
  readonly process: number
}

const generatorOptions = ['numbers', 'min', 'max', 'targetMin', 'targetMax', 'dataSeed'] as const
const otherOptions = [
  'split',
  'count',
  'file',
  'demonstrations',
  'prompt',
  'calculator',
  'givenAnswer',
  'render',
] as const

/**
 * Countdown: reach a target by + − × ÷ with a few numbers, each used exactly once. There is no one right answer to know:
 * any expression that does it is right.
 *
 * ## Observation   `Conversation`
 * The question, with `prompt`
 * - `base`: as one text for a model without a chat template, to the character as published ({@link countdownPrompt})
 * - `chat`: as one text in ChatML, to the character as published
 * - `messages`: in the words of `chat`, as a system message and a user's, for any model's own chat template
 * - `brief`: as `44,19,35=98` and nothing else, for models trained from scratch; not published
 *
 * A text ends in `<think>`: the completion goes on within the reasoning. With `messages` it begins with `<think>` itself.
 *
 * ## Action   `Completion`
 * Any string. Asked for is `<think>…</think>` and `<answer>…</answer>` with an expression. With `calculator` a completion
 * stops behind `</calc>`, too: the result follows, and it goes on ({@link calculatorTool}), up to 8 times. A completion that
 * ends without `</calc>` is a call, too, if no `<` and at most 512 characters stand behind its last `<calc>`: a final text must
 * not mention that tag.
 *
 * ## Reward
 * At the end {@link countdownScore}: 1 for a solution, 0.1 for any other `<answer>`, 0 without one. The info of the last step
 * has the parts apart:
 *
 * | part | |
 * |---|---|
 * | `format` | 1 where there is an `<answer>…</answer>` |
 * | `expression` | 1 where the last of them holds an expression, too |
 * | `numbers` | 1 where it uses each number exactly once, too |
 * | `correctness` | 1 where it equals the target, too |
 * | `process` | the share of the equations in the reasoning that are true ({@link processCompleteness}), 0 without any; never paid |
 *
 * ## Start
 * A task drawn from the seed; `options: { task: i }` takes the i-th. The episode loop goes through all of them in shuffled
 * order. Tasks are generated ({@link countdownTasks}), solvable all of them, or read from `file`. Which split a task is of
 * follows from the task alone ({@link countdownSplit}): the two share none, of whatever seeds and files.
 *
 * ## End
 * Terminated by the completion; with `calculator` by the first that does not end in a call, or the eighth. The info is a
 * {@link TextOutcome}. Its `answer` is what a majority votes on: the numbers used and the value ({@link countdownAnswer}), so
 * that the same sum in another order is the same vote. Its `verified` is the reward, as any answer can be checked.
 *
 * ## Options
 * | name | type | default | meaning |
 * |---|---|---|---|
 * | `split` | `'train'`, `'test'` | `'train'`; all of a file | which tasks: nine in ten, or the tenth |
 * | `count` | from 1 | 10,000, of test 1,000; all of a file | how many tasks are generated, or are taken of a file's, the first |
 * | `numbers` | 2 to 6, or a list | `[3, 4]` | how many numbers a task has; of a list each as likely |
 * | `min`, `max` | from 1 | 1, 99 | the smallest and the largest number |
 * | `targetMin`, `targetMax` | from 0 | 10, 99 | the smallest and the largest target |
 * | `dataSeed` | from 0 | 0 | decides which tasks are generated |
 * | `file` | string | – | a `.jsonl` or `.parquet` of records `{ nums, target }` ({@link readCountdownRecords}), in place of the six that generate |
 * | `demonstrations` | string | – | such a file of records `{ query, completion }` ({@link readCountdownDemonstrations}), in place of `file`: the completions are the gold answers, right or wrong |
 * | `prompt` | `'base'`, `'chat'`, `'messages'`, `'brief'` | `'base'` | see Observation |
 * | `calculator` | boolean | false | see Action; the question tells how to call it |
 * | `givenAnswer` | boolean | false | see below |
 * | `render` | `'text'` | `'text'` | what `render()` gives |
 *
 * A task of a file need not have a solution: no completion of it earns 1, and asking for its gold answer is an error.
 *
 * `givenAnswer` is the published variant with a "tool": the question says `Here is the answer: …` with what the solver
 * found. It measures whether a model copies, not whether it solves: scores with and without it do not compare. Each task
 * then has it as `givenAnswer`, also in the info of every episode.
 *
 * ## Versions
 * - `Countdown-v1`
 *
 * ## Source
 * github.com/Jiayi-Pan/TinyZero (prompts, reward; data: Jiayi-Pan/Countdown-Tasks-3to4), which the default project of
 * Stanford's CS224R follows; `givenAnswer`: github.com/tonyzstt/Finetune_LLM_RL.
 *
 * @throws RangeError for an option that is not in the manual, out of range, or in conflict with `file`; from `reset`,
 * RecordError for a file that is wrong
 *
 * @example
 * const env = make('Countdown-v1', { split: 'test', numbers: 4 })
 * const { observation } = await env.reset({ options: { task: 0 } }) // 60, 56, 6 and 39 are to make 49
 * const { reward, info } = await env.step('60 - 56 = 4, 4 + 6 = 10 </think> <answer> 60 - 56 + 6 + 39 </answer>')
 * console.log(reward, info.correct) // 1 true
 */
export function countdownEnv(options: CountdownOptions = {}): TextEnv<GivenCountdownTask> {
  refuseUnknownOptions('Countdown-v1', options, [...otherOptions, ...generatorOptions])
  const { prompt = 'base', calculator = false, givenAnswer = false, render, ...source } = options
  checkChoice('Countdown-v1', 'prompt', prompt, ['base', 'chat', 'messages', 'brief'])
  checkBoolean('Countdown-v1', 'calculator', calculator)
  checkBoolean('Countdown-v1', 'givenAnswer', givenAnswer)
  const tool = calculator ? calculatorTool() : undefined
  const instruction = tool && calculatorInstruction
  return textEnv<GivenCountdownTask>({
    tasks: taskSource(source, givenAnswer),
    prompt: (task) => {
      const additions = { answer: task.givenAnswer, instruction }
      if (prompt === 'messages') return countdownMessages(task, additions)
      return [{ role: 'text', content: countdownPrompt(task, prompt, additions) }]
    },
    reward: countdownReward,
    gold: (task) => {
      const trace = task.demonstration ?? countdownTrace(task, prompt === 'brief')
      if (trace === undefined) throw new RangeError(`Countdown-v1: ${unsolvable(task)}: it has no gold answer`)
      return prompt === 'messages' ? `<think>${trace}` : trace
    },
    answer: countdownAnswer,
    verify: countdownScore,
    ...tool,
    ...(render !== undefined && { render }),
  })
}

/** {@link countdownScored}, with what the reasoning is worth beside it. */
export function countdownReward(completion: string, task: CountdownTask): Scored<CountdownRewardParts> {
  const { total, parts } = countdownScored(completion, task)
  return { total, parts: { ...parts, process: processCompleteness(completion).total } }
}

/** Loads the tasks that the options describe, once a process.
 *  @throws RangeError for an option out of range, or beside `file` */
function taskSource(
  options: Omit<CountdownOptions, 'prompt' | 'calculator' | 'givenAnswer' | 'render'>,
  givenAnswer: boolean,
): () => Promise<readonly GivenCountdownTask[]> {
  const { split, count, dataSeed = 0, file, demonstrations, ...ranges } = options
  if (split !== undefined) checkChoice('Countdown-v1', 'split', split, ['train', 'test'])
  if (count === 0) throw new RangeError('Countdown-v1: count 0: give at least one task')
  const [name, path] = file === undefined ? (['demonstrations', demonstrations] as const) : (['file', file] as const)
  if (path === undefined) {
    if (!Number.isSafeInteger(dataSeed) || dataSeed < 0) {
      throw new RangeError(`Countdown-v1: dataSeed ${show(dataSeed)} is not a whole number from 0`)
    }
    const drawn = {
      ...ranges,
      count: count ?? (split === 'test' ? 1000 : 10_000),
      split: split ?? ('train' as const),
      seed: dataSeed,
    }
    checkedTasksOptions(drawn)
    return shared(drawn, () => countdownTasks(drawn), givenAnswer)
  }
  if (typeof path !== 'string') throw new RangeError(`Countdown-v1: ${name} ${show(path)} is not a path`)
  const other = generatorOptions.find((option) => options[option] !== undefined)
  if (other) throw new RangeError(`Countdown-v1: ${other} is of generated tasks, not of those of a file: give one`)
  if (file !== undefined && demonstrations !== undefined) {
    throw new RangeError('Countdown-v1: file and demonstrations have tasks each: give one')
  }
  if (count !== undefined && !(Number.isSafeInteger(count) && count > 0)) {
    throw new RangeError(`Countdown-v1: count ${show(count)} is not a whole number from 1`)
  }
  const read = name === 'file' ? readCountdownRecords : readCountdownDemonstrations
  return shared({ [name]: path, split, count }, () => tasksOf(path, read, split, count), givenAnswer)
}

/** @param source  all that the tasks depend on, but for an answer in them */
function shared(
  source: object,
  load: () => readonly CountdownTask[] | Promise<readonly CountdownTask[]>,
  givenAnswer: boolean,
): () => Promise<readonly GivenCountdownTask[]> {
  const key = JSON.stringify(['Countdown-v1', source, givenAnswer])
  return () => sharedTasks(key, async () => (givenAnswer ? (await load()).map(withAnswer) : load()))
}

async function tasksOf(
  file: string,
  read: (file: string) => Promise<readonly CountdownTask[]>,
  split: CountdownSplit | undefined,
  count: number | undefined,
): Promise<readonly CountdownTask[]> {
  const all = await read(file)
  const tasks = split === undefined ? all : all.filter((task) => countdownSplit(task) === split)
  if (tasks.length > 0) return tasks.slice(0, count)
  throw new RangeError(
    `Countdown-v1: file ${file}: none of its ${all.length} records is of the split ${show(split)}. ` +
      'Nine tasks in ten are of "train". Leave split out for all of the file',
  )
}

function withAnswer(task: CountdownTask): GivenCountdownTask {
  const givenAnswer = solveCountdown(task)
  if (givenAnswer !== undefined) return { ...task, givenAnswer }
  throw new RangeError(`Countdown-v1: ${unsolvable(task)}: there is no answer to give`)
}

function unsolvable({ numbers, target }: CountdownTask): string {
  return `no expression of ${numbers.join(', ')} equals ${target}`
}

register({
  id: 'Countdown-v1',
  create: countdownEnv,
  // a file may be either split
  splits: ({ file, demonstrations }: CountdownOptions) =>
    file === undefined && demonstrations === undefined ? ['train', 'test'] : [],
})
