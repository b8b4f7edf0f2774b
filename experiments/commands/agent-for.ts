import { existsSync } from 'node:fs'
import type { Agent } from '../../agents/agent.js'
import { inWords } from '../../agents/in-words.js'
import type { MeasuredSampling } from '../../agents/llm/language-config.js'
import type { Env, Timing } from '../../envs/env.js'
import { didYouMean, type MakeOptions, make, registeredEnvs, specOf } from '../../envs/registry.js'
import { Conversation } from '../../envs/spaces/conversation.js'
import type { EnvSpec } from '../../envs/spec.js'
import { underTextView } from '../../envs/wrappers/text-view.js'
import type { BackendName } from '../../tensors/backend.js'
import { measuringSpecOf } from '../config.js'
import { UsageError } from '../errors.js'
import { evaluationEnv } from '../lanes.js'
import { loadPolicy } from '../run.js'
import { type BuiltInAgent, builtInAgent, noSuchAgent } from './built-in-agents.js'

/** An agent as the command line names it, and where it acts. */
export interface NamedAgent extends BuiltInAgent {
  /** The environment: the one asked for, or the agent's own, within the wrappers that it was trained in. */
  readonly spec: EnvSpec
  /** Makes one, for measuring: what wrappers gathered in training is there, and stays as it is. */
  readonly makeEnv: (render?: 'text' | 'svg') => Env<unknown, unknown, Timing>
}

/**
 * The agent of that name: where `env` is given one of {@link builtInAgent}; the newest checkpoint of a run folder; or
 * `RUN@UPDATE`, the one after that update.
 *
 * @param env        the environment it is to act in, where its own is not meant
 * @param optionsOf  what is laid over the options of that environment
 * @param words      whether it is to be told in words; the agent then plays a text view of it, and need not write
 * @param sampling   how a run's language model completes: what differs from how it is measured in training
 * @param backend    what a run's policy computes with; as it was trained unless given
 */
export async function agentFor(
  name: string,
  env?: string,
  optionsOf: (spec: EnvSpec) => MakeOptions = () => ({}),
  words = false,
  sampling: MeasuredSampling = {},
  backend?: BackendName,
): Promise<NamedAgent> {
  const withOptions = (spec: EnvSpec) => {
    const asked = specOf(spec, optionsOf(spec))
    return words ? specInWords(asked) : asked
  }
  if (env !== undefined) {
    const spec = withOptions(specOf(env))
    const makeEnv: NamedAgent['makeEnv'] = (render) => make(spec, render && { render })
    const builtIn = builtInAgent(name, made(spec))
    if (builtIn) {
      refuseSampling(name, sampling)
      return { ...builtIn, spec, makeEnv }
    }
    if (!isThere(name)) throw noSuchAgent(name)
  } else if (/-v\d+$/.test(name) && !isThere(name)) {
    throw noAgentNamed(name)
  }
  const { policy, path, config, update, memory } = await loadPolicy(name, sampling, backend)
  const own = measuringSpecOf(config)
  try {
    if (config.agent.type !== 'language') refuseSampling(name, sampling)
    if (env !== undefined && env !== own.id) refuseOtherSpaces(name, own, env, words)
  } catch (error) {
    policy.close()
    throw error
  }
  const spec = withOptions(env === undefined || env === own.id ? own : { ...specOf(env), wrappers: own.wrappers })
  const makeEnv: NamedAgent['makeEnv'] = (render) => evaluationEnv({ ...spec, ...(render && { render }) }, memory)
  const reads = made(own).observationSpace instanceof Conversation
  return {
    agent: !reads && underTextView(made(spec)) ? (inWords(policy) as Agent) : policy,
    title: [`${path} after update ${update}`, ...samplingTitle({ ...config.evaluation?.sampling, ...sampling })].join(
      ', ',
    ),
    spec,
    makeEnv,
  }
}

/** @throws UsageError if there is any: what no model draws cannot be drawn otherwise */
function refuseSampling(name: string, sampling: MeasuredSampling): void {
  if (Object.keys(sampling).length === 0) return
  throw new UsageError(`--sampling: ${name} is no run of a language model`)
}

/** `repetitionPenalty 1.1` */
function samplingTitle(sampling: MeasuredSampling): string[] {
  return Object.entries(sampling).map(([field, value]) => `${field} ${value}`)
}

/** The same environment told in words, if it is not in words already.
 *  @throws UsageError if it has none */
export function specInWords(spec: EnvSpec): EnvSpec {
  if (made(spec).observationSpace instanceof Conversation) return spec
  const told = { ...spec, wrappers: [...spec.wrappers, { name: 'TextView' }] }
  try {
    made(told)
  } catch (error) {
    throw error instanceof RangeError ? new UsageError(`--in-words: ${error.message}`, { cause: error }) : error
  }
  return told
}

/** One to look at, closed. */
function made(spec: EnvSpec): Env<unknown, unknown, Timing> {
  const env = make(spec)
  env.close()
  return env
}

/** An environment stands where an agent is expected. */
function noAgentNamed(id: string): UsageError {
  const known = registeredEnvs()
  return new UsageError(
    known.includes(id)
      ? `${id} is an environment, which needs --agent, such as --agent random.`
      : `${id}: no run there, and no environment is called so.${didYouMean(id, known)} ` +
          'One of your own is made known by --import FILE; an environment needs --agent.',
  )
}

/** Whether there is a run of that name, or something else that it might be. */
function isThere(name: string): boolean {
  return [name, name.replace(/@\d+$/, '')].some((path) => existsSync(path))
}

/**
 * The agent of that name, to play in an environment against others.
 * @throws UsageError if the environment has one seat, or it is a run's policy that sees it otherwise
 */
export async function opponentFor(name: string, spec: EnvSpec): Promise<BuiltInAgent> {
  const played = made(spec)
  if ((played.seats ?? 1) < 2) throw new UsageError(`${name} as an opponent: ${spec.id} has one seat`)
  const builtIn = builtInAgent(name, played)
  if (builtIn) return builtIn
  const { agent, title, spec: trained } = await agentFor(name, spec.id)
  const told = underTextView(played)
  const own = `${made(trained).observationSpace}`
  if (own === `${played.observationSpace}`) return { agent, title }
  const here = `${(told ?? played).observationSpace}`
  if (told && own === here) return { agent: inWords(agent) as Agent, title }
  agent.close?.()
  throw new UsageError(`${name} sees ${spec.id} otherwise: ${own}, not ${here}. Choose a run of the same observations.`)
}

/** @throws UsageError if what the agent was trained on is not what the environment shows and takes */
function refuseOtherSpaces(name: string, trained: EnvSpec, env: string, words: boolean): void {
  const [before, now] = [{ ...trained, wrappers: [] }, specOf(env)].map((spec) => {
    const { observationSpace, actionSpace } = made(spec)
    return { observationSpace, actionSpace }
  })
  if (JSON.stringify(before) === JSON.stringify(now)) return
  if (words && before?.observationSpace instanceof Conversation) return
  throw new UsageError(
    `${name} was trained on ${trained.id}, which shows ${before?.observationSpace} and takes ${before?.actionSpace}; ` +
      `${env} shows ${now?.observationSpace} and takes ${now?.actionSpace}. Name a run that was trained on ${env}, or random.`,
  )
}
