import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lastValueFrom, toArray } from 'rxjs'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { goldAnswerAgent } from '../../../../agents/text/gold-answer-agent.js'
import { episodes } from '../../../../algorithms/episodes.js'
import { checkEnv } from '../../../../envs/check-env.js'
import type { Env } from '../../../../envs/env.js'
import { type MakeOptions, make } from '../../../../envs/registry.js'
import type { Message } from '../../../../envs/spaces/conversation.js'
import { calculatorInstruction } from '../../../../envs/text/calculator.js'
import {
  type CountdownOptions,
  countdownEnv,
  countdownReward,
  type GivenCountdownTask,
} from '../../../../envs/text/countdown/countdown.js'
import { countdownTasks } from '../../../../envs/text/countdown/generator.js'
import { countdownMessages, countdownPrompt } from '../../../../envs/text/countdown/prompt.js'
import { solveCountdown } from '../../../../envs/text/countdown/solver.js'
import { RecordError } from '../../../../envs/text/records.js'
import { textEnvOf, textOutcome } from '../../../../envs/text/text-env.js'
import { processCompleteness } from '../../../../rewards/process-completeness.js'

const folder = mkdtempSync(join(tmpdir(), 'countdown-env-'))

function written(name: string, content: string): string {
  const file = join(folder, name)
  writeFileSync(file, content)
  return file
}

const jsonl = (tasks: readonly GivenCountdownTask[]) =>
  tasks.map(({ numbers, target }) => `${JSON.stringify({ nums: numbers, target })}\n`).join('')

const small = { count: 20, numbers: 3 }
const recorded = [...countdownTasks({ count: 36, seed: 9 }), ...countdownTasks({ count: 4, seed: 9, split: 'test' })]
const records = written('records.jsonl', jsonl(recorded))

describe('Countdown-v1', () => {
  it.each([
    {},
    { split: 'test' },
    { ...small, prompt: 'chat' },
    { ...small, prompt: 'messages' },
    { ...small, prompt: 'brief' },
    { ...small, calculator: true },
    { ...small, calculator: true, prompt: 'messages' },
    { ...small, givenAnswer: true },
    { count: 20, numbers: [2, 5], min: 2, max: 12, targetMin: 0, targetMax: 200, dataSeed: 7 },
    { file: records },
    { ...small, render: 'text' },
  ] satisfies MakeOptions[])('keeps the rules of all environments: %j', async (options) => {
    await checkEnv(() => make('Countdown-v1', options))
  })

  it.each(['train', 'test'] as const)(
    'has a gold answer to every task of the %s split that scores all',
    async (split) => {
      const env = countdownEnv({ split })
      const tasks = await env.tasks()
      expect(tasks).toHaveLength(split === 'train' ? 10_000 : 1000)
      for (const task of tasks) {
        const { total, parts } = countdownReward(env.options.gold!(task), task)
        expect(total).toBe(env.maxReward)
        expect(parts).toEqual({ format: 1, expression: 1, numbers: 1, correctness: 1, process: 1 })
      }
    },
  )

  it('pays 1, 0.1 or 0, and tells format, correctness and process apart', async () => {
    const env = make('Countdown-v1', { file: written('one.jsonl', '{"nums":[44,19,35],"target":98}\n') })
    const outcome = async (completion: string) => {
      await env.reset({ seed: 1 })
      const { reward, terminated, info } = await env.step(completion)
      expect(terminated).toBe(true)
      const { correct, answer, verified, parts } = textOutcome(info)!
      expect(verified).toBe(reward)
      return { reward, correct, answer, ...parts }
    }
    expect(await outcome('44 + 19 = 63, 63 + 35 = 98 </think> <answer> 35 + 19 + 44 </answer>')).toEqual({
      reward: 1,
      correct: true,
      answer: '19 35 44 = 98',
      format: 1,
      expression: 1,
      numbers: 1,
      correctness: 1,
      process: 1,
    })
    expect(await outcome('44 + 19 = 63, 63 - 35 = 38 </think> <answer> 44 + 19 - 35 </answer>')).toMatchObject({
      reward: 0.1,
      correct: false,
      answer: '19 35 44 = 28',
      format: 1,
      numbers: 1,
      correctness: 0,
      process: 0.5,
    })
    const none = await outcome('44 + 19 + 35 = 98')
    expect(none).toMatchObject({ reward: 0, correct: false, format: 0, correctness: 0, process: 1 })
    expect(none.answer).toBeUndefined()
  })

  it('makes the same set for the same options, once a process', async () => {
    const [one, again, other] = await Promise.all(
      [{ dataSeed: 3 }, { dataSeed: 3 }, { dataSeed: 4 }].map((more) => countdownEnv({ ...small, ...more }).tasks()),
    )
    expect(again).toBe(one)
    expect(other).not.toEqual(one)
    expect(one).toEqual(countdownTasks({ ...small, seed: 3 }))
    for (const { numbers, target } of one!) {
      expect(numbers).toHaveLength(3)
      expect(target).toBeGreaterThanOrEqual(10)
      expect(target).toBeLessThanOrEqual(99)
    }
  })

  it('is made again by its spec, through JSON', async () => {
    const env = make('Countdown-v1', { split: 'test', numbers: [4], prompt: 'messages', givenAnswer: true })
    const again = make(JSON.parse(JSON.stringify(env.spec))) as Env<readonly Message[], string, 'async'>
    expect(again.spec).toEqual(env.spec)
    expect((await again.reset({ seed: 5 })).observation).toEqual((await env.reset({ seed: 5 })).observation)
  })

  it('gives both splits their tasks, of any seed and of files, and none of them the other’s', async () => {
    const key = ({ numbers, target }: GivenCountdownTask) => `${[...numbers].sort()} ${target}`
    const of = async (options: CountdownOptions) => (await countdownEnv(options).tasks()).map(key)
    const train = [...(await of({})), ...(await of({ dataSeed: 1 })), ...(await of({ file: records, split: 'train' }))]
    const test = new Set([...(await of({ split: 'test' })), ...(await of({ split: 'test', dataSeed: 1 }))])
    for (const each of await of({ file: records, split: 'test' })) test.add(each)
    expect(train.filter((each) => test.has(each))).toEqual([])
  })

  it('has promises and messages in its types', () => {
    expectTypeOf(make('Countdown-v1')).toEqualTypeOf<Env<readonly Message[], string, 'async'>>()
  })
})

describe('the question', () => {
  const task = { numbers: [44, 19, 35], target: 98 }

  it.each(['base', 'chat'] as const)('is the published text in the form %s', (prompt) => {
    expect(countdownEnv({ prompt }).promptOf(task)).toEqual([{ role: 'text', content: countdownPrompt(task, prompt) }])
  })

  it('is said in the same words as messages', () => {
    const messages = countdownEnv({ prompt: 'messages' }).promptOf(task)
    expect(messages.map(({ role }) => role)).toEqual(['system', 'user'])
    const [system, user] = messages.map(({ content }) => content)
    expect(countdownPrompt(task, 'chat')).toBe(
      `<|im_start|>system\n${system}<|im_end|>\n<|im_start|>user\n ${user}<|im_end|>\n` +
        '<|im_start|>assistant\nLet me solve this step by step.\n<think>',
    )
    expect(messages).toEqual(countdownMessages(task))
  })

  it.each(['base', 'chat', 'messages'] as const)('tells of the calculator in the form %s', (prompt) => {
    const told = (calculator: boolean) =>
      countdownEnv({ prompt, calculator })
        .promptOf(task)
        .map(({ content }) => content)
        .join('\n')
    expect(told(true).replace(`\n${calculatorInstruction}`, '')).toBe(told(false))
    expect(told(true)).toContain(calculatorInstruction)
  })

  it('gives the answer away where asked to, in the published words, and the episode shows that it did', async () => {
    const env = make('Countdown-v1', { ...small, givenAnswer: true })
    const { observation, info } = await env.reset({ options: { task: 4 } })
    const { givenAnswer, ...plain } = info.task as GivenCountdownTask
    expect(givenAnswer).toBe(solveCountdown(plain))
    expect(observation[0]!.content).toBe(
      countdownPrompt(plain, 'base').replace(
        `equals ${plain.target}. You`,
        `equals ${plain.target}. Here is the answer: ${givenAnswer}. You`,
      ),
    )
    const step = await env.step(`</think> <answer>${givenAnswer}</answer>`)
    expect(step.reward).toBe(1)
    expect(textOutcome<GivenCountdownTask>(step.info)?.task.givenAnswer).toBe(givenAnswer)
  })
})

describe('the calculator', () => {
  it.each(['base', 'messages'] as const)('answers in line, and the completion goes on: %s', async (prompt) => {
    const env = make('Countdown-v1', { file: join(folder, 'one.jsonl'), calculator: true, prompt })
    await env.reset({ seed: 1 })
    const called = await env.step('First <calc>44 + 19</calc> is cut off')
    expect(called).toMatchObject({ reward: 0, terminated: false })
    expect(called.observation.at(-1)!.content.endsWith('First <calc>44 + 19</calc><result>63</result>')).toBe(true)
    const last = await env.step(' 63 + 35 = 98 </think><answer>44 + 19 + 35</answer>')
    expect(last).toMatchObject({ reward: 1, terminated: true })
    expect(last.info).toMatchObject({
      turns: 2,
      completion: 'First <calc>44 + 19</calc><result>63</result> 63 + 35 = 98 </think><answer>44 + 19 + 35</answer>',
    })
  })
})

describe('a file', () => {
  it('gives all of its records, or those of the split that is asked for', async () => {
    expect(await countdownEnv({ file: records }).tasks()).toEqual(recorded)
    expect(await countdownEnv({ file: records, split: 'train' }).tasks()).toEqual(recorded.slice(0, 36))
    expect(await countdownEnv({ file: records, split: 'test' }).tasks()).toEqual(recorded.slice(36))
    const file = written('train.jsonl', jsonl(recorded.slice(0, 36)))
    await expect(countdownEnv({ file, split: 'test' }).tasks()).rejects.toThrow(
      `Countdown-v1: file ${file}: none of its 36 records is of the split "test". Nine tasks in ten are of "train".`,
    )
  })

  it('gives its first records where a count is asked for, of a split where one is', async () => {
    expect(await countdownEnv({ file: records, count: 5 }).tasks()).toEqual(recorded.slice(0, 5))
    expect(await countdownEnv({ file: records, split: 'test', count: 2 }).tasks()).toEqual(recorded.slice(36, 38))
    expect(await countdownEnv({ file: records, count: 1e6 }).tasks()).toEqual(recorded)
  })

  it('of demonstrations has them as gold answers, behind the prompt’s <think> or with their own', async () => {
    const task = { numbers: [44, 19, 35], target: 98 }
    const trace = 'Sum: 44 + 19 + 35 = 98 </think>\n<answer> 44 + 19 + 35 </answer>'
    const query = countdownPrompt(task, 'base').replace('\n<think>', '')
    const file = written(
      'demonstrations.jsonl',
      ['<think>', '\n<think>', 'Let me solve this step by step.\n<think>', '']
        .map((open) => JSON.stringify({ query, completion: `${open}${trace}`, source: 'x' }))
        .join('\n'),
    )
    for (const prompt of ['base', 'messages'] as const) {
      const env = countdownEnv({ demonstrations: file, prompt })
      const tasks = await env.tasks()
      expect(tasks).toEqual(Array(4).fill({ ...task, demonstration: trace }))
      const gold = tasks.map((each) => env.goldOf(each))
      expect(gold).toEqual(Array(4).fill(prompt === 'messages' ? `<think>${trace}` : trace))
      expect(env.promptOf(tasks[0]!)).toEqual(countdownEnv({ prompt }).promptOf(task))
      await env.reset({ options: { task: 0 } })
      expect((await env.step(gold[0]!)).reward).toBe(1)
    }
    const other = written('questions.jsonl', '{"query":"What is 2+3?","completion":"5"}\n')
    await expect(countdownEnv({ demonstrations: other }).tasks()).rejects.toThrow(
      `${other}:1: query asks no Countdown question`,
    )
  })

  it('may have tasks without a solution: they have no gold answer, and none can be given away', async () => {
    const file = written('unsolvable.jsonl', '{"nums":[44,19,35],"target":99}\n')
    const env = countdownEnv({ file })
    const [task] = await env.tasks()
    expect(() => env.options.gold!(task!)).toThrow(
      'Countdown-v1: no expression of 44, 19, 35 equals 99: it has no gold answer',
    )
    await expect(countdownEnv({ file, givenAnswer: true }).reset()).rejects.toThrow(
      'no expression of 44, 19, 35 equals 99: there is no answer to give',
    )
  })

  it.each([
    ['missing.jsonl', undefined, ': no such file'],
    ['empty.jsonl', '', ': the file is empty'],
    ['blank.jsonl', '\n\n', ': no records in it'],
    ['tasks.csv', 'nums,target\n', ': neither a .jsonl nor a .parquet file'],
    ['tasks.parquet', 'PAR1', ': not readable as Parquet'],
    ['short.jsonl', '{"nums":[1,2],"target":3}\n{"nums":[1,2]}\n', ':2: the field "target" is missing: a whole number'],
    ['other.jsonl', '{"question":"What is 2+3?","answer":"5"}\n', ':1: the field "nums" is missing'],
  ])('that is wrong is named, with the line: %s', async (name, content, reason) => {
    const file = content === undefined ? join(folder, name) : written(name, content)
    const env = make('Countdown-v1', { file })
    const error = await env.reset({ seed: 1 }).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(RecordError)
    expect((error as RecordError).message).toContain(`${file}${reason}`)
  })
})

describe('an option', () => {
  it.each([
    [{ splt: 'test' }, 'Countdown-v1: unknown option "splt". Did you mean "split"?'],
    [{ split: 'dev' }, 'Countdown-v1: split "dev" is neither "train" nor "test"'],
    [
      { prompt: 'bse' },
      'Countdown-v1: prompt "bse" is neither "base" nor "chat" nor "messages" nor "brief". Did you mean "base"?',
    ],
    [{ calculator: 'yes' }, 'Countdown-v1: calculator "yes" is neither true nor false'],
    [{ givenAnswer: 1 }, 'Countdown-v1: givenAnswer 1 is neither true nor false'],
    [{ count: 0 }, 'Countdown-v1: count 0: give at least one task'],
    [{ count: 2.5 }, 'count 2.5 is not a whole number from 0 up'],
    [{ numbers: 7 }, 'numbers 7 is not a whole number from 2 to 6'],
    [{ numbers: [] }, 'numbers: an empty list'],
    [{ min: 0 }, 'min 0 is not a whole number from 1 up'],
    [{ min: 9, max: 8 }, 'max 8 is not a whole number from 9 up'],
    [{ targetMin: 50, targetMax: 40 }, 'targetMax 40 is not a whole number from 50 up'],
    [{ dataSeed: -1 }, 'Countdown-v1: dataSeed -1 is not a whole number from 0'],
    [{ file: 7 }, 'Countdown-v1: file 7 is not a path'],
    [{ file: 'x.jsonl', count: 2.5 }, 'Countdown-v1: count 2.5 is not a whole number from 1'],
    [{ file: 'x.jsonl', max: 5 }, 'Countdown-v1: max is of generated tasks, not of those of a file: give one'],
    [{ file: 'x.jsonl', dataSeed: 1 }, 'Countdown-v1: dataSeed is of generated tasks'],
    [{ demonstrations: 7 }, 'Countdown-v1: demonstrations 7 is not a path'],
    [{ demonstrations: 'x.jsonl', numbers: 3 }, 'Countdown-v1: numbers is of generated tasks'],
    [{ demonstrations: 'x.jsonl', file: 'y.jsonl' }, 'Countdown-v1: file and demonstrations have tasks each: give one'],
    [{ render: 'svg' }, 'renders as "text" only'],
  ] as [MakeOptions, string][])('%j is refused at once', (options, message) => {
    expect(() => make('Countdown-v1', options)).toThrow(message)
  })

  it('that asks for more tasks than there are is refused when they are made', async () => {
    const env = make('Countdown-v1', { numbers: 2, max: 3, targetMin: 1, targetMax: 4, count: 100 })
    await expect(env.reset()).rejects.toThrow(/found \d+ of 100 train tasks with 2 numbers/)
  })
})

it('one loop gives a group one task, and gold answers in parallel all the reward', async () => {
  const env = make('Countdown-v1', { split: 'test' })
  const options = { env: () => make('Countdown-v1', { split: 'test' }), agents: goldAnswerAgent(env) }
  const played = await lastValueFrom(
    episodes({ ...options, seed: 2, group: 4, parallel: 6, count: 40 }).pipe(toArray()),
  )
  expect(played.map(({ rewards }) => rewards[0])).toEqual(played.map(() => [1]))
  expect(new Set(played.map(({ info }) => info.task)).size).toBe(10)
  const tasks = await textEnvOf<GivenCountdownTask>(env).tasks()
  for (const { info } of played) {
    const { task, completion } = textOutcome<GivenCountdownTask>(info)!
    expect(tasks).toContain(task)
    expect(processCompleteness(completion).parts.equations).toBeGreaterThan(0)
  }
})
