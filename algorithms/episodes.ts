import { Observable } from 'rxjs'
import { type ActContext, type Agent, type Decision, ObservationError } from '../agents/agent.js'
import type { EnvCore, Reset, Step, Timing } from '../envs/env.js'
import { show } from '../envs/env.js'
import { make } from '../envs/registry.js'
import { PCG64, SeedSequence } from '../envs/seeding.js'
import { Box } from '../envs/spaces/box.js'
import { Dict } from '../envs/spaces/dict.js'
import type { Space } from '../envs/spaces/space.js'
import type { EnvSpec } from '../envs/spec.js'
import { isPromise } from '../envs/wrappers/wrapper.js'
import type { Episode } from './episode.js'

/** An id or a spec for `make`, a function that makes one more, or one environment (only for `parallel: 1`, unless its
 *  spec tells how to make more). */
export type EnvSource<O, A> = string | EnvSpec | (() => EnvCore<O, A, Timing>) | EnvCore<O, A, Timing>

/** One agent for every seat, or one a seat. */
export type Agents<O, A> = Agent<O, A> | readonly Agent<O, A>[]

/** An episode that is about to start. */
export interface EpisodeStart {
  readonly index: number
  readonly group: number
  /** How many seats the environment has. */
  readonly seats: number
}

export interface EpisodesOptions<O = unknown, A = unknown> {
  readonly env: EnvSource<O, A>
  /** One for every seat, or one a seat; or who plays an episode, told when it starts. */
  readonly agents: Agents<O, A> | ((start: EpisodeStart) => Agents<O, A>)
  /** Decides every start and every draw; an integer from 0. */
  readonly seed: number
  /** Episodes side by side that share one start. Default 1. */
  readonly group?: number
  /** Environments that run side by side, with one `act` call for all of them. Changes no episode. Default 1. */
  readonly parallel?: number
  /** The index of the first episode. Default 0. */
  readonly from?: number
  /** How many episodes. Default: no end. */
  readonly count?: number
  /** Take the likeliest action instead of drawing one. Default false. */
  readonly greedy?: boolean
  /** Back-pressure: each number lets that many more episodes start; none starts before, and none after it completes.
   *  Without it they all may. */
  readonly demand?: Observable<number>
}

/** Something went wrong in an episode: what, and where. `cause` is the original error. */
export class EpisodeError extends Error {
  override readonly name = 'EpisodeError'
  readonly episode: number
  readonly seed: number
  /** Steps taken before it. */
  readonly step: number

  constructor(episode: number, seed: number, step: number, cause: unknown) {
    super(`episode ${episode} (seed ${seed}), step ${step}: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    })
    this.episode = episode
    this.seed = seed
    this.step = step
  }
}

/** One environment at work on one episode. */
interface Lane<O, A> {
  /** Its place among the environments, from 0. */
  readonly place: number
  readonly env: EnvCore<O, A, Timing>
  /** The episode's own stream for what its agents draw. */
  readonly generator: PCG64
  /** Its episode has not ended. */
  active: boolean
  index: number
  seed: number
  seat: number
  /** By seat: where its decisions are made. Lanes with the same agents share the list. */
  batches: readonly Batch<O, A>[]
  observation: O
  observations: O[]
  decisions: Decision<A>[]
  /** Left empty where there is one seat. */
  seats: number[]
  rewards: number[][]
}

/** One agent's part of a tick: the lanes it decides for. The arrays are used again at every tick. */
interface Batch<O, A> {
  readonly agent: Agent<O, A>
  /** How many lanes; the columns are cut to it only when they are longer, since setting a length costs a step's time. */
  size: number
  readonly lanes: Lane<O, A>[]
  readonly observations: O[]
  readonly context: { greedy: boolean; generators: PCG64[]; seats: number[]; episodes: number[] } & ActContext
}

/** How long promises that wait for nothing may keep the event loop to themselves, in ms. */
const TURN = 30
const STARTS = 0
const DRAWS = 1

/**
 * The one loop: plays `agents` in `env` and emits each episode when it has ended, in order of their index.
 *
 * An episode depends on `seed`, its index and the agents alone: its start on the index of its group, its draws on its
 * own. How many run in parallel, and who subscribes when, changes nothing. Synchronous environments with synchronous
 * agents run in plain code inside `subscribe`; a promise from either makes the loop wait for it.
 *
 * Unsubscribing stops it before the next step. At the end, in every way, the environments are closed.
 * An exception, a reward or an observation that is not finite errors the stream with an {@link EpisodeError}, behind the
 * episodes that had ended, up to the first that had not.
 *
 * @example
 * episodes({ env: 'CartPole-v1', agents: randomAgent(new Discrete(2)), seed: 1, count: 10 })
 *   .subscribe((episode) => console.log(episode.length))
 *
 * @throws RangeError for a `seed`, `group`, `parallel`, `from` or `count` that is not a whole number
 */
export function episodes<O, A>(options: EpisodesOptions<O, A>): Observable<Episode<O, A>> {
  const { seed, group = 1, parallel = 1, from = 0, count = Number.POSITIVE_INFINITY, greedy = false, demand } = options
  episodeSeed(seed, STARTS, 0) // refuses a seed that is none
  for (const [name, value, least] of [
    ['group', group, 1],
    ['parallel', parallel, 1],
    ['from', from, 0],
    ['count', count, 0],
  ] as const) {
    const endless = name === 'count' && value === Number.POSITIVE_INFINITY
    if (!(Number.isSafeInteger(value) || endless) || value < least) {
      throw new RangeError(`${name}: ${value} is not a whole number from ${least}`)
    }
  }

  return new Observable<Episode<O, A>>((subscriber) => {
    let end = from + count
    const makeOne = source(options.env)
    /** By place, the smallest last. */
    const idle: Lane<O, A>[] = []
    const active: Lane<O, A>[] = []
    const envs: EnvCore<O, A, Timing>[] = []
    let batches: Batch<O, A>[] = []
    let seating: readonly Batch<O, A>[] | undefined
    /** Episodes that ended before one with a smaller index. */
    const ended = new Map<number, Episode<O, A>>()
    let nextToStart = from
    let nextToEmit = from
    let allowed = demand ? from : end
    let running = false
    let closed = false
    let turn = performance.now()
    let hasOnlyFinite: (observation: O) => boolean = () => true
    let startsOf = -1
    let startSeed = 0

    function newLane(): Lane<O, A> {
      const env = makeOne()
      envs.push(env)
      if (envs.length === 1) hasOnlyFinite = finiteness(env.observationSpace)
      return {
        place: envs.length - 1,
        env,
        generator: new PCG64(0),
        active: false,
        index: 0,
        seed: 0,
        seat: 0,
        batches: [],
        observation: undefined as O, // until the first reset
        observations: [],
        decisions: [],
        seats: [],
        rewards: [],
      }
    }

    /** By seat, the batches of the agents that play a lane's episode; seats with the same agent share one. */
    function seatsOf({ index, env }: Lane<O, A>): readonly Batch<O, A>[] {
      if (seating) return seating
      const { agents } = options
      const seats = env.seats ?? 1
      const changing = typeof agents === 'function'
      const playing = changing ? agents({ index, group: Math.floor(index / group), seats }) : agents
      // Agents that come and go, past selves say, leave no batch behind.
      batches = batches.filter((batch) => active.some((lane) => lane.active && lane.batches.includes(batch)))
      const seated = Array.from({ length: seats }, (_, place) => {
        const agent = isList(playing) ? playing[place] : playing
        if (!agent) throw new RangeError(`seat ${place} has no agent`)
        return batchOf(agent)
      })
      if (!changing) seating = seated
      return seated
    }

    function batchOf(agent: Agent<O, A>): Batch<O, A> {
      let batch = batches.find((each) => each.agent === agent)
      if (!batch) {
        const context = { greedy, generators: [], seats: [], episodes: [] }
        batch = { agent, size: 0, lanes: [], observations: [], context }
        batches.push(batch)
      }
      return batch
    }

    /** Resets a lane to the next episode; a promise where the environment gives one. */
    function start(lane: Lane<O, A>): void | Promise<void> {
      lane.active = true
      lane.index = nextToStart++
      const groupIndex = Math.floor(lane.index / group)
      if (groupIndex !== startsOf) {
        startsOf = groupIndex
        startSeed = episodeSeed(seed, STARTS, groupIndex)
      }
      lane.seed = startSeed
      lane.generator.reseed(episodeSeed(seed, DRAWS, lane.index))
      lane.observations = []
      lane.decisions = []
      lane.seats = []
      lane.rewards = Array.from({ length: lane.env.seats ?? 1 }, () => [])
      active.push(lane)
      return guard(lane, () => {
        lane.batches = seatsOf(lane)
        const order = { seed, index: groupIndex }
        const reset = lane.env.reset({ seed: lane.seed, order }) as Reset<O> | Promise<Reset<O>>
        return isPromise(reset) ? later(lane, reset, (r) => begin(lane, r)) : begin(lane, reset)
      })
    }

    /** Goes on with an answer when it has come. A failure stops the loop at once; the promise given back never rejects,
     *  so that one that is left behind by another's failure does no harm. */
    function later<T>(lane: Lane<O, A>, answer: Promise<T>, use: (value: T) => void | Promise<void>): Promise<void> {
      return answer.then((value) => (closed ? undefined : use(value))).catch((error) => stop(located(lane, error)))
    }

    function begin(lane: Lane<O, A>, reset: Reset<O>): void {
      checkFinite(reset.observation)
      lane.seat = reset.seat ?? 0
      lane.observation = reset.observation
      lane.observations.push(reset.observation)
    }

    function checkFinite(observation: O): void {
      if (!hasOnlyFinite(observation)) throw new Error(`observation ${show(observation)} is not finite`)
    }

    /** Every active lane decides and steps once; a promise where an agent or an environment gives one. */
    function tick(): void | Promise<void> {
      for (let b = 0; b < batches.length; b++) batches[b]!.size = 0
      for (let l = 0; l < active.length; l++) {
        const lane = active[l]!
        const batch = lane.batches[lane.seat]!
        const i = batch.size++
        batch.lanes[i] = lane
        batch.observations[i] = lane.observation
        batch.context.generators[i] = lane.generator
        batch.context.seats[i] = lane.seat
        batch.context.episodes[i] = lane.index
      }
      let waiting: Promise<void>[] | undefined
      for (let b = 0; b < batches.length; b++) {
        const answer = decideAndStep(batches[b]!)
        if (answer) {
          waiting ??= []
          waiting.push(answer)
        }
      }
      if (waiting) return Promise.all(waiting).then(() => {})
    }

    function decideAndStep(batch: Batch<O, A>): void | Promise<void> {
      const { size, lanes, observations, context } = batch
      if (size === 0) return
      if (lanes.length > size) {
        lanes.length = observations.length = size
        context.generators.length = context.seats.length = context.episodes.length = size
      }
      let decisions: readonly Decision<A>[] | Promise<readonly Decision<A>[]>
      try {
        decisions = batch.agent.act(observations, context)
      } catch (error) {
        throw located(concerned(lanes, error), error)
      }
      if (!isPromise(decisions)) return stepAll(lanes, decisions)
      const answer = decisions.catch((error) => {
        throw located(concerned(lanes, error), error)
      })
      return later(lanes[0]!, answer, (made) => stepAll(lanes, made))
    }

    function stepAll(lanes: readonly Lane<O, A>[], decisions: readonly Decision<A>[]): void | Promise<void> {
      if (decisions.length !== lanes.length) {
        const problem = `act gave ${decisions.length} decisions for ${lanes.length} observations`
        throw located(lanes[0]!, new RangeError(problem))
      }
      let waiting: Promise<void>[] | undefined
      for (let i = 0; i < lanes.length && !closed; i++) {
        const lane = lanes[i]!
        const decision = decisions[i]!
        try {
          const step = lane.env.step(decision.action) as Step<O> | Promise<Step<O>>
          if (isPromise(step)) {
            waiting ??= []
            waiting.push(later(lane, step, (s) => record(lane, decision, s)))
          } else record(lane, decision, step)
        } catch (error) {
          throw located(lane, error)
        }
      }
      if (waiting) return Promise.all(waiting).then(() => {})
    }

    function record(lane: Lane<O, A>, decision: Decision<A>, step: Step<O>): void {
      if (!Number.isFinite(step.reward)) throw new Error(`reward ${step.reward} is not finite`)
      checkFinite(step.observation)
      if (lane.rewards.length === 1) lane.rewards[0]!.push(step.reward)
      else {
        payEverySeat(lane, step)
        lane.seats.push(lane.seat)
        lane.seat = step.seat ?? 0
      }
      lane.decisions.push(decision)
      lane.observation = step.observation
      lane.observations.push(step.observation)
      if (step.terminated || step.truncated) finish(lane, step)
    }

    function finish(lane: Lane<O, A>, { terminated, truncated, info }: Step<O>): void {
      ended.set(lane.index, {
        index: lane.index,
        group: Math.floor(lane.index / group),
        seed: lane.seed,
        observations: lane.observations,
        decisions: lane.decisions,
        agents: lane.batches.map(({ agent }) => agent),
        seats: lane.rewards.length === 1 ? new Uint8Array(lane.decisions.length) : lane.seats,
        rewards: lane.rewards,
        length: lane.decisions.length,
        terminated,
        truncated,
        info,
      })
      lane.active = false
      // The next episode takes the first environment that is free: after a whole batch that does not depend on which
      // ended first, so that environments that remember (running means) meet the same episodes after a resumption.
      let at = idle.length
      while (at > 0 && idle[at - 1]!.place < lane.place) at--
      idle.splice(at, 0, lane)
    }

    /** Emits what has ended, in order, and takes its lanes out of the tick. */
    function emit(): void {
      if (idle.length > 0) {
        let kept = 0
        for (const lane of active) if (lane.active) active[kept++] = lane
        active.length = kept
      }
      for (let episode = ended.get(nextToEmit); episode && !closed; episode = ended.get(nextToEmit)) {
        ended.delete(nextToEmit++)
        subscriber.next(episode)
      }
    }

    /** The loop itself: in plain code as long as nothing gives a promise, then again when it has come. */
    function run(): void {
      if (running) return
      running = true
      try {
        while (!closed) {
          let waiting: Promise<void>[] | undefined
          while (nextToStart < Math.min(allowed, end) && active.length < parallel) {
            const started = start(idle.pop() ?? newLane())
            if (started) {
              waiting ??= []
              waiting.push(started)
            }
          }
          if (active.length === 0) break
          const ready = waiting ? Promise.all(waiting).then(() => (closed ? undefined : tick())) : tick()
          if (ready) {
            ready.then(() => {
              emit()
              running = false
              if (performance.now() - turn < TURN) return run()
              // Promises that are kept already would keep the event loop from everything else: from Ctrl-C, say.
              setImmediate(() => {
                turn = performance.now()
                run()
              })
            }, stop)
            return
          }
          emit()
        }
        running = false
        if (nextToEmit >= end && !closed) subscriber.complete()
      } catch (error) {
        stop(error)
      }
    }

    /** What ended before it is there to see: of those side by side with the one that failed, too. */
    function stop(error: unknown): void {
      if (!closed) emit()
      subscriber.error(error)
    }

    subscriber.add(() => {
      closed = true
      for (const env of envs) env.close?.()
    })
    const demands = demand?.subscribe({
      next: (more) => {
        allowed += more
        run()
      },
      error: stop,
      complete: () => {
        end = Math.min(end, allowed)
        run()
      },
    })
    subscriber.add(demands)
    run()
  })
}

/** The seed of one stream of one episode: 53 bits of a child of the run's sequence. */
export function episodeSeed(seed: number, stream: number, index: number): number {
  const words = new SeedSequence(seed, [stream, index]).generateState(2)
  return (words[0]! >>> 11) * 2 ** 32 + words[1]!
}

function payEverySeat<O, A>(lane: Lane<O, A>, { rewards }: Step<O>): void {
  const seats = lane.rewards.length
  if (rewards?.length !== seats) throw new Error(`rewards ${show(rewards)}: expected one for each of ${seats} seats`)
  for (let seat = 0; seat < seats; seat++) {
    if (!Number.isFinite(rewards[seat])) throw new Error(`reward ${rewards[seat]} of seat ${seat} is not finite`)
    lane.rewards[seat]!.push(rewards[seat]!)
  }
}

function guard<O, A, T>(lane: Lane<O, A>, body: () => T): T {
  try {
    return body()
  } catch (error) {
    throw located(lane, error)
  }
}

/** The lane whose observation an error is about; where it tells of none, the first. */
function concerned<O, A>(lanes: readonly Lane<O, A>[], error: unknown): Lane<O, A> {
  return (error instanceof ObservationError ? lanes[error.observation] : undefined) ?? lanes[0]!
}

function located<O, A>({ index, seed, decisions }: Lane<O, A>, error: unknown): EpisodeError {
  return error instanceof EpisodeError ? error : new EpisodeError(index, seed, decisions.length, error)
}

function isList<T>(value: T | readonly T[]): value is readonly T[] {
  return Array.isArray(value)
}

function source<O, A>(env: EnvSource<O, A>): () => EnvCore<O, A, Timing> {
  if (typeof env === 'function') return env
  // An id or a spec says nothing of its types to the compiler; the caller's agents do.
  if (typeof env === 'string' || !('step' in env)) return () => make(env) as unknown as EnvCore<O, A, Timing>
  let given: EnvCore<O, A, Timing> | undefined = env
  return () => {
    const first = given
    given = undefined
    if (first) return first
    if (!env.spec) throw new RangeError('one environment without a spec cannot run in parallel: give a function')
    return make(env.spec) as unknown as EnvCore<O, A, Timing>
  }
}

/** A check that an observation's floats are finite, made once for its space. */
function finiteness<O>(space: Space<O>): (observation: O) => boolean {
  if (space instanceof Box && space.dtype.startsWith('float')) {
    return (observation) => isFiniteArray(observation as unknown as ArrayLike<number>)
  }
  if (space instanceof Dict) {
    const checks = Object.entries(space.spaces).map(([key, inner]) => [key, finiteness(inner as Space)] as const)
    return (observation) => checks.every(([key, check]) => check((observation as Record<string, unknown>)[key]))
  }
  return () => true
}

function isFiniteArray(values: ArrayLike<number>): boolean {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return false
  return true
}
