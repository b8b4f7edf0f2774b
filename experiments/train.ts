import { setImmediate as nextTurn } from 'node:timers/promises'
import { lastValueFrom, Observable, Subject, toArray } from 'rxjs'
import type { Agent } from '../agents/agent.js'
import type { Policy } from '../agents/policy.js'
import type { Algorithm, Learner, LearnerState, Metrics } from '../algorithms/algorithm.js'
import { type Episode, episodeReturn, rewardParts } from '../algorithms/episode.js'
import { episodeSeed, episodes } from '../algorithms/episodes.js'
import { evaluate } from '../algorithms/evaluate.js'
import { imitationLoss } from '../algorithms/sft.js'
import type { Env, Timing } from '../envs/env.js'
import { specOf } from '../envs/registry.js'
import { PCG64, SeedSequence } from '../envs/seeding.js'
import { Conversation } from '../envs/spaces/conversation.js'
import type { Space } from '../envs/spaces/space.js'
import type { EnvSpec, Json } from '../envs/spec.js'
import { type TextEnv, textEnvOf, textOutcome } from '../envs/text/text-env.js'
import { scoreStatistics } from '../rewards/score-statistics.js'
import { assign } from '../tensors/adam.js'
import type { HostTensor } from '../tensors/safetensors.js'
import * as tf from '../tensors/tf.js'
import type { EndReason, TrainEvent, TrainState, WrittenSample } from './events.js'
import { evaluationEnv, Lanes } from './lanes.js'
import { Opponents, type OpponentsOptions, opponentsConfig } from './opponents.js'

/** What an agent is made from. */
export interface AgentStart<O = unknown, A = unknown> {
  readonly observationSpace: Space<O>
  readonly actionSpace: Space<A>
  /** Draws the first weights. */
  readonly generator: PCG64
}

/** When a run ends: at the first of these that is reached, between two updates. */
export interface Budget {
  readonly episodes?: number | undefined
  readonly steps?: number | undefined
  readonly updates?: number | undefined
  /** Times that every task of a text environment is played, once by each episode of a group; the last update is whole. */
  readonly epochs?: number | undefined
  /** Also end once the mean return of 100 episodes reaches the environment's `rewardThreshold`; not where a demonstrator
   *  plays them. */
  readonly solved?: boolean | undefined
}

/** Episodes that are played only to measure: before the first update, and after every so many. */
export interface EvaluationOptions<O, A> {
  readonly every: number
  readonly episodes: number
  /** Take the likeliest action (the default) instead of drawing one. */
  readonly greedy?: boolean
  /** Where it is measured, if not where it is trained: without shaped rewards, say. */
  readonly env?: EnvSpec | undefined
  /** The policy as it acts where it is measured: by another sampling, say. Itself unless given. */
  readonly acting?: ((policy: Policy<O, A>) => Agent<O, A>) | undefined
  /** Plays the other seats, and has a name. */
  readonly opponent?: { readonly name: string; readonly agent: Agent<O, A> } | undefined
  /** Plays what the loss of an algorithm that imitates is validated on, up to 64 episodes from the first starts of the
   *  evaluation. Default: the run's demonstrator, where no other `env` is measured. */
  readonly demonstrator?: Agent<O, A> | undefined
}

export interface TrainOptions<O, A> {
  readonly env: string | EnvSpec
  /** Makes the policy. */
  readonly agent: (start: AgentStart<O, A>) => Policy<O, A> | Promise<Policy<O, A>>
  readonly algorithm: Algorithm
  readonly budget: Budget
  /** Decides everything that is drawn: starts, actions, first weights. */
  readonly seed: number
  /** Environments side by side. Default 1. */
  readonly parallel?: number
  /** Updates from one `checkpoint` event to the next; there is always one at the end. Default: only that. */
  readonly checkpointEvery?: number
  /** Measures the policy now and then. */
  readonly evaluation?: EvaluationOptions<O, A> | undefined
  /** Plays the episodes that an algorithm learns from which imitates, as {@link sft} does; others need none. */
  readonly demonstrator?: Agent<O, A> | undefined
  /** Who plays the other seats; the policy itself unless given. */
  readonly opponents?: OpponentsOptions | undefined
  /** Aborting it ends the run after the update at hand, with a checkpoint and an `end` that says so. */
  readonly stop?: AbortSignal
  /** Go on from here; the rest of the options must be what they were. */
  readonly resume?: TrainState | undefined
}

/** How far a run is. */
interface Progress {
  update: number
  episodes: number
  steps: number
  /** The returns of the last 100 episodes, oldest first: those of the first seat that the policy played; where a demonstrator
   *  plays, of its first seat. */
  readonly returns: number[]
}

/** Episodes that the running mean return, and with it "solved", looks back on. */
const WINDOW = 100
/** Episodes that the loss of an algorithm that imitates is validated on, at most. */
const VALIDATION = 64
/** Completions that an evaluation keeps. */
const SAMPLES = 4
const INITIAL_WEIGHTS = 4
const EVALUATION = 3
/** How long the loop may keep the event loop to itself, in ms: what waits is Ctrl-C and the progress line. */
const TURN = 30

/**
 * Trains a policy, and tells what happens as it does: the loop samples a batch with the present parameters, the algorithm
 * makes one update, and so on until the budget is spent. Nothing is sampled ahead of an update.
 *
 * Cold: each subscription is a run of its own. Unsubscribing ends it before the next environment step. Two runs
 * with the same options on the same backend give the same events.
 *
 * An exception (an environment's, a loss that is NaN) errors the stream; a `checkpoint` event with the state before the
 * failing update comes first.
 *
 * @example
 * train({
 *   env: 'CartPole-v1',
 *   agent: (start) => mlpPolicy({ ...start, hidden: [64] }),
 *   algorithm: reinforce({ baseline: 'moving-average' }),
 *   budget: { episodes: 300 },
 *   seed: 1,
 * }).subscribe((event) => event.type === 'update' && console.log(event.update, event.meanReturn))
 */
export function train<O, A>(options: TrainOptions<O, A>): Observable<TrainEvent> {
  return new Observable<TrainEvent>((subscriber) => {
    run(options, (event) => subscriber.next(event), subscriber).then(
      () => subscriber.complete(),
      (error) => subscriber.error(error),
    )
  })
}

/** The stream that a run's first weights are drawn from: with it, its policy before the first update can be made again. */
export function initialGenerator(seed: number): PCG64 {
  return new PCG64(new SeedSequence(seed, [INITIAL_WEIGHTS]))
}

async function run<O, A>(
  options: TrainOptions<O, A>,
  emit: (event: TrainEvent) => void,
  subscriber: { readonly closed: boolean; add(teardown: () => void): void },
): Promise<void> {
  const { algorithm, seed, parallel = 1, checkpointEvery, evaluation, stop, resume } = options
  checkBudget(options.budget)
  if (options.budget.solved && algorithm.demonstrated) {
    throw new RangeError(
      `budget.solved: leave it out, ${algorithm.name} imitates, and the returns are its demonstrator's`,
    )
  }
  const spec = specOf(options.env)
  const lanes = new Lanes<O, A>(spec, (resume?.values.envs as Json[][] | undefined) ?? [])
  subscriber.add(() => lanes.close())
  const { observationSpace, actionSpace, seats = 1 } = lanes.first
  const opposing = options.opponents && opponentsConfig.parse(options.opponents)
  const needless = opposing ? 'opponents' : evaluation?.opponent && 'evaluation.opponent'
  if (needless && seats === 1) throw new RangeError(`${needless}: ${spec.id} has one seat`)
  const generator = initialGenerator(seed)
  const { demonstrator } = options
  if (Boolean(demonstrator) !== Boolean(algorithm.demonstrated)) {
    const which = demonstrator ? 'learns from what the policy tries, and takes no' : 'imitates, and needs a'
    throw new RangeError(`demonstrator: ${algorithm.name} ${which} demonstrator`)
  }
  if (demonstrator && opposing) throw new RangeError('opponents: a demonstrator plays every seat')
  if (evaluation?.demonstrator && !demonstrator) {
    throw new RangeError(`evaluation.demonstrator: ${algorithm.name} imitates nobody`)
  }
  const epoch = options.budget.epochs && (await epochOf(lanes.first, spec, algorithm.group))
  const budget = epoch ? inEpisodes(options.budget, epoch) : options.budget
  const policy = await options.agent({ observationSpace, actionSpace, generator })
  let learner: Learner<O, A>
  try {
    learner = algorithm.start(policy)
  } catch (error) {
    policy.close()
    throw error
  }
  const progress: Progress = {
    update: resume?.update ?? 0,
    episodes: resume?.episodes ?? 0,
    steps: resume?.steps ?? 0,
    returns: [...((resume?.values.returns as number[] | undefined) ?? [])],
  }
  const opponents = opposing && new Opponents(opposing, policy, actionSpace, seed)
  const state = (envs: readonly Json[]) => stateOf(policy, learner, progress, envs, opponents)
  const checkpoint = async () => emit({ type: 'checkpoint', state: await state(lanes.memory()) })

  const demand = new Subject<number>()
  let sampled: () => void = () => {}
  let failed: (error: unknown) => void = () => {}
  let batch: Episode<O, A>[] = []
  const sampling = episodes<O, A>({
    env: () => lanes.next(),
    agents: opponents ? (start) => opponents.seating(start) : (demonstrator ?? policy),
    seed,
    group: algorithm.group,
    parallel: Math.min(parallel, algorithm.batch),
    from: progress.episodes,
    demand,
  })

  try {
    if (resume) {
      await restore(policy as Policy, learner as Learner, resume)
      for (const [update, tensors] of poolOf(resume)) {
        const past = await options.agent({ observationSpace, actionSpace, generator: new PCG64(0) })
        try {
          await restorePolicy(past as Policy, { tensors: prefixed(tensors, POLICY) })
          opponents?.add(update, past.freeze(), tensors)
        } finally {
          past.close()
        }
      }
    }
    emit({
      type: 'start',
      env: spec.id,
      algorithm: algorithm.name,
      seed,
      backend: tf.getBackend(),
      parameters: Object.values(policy.parameters).reduce((sum, { size }) => sum + size, 0),
      update: progress.update,
      episodes: progress.episodes,
      steps: progress.steps,
      ...(epoch && { epoch }),
    })
    const samplingSubscription = sampling.subscribe({
      next: (episode) => {
        if (batch.push(episode) === algorithm.batch) sampled()
      },
      error: (error) => failed(error),
    })
    subscriber.add(() => {
      samplingSubscription.unsubscribe()
      sampled() // not whole, and not learned from: the run wakes up and frees what it holds
    })

    const measure = async () => {
      if (!evaluation) return
      const own = { seed, parallel, imitated: evaluation.demonstrator ?? (evaluation.env ? undefined : demonstrator) }
      emit(await evaluated(policy, spec, lanes.memory()[0], evaluation, progress, own))
    }
    if (!resume) await measure()
    let turn = performance.now()
    let reason: EndReason | undefined = ended(spec, budget, progress, stop)
    while (!reason && !subscriber.closed) {
      batch = []
      const envsBefore = lanes.memory()
      try {
        const whole = new Promise<void>((resolve, reject) => {
          sampled = resolve
          failed = reject
        })
        demand.next(algorithm.batch)
        await whole
        if (subscriber.closed) return
        const learned = await learner.update(batch).catch((error) => {
          throw new UpdateError(progress.update + 1, batch, error)
        })
        const metrics = { ...rewardMetrics(batch), ...learned, ...completionMetrics(batch) }
        const tokens = tokensOf(batch, learned)
        if (subscriber.closed) return
        // Only what an update has learned from is told and counted: a run goes on, or fails, between whole updates.
        for (const episode of batch) tell(episode, policy, opponents, progress, emit)
        progress.update++
        if (opponents?.joins(progress.update)) {
          opponents.add(progress.update, policy.freeze(), await parametersOf(policy))
        }
        const { update, episodes, steps, returns } = progress
        const counts = { update, episodes, steps, ...(tokens !== undefined && { tokens }) }
        emit({ type: 'update', ...counts, meanReturn: meanOf(returns), metrics })
      } catch (error) {
        emit({ type: 'checkpoint', state: await state(envsBefore) })
        throw error
      }
      if (subscriber.closed) return
      if (evaluation && progress.update % evaluation.every === 0) {
        try {
          await measure()
        } catch (error) {
          await checkpoint()
          throw error
        }
      }
      reason = ended(spec, budget, progress, stop)
      if (!reason && checkpointEvery && progress.update % checkpointEvery === 0) await checkpoint()
      if (performance.now() - turn > TURN) {
        await nextTurn()
        turn = performance.now()
        reason ??= ended(spec, budget, progress, stop)
      }
    }
    if (!reason) return
    await checkpoint()
    const { update, episodes: played, steps } = progress
    emit({ type: 'end', reason, update, episodes: played, steps })
  } finally {
    learner.close()
    opponents?.close()
    policy.close()
  }
}

/** Plays episodes of their own: the training's stream and statistics stay as they are. */
async function evaluated<O, A>(
  policy: Policy<O, A>,
  spec: EnvSpec,
  memory: readonly Json[] | undefined,
  { episodes: count, greedy = true, env = spec, acting, opponent }: EvaluationOptions<O, A>,
  { update, episodes, steps }: Progress,
  own: { readonly seed: number; readonly parallel: number; readonly imitated: Agent<O, A> | undefined },
): Promise<TrainEvent> {
  const starts = {
    env: () => evaluationEnv<O, A>(env, memory),
    seed: episodeSeed(own.seed, EVALUATION, 0),
    parallel: own.parallel,
  }
  const agent = acting?.(policy) ?? policy
  const written: WrittenSample[] = []
  const { mean, iqm, interval, outcomes, correct, parts } = await evaluate({
    ...starts,
    agent,
    opponent: opponent?.agent,
    episodes: count,
    greedy,
    onEpisode: (episode) => {
      const sample = written.length < SAMPLES ? sampleOf(episode, agent) : undefined
      if (sample) written.push(sample)
    },
  })
  const loss = own.imitated && (await validationLoss(policy, own.imitated, { ...starts, count }))
  return {
    ...{ type: 'evaluation', update, episodes, steps, mean, iqm, interval },
    ...(opponent && outcomes && { opponent: opponent.name, outcomes }),
    ...(correct && { correct: correct.mean }),
    ...(parts && { parts: Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, part.mean])) }),
    ...(loss !== undefined && { validationLoss: loss }),
    ...(written.length > 0 && { written }),
  }
}

/** What an agent wrote first in an episode; nothing where it does not write. */
function sampleOf<O, A>(episode: Episode<O, A>, agent: Agent<O, A>): WrittenSample | undefined {
  const { observations, decisions, agents, seats, info } = episode
  const [prompt, first] = [observations[0], decisions[0]?.action]
  if (agents[seats[0]!] !== agent || !new Conversation().contains(prompt) || typeof first !== 'string') return undefined
  const outcome = textOutcome(info)
  if (!outcome) return { prompt, completion: first, reward: episodeReturn(episode, seats[0]) }
  const { completion, reward, correct } = outcome
  return { prompt, completion, reward, correct }
}

/** The mean of −log π over the choices of a demonstrator's episodes. */
async function validationLoss<O, A>(
  policy: Policy<O, A>,
  agents: Agent<O, A>,
  { count, ...starts }: { env: () => Env<O, A, Timing>; seed: number; parallel: number; count: number },
): Promise<number> {
  let total = 0
  let choices = 0
  // A few at a time: observations can be large.
  const most = Math.min(count, VALIDATION)
  for (let from = 0; from < most; from += 8) {
    const played = episodes({ ...starts, agents, from, count: Math.min(8, most - from) })
    const batch = await lastValueFrom(played.pipe(toArray()))
    const loss = await imitationLoss(policy, batch).catch((error) => {
      const message = error instanceof Error ? error.message : error
      throw new Error(`validation, from episodes ${from} to ${from + batch.length - 1}: ${message}`, { cause: error })
    })
    total += loss.sum
    choices += loss.choices
  }
  return total / choices
}

function checkBudget({ episodes, steps, updates, epochs }: Budget): void {
  const given = [episodes, steps, updates, epochs].filter((limit) => limit !== undefined)
  if (given.length === 0 || !given.every((limit) => limit > 0)) {
    throw new RangeError('budget: give episodes, steps, updates or epochs, as a number above 0')
  }
}

/** How many episodes play every task of an environment once, in each episode of a group. */
async function epochOf(env: Env<unknown, unknown, Timing>, { id }: EnvSpec, group: number): Promise<number> {
  let tasks: TextEnv<unknown>
  try {
    tasks = textEnvOf(env)
  } catch (cause) {
    throw new RangeError(`budget.epochs: ${id} has no tasks to go through: give episodes, steps or updates`, { cause })
  }
  return (await tasks.tasks()).length * group
}

function inEpisodes({ epochs = Infinity, episodes = Infinity, ...rest }: Budget, epoch: number): Budget {
  return { ...rest, episodes: Math.min(episodes, Math.ceil(epochs * epoch)) }
}

/** Counts an episode in and tells of it. */
function tell<O, A>(
  episode: Episode<O, A>,
  policy: Policy<O, A>,
  opponents: Opponents<O, A> | undefined,
  progress: Progress,
  emit: (event: TrainEvent) => void,
): void {
  const { index, seed, length, terminated, truncated, decisions, agents } = episode
  progress.episodes++
  progress.steps += length
  progress.returns.push(episodeReturn(episode, Math.max(0, agents.indexOf(policy))))
  if (progress.returns.length > WINDOW) progress.returns.shift()
  emit({
    type: 'episode',
    index,
    seed,
    returns: episode.rewards.map((_, seat) => episodeReturn(episode, seat)),
    length,
    terminated,
    truncated,
    steps: progress.steps,
    ...(opponents && { players: agents.map((agent) => opponents.nameOf(agent)) }),
    ...(typeof decisions[0]?.action === 'number' && { actions: decisions.map(({ action }) => action as number) }),
  })
}

/** The mean and spread of the rewards and of each part of them, as TRL names them; nothing where the environment tells of no parts. */
function rewardMetrics(batch: readonly Episode[]): Metrics {
  const scores = batch.flatMap((episode) => {
    const parts = rewardParts(episode)
    return parts ? [{ total: episodeReturn(episode), parts }] : []
  })
  if (scores.length === 0) return {}
  const { total, parts } = scoreStatistics(scores)
  const columns = Object.entries(parts).flatMap(([name, { mean, spread }]) => [
    [`rewards/${name}/mean`, mean] as const,
    [`rewards/${name}/std`, spread] as const,
  ])
  return { reward: total.mean, reward_std: total.spread, ...Object.fromEntries(columns) }
}

/** How long completions are, in tokens, and the share that a limit cut, as TRL names them; nothing where nobody writes. */
function completionMetrics(batch: readonly Episode[]): Metrics {
  // A demonstrator's have no tokens.
  const written = batch.filter(
    ({ decisions: [first] }) => typeof first?.action === 'string' && first.choices.length > 0,
  )
  if (written.length === 0) return {}
  const lengths = written.map(({ decisions }) => decisions.reduce((sum, { choices }) => sum + choices.length, 0))
  const cut = written.filter(({ decisions }) => decisions.some(({ truncated }) => truncated))
  return {
    'completions/mean_length': meanOf(lengths),
    'completions/min_length': Math.min(...lengths),
    'completions/max_length': Math.max(...lengths),
    'completions/clipped_ratio': cut.length / written.length,
  }
}

/** Tokens of the completions that an update was made from: those drawn, or, of a demonstrator, those imitated. */
function tokensOf(batch: readonly Episode[], { choices }: Metrics): number | undefined {
  const all = batch.flatMap(({ decisions }) => decisions)
  if (typeof all[0]?.action !== 'string') return undefined
  return choices ?? all.reduce((sum, decision) => sum + decision.choices.length, 0)
}

function ended(spec: EnvSpec, budget: Budget, progress: Progress, stop?: AbortSignal): EndReason | undefined {
  const { update, episodes, steps, returns } = progress
  if (budget.solved && isSolved(spec, returns)) return 'solved'
  if (episodes >= (budget.episodes ?? Infinity)) return 'budget'
  if (steps >= (budget.steps ?? Infinity)) return 'budget'
  if (update >= (budget.updates ?? Infinity)) return 'budget'
  return stop?.aborted ? 'stopped' : undefined
}

function isSolved({ rewardThreshold = Infinity }: EnvSpec, returns: readonly number[]): boolean {
  return returns.length === WINDOW && meanOf(returns) >= rewardThreshold
}

function meanOf(returns: readonly number[]): number {
  return returns.reduce((sum, value) => sum + value, 0) / Math.max(1, returns.length)
}

const POLICY = 'policy/'
const LEARNER = 'learner/'
const POOL = 'pool/'

async function stateOf<O, A>(
  policy: Policy<O, A>,
  learner: Learner<O, A>,
  { update, episodes, steps, returns }: Progress,
  envs: readonly Json[],
  opponents: Opponents<O, A> | undefined,
): Promise<TrainState> {
  const learned = await learner.state()
  const tensors = {
    ...prefixed(await parametersOf(policy), POLICY),
    ...prefixed(learned.tensors, LEARNER),
    ...prefixed(opponents?.tensors() ?? {}, POOL),
  }
  const { origin } = policy
  const values = {
    returns: [...returns],
    learner: learned.values,
    ...(envs.length > 0 && { envs }),
    ...(origin && { origin }),
  }
  return { update, episodes, steps, tensors, values }
}

/** A policy's parameters as they are. */
async function parametersOf<O, A>({ parameters }: Policy<O, A>): Promise<Record<string, HostTensor>> {
  const tensors: Record<string, HostTensor> = {}
  for (const [name, variable] of Object.entries(parameters)) {
    tensors[name] = { shape: variable.shape, data: Float32Array.from((await variable.data()) as Float32Array) }
  }
  return tensors
}

/** The past selves of a checkpoint, oldest first: each one's update and parameters. */
function poolOf({ tensors }: TrainState): Map<number, Record<string, HostTensor>> {
  const pool = new Map<number, Record<string, HostTensor>>()
  for (const [name, tensor] of Object.entries(below(tensors, POOL))) {
    const slash = name.indexOf('/')
    const update = Number(name.slice(0, slash))
    const past = pool.get(update) ?? {}
    past[name.slice(slash + 1)] = tensor
    pool.set(update, past)
  }
  return new Map([...pool].sort(([a], [b]) => a - b))
}

function prefixed(tensors: Readonly<Record<string, HostTensor>>, prefix: string): Record<string, HostTensor> {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [prefix + name, tensor]))
}

/** The tensors whose names begin with a prefix, without it. */
function below(tensors: Readonly<Record<string, HostTensor>>, prefix: string): Record<string, HostTensor> {
  const own = Object.entries(tensors).filter(([name]) => name.startsWith(prefix))
  return Object.fromEntries(own.map(([name, tensor]) => [name.slice(prefix.length), tensor]))
}

/**
 * Puts a checkpoint's parameters into a policy.
 * @throws CheckpointMismatchError if they are of another network, or learned on top of another model
 */
export async function restorePolicy(
  policy: Policy,
  { tensors, values }: Pick<TrainState, 'tensors'> & Partial<Pick<TrainState, 'values'>>,
): Promise<void> {
  const origin = values?.origin
  if (origin !== undefined && origin !== policy.origin) {
    const wayOut = 'Put the files back, or name in config.yaml the revision of the hub that it was'
    throw new CheckpointMismatchError(`agent.model is not the one that the run began from. ${wayOut}`)
  }
  const saved = new Set(Object.keys(tensors).filter((name) => name.startsWith(POLICY)))
  for (const [name, variable] of Object.entries(policy.parameters)) {
    const tensor = tensors[POLICY + name]
    if (!tensor) throw new CheckpointMismatchError('the checkpoint does not have it', name)
    if (tensor.shape.join() !== variable.shape.join()) {
      throw new CheckpointMismatchError(`[${tensor.shape}] in the checkpoint, [${variable.shape}] here`, name)
    }
    saved.delete(POLICY + name)
  }
  for (const name of saved)
    throw new CheckpointMismatchError('the policy here does not have it', name.slice(POLICY.length))
  for (const [name, variable] of Object.entries(policy.parameters)) assign(variable, tensors[POLICY + name]!.data)
  await policy.refresh()
}

async function restore(policy: Policy, learner: Learner, state: TrainState): Promise<void> {
  await restorePolicy(policy, state)
  learner.restore({ tensors: below(state.tensors, LEARNER), values: state.values.learner as LearnerState['values'] })
}

/** An update that failed, a loss that is NaN say: which, from which episodes. `cause` is the original error. */
export class UpdateError extends Error {
  override readonly name = 'UpdateError'
  /** From 1. */
  readonly update: number
  /** The indices of the first and the last episode of its batch. */
  readonly episodes: readonly [number, number]

  constructor(update: number, batch: readonly Episode[], cause: unknown) {
    const [first, last] = [batch[0]!.index, batch.at(-1)!.index]
    const from = first === last ? `episode ${first}` : `episodes ${first} to ${last}`
    super(`update ${update}, from ${from}: ${cause instanceof Error ? cause.message : cause}`, { cause })
    this.update = update
    this.episodes = [first, last]
  }
}

/** A checkpoint of another network than the policy it should go into, or learned on top of another model. */
export class CheckpointMismatchError extends Error {
  override readonly name = 'CheckpointMismatchError'
  /** The parameter that differs; absent where it is the model beneath. */
  readonly tensor?: string

  constructor(difference: string, tensor?: string) {
    super(`checkpoint of another ${tensor === undefined ? 'model' : `network: ${tensor}`}: ${difference}`)
    if (tensor !== undefined) this.tensor = tensor
  }
}
