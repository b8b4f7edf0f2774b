import fc from 'fast-check'
import { concatMap, lastValueFrom, type Observable, of, Subject, take, tap, toArray } from 'rxjs'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { type Agent, type Decision, ObservationError } from '../../agents/agent.js'
import { randomAgent } from '../../agents/random-agent.js'
import { type Episode, episodeReturn, trajectories } from '../../algorithms/episode.js'
import { EpisodeError, type EpisodesOptions, episodes } from '../../algorithms/episodes.js'
import { type EnvCore, NO_INFO, type Reset, type ResetOptions, type Step, type Timing } from '../../envs/env.js'
import '../../envs/classic-control/cart-pole.js'
import { Box } from '../../envs/spaces/box.js'
import type { Message } from '../../envs/spaces/conversation.js'
import { Dict } from '../../envs/spaces/dict.js'
import { Discrete } from '../../envs/spaces/discrete.js'
import { textEnv } from '../../envs/text/text-env.js'
import { AsyncCorridor, Corridor } from '../envs/corridor.js'
import { TicTacToe } from '../envs/tic-tac-toe.js'

const random = randomAgent(new Discrete(2))

const all = <O, A>(options: EpisodesOptions<O, A>): Promise<Episode<O, A>[]> =>
  lastValueFrom(episodes(options).pipe(toArray()))

/** What was played, whoever played it. */
function withoutAgents<O, A>({ agents: _, ...record }: Episode<O, A>) {
  return record
}

/** An agent that decides as another does, later. */
function delayed<O, A>(agent: Agent<O, A>): Agent<O, A> {
  return {
    async act(observations, context) {
      const copies = [...observations]
      const kept = { ...context, generators: [...context.generators], seats: [...context.seats] }
      await new Promise((resolve) => setTimeout(resolve, 0))
      return agent.act(copies, kept)
    },
  }
}

/** Ends after `length` steps; tells what is done with it. */
class Watched implements EnvCore<number, number> {
  static open: Watched[] = []
  readonly observationSpace = new Discrete(1000)
  readonly actionSpace = new Discrete(2)
  readonly length: number
  resets = 0
  steps = 0
  closed = 0
  #t = 0

  constructor(length = 3) {
    this.length = length
    Watched.open.push(this)
  }

  reset(): Reset<number> {
    if (this.closed) throw new Error('reset after close')
    this.resets++
    this.#t = 0
    return { observation: 0, info: NO_INFO }
  }

  step(): Step<number> {
    if (this.closed) throw new Error('step after close')
    this.steps++
    this.#t++
    return { observation: this.#t, reward: 1, terminated: this.#t >= this.length, truncated: false, info: NO_INFO }
  }

  close(): void {
    this.closed++
  }
}

const watch = (length?: number) => {
  Watched.open = []
  return () => new Watched(length)
}
const total = (what: 'resets' | 'steps') => Watched.open.reduce((sum, env) => sum + env[what], 0)

describe('episodes: one seed decides everything', () => {
  const settings = fc.record({
    seed: fc.nat(2 ** 40),
    group: fc.integer({ min: 1, max: 4 }),
    parallel: fc.integer({ min: 1, max: 9 }),
    from: fc.nat(20),
  })

  it('how many run in parallel changes no episode, and they come in order', async () => {
    await fc.assert(
      fc.asyncProperty(settings, async ({ seed, group, parallel, from }) => {
        const common = { env: () => new Corridor(), agents: random, seed, group }
        const alone = await all({ ...common, count: from + 7 })
        const together = await all({ ...common, parallel, from, count: 7 })
        expect(together).toEqual(alone.slice(from))
        expect(together.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5, 6].map((i) => from + i))
      }),
      { numRuns: 40 },
    )
  })

  it('a group shares its start and not its draws; the next group starts elsewhere', async () => {
    const played = await all({ env: 'CartPole-v1', agents: random, seed: 5, group: 3, count: 9 })
    expect(played.map(({ group }) => group)).toEqual([0, 0, 0, 1, 1, 1, 2, 2, 2])
    for (const group of [0, 1, 2]) {
      const members = played.slice(3 * group, 3 * group + 3)
      expect(new Set(members.map(({ seed }) => seed)).size).toBe(1)
      expect(new Set(members.map(({ observations }) => String(observations[0]))).size).toBe(1)
      expect(new Set(members.map(({ decisions }) => decisions.map(({ action }) => action).join(''))).size).toBe(3)
    }
    expect(new Set(played.map(({ seed }) => seed)).size).toBe(3)
  })

  it('another seed gives other episodes', async () => {
    const [first] = await all({ env: 'CartPole-v1', agents: random, seed: 1, count: 1 })
    const [second] = await all({ env: 'CartPole-v1', agents: random, seed: 2, count: 1 })
    expect(first!.observations[0]).not.toEqual(second!.observations[0])
  })

  it('a second subscription gives the same again', async () => {
    const stream = episodes({ env: 'CartPole-v1', agents: random, seed: 1, count: 3 })
    expect(await lastValueFrom(stream.pipe(toArray()))).toEqual(await lastValueFrom(stream.pipe(toArray())))
  })

  it.each([
    ['environments', () => new AsyncCorridor(), random],
    ['agents', () => new Corridor(), delayed(random)],
    ['environments and agents', () => new AsyncCorridor(), delayed(random)],
  ] as const)('asynchronous %s give the episodes that synchronous ones give', async (_, env, agents) => {
    const common = { seed: 3, group: 2, count: 6 }
    const expected = await all({ ...common, env: () => new Corridor(), agents: random })
    for (const parallel of [1, 4]) {
      const make = env as () => EnvCore<Float32Array, number, Timing>
      const played = await all({ ...common, env: make, agents: agents as Agent<Float32Array, number>, parallel })
      expect(played.map(withoutAgents)).toEqual(expected.map(withoutAgents))
    }
  })

  it('an episode is whole: a row a step, and the final observation', async () => {
    for (const episode of await all({ env: 'CartPole-v1', agents: random, seed: 8, count: 5 })) {
      const { length, observations, decisions, rewards, seats } = episode
      expect(observations).toHaveLength(length + 1)
      expect(decisions).toHaveLength(length)
      expect(rewards).toEqual([new Array(length).fill(1)])
      expect(Array.from(seats)).toEqual(new Array(length).fill(0))
      expect(episode.terminated).toBe(true)
      expect(episodeReturn(episode)).toBe(length)
    }
  })
})

describe('episodes: seats', () => {
  const squares = randomAgent(new Discrete(9))

  it('take turns; each has its column of rewards, and the loser its last move charged', async () => {
    const played = await all({ env: () => new TicTacToe(), agents: squares, seed: 1, parallel: 3, count: 40 })
    let decided = 0
    for (const episode of played) {
      expect(Array.from(episode.seats)).toEqual(Array.from({ length: episode.length }, (_, t) => t % 2))
      expect(episode.rewards).toHaveLength(2)
      const [first, second] = trajectories(episode)
      expect(first!.decisions.length + second!.decisions.length).toBe(episode.length)
      expect(first!.observations[1]).toBe(episode.observations[2])
      if (episodeReturn(episode, 0) === 0) continue
      decided++
      expect(episodeReturn(episode, 0)).toBe(-episodeReturn(episode, 1))
      const loser = trajectories(episode).find(({ seat }) => episodeReturn(episode, seat) === -1)!
      expect(loser.rewards.at(-1)).toBe(-1)
      expect(episode.seats[episode.length - 1]).not.toBe(loser.seat)
    }
    expect(decided).toBeGreaterThan(20)
  })

  it('each has its own agent, asked once a tick for all its lanes', async () => {
    const asked: number[][] = [[], []]
    const agentOf = (seat: number): Agent<unknown, number> => ({
      act(observations, context) {
        expect(context.seats).toEqual(observations.map(() => seat))
        asked[seat]!.push(observations.length)
        return squares.act(observations, context) as Decision<number>[]
      },
    })
    const played = await all({
      env: () => new TicTacToe(),
      agents: [agentOf(0), agentOf(1)],
      seed: 1,
      parallel: 4,
      count: 4,
    })
    expect(asked[0]![0]).toBe(4)
    expect(asked[1]![0]).toBe(4)
    const alone = await all({ env: () => new TicTacToe(), agents: squares, seed: 1, count: 4 })
    expect(played.map(withoutAgents)).toEqual(alone.map(withoutAgents))
  })

  it('may be taken by other agents in each episode; who played is in the record', async () => {
    const others = [0, 1, 2].map((): Agent<unknown, number> => ({ act: (...of) => squares.act(...of) }))
    const played = await all({
      env: () => new TicTacToe(),
      agents: ({ index, group, seats }) => {
        expect([group, seats]).toEqual([Math.floor(index / 2), 2])
        return index % 2 === 0 ? [squares, others[index % 3]!] : [others[index % 3]!, squares]
      },
      seed: 1,
      group: 2,
      parallel: 3,
      count: 12,
    })
    for (const { index, agents } of played) {
      expect(agents[index % 2]).toBe(squares)
      expect(agents[1 - (index % 2)]).toBe(others[index % 3])
    }
    const alone = await all({ env: () => new TicTacToe(), agents: squares, seed: 1, group: 2, count: 12 })
    expect(played.map(withoutAgents)).toEqual(alone.map(withoutAgents))
  })

  it('without an agent are an error', async () => {
    await expect(all({ env: () => new TicTacToe(), agents: [squares], seed: 1, count: 1 })).rejects.toThrow(
      'seat 1 has no agent',
    )
  })
})

describe('episodes: the stream', () => {
  const agents = randomAgent(new Discrete(2))

  it('stops before the next step when nobody listens any more, and closes every environment', () => {
    episodes({ env: watch(), agents, seed: 0, parallel: 2 }).pipe(take(3)).subscribe()
    // Two lanes of 3 steps, then two more episodes, of which only the first was taken.
    expect(total('steps')).toBe(12)
    expect(Watched.open.map(({ closed }) => closed)).toEqual([1, 1])
  })

  it('so it does with an asynchronous agent, in the middle of an episode', async () => {
    const subscription = episodes({ env: watch(1e9), agents: delayed(agents), seed: 0, parallel: 2 }).subscribe()
    await new Promise((resolve) => setTimeout(resolve, 20))
    subscription.unsubscribe()
    const steps = total('steps')
    expect(steps).toBeGreaterThan(0)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(total('steps')).toBe(steps)
    expect(Watched.open.map(({ closed }) => closed)).toEqual([1, 1])
  })

  it('closes its environments at its end', async () => {
    await all({ env: watch(), agents, seed: 0, parallel: 2, count: 5 })
    expect(Watched.open.map(({ closed }) => closed)).toEqual([1, 1])
  })

  it('of no episodes ends at once and makes no environment', async () => {
    expect(await all({ env: watch(), agents, seed: 0, count: 0 })).toEqual([])
    expect(Watched.open).toEqual([])
  })

  it('starts nothing before it is asked for, and no more than that', () => {
    const demand = new Subject<number>()
    const seen: number[] = []
    const subscription = episodes({ env: watch(), agents, seed: 0, parallel: 4, demand }).subscribe((e) =>
      seen.push(e.index),
    )
    expect(Watched.open).toEqual([])
    demand.next(2)
    expect(seen).toEqual([0, 1])
    expect(total('resets')).toBe(2)
    demand.next(1)
    expect(seen).toEqual([0, 1, 2])
    subscription.unsubscribe()
    demand.next(1)
    expect(total('resets')).toBe(3)
  })

  it('does not run ahead of a slow consumer that asks when it is ready', async () => {
    const demand = new Subject<number>()
    let consumed = 0
    const consuming = lastValueFrom(
      episodes({ env: watch(), agents, seed: 0, count: 5, demand }).pipe(
        concatMap(async (episode) => {
          await new Promise((resolve) => setTimeout(resolve, 2))
          expect(total('resets')).toBe(episode.index + 1)
          consumed++
          demand.next(1)
        }),
      ),
    )
    demand.next(1)
    await consuming
    expect(consumed).toBe(5)
  })

  it('may be asked for more from within, in a stack that does not grow', () => {
    const demand = new Subject<number>()
    let seen = 0
    episodes({ env: watch(1), agents, seed: 0, count: 20_000, demand }).subscribe(() => {
      seen++
      demand.next(1)
    })
    demand.next(1)
    expect(seen).toBe(20_000)
  })

  it('ends with a demand that ends, after what was asked for', async () => {
    expect(await all({ env: watch(), agents, seed: 0, demand: of(2, 1) })).toHaveLength(3)
    expect(Watched.open.map(({ closed }) => closed)).toEqual([1])
  })

  it('stops for a demand that was all there from the start', () => {
    const seen: number[] = []
    episodes({ env: watch(), agents, seed: 0, demand: of(1e9) })
      .pipe(take(2))
      .subscribe((episode) => seen.push(episode.index))
    expect(seen).toEqual([0, 1])
    expect(total('resets')).toBe(2)
    expect(Watched.open.map(({ closed }) => closed)).toEqual([1])
  })

  it('plays 200,000 tiny episodes without overflowing the stack', () => {
    let seen = 0
    episodes({ env: watch(1), agents, seed: 0, count: 200_000 }).subscribe(() => seen++)
    expect(seen).toBe(200_000)
  })
})

type Fault = Partial<{
  reset: unknown
  step: unknown
  reward: number
  rewards: readonly number[]
  observation: Float32Array
}>

/** Goes wrong at one step (steps taken before it) of every episode; -1 is the reset. */
class Faulty implements EnvCore<unknown, number> {
  readonly observationSpace: EnvCore<unknown, number>['observationSpace']
  readonly actionSpace = new Discrete(2)
  readonly seats: number
  readonly #at: number
  readonly #fault: Fault
  #t = 0
  static open: Faulty[] = []
  closed = false

  constructor(at: number, fault: Fault, { seats = 1, dict = false } = {}) {
    this.#at = at
    this.#fault = fault
    this.seats = seats
    const box = new Box({ low: -Infinity, high: Infinity, shape: [2] })
    this.observationSpace = (dict ? new Dict({ board: box }) : box) as EnvCore<unknown, number>['observationSpace']
    Faulty.open.push(this)
  }

  #observe(now: boolean): unknown {
    const row = (now && this.#fault.observation) || new Float32Array(2)
    return this.observationSpace instanceof Dict ? { board: row } : row
  }

  reset(_: ResetOptions = {}): Reset<unknown> {
    this.#t = 0
    const now = this.#at === -1
    if (now && this.#fault.reset) throw this.#fault.reset
    return { observation: this.#observe(now), info: NO_INFO }
  }

  step(): Step<unknown> {
    const now = this.#t++ === this.#at
    if (now && this.#fault.step) throw this.#fault.step
    const rewards = now ? this.#fault.rewards : [0, 0]
    return {
      observation: this.#observe(now),
      reward: (now ? this.#fault.reward : 0) ?? 0,
      terminated: this.#t === 10,
      truncated: false,
      info: NO_INFO,
      ...(this.seats > 1 && rewards && { rewards }),
      seat: this.seats > 1 ? this.#t % 2 : 0,
    }
  }

  close(): void {
    this.closed = true
  }
}

async function errorOf(stream: Observable<unknown>): Promise<EpisodeError> {
  const error = await lastValueFrom(stream).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(EpisodeError)
  return error as EpisodeError
}

describe('episodes: what goes wrong is told with its episode, seed and step', () => {
  const boom = new Error('boom')
  const nan = Float32Array.of(0, Number.NaN)
  const faults: [string, () => EnvCore<unknown, number>, number, string][] = [
    ['an exception in reset', () => new Faulty(-1, { reset: boom }), 0, 'boom'],
    ['an exception in step', () => new Faulty(4, { step: boom }), 4, 'boom'],
    ['a thrown string', () => new Faulty(4, { step: 'plain' }), 4, 'plain'],
    ['a reward of NaN', () => new Faulty(4, { reward: Number.NaN }), 4, 'reward NaN is not finite'],
    ['an infinite reward', () => new Faulty(4, { reward: -Infinity }), 4, 'reward -Infinity is not finite'],
    ['an observation of NaN', () => new Faulty(4, { observation: nan }), 4, 'is not finite'],
    ['a first observation of NaN', () => new Faulty(-1, { observation: nan }), 0, 'is not finite'],
    ['NaN inside a Dict', () => new Faulty(4, { observation: nan }, { dict: true }), 4, 'is not finite'],
    ['a seat without a reward', () => new Faulty(4, { rewards: [1] }, { seats: 2 }), 4, 'one for each of 2 seats'],
    ['no rewards for two seats', () => new Faulty(4, {}, { seats: 2 }), 4, 'one for each of 2 seats'],
    ['NaN for one seat', () => new Faulty(4, { rewards: [1, Number.NaN] }, { seats: 2 }), 4, 'of seat 1 is not finite'],
  ]

  it.each(faults)('%s', async (_, env, step, message) => {
    Faulty.open = []
    const error = await errorOf(episodes({ env, agents: random as Agent<unknown, number>, seed: 3, from: 7, count: 9 }))
    expect(error.message).toContain(`episode 7 (seed ${error.seed}), step ${step}: `)
    expect(error.message).toContain(message)
    expect([error.episode, error.step]).toEqual([7, step])
    expect(Faulty.open.every(({ closed }) => closed)).toBe(true)
  })

  it.each([false, true])('an agent that cannot decide about one of them (by a promise: %s)', async (later) => {
    const picky: Agent<unknown, number> = {
      act(observations, context) {
        const third = context.episodes.indexOf(2)
        if (third >= 0 && context.seats.length === 3) throw new ObservationError(third, 'not this one')
        return random.act(observations as readonly never[], context)
      },
    }
    const agents = later ? delayed(picky) : picky
    const error = await errorOf(episodes({ env: () => new Corridor(), agents, seed: 3, parallel: 3, count: 9 }))
    expect([error.episode, error.step]).toEqual([2, 0])
    expect(error.message).toMatch(/^episode 2 \(seed \d+\), step 0: not this one$/)
  })

  it('an exception that came by a promise', async () => {
    const env = () => {
      const faulty = new Faulty(2, { step: boom })
      return {
        observationSpace: faulty.observationSpace,
        actionSpace: faulty.actionSpace,
        reset: async () => faulty.reset(),
        step: async () => faulty.step(),
      } satisfies EnvCore<unknown, number, 'async'>
    }
    const error = await errorOf(
      episodes({ env, agents: random as Agent<unknown, number>, seed: 3, parallel: 3, count: 9 }),
    )
    expect([error.episode, error.step, error.cause]).toEqual([0, 2, boom])
  })

  it.each([
    [
      'an agent that throws',
      () => {
        throw boom
      },
      'boom',
    ],
    ['an agent that rejects', () => Promise.reject(boom), 'boom'],
    ['too few decisions', () => [], 'act gave 0 decisions for 1 observations'],
    ['too few decisions, by a promise', async () => [], 'act gave 0 decisions for 1 observations'],
  ] as const)('%s', async (_, act, message) => {
    const error = await errorOf(
      episodes({ env: () => new Corridor(), agents: { act } as Agent<Float32Array, number>, seed: 3 }),
    )
    expect(error.message).toContain(message)
    expect([error.episode, error.step]).toEqual([0, 0])
  })

  it('an action that the environment refuses', async () => {
    const agents: Agent<Float32Array, number> = {
      act: (observations) => observations.map(() => ({ action: 9, choices: [], logProbs: [] })),
    }
    expect((await errorOf(episodes({ env: 'CartPole-v1', agents, seed: 3, count: 9 }))).message).toContain(
      'action 9 is not in',
    )
  })

  it('a mask that allows nothing', async () => {
    const env = (): EnvCore<{ actionMask: Uint8Array }, number> => ({
      observationSpace: new Dict({ actionMask: new Box({ low: 0, high: 1, shape: [2], dtype: 'uint8' }) }) as never,
      actionSpace: new Discrete(2),
      reset: () => ({ observation: { actionMask: new Uint8Array(2) }, info: NO_INFO }),
      step: () => {
        throw boom
      },
    })
    expect((await errorOf(episodes({ env, agents: random, seed: 3, count: 9 }))).message).toContain(
      'the action mask allows nothing',
    )
  })

  it('and what ended side by side before it is there, up to the first that did not', async () => {
    const failing = (bad: number): Agent<readonly Message[], string> => ({
      act: (seen, { episodes }) =>
        seen.map((_, i) => ({ action: episodes[i] === bad ? 'bad' : 'good', choices: [], logProbs: [] })),
    })
    const env = () =>
      textEnv({
        tasks: ['?'],
        prompt: () => [{ role: 'user', content: '?' }],
        reward: (completion) => (completion === 'bad' ? Number.NaN : 1),
      })
    for (const [bad, expected] of [
      [0, []],
      [2, [0, 1]],
      [6, [0, 1, 2, 3, 4, 5]],
    ] as const) {
      const seen: number[] = []
      const played = episodes({ env, agents: failing(bad), seed: 1, parallel: 4, count: 8 })
      const error = await errorOf(played.pipe(tap(({ index }) => seen.push(index))))
      expect(error.episode).toBe(bad)
      expect(seen).toEqual(expected)
    }
  })

  it('one lane failing while another still waits leaves no rejection unhandled', async () => {
    const unhandled: unknown[] = []
    const note = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', note)
    let made = 0
    const env = (): EnvCore<number, number, Timing> => {
      const late = made++ === 0
      return {
        observationSpace: new Discrete(2),
        actionSpace: new Discrete(2),
        reset: () => ({ observation: 0, info: NO_INFO }),
        step: () => {
          if (!late) throw boom
          return new Promise((_, reject) => setTimeout(() => reject(new Error('later')), 5))
        },
      }
    }
    const error = await errorOf(episodes({ env, agents: random, seed: 3, parallel: 2 }))
    expect(error.episode).toBe(1)
    await new Promise((resolve) => setTimeout(resolve, 20))
    process.off('unhandledRejection', note)
    expect(unhandled).toEqual([])
  })

  it('promises that are kept at once leave the event loop its turns', async () => {
    const work = 20
    const env = (): EnvCore<number, number, 'async'> => ({
      observationSpace: new Discrete(2),
      actionSpace: new Discrete(2),
      reset: async () => ({ observation: 0, info: NO_INFO }),
      async step() {
        const began = performance.now()
        while (performance.now() - began < work);
        return { observation: 0, reward: 0, terminated: true, truncated: false, info: NO_INFO }
      },
    })
    let turns = 0
    let ended = false
    const turn = () => {
      turns++
      if (!ended) setImmediate(turn)
    }
    setImmediate(turn)
    await all({ env, agents: random, seed: 0, count: 10 })
    ended = true
    expect(turns).toBeGreaterThan(1)
  })

  it('one environment without a spec cannot be two', async () => {
    await expect(all({ env: new Corridor(), agents: random, seed: 0, parallel: 2, count: 2 })).rejects.toThrow(
      'give a function',
    )
  })

  it.each([
    ['group', 0],
    ['group', 1.5],
    ['parallel', 0],
    ['parallel', Number.POSITIVE_INFINITY],
    ['from', -1],
    ['count', Number.NaN],
    ['count', -1],
    ['seed', -1],
    ['seed', 0.5],
  ])('%s: %s is refused at once', (name, value) => {
    expect(() => episodes({ env: 'CartPole-v1', agents: random, seed: 0, [name]: value })).toThrow(RangeError)
  })
})

it('the type of an episode is that of its environment and agent', () => {
  const stream = episodes({ env: () => new TicTacToe(), agents: randomAgent(new Discrete(9)), seed: 0 })
  expectTypeOf(stream).toExtend<Observable<Episode<unknown, number>>>()
  const named = episodes<Float32Array, number>({ env: 'CartPole-v1', agents: random, seed: 0 })
  expectTypeOf(named).toEqualTypeOf<Observable<Episode<Float32Array, number>>>()
  expectTypeOf<Episode<Float32Array, number>['decisions'][number]['action']>().toEqualTypeOf<number>()
})
