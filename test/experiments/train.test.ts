import { lastValueFrom, take, toArray } from 'rxjs'
import { beforeAll, describe, expect, expectTypeOf, it } from 'vitest'
import type { Agent } from '../../agents/agent.js'
import { newLanguageModel } from '../../agents/llm/language-model.js'
import { languagePolicy } from '../../agents/llm/language-policy.js'
import { Tokenizer } from '../../agents/llm/tokenizer.js'
import { trainTokenizer } from '../../agents/llm/train-tokenizer.js'
import { mlpPolicy } from '../../agents/mlp/mlp-policy.js'
import type { Policy } from '../../agents/policy.js'
import type { Episode } from '../../algorithms/episode.js'
import { episodeSeed, episodes } from '../../algorithms/episodes.js'
import { reinforce } from '../../algorithms/reinforce.js'
import { rloo } from '../../algorithms/rloo.js'
import { sft } from '../../algorithms/sft.js'
import '../../envs/classic-control/cart-pole.js'
import '../../envs/wrappers/index.js'
import { make, register, specOf } from '../../envs/registry.js'
import type { PCG64 } from '../../envs/seeding.js'
import type { Message } from '../../envs/spaces/conversation.js'
import type { Space } from '../../envs/spaces/space.js'
import { textEnv } from '../../envs/text/text-env.js'
import type { TrainEvent, TrainState } from '../../experiments/events.js'
import { CheckpointMismatchError, initialGenerator, type TrainOptions, train } from '../../experiments/train.js'
import { useBackend } from '../../tensors/backend.js'
import * as tf from '../../tensors/tf.js'
import { Corridor } from '../envs/corridor.js'

type Options = TrainOptions<Float32Array, number>
type Start = Parameters<Options['agent']>[0]

const agent = (start: Start) => mlpPolicy({ ...start, hidden: [8], valueNetwork: true })
/** Pushes the cart to where the pole is falling. */
const falling: Agent<Float32Array, number> = {
  act: (all) => all.map((seen) => ({ action: seen[2]! + seen[3]! > 0 ? 1 : 0, choices: [], logProbs: [] })),
}
const short = {
  env: 'CartPole-v1',
  agent,
  algorithm: reinforce({ episodesPerUpdate: 2 }),
  budget: { updates: 6 },
  seed: 3,
} satisfies Options

/** The events of a run, and the error that ended it. */
async function eventsOf(options: Options): Promise<{ events: TrainEvent[]; error: unknown }> {
  const events: TrainEvent[] = []
  const error = await new Promise((resolve) => {
    train(options).subscribe({
      next: (event) => events.push(event),
      error: resolve,
      complete: () => resolve(undefined),
    })
  })
  return { events, error }
}

const runOf = async (options: Options): Promise<TrainEvent[]> => {
  const { events, error } = await eventsOf(options)
  if (error) throw error
  return events
}

const statesOf = (events: readonly TrainEvent[]): TrainState[] =>
  events.flatMap((event) => (event.type === 'checkpoint' ? [event.state] : []))

let failAt = Number.POSITIVE_INFINITY
let failure: 'throw' | 'NaN' = 'throw'
let resets = 0

beforeAll(async () => {
  await useBackend('wasm')
  register({
    id: 'FailingCorridor-v0',
    maxEpisodeSteps: 30,
    rewardThreshold: -25,
    create: () => {
      const inner = new Corridor()
      return Object.assign(inner, {
        reset(options?: { seed?: number }) {
          resets++
          return Corridor.prototype.reset.call(inner, options)
        },
        step(action: number) {
          const step = Corridor.prototype.step.call(inner, action)
          if (resets < failAt) return step
          if (failure === 'throw') throw new Error('the wind took the roof')
          return { ...step, reward: Number.NaN }
        },
      })
    },
  })
})

describe('train: one seed decides everything', () => {
  it('the same seed gives the same events, another gives others', async () => {
    const first = await runOf(short)
    expect(await runOf(short)).toEqual(first)
    expect(await runOf({ ...short, seed: 4 })).not.toEqual(first)
    expect(first.map(({ type }) => type).join(' ')).toBe(`start ${'episode episode update '.repeat(6)}checkpoint end`)
  })

  it('environments side by side change nothing', async () => {
    const alone = await runOf({ ...short, algorithm: rloo() })
    expect(await runOf({ ...short, algorithm: rloo(), parallel: 5 })).toEqual(alone)
  })

  it('evaluations change nothing in what is learned', async () => {
    const plain = await runOf(short)
    const evaluated = await runOf({ ...short, evaluation: { every: 2, episodes: 3 } })
    expect(evaluated.filter(({ type }) => type === 'evaluation')).toHaveLength(4) // one before the first update
    expect(evaluated.filter(({ type }) => type !== 'evaluation')).toEqual(plain)
  })
})

describe('train: the validation loss of an algorithm that imitates', () => {
  const imitating = {
    ...short,
    agent: (start: Start) => mlpPolicy({ ...start, hidden: [8] }),
    algorithm: sft({ learningRate: 0.02, episodesPerUpdate: 2 }),
    demonstrator: falling,
    evaluation: { every: 3, episodes: 10 },
  } satisfies Options
  const lossesOf = (events: readonly TrainEvent[]) =>
    events.flatMap((event) => (event.type === 'evaluation' ? [event.validationLoss] : []))

  it('is the mean of −log π over what the demonstrator does from the starts of the evaluation', async () => {
    const [untrained, ...later] = lossesOf(await runOf(imitating))
    expect(later).toHaveLength(2)
    expect(later.at(-1)).toBeLessThan(untrained!)

    const played: Episode<Float32Array, number>[] = []
    const seed = episodeSeed(imitating.seed, 3, 0)
    await episodes({ env: 'CartPole-v1', agents: falling, seed, count: 10 }).forEach(
      (episode) => void played.push(episode),
    )
    const { observationSpace, actionSpace } = make('CartPole-v1')
    const policy = mlpPolicy({
      observationSpace,
      actionSpace,
      generator: initialGenerator(imitating.seed),
      hidden: [8],
    })
    const frozen = policy.freeze()
    let total = 0
    let choices = 0
    for (const { observations, decisions } of played) {
      const rows = {
        observations: observations.slice(0, -1),
        decisions: decisions.map(({ action }) => ({ action, choices: [action], logProbs: [0] })),
      }
      for (const logProb of await frozen.logProbs(rows)) total -= logProb
      choices += decisions.length
    }
    expect(untrained).toBeCloseTo(total / choices, 5)
    frozen.close()
    policy.close()
  })

  it('changes nothing in what is learned, and is the same when a run goes on', async () => {
    const whole = await runOf({ ...imitating, checkpointEvery: 2 })
    const { evaluation: _, ...plain } = imitating
    const learned = whole.filter(({ type }) => type !== 'evaluation')
    expect(await runOf({ ...plain, checkpointEvery: 2 })).toEqual(learned)
    const [resume] = statesOf(whole)
    expect((await runOf({ ...imitating, resume })).filter(({ type }) => type === 'evaluation')).toEqual(
      whole.filter(({ type }) => type === 'evaluation').slice(1),
    )
  })

  it('is of its own demonstrator where another environment is measured, and of none without one', async () => {
    const env = specOf('CartPole-v1', { maxEpisodeSteps: 5 })
    const measured = (more: object) => runOf({ ...imitating, evaluation: { every: 9, episodes: 2, env, ...more } })
    expect(lossesOf(await measured({}))).toEqual([undefined])
    expect(lossesOf(await measured({ demonstrator: falling }))).toEqual([expect.any(Number)])
    const needless = { ...short, evaluation: { every: 9, episodes: 2, demonstrator: falling } }
    await expect(runOf(needless)).rejects.toThrow('evaluation.demonstrator: reinforce imitates nobody')
  })
})

describe('train: a budget in epochs', () => {
  const tasks = ['a', 'b', 'c', 'd', 'e'].map((letter) => ({ letter }))
  const spelled = { env: 'Letters-v0', seed: 1, parallel: 3 }
  const writes: Agent<readonly Message[], string> = {
    act: (seen) => seen.map((messages) => ({ action: messages[0]!.content, choices: [], logProbs: [] })),
  }

  it('plays every task once by each episode of a group, and makes the last update whole', async () => {
    register({
      id: 'Letters-v0',
      create: () => textEnv({ tasks, prompt: '{letter}', reward: (text, { letter }) => (text === letter ? 1 : 0) }),
    })
    const budget = { epochs: 2 }
    const tokenizer = new Tokenizer(trainTokenizer(['a b c'], { vocabularySize: 264 }))
    const shape = { hidden: 8, intermediate: 8, layers: 1, heads: 1, keyHeads: 1, context: 32 }
    const language = ({ generator }: { generator: PCG64 }) =>
      languagePolicy(newLanguageModel(shape, tokenizer, generator), { sampling: { maxNewTokens: 2 } })
    const seen: TrainEvent[] = []
    const kept = (event: TrainEvent) => void seen.push(event)
    const imitated = sft({ episodesPerUpdate: 4 })
    await train({ ...spelled, agent: language, algorithm: imitated, demonstrator: writes, budget }).forEach(kept)
    expect(seen[0]).toMatchObject({ type: 'start', epoch: 5 })
    expect(seen.at(-1)).toMatchObject({ type: 'end', reason: 'budget', episodes: 12, update: 3 })
    seen.length = 0
    const grouped = rloo({ group: 3, groupsPerUpdate: 5 })
    await train({ ...spelled, agent: language, algorithm: grouped, budget }).forEach(kept)
    expect(seen[0]).toMatchObject({ type: 'start', epoch: 15 })
    expect(seen.at(-1)).toMatchObject({ type: 'end', reason: 'budget', episodes: 30, update: 2 })
  })

  it('is refused where there are no tasks, and where it is no number above 0', async () => {
    await expect(runOf({ ...short, budget: { epochs: 2 } })).rejects.toThrow(
      'budget.epochs: CartPole-v1 has no tasks to go through: give episodes, steps or updates',
    )
    await expect(runOf({ ...short, budget: { epochs: 0 } })).rejects.toThrow('as a number above 0')
  })
})

it('train: an update tells the mean and spread of each part of the rewards', async () => {
  let ends = 0
  const parts = [
    { format: 1, correctness: 0 },
    { format: 1, correctness: 1 },
    { format: 0, correctness: 0 },
    { format: 1, correctness: 1 },
  ]
  register({
    id: 'PartedCorridor-v0',
    maxEpisodeSteps: 1000,
    create: () => {
      const inner = new Corridor()
      return Object.assign(inner, {
        step(action: number) {
          const step = Corridor.prototype.step.call(inner, action)
          return step.terminated ? { ...step, info: { parts: parts[ends++ % 4] } } : step
        },
      })
    },
  })
  const events = await runOf({
    ...short,
    env: 'PartedCorridor-v0',
    algorithm: reinforce({ episodesPerUpdate: 4 }),
    budget: { updates: 1 },
  })
  const [metrics] = events.flatMap((event) => (event.type === 'update' ? [event.metrics] : []))
  expect(metrics).toMatchObject({
    'rewards/format/mean': 0.75,
    'rewards/format/std': 0.5,
    'rewards/correctness/mean': 0.5,
    'rewards/correctness/std': Math.sqrt(1 / 3),
  })
})

describe('train: goes on from any checkpoint as if it had not stopped', () => {
  const wrappers = [{ name: 'NormalizeObservation' }, { name: 'NormalizeReward' }]
  it.each([
    ['reinforce with a moving average', short.env, reinforce({ baseline: 'moving-average', whiten: true }), 1],
    ['reinforce with a critic', short.env, reinforce({ episodesPerUpdate: 2 }), 1],
    [
      'rloo with the KL to its first policy',
      short.env,
      rloo({ group: 2, klCoefficient: 0.1, epochs: 2, ratio: 'token' }),
      3,
    ],
    ['running means in wrappers', specOf('CartPole-v1', { wrappers }), reinforce({ episodesPerUpdate: 3 }), 1],
    [
      'running means in wrappers, side by side',
      specOf('CartPole-v1', { wrappers }),
      reinforce({ episodesPerUpdate: 7 }),
      3,
    ],
  ] as const)('%s', async (_, env, algorithm, parallel) => {
    const options = { ...short, env, algorithm, parallel, checkpointEvery: 1, evaluation: { every: 2, episodes: 2 } }
    const whole = await runOf(options)
    const states = statesOf(whole)
    expect(states).toHaveLength(6)
    for (const resume of states.slice(0, -1)) {
      const rest = await runOf({ ...options, resume: JSON.parse(JSON.stringify(resume), revive) as TrainState })
      const at = whole.findIndex((event) => event.type === 'checkpoint' && event.state === resume)
      expect(rest.slice(1)).toEqual(whole.slice(at + 1))
      expect(rest[0]).toMatchObject({ type: 'start', update: resume.update, episodes: resume.episodes })
    }
  })

  it('a checkpoint taken at once after going on is the one it went on from', async () => {
    const env = specOf('CartPole-v1', { wrappers })
    const options = { ...short, env, parallel: 2 }
    const state = statesOf(await runOf(options)).at(-1)!
    const again = await runOf({ ...options, resume: state, stop: AbortSignal.abort(), budget: { updates: 9 } })
    expect(statesOf(again)).toEqual([state])
  })

  it("another network's checkpoint is refused, naming the tensor", async () => {
    const resume = statesOf(await runOf(short)).at(-1)!
    const wider = (start: Start) => mlpPolicy({ ...start, hidden: [9], valueNetwork: true })
    const { error } = await eventsOf({ ...short, agent: wider, resume })
    expect(error).toBeInstanceOf(CheckpointMismatchError)
    expect((error as Error).message).toContain('policy/0/kernel: [4,8] in the checkpoint, [4,9] here')
    const deeper = (start: Start) => mlpPolicy({ ...start, hidden: [8, 8], valueNetwork: true })
    expect((await eventsOf({ ...short, agent: deeper, resume })).error).toBeInstanceOf(CheckpointMismatchError)
  })
})

/** JSON has no typed arrays. */
function revive(key: string, value: unknown): unknown {
  return key === 'data' && typeof value === 'object' ? Float32Array.from(Object.values(value as object)) : value
}

describe('train: ends', () => {
  it.each([
    ['updates', { updates: 3 }, { update: 3, episodes: 6 }],
    ['episodes', { episodes: 5 }, { update: 3, episodes: 6 }],
    ['steps', { steps: 1 }, { update: 1, episodes: 2 }],
    ['the first limit it reaches', { updates: 2, episodes: 100, steps: 1e6 }, { update: 2, episodes: 4 }],
  ])('when its budget is spent: %s', async (_, budget, end) => {
    expect((await runOf({ ...short, budget })).at(-1)).toMatchObject({ type: 'end', reason: 'budget', ...end })
  })

  it('once 100 episodes average the threshold, where that was asked for', async () => {
    failAt = Number.POSITIVE_INFINITY
    const options = { ...short, env: 'FailingCorridor-v0', budget: { episodes: 300, solved: true } }
    const events = await runOf(options)
    const end = events.at(-1)!
    if (end.type !== 'end') throw new Error('no end')
    const last = events.findLast((event) => event.type === 'update')!
    expect(end.reason === 'solved').toBe(last.episodes >= 100 && last.meanReturn >= -25)
  })

  it('after the update at hand when it is told to stop, with a checkpoint', async () => {
    const stop = new AbortController()
    const events: TrainEvent[] = []
    await new Promise<void>((resolve, reject) => {
      train({ ...short, budget: { updates: 1000 }, stop: stop.signal }).subscribe({
        next: (event) => {
          events.push(event)
          if (event.type === 'update' && event.update === 3) stop.abort()
        },
        complete: resolve,
        error: reject,
      })
    })
    expect(events.slice(-3).map(({ type }) => type)).toEqual(['update', 'checkpoint', 'end'])
    expect(events.at(-1)).toMatchObject({ reason: 'stopped', update: 3 })
  })

  it('without a word when nobody listens, and frees what it held', async () => {
    const before = tf.memory().numTensors
    const events = await lastValueFrom(train({ ...short, budget: { updates: 1e6 } }).pipe(take(10), toArray()))
    expect(events).toHaveLength(10)
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(tf.memory().numTensors).toBe(before)
  })

  it('also when the listener leaves while an asynchronous agent decides', async () => {
    const before = tf.memory().numTensors
    const slow = (start: Start): Policy<Float32Array, number> => {
      const policy = agent(start)
      const act: typeof policy.act = async (observations, context) => {
        await new Promise((resolve) => setTimeout(resolve, 1))
        return policy.act(observations, context)
      }
      return { ...policy, act }
    }
    const subscription = train({ ...short, agent: slow }).subscribe()
    await new Promise((resolve) => setTimeout(resolve, 10))
    subscription.unsubscribe()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(tf.memory().numTensors).toBe(before)
  })

  it.each([{}, { episodes: 0 }, { updates: -1 }, { steps: Number.NaN }, { solved: true }, { episodes: 5, steps: -1 }])(
    'not for a budget that is none: %o',
    async (budget) => {
      expect((await eventsOf({ ...short, budget })).error).toBeInstanceOf(RangeError)
    },
  )
})

describe('train: an error comes after a checkpoint from before the failing update', () => {
  it.each(['throw', 'NaN'] as const)('an environment: %s', async (kind) => {
    failure = kind
    resets = 0
    failAt = Number.POSITIVE_INFINITY
    const options = { ...short, env: 'FailingCorridor-v0', checkpointEvery: 1 }
    const good = await runOf(options)
    resets = 0
    failAt = 8 // in the fourth update
    const { events, error } = await eventsOf(options)
    failAt = Number.POSITIVE_INFINITY
    expect((error as Error).message).toMatch(/^episode 7 \(seed \d+\), step 0: (the wind|reward NaN)/)
    expect(events.at(-1)).toMatchObject({ type: 'checkpoint' })
    expect(statesOf(events).at(-1)).toEqual(statesOf(good)[2])
  })

  it('a network that diverged, with its parameters untouched', async () => {
    const options = { ...short, checkpointEvery: 1, algorithm: reinforce({ learningRate: 1e38, baseline: 'none' }) }
    const before = tf.memory().numTensors
    const { events, error } = await eventsOf(options)
    expect((error as Error).message).toMatch(/not finite|is NaN|is Infinity/)
    expect(events.at(-1)).toMatchObject({ type: 'checkpoint' })
    expect(tf.memory().numTensors).toBe(before)
  })

  it('an agent or algorithm that does not fit leaves nothing behind', async () => {
    const before = tf.memory().numTensors
    const { error } = await eventsOf({ ...short, agent: (start) => mlpPolicy({ ...start, hidden: [8] }) })
    expect((error as Error).message).toContain('valueNetwork: true')
    expect(tf.memory().numTensors).toBe(before)
  })
})

it('the agent is made from spaces of the types its policy has', () => {
  expectTypeOf<Start['observationSpace']>().toEqualTypeOf<Space<Float32Array>>()
  expectTypeOf(train(short)).toEqualTypeOf<ReturnType<typeof train<Float32Array, number>>>()
})
