import { didYouMean, nearest, refuseUnknownOptions } from './did-you-mean.js'
import { type Env, type EnvCore, show, type Timing } from './env.js'
import type { EnvSpec, Json, WrapperSpec } from './spec.js'
import type { Autoreset, VectorEnv } from './vector/vector-env.js'
import { OrderEnforcing } from './wrappers/order-enforcing.js'
import { TimeLimit } from './wrappers/time-limit.js'

/**
 * What `make` returns, by id. An environment of your own joins by declaration merging:
 * ```ts
 * declare module 'rxgym' {
 *   interface EnvTypes { 'Corridor-v0': Env<number, number> }
 * }
 * ```
 */
// biome-ignore lint/suspicious/noEmptyInterface: each environment adds its own line beside its class
export interface EnvTypes {}

export { didYouMean }

type AnyEnv = Env<unknown, unknown, Timing>
type AnyCore = EnvCore<unknown, unknown, Timing>

/** What `register` takes. */
export interface EnvDefinition {
  /** `[namespace/]Name-vN`. Registering it again replaces it. */
  readonly id: string
  /** Makes one. `options` are what `make` was given, its own fields removed; `render` stays. A function without a parameter
   *  takes no options, and `make` then refuses them. */
  // biome-ignore lint/suspicious/noExplicitAny: an environment names its own options, observations and actions
  readonly create: (options: any) => EnvCore<any, any, Timing>
  /** Makes n in one, for `makeVec`: a batch that gives the same bits as n separate ones, time limit and all. */
  readonly createVector?: (
    n: number,
    // biome-ignore lint/suspicious/noExplicitAny: an environment names its own options
    options: any,
    vector: { readonly autoreset: Autoreset; readonly spec: EnvSpec },
    // biome-ignore lint/suspicious/noExplicitAny: an environment names its own observations and actions
  ) => VectorEnv<any, any, Timing>
  /** Steps after which an episode is truncated; none unless given. */
  readonly maxEpisodeSteps?: number
  /** The mean return over 100 episodes from which the task counts as solved. */
  readonly rewardThreshold?: number
  /** The mean return that a comparison across environments counts as 1. Of a text environment it is the highest reward, unless
   *  given. */
  readonly reference?: (spec: EnvSpec) => ReferenceScore
  /** What the option `split` can be beside these options, where tasks are kept apart: measuring takes `test` unless told
   *  otherwise. */
  // biome-ignore lint/suspicious/noExplicitAny: an environment names its own options
  readonly splits?: (options: any) => readonly string[]
  /** Properties of its class that can be read on what `make` returns, through every wrapper: a chess game's `fen`. */
  readonly expose?: readonly string[]
}

/** A mean return to measure others by. */
export interface ReferenceScore {
  readonly score: number
  /** What scores so: `every game won`. */
  readonly what: string
}

/** What `registerWrapper` takes. */
export interface WrapperDefinition {
  readonly name: string
  // biome-ignore lint/suspicious/noExplicitAny: a wrapper names its own observations and actions
  readonly create: (env: EnvCore<any, any>, options: any) => Env<any, any, Timing>
}

/** What `make` takes beside the id: these fields, and any option of the environment's own. */
export interface MakeOptions {
  /** Replaces the registered limit. */
  readonly maxEpisodeSteps?: number
  /** What `render` gives. Default `'text'`. */
  readonly render?: 'text' | 'svg'
  /** Wrappers by name, innermost first; around those of a spec, where one is given. */
  readonly wrappers?: readonly WrapperSpec[]
  readonly [option: string]: Json | undefined
}

const environments = new Map<string, EnvDefinition>()
const wrappersByName = new Map<string, WrapperDefinition>()

const idPattern = /^(?:[\w.-]+\/)?[\w.]+(?:-[\w.]+)*-v\d+$/

/** Makes an environment known to {@link make}, {@link makeVec}, configurations and the command line.
 *  @throws RangeError if the id is not `[namespace/]Name-vN` */
export function register(definition: EnvDefinition): void {
  if (!idPattern.test(definition.id)) {
    throw new RangeError(`environment id ${show(definition.id)} is not of the form [namespace/]Name-vN`)
  }
  environments.set(definition.id, definition)
}

/** Makes a wrapper known by name to `make`, configurations and specs. Registering a name again replaces it.
 *  @throws RangeError if the name is empty */
export function registerWrapper(definition: WrapperDefinition): void {
  if (typeof definition.name !== 'string' || definition.name.length === 0) {
    throw new RangeError(`wrapper name ${show(definition.name)} is not a name`)
  }
  wrappersByName.set(definition.name, definition)
}

/** Every registered environment's id, sorted. */
export function registeredEnvs(): string[] {
  return [...environments.keys()].sort()
}

/** Every registered wrapper's name, sorted. */
export function registeredWrappers(): string[] {
  return [...wrappersByName.keys()].sort()
}

/** What was registered under an id.
 *  @throws UnknownNameError */
export function definitionOf(id: string): EnvDefinition {
  const definition = environments.get(id)
  if (!definition) throw new UnknownNameError('environment', id, registeredEnvs())
  return definition
}

/**
 * Makes a registered environment: its own class, where it has a limit inside {@link TimeLimit}, inside
 * {@link OrderEnforcing}, inside the wrappers asked for. A spec, also one read from JSON, makes the environment again.
 *
 * @example
 * const env = make('CartPole-v1', { maxEpisodeSteps: 200, wrappers: [{ name: 'NormalizeObservation' }] })
 * const again = make(JSON.parse(JSON.stringify(env.spec)))
 *
 * @throws UnknownNameError if nobody registered the id or a wrapper
 * @throws RangeError for options of an environment that takes none
 */
export function make<Id extends keyof EnvTypes>(id: Id, options?: MakeOptions): EnvTypes[Id]
export function make(id: string | EnvSpec, options?: MakeOptions): AnyEnv
export function make(from: string | EnvSpec, options: MakeOptions = {}): AnyEnv {
  const spec = specOf(from, options)
  const { create, expose = [] } = definitionOf(spec.id)
  const core: AnyCore = create({ ...spec.options, ...(spec.render && { render: spec.render }) })
  try {
    const { maxEpisodeSteps, wrappers: around } = spec
    const limited =
      maxEpisodeSteps === undefined ? core : new TimeLimit<unknown, unknown, Timing>(core, { maxEpisodeSteps })
    let env: AnyEnv = new OrderEnforcing<unknown, unknown, Timing>(limited, { ...spec, wrappers: [] })
    for (const wrapper of around) env = wrap(env, wrapper)
    for (const name of expose) Object.defineProperty(env, name, { get: () => Reflect.get(core, name) })
    return env
  } catch (error) {
    core.close?.()
    throw error
  }
}

const specFields = ['id', 'options', 'maxEpisodeSteps', 'rewardThreshold', 'render', 'wrappers']

/**
 * The spec that `make` would follow: an id with the registered defaults, or a spec, with `options` laid over it.
 * @throws UnknownNameError if nobody registered the id
 * @throws RangeError for a spec that is none: an unknown field, a wrapper without a name; for options of an environment
 *   that takes none
 */
export function specOf(from: string | EnvSpec, options: MakeOptions = {}): EnvSpec {
  if (typeof from !== 'string') checkSpec(from)
  const id = typeof from === 'string' ? from : from.id
  const definition = definitionOf(id)
  const { maxEpisodeSteps: limit, rewardThreshold } = definition
  const base: Partial<EnvSpec> = typeof from === 'string' ? {} : from
  const {
    render = base.render,
    wrappers: around = [],
    maxEpisodeSteps = base.maxEpisodeSteps ?? limit,
    ...own
  } = options
  if (render !== undefined && render !== 'text' && render !== 'svg') {
    throw new RangeError(`${id}: render ${show(render)} is neither "text" nor "svg"`)
  }
  for (const wrapper of around) checkWrapperSpec(id, wrapper)
  const given = { ...base.options, ...own }
  refuseOptionsOfNone(definition, given)
  return {
    id,
    options: given,
    ...(maxEpisodeSteps !== undefined && { maxEpisodeSteps }),
    ...(rewardThreshold !== undefined && { rewardThreshold }),
    ...(render !== undefined && { render }),
    wrappers: [...(base.wrappers ?? []), ...around],
  }
}

/** `() =>`, `create() {` and `function create() {`: without a parameter. `length` alone does not tell, as it counts none that
 *  has a default; nor does what is native or bound. */
const parameterless = /^(?:function\b\s*)?[\w$]*\s*\(\s*\)(?!\s*\{\s*\[native code\])/

/** What `create` cannot have read is refused, not ignored: a result would be reported as that of the option. */
function refuseOptionsOfNone({ id, create }: EnvDefinition, options: Readonly<Record<string, Json | undefined>>): void {
  const names = Object.keys(options).filter((name) => options[name] !== undefined)
  if (names.length === 0 || create.length > 0 || !parameterless.test(String(create))) return
  throw new RangeError(
    `${id}: unknown option ${names.map(show).join(', ')}. It takes no options: its create has no parameter for them`,
  )
}

/** A spec may come from a file: what is misspelt there is refused, not ignored. */
function checkSpec(spec: EnvSpec): void {
  if (typeof spec !== 'object' || spec === null || typeof spec.id !== 'string') {
    throw new RangeError(`${show(spec)} is neither an environment's id nor a spec with one`)
  }
  refuseUnknownOptions(`spec of ${spec.id}`, spec, specFields)
  if (spec.wrappers !== undefined && !Array.isArray(spec.wrappers)) {
    throw new RangeError(`spec of ${spec.id}: wrappers ${show(spec.wrappers)} is not a list`)
  }
  for (const wrapper of spec.wrappers ?? []) checkWrapperSpec(spec.id, wrapper)
}

function checkWrapperSpec(id: string, wrapper: WrapperSpec): void {
  if (typeof wrapper !== 'object' || wrapper === null || typeof wrapper.name !== 'string') {
    throw new RangeError(`${id}: wrapper ${show(wrapper)} is not of the form { name, …options }`)
  }
}

/** Puts a registered wrapper around an environment.
 *  @throws UnknownNameError if nobody registered it */
export function wrap(env: AnyCore, { name, ...options }: WrapperSpec): AnyEnv {
  const definition = wrappersByName.get(name)
  if (!definition) throw new UnknownNameError('wrapper', name, registeredWrappers())
  return definition.create(env as EnvCore, options)
}

/** A name that nobody registered. The message gives the nearest one that exists, and of an environment its versions. */
export class UnknownNameError extends Error {
  override readonly name = 'UnknownNameError'
  readonly kind: string
  readonly unknown: string
  readonly known: readonly string[]

  constructor(kind: string, unknown: string, known: readonly string[]) {
    const hint = kind === 'environment' ? environmentHint(unknown, known) : didYouMean(unknown, known)
    super(`unknown ${kind} ${show(unknown)}.${hint} Known: ${known.join(', ') || 'none'}.`)
    this.kind = kind
    this.unknown = unknown
    this.known = known
  }
}

/** Other versions of the same name, or the same name elsewhere, or what is spelt nearly so. */
function environmentHint(unknown: string, known: readonly string[]): string {
  const { namespace, name, version } = partsOf(unknown)
  const sameName = known.filter((id) => partsOf(id).name.toLowerCase() === name.toLowerCase())
  const versions = sameName.filter((id) => partsOf(id).namespace === namespace).sort(byVersion)
  const latest = versions.at(-1)
  if (latest && version !== undefined && name === partsOf(latest).name) {
    const others = versions.map((id) => `v${partsOf(id).version}`).join(', ')
    return ` ${namespace}${name} has ${versions.length > 1 ? 'versions' : 'version'} ${others}. Did you mean "${latest}"?`
  }
  const near = latest ?? [...sameName].sort(byVersion).at(-1) ?? nearestEnvironment(unknown, known)
  return near === undefined ? '' : ` Did you mean "${near}"?`
}

/** By the whole id first; then without its version, and the latest version of that name. */
function nearestEnvironment(unknown: string, known: readonly string[]): string | undefined {
  const base = (id: string) => `${partsOf(id).namespace}${partsOf(id).name}`
  const near = nearest(base(unknown), [...new Set(known.map(base))])
  if (near === undefined) return nearest(unknown, known)
  const versions = known.filter((id) => base(id) === near).sort(byVersion)
  return versions.find((id) => partsOf(id).version === partsOf(unknown).version) ?? versions.at(-1)
}

function byVersion(a: string, b: string): number {
  return (partsOf(a).version ?? -1) - (partsOf(b).version ?? -1)
}

/** `[namespace/]Name[-vN]`, taken apart; the namespace keeps its slash. */
function partsOf(id: string): { namespace: string; name: string; version: number | undefined } {
  const [, namespace = '', name = '', version] = /^(.*\/)?(.*?)(?:-v(\d+))?$/s.exec(id) ?? []
  return { namespace, name, version: version === undefined ? undefined : Number(version) }
}
