import { readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, stringify } from 'yaml'
import { z } from 'zod'
import { chessConfig } from '../agents/chess/chess-policy.js'
import { languageConfig, measuredSamplingConfig } from '../agents/llm/language-config.js'
import { cutBy } from '../agents/llm/sampling.js'
import { mlpConfig } from '../agents/mlp/mlp-policy.js'
import { reinforceConfig } from '../algorithms/reinforce.js'
import { rlooConfig } from '../algorithms/rloo.js'
import { sftConfig } from '../algorithms/sft.js'
import { didYouMean } from '../envs/did-you-mean.js'
import { show } from '../envs/env.js'
import { make, specOf, UnknownNameError } from '../envs/registry.js'
import type { EnvSpec, Json } from '../envs/spec.js'
import { TextEnv } from '../envs/text/text-env.js'
import { unwrapped } from '../envs/wrappers/wrapper.js'
import { ConfigError, type ConfigProblem, systemMessage } from './errors.js'
import { opponentsConfig } from './opponents.js'
import { presets } from './presets/presets.js'

const json: z.ZodType<Json> = z.json()

const envConfig = z.strictObject({
  id: z.string().describe('the environment: [namespace/]Name-vN'),
  options: z.record(z.string(), json).default({}).describe('what its constructor takes'),
  wrappers: z
    .array(z.looseObject({ name: z.string().describe('a registered wrapper; its options stand beside it') }))
    .default([])
    .describe('wrappers around it, innermost first'),
  maxEpisodeSteps: z.int().positive().optional().describe('steps after which an episode is truncated'),
})

/** What a budget is in. */
export const MEASURES = ['episodes', 'steps', 'updates', 'epochs'] as const

const budgetConfig = z
  .strictObject({
    episodes: z.int().positive().optional().describe('episodes to sample'),
    steps: z.int().positive().optional().describe('environment steps to sample'),
    updates: z.int().positive().optional().describe('updates to make'),
    epochs: z
      .number()
      .positive()
      .optional()
      .describe('times that every task of a text environment is played, once by each episode of a group'),
    solved: z
      .boolean()
      .optional()
      .describe("also end once the mean of 100 episodes reaches the environment's threshold"),
  })
  .refine((budget) => MEASURES.some((measure) => budget[measure] !== undefined), {
    error: 'names no end: give episodes, steps, updates or, of a text environment, epochs',
  })

/** An experiment, every field checked. This is also what `--help`, `--set` and the docs table know of it. */
export const experimentConfig = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][\w.-]*$/, { error: 'must be letters, digits, dots, dashes: it names a folder' })
    .describe("names the run's folder; the file's or preset's name unless given"),
  env: envConfig.describe('the environment; a bare id is enough'),
  agent: z
    .discriminatedUnion('type', [
      z.strictObject({ type: z.literal('mlp'), ...mlpConfig.shape }),
      z.strictObject({ type: z.literal('chess'), ...chessConfig.shape }),
      z.strictObject({ type: z.literal('language'), ...languageConfig.shape }),
    ])
    .describe('what acts and learns'),
  algorithm: z
    .discriminatedUnion('type', [
      z.strictObject({ type: z.literal('reinforce'), ...reinforceConfig.shape }),
      z.strictObject({ type: z.literal('rloo'), ...rlooConfig.shape }),
      z.strictObject({ type: z.literal('sft'), ...sftConfig.shape }),
    ])
    .describe('how it learns'),
  demonstrator: z
    .string()
    .optional()
    .describe('plays what sft learns from: gold, solver or another agent that needs no training'),
  budget: budgetConfig.describe('when the run ends: at the first of these'),
  seed: z.int().nonnegative().default(0).describe('decides everything that is drawn in the run'),
  parallel: z.int().positive().default(1).describe('environments side by side'),
  checkpointEvery: z.int().positive().default(100).describe('updates from one checkpoint to the next'),
  keepEvery: z
    .int()
    .positive()
    .optional()
    .describe(
      'updates from one checkpoint that stays for good to the next, a multiple of checkpointEvery; none stays else',
    ),
  evaluation: z
    .strictObject({
      every: z.int().positive().describe('updates from one evaluation to the next'),
      episodes: z.int().positive().default(100).describe('episodes in each'),
      greedy: z.boolean().default(true).describe('take the likeliest action instead of drawing one'),
      opponent: z.enum(['random']).optional().describe('plays the other seats; the policy itself unless given'),
      options: z
        .record(z.string(), json)
        .optional()
        .describe("the environment's options wherever it is measured or played; those of training unless given"),
      sampling: measuredSamplingConfig
        .optional()
        .describe(
          'how a language model completes where it is measured or played: what differs from agent.sampling. Of the likeliest tokens only repetitionPenalty and the limits tell',
        ),
    })
    .optional()
    .describe('measure the policy on episodes of its own, before the first update and now and then'),
  opponents: opponentsConfig
    .optional()
    .describe('who plays the other seats in training; the policy itself unless given'),
  backend: z
    .enum(['auto', 'wasm', 'cpu', 'webgpu', 'tensorflow'])
    .default('auto')
    .describe(
      'what tensors are computed with; webgpu is a graphics card, for language models; auto takes tensorflow where its GPU package loads, else wasm',
    ),
})

/** A checked experiment, defaults filled in. */
export type ExperimentConfig = z.infer<typeof experimentConfig>

/** One field given from outside a file, by the flag it came from. */
export interface Override {
  /** As it stands in an error: `--seed`, `--set algorithm.gamma`. */
  readonly flag: string
  readonly path: readonly string[]
  readonly value: unknown
}

/**
 * An experiment from a preset's name, a YAML file or a run folder, with overrides as `--set` takes them.
 * A file may name a `preset` and gives what differs from it; overrides go over both. Objects merge field by field, anything
 * else replaces; a new `type` of agent or algorithm, and a new measure of the budget, drop the fields of the old.
 *
 * @example
 * loadConfig('cartpole-reinforce', ['algorithm.gamma=0.9', 'seed=3'])
 *
 * @throws ConfigError with file, line, column and field of every finding
 */
export function loadConfig(source: string, overrides: readonly (string | Override)[] = []): ExperimentConfig {
  const flags = overrides.map((override) => (typeof override === 'string' ? parseOverride(override) : override))
  if (!isPath(source)) {
    return check(withFlags(presetTree(source, { place: '', path: '' }), flags), { flags, preset: source })
  }
  const file = isFolder(source) ? join(source, 'config.yaml') : source
  const { document, lines } = readYaml(file)
  const sources: Sources = { flags, document, lines, file }
  const written = treeOf(document, sources)
  const { preset, ...own } = written
  let base: Tree = { name: nameOf(file) }
  if (preset !== undefined) base = { ...presetTree(preset, placeOf(['preset'], sources)), ...base }
  return check(withFlags(merge(base, own), flags), sources)
}

/** An experiment from a value, as a program builds it: the same checks, without a file to point at.
 *  @throws ConfigError */
export function parseConfig(value: unknown): ExperimentConfig {
  if (!isTree(value))
    throw new ConfigError([{ place: '', path: '', message: `expected an object, got ${show(value)}` }])
  return check(value, { flags: [] })
}

/** A configuration as the YAML that {@link loadConfig} reads. */
export function configYaml(config: ExperimentConfig): string {
  return stringify(config, { lineWidth: 120 })
}

/** Where the weights of a language agent come from, for the run's seed; undefined for fresh ones and for other agents. */
export function modelNameOf({ agent, seed }: Pick<ExperimentConfig, 'agent' | 'seed'>): string | undefined {
  return agent.type === 'language' ? agent.model?.replaceAll('{seed}', String(seed)) : undefined
}

/** The preset that a language agent starts from, which is then trained first; undefined where it starts from none. */
export function firstStageOf({ agent }: Pick<ExperimentConfig, 'agent'>): string | undefined {
  const model = agent.type === 'language' ? agent.model : undefined
  return model !== undefined && Object.hasOwn(presets, model) ? model : undefined
}

/** The overrides of a first stage that say where data lies: of this machine, and the same as for what starts from it in the
 *  same environment. The stage is measured only if its preset is. */
export function placesOf({ env, evaluation }: ExperimentConfig, preset: string): string[] {
  const stage = loadConfig(preset)
  if (stage.env.id !== env.id) return []
  const folders = { env: env.options.folder, evaluation: stage.evaluation && evaluation?.options?.folder }
  return Object.entries(folders).flatMap(([field, folder]) =>
    folder === undefined ? [] : [`${field}.options.folder=${JSON.stringify(folder)}`],
  )
}

/** The environment that a configuration names, as {@link make} takes it. */
export function envSpecOf(config: Pick<ExperimentConfig, 'env'>): EnvSpec {
  const { id, options, wrappers, maxEpisodeSteps } = config.env
  // What zod let through is JSON: it came from YAML or from JSON flags.
  const around = wrappers as EnvSpec['wrappers']
  return specOf({ id, options, wrappers: around, ...(maxEpisodeSteps !== undefined && { maxEpisodeSteps }) })
}

/** The environment that a configuration is measured in. */
export function measuringSpecOf({ env, evaluation }: Pick<ExperimentConfig, 'env' | 'evaluation'>): EnvSpec {
  return envSpecOf({ env: { ...env, options: evaluation?.options ?? env.options } })
}

/** `a.b.c=value`, the value being YAML: a number, `true`, `[64, 64]`, or plain text.
 *  @throws ConfigError */
export function parseOverride(text: string): Override {
  const at = text.indexOf('=')
  const path = (at < 0 ? text : text.slice(0, at)).trim()
  const flag = `--set ${path}`
  const problem = (message: string) => new ConfigError([{ place: flag, path, message }])
  if (at < 0) throw problem(`needs a value, as in ${flag || '--set seed'}=1`)
  if (path === '' || path.split('.').includes('')) throw problem('names no field, as --set algorithm.gamma=0.9 does')
  const document = parseDocument(text.slice(at + 1))
  if (document.errors[0]) throw problem(`not a YAML value: ${firstLine(document.errors[0].message)}`)
  return { flag, path: path.split('.'), value: document.toJS() as unknown }
}

type Tree = { readonly [key: string]: unknown }
type Path = readonly string[]

/** Where the fields of a configuration were written. */
interface Sources {
  readonly flags: readonly Override[]
  readonly preset?: string
  readonly file?: string
  readonly document?: Document
  readonly lines?: LineCounter
}

function presetTree(name: unknown, at: Omit<ConfigProblem, 'message'>): Tree {
  const known = Object.keys(presets)
  const preset = typeof name === 'string' && Object.hasOwn(presets, name) ? presets[name] : undefined
  if (preset) return { name, ...preset.config }
  const near = didYouMean(String(name), known)
  const message = `unknown preset ${show(name)}.${near} Known: ${known.join(', ')}.`
  throw new ConfigError([{ ...at, message: at.place ? message : `${message} A file ends in .yaml.` }])
}

function isPath(source: string): boolean {
  return /[\\/]|\.ya?ml$/i.test(source) || source === '.' || (!Object.hasOwn(presets, source) && isFolder(source))
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

function nameOf(file: string): string {
  return basename(file).replace(/\.ya?ml$/i, '')
}

function readYaml(file: string): { document: Document; lines: LineCounter } {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new ConfigError([{ place: file, path: '', message: systemMessage(error), file }])
  }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  if (document.errors.length > 0) {
    throw new ConfigError(
      document.errors.map((error) => ({
        ...position(file, lines, error.pos[0]),
        path: '',
        message: firstLine(error.message),
      })),
    )
  }
  return { document, lines }
}

function treeOf(document: Document, sources: Sources): Tree {
  let value: unknown
  try {
    value = document.toJS()
  } catch (error) {
    throw new ConfigError([{ ...placeOf([], sources), message: (error as Error).message }])
  }
  if (isTree(value)) return value
  throw new ConfigError([{ ...placeOf([], sources), message: `expected fields like "seed: 1", got ${show(value)}` }])
}

function withFlags(tree: Tree, flags: readonly Override[]): Tree {
  return flags.reduce((result, { path, value }) => merge(result, nest(path, value, result)), tree)
}

/** `{ a: { b: value } }`; within a list that is there already, the list with one entry changed. */
function nest(path: Path, value: unknown, present: unknown): Tree {
  const [key = '', ...rest] = path
  const below = isTree(present) && Object.hasOwn(present, key) ? present[key] : undefined
  if (rest.length === 0) return Object.fromEntries([[key, value]])
  const index = Number(rest[0])
  if (Array.isArray(below) && Number.isInteger(index) && index >= 0 && index <= below.length) {
    const entry = rest.length === 1 ? value : merge(asTree(below[index]), nest(rest.slice(1), value, below[index]))
    return Object.fromEntries([[key, below.toSpliced(index, 1, entry)]])
  }
  return Object.fromEntries([[key, nest(rest, value, below)]])
}

function merge(base: Tree, over: Tree): Tree {
  const under = { ...base }
  const before = expandEnv(base)
  const after = expandEnv(over)
  for (const key of ['agent', 'algorithm']) {
    const old = before[key]
    const fresh = after[key]
    if (isTree(old) && isTree(fresh) && 'type' in fresh && fresh.type !== old.type) delete under[key]
  }
  if (isTree(before.budget) && isTree(after.budget)) {
    const { episodes, steps, updates, epochs, ...rest } = before.budget
    if (MEASURES.some((measure) => isTree(after.budget) && measure in after.budget)) under.budget = rest
  }
  if (before.env !== undefined) under.env = before.env
  return mergeFields(under, after)
}

/** A bare environment id is short for an object with that id. */
function expandEnv(tree: Tree): Tree {
  return typeof tree.env === 'string' ? { ...tree, env: { id: tree.env } } : tree
}

function mergeFields(base: Tree, over: Tree): Tree {
  const merged = new Map(Object.entries(base))
  for (const [key, value] of Object.entries(over)) {
    const below = merged.get(key)
    merged.set(key, isTree(below) && isTree(value) ? mergeFields(below, value) : value)
  }
  return Object.fromEntries(merged)
}

function check(tree: Tree, sources: Sources): ExperimentConfig {
  const value = expandEnv(tree)
  const parsed = experimentConfig.safeParse(value)
  if (!parsed.success) throw new ConfigError(parsed.error.issues.flatMap((issue) => problemsOf(issue, value, sources)))
  const config = parsed.data
  const problem = (path: Path, message: string) => new ConfigError([{ ...placeOf(path, sources), message }])
  const { type, ...settings } = config.algorithm
  const again = { rloo: rlooConfig, reinforce: reinforceConfig, sft: sftConfig }[type].safeParse(settings) // what holds between its fields
  if (!again.success) {
    const issues = again.error.issues.map((issue) => ({ ...issue, path: ['algorithm', ...issue.path] }))
    throw new ConfigError(issues.flatMap((issue) => problemsOf(issue, value, sources)))
  }
  const { agent, demonstrator } = config
  if (config.algorithm.type === 'reinforce' && config.algorithm.baseline === 'value') {
    if (agent.type === 'language') {
      throw problem(['algorithm', 'baseline'], '"value" is what a policy expects, and a language model expects nothing')
    }
    const values = agent.type === 'mlp' ? 'valueNetwork' : 'valueHead'
    const hasValues = agent.type === 'mlp' ? agent.valueNetwork : agent.valueHead
    if (!hasValues) {
      throw problem(['agent', values], 'must be true: algorithm.baseline "value" is what the policy expects')
    }
  }
  const cut = agent.type === 'language' && type !== 'sft' ? cutBy(agent.sampling) : undefined
  if (cut !== undefined) {
    const message = `cuts or bends the distribution that is drawn from, and ${type} learns from the whole of it: leave it out`
    throw problem(['agent', 'sampling', cut], message)
  }
  if (config.evaluation?.sampling && agent.type !== 'language') {
    throw problem(
      ['evaluation', 'sampling'],
      `leave it out: only a language model samples so, not agent "${agent.type}"`,
    )
  }
  if (config.backend === 'webgpu' && agent.type === 'chess') {
    const message = `webgpu serves language models and perceptrons; agent "chess" needs wasm (backend: wasm)`
    throw problem(['backend'], message)
  }
  if (type === 'sft' && config.budget.solved) {
    const message = 'leave it out: the returns of the episodes that sft learns from are the demonstrator’s'
    throw problem(['budget', 'solved'], message)
  }
  if ((type === 'sft') !== (demonstrator !== undefined)) {
    const message =
      type === 'sft' ? 'is missing: sft learns from what it does' : `leave it out: ${type} learns from its own tries`
    throw problem(['demonstrator'], message)
  }
  const { checkpointEvery, keepEvery } = config
  if (keepEvery !== undefined && keepEvery % checkpointEvery !== 0) {
    const message = `must be a multiple of checkpointEvery, ${checkpointEvery}: no checkpoint is written between; got ${keepEvery}`
    throw problem(['keepEvery'], message)
  }
  const { wrappers, options } = config.env
  let made: EnvShape = { observationSpace: '', seats: 1, hasTasks: false }
  for (let around = 0; around <= wrappers.length; around++) {
    try {
      made = shapeOf(envSpecOf({ env: { ...config.env, wrappers: wrappers.slice(0, around) } }))
    } catch (error) {
      const unknown = error instanceof UnknownNameError
      const bare = unknown ? ['id'] : Object.keys(options).length > 0 ? ['options'] : []
      const path = around === 0 ? bare : ['wrappers', String(around - 1), ...(unknown ? ['name'] : [])]
      throw problem(['env', ...path], error instanceof Error ? error.message : String(error))
    }
  }
  if (config.budget.epochs !== undefined && !made.hasTasks) {
    throw problem(['budget', 'epochs'], `${config.env.id} has no tasks to go through: give episodes, steps or updates`)
  }
  const needless = config.opponents ? ['opponents'] : config.evaluation?.opponent && ['evaluation', 'opponent']
  if (needless && made.seats === 1) throw problem(needless, `${config.env.id} has one seat: leave it out`)
  if (config.evaluation?.options) {
    const path = ['evaluation', 'options']
    let { observationSpace } = made
    try {
      observationSpace = shapeOf(measuringSpecOf(config)).observationSpace
    } catch (error) {
      throw problem(path, error instanceof Error ? error.message : String(error))
    }
    if (observationSpace !== made.observationSpace)
      throw problem(path, `show ${observationSpace}, and training ${made.observationSpace}: they must be the same`)
  }
  return config
}

interface EnvShape {
  readonly observationSpace: string
  readonly seats: number
  readonly hasTasks: boolean
}

function shapeOf(spec: EnvSpec): EnvShape {
  const env = make(spec)
  env.close()
  const { observationSpace, seats = 1 } = env
  return { observationSpace: String(observationSpace), seats, hasTasks: unwrapped(env) instanceof TextEnv }
}

function problemsOf(issue: z.core.$ZodIssue, tree: Tree, sources: Sources): ConfigProblem[] {
  const path = issue.path.map(String)
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(path, tree)
    return issue.keys.map((key) => ({
      ...placeOf([...path, key], sources, 'key'),
      message: `unknown key.${didYouMean(key, known) || ` Known: ${known.join(', ')}.`}`,
    }))
  }
  return [{ ...placeOf(path, sources), message: messageOf(issue, valueAt(path, tree)) }]
}

function messageOf(issue: z.core.$ZodIssue, value: unknown): string {
  const got = value === undefined ? 'it is missing' : `got ${show(value)}`
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${kinds[issue.expected] ?? issue.expected}, ${got}`
    case 'invalid_value':
      return oneOf(issue.values.map(String), value, got)
    case 'invalid_union':
      return oneOf('options' in issue && Array.isArray(issue.options) ? issue.options.map(String) : [], value, got)
    case 'too_small':
      return `must be ${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}, ${got}`
    case 'too_big':
      return `must be ${issue.inclusive ? 'at most' : 'less than'} ${issue.maximum}, ${got}`
    default:
      return issue.code === 'custom' ? issue.message : `${issue.message}, ${got}`
  }
}

const kinds: Readonly<Record<string, string>> = {
  int: 'a whole number',
  number: 'a number',
  string: 'text',
  boolean: 'true or false',
  object: 'an object',
  record: 'an object',
  array: 'a list',
}

function oneOf(options: readonly string[], value: unknown, got: string): string {
  return `expected one of ${options.join(', ')}, ${got}.${typeof value === 'string' ? didYouMean(value, options) : ''}`
}

/** The keys that the schema knows at a path; which of several shapes applies, the value's `type` tells. */
function keysAt(path: Path, tree: Tree): string[] {
  let schema: JsonSchema | undefined = z.toJSONSchema(experimentConfig, { io: 'input' }) as JsonSchema
  for (let i = 0; i <= path.length && schema; i++) {
    const type = asTree(valueAt(path.slice(0, i), tree)).type
    schema = schema.oneOf?.find(({ properties }) => properties?.type?.const === type) ?? schema
    const key = path[i]
    if (key !== undefined) schema = schema.items ?? schema.properties?.[key]
  }
  const keys = Object.keys(schema?.properties ?? {})
  return path.length === 0 ? ['preset', ...keys] : keys
}

interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly oneOf?: readonly JsonSchema[]
  readonly items?: JsonSchema
  readonly const?: unknown
}

function placeOf(path: Path, sources: Sources, what: 'key' | 'value' = 'value'): Omit<ConfigProblem, 'message'> {
  const { flags, document, lines, file, preset } = sources
  const named = path.join('.')
  const offset = document && offsetOf(document, path, what)
  // The flag that gave this field or what is around it; one that gave something inside, if nobody else gave the field.
  const flag =
    flags.findLast(({ path: given }) => given.every((key, i) => path[i] === key)) ??
    (offset?.exact
      ? undefined
      : flags.findLast(({ path: given }) => path.length > 0 && path.every((key, i) => given[i] === key)))
  if (flag) return { place: flag.flag, path: named }
  if (offset && lines && file) return { ...position(file, lines, offset.at), path: named }
  return { place: preset === undefined ? '' : `preset ${preset}`, path: named }
}

/** Where a field stands in the text; where it is missing, the nearest thing around it. */
function offsetOf(document: Document, path: Path, what: 'key' | 'value'): { at: number; exact: boolean } {
  let node: Node | null = document.contents
  let at = node?.range?.[0] ?? 0
  for (const [i, key] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document) ?? null
    if (isMap(node)) {
      const pair = node.items.find((item) => String(isScalar(item.key) ? item.key.value : item.key) === key)
      if (!pair) return { at, exact: false }
      const keyNode = pair.key as Node // a parsed document's keys and values are nodes
      at = keyNode.range?.[0] ?? at
      node = pair.value as Node | null
      if (what === 'key' && i === path.length - 1) break
    } else {
      node = isSeq(node) ? ((node.items[Number(key)] as Node | undefined) ?? null) : null
      if (!node) return { at, exact: false }
    }
    at = node?.range?.[0] ?? at
  }
  return { at, exact: true }
}

function position(file: string, lines: LineCounter, offset: number): Omit<ConfigProblem, 'message' | 'path'> {
  const { line, col } = lines.linePos(offset)
  return {
    place: `${file}:${Math.max(line, 1)}:${Math.max(col, 1)}`,
    file,
    line: Math.max(line, 1),
    column: Math.max(col, 1),
  }
}

function valueAt(path: Path, tree: unknown): unknown {
  let value = tree
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    value = (value as Tree)[key]
  }
  return value
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function asTree(value: unknown): Tree {
  return isTree(value) ? value : {}
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? text
}
