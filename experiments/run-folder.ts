import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Checkpoint,
  checkpointFiles,
  checkpointName,
  encodeCheckpoint,
  readCheckpoint,
  updateOf,
  type WriteBytes,
  writeAtomically,
} from './checkpoint.js'
import { configYaml, type ExperimentConfig, loadConfig, modelNameOf, type Override } from './config.js'
import { ConfigError, CorruptFileError, isSystemError, UsageError, WriteError } from './errors.js'
import { JsonLines, readEvents } from './event-log.js'
import type { TrainEvent, TrainState } from './events.js'
import { type Facts, gatherFacts } from './facts.js'
import { lockFolder } from './lock.js'
import { listed } from './report/numbers.js'

/** How many of the newest checkpoints stay; the second is there for the day the first cannot be read. */
const NEWEST = 2

/** The fields that a run may be given anew when it goes on: none that its past depends on. */
const CHANGEABLE = ['budget', 'checkpointEvery', 'keepEvery']

export interface RunFolderOptions {
  /** Stands in for the system's write, in tests of a full disk. */
  readonly write?: WriteBytes
}

/**
 * A folder that a run writes to, held by this process until {@link close}:
 *
 * | file | content |
 * |---|---|
 * | `config.yaml` | the configuration, every field |
 * | `events.jsonl` | every {@link TrainEvent} but the checkpoints, one a line; the same bytes whenever the same seed runs on the same backend |
 * | `timing.jsonl` | seconds, and steps and tokens per second, which are never the same |
 * | `checkpoints/00000500.safetensors` | the run after update 500; the newest two stay, those of `keepEvery`, and those with a `.kept` beside them, from which other runs started |
 * | `facts.json` | versions, backend, machine, commit |
 * | `report.html` | the report, once the run has ended |
 * | `lock` | the process that writes here |
 */
export class RunFolder {
  readonly path: string
  readonly config: ExperimentConfig
  /** What the run goes on from; absent for a new one. */
  readonly resume: TrainState | undefined
  /** The file that `resume` was read from. */
  readonly resumedFrom: string | undefined
  /** What was found broken on opening, and what was done about it. */
  readonly notices: readonly string[]
  readonly #events: JsonLines
  readonly #timing: Timing
  readonly #write: WriteBytes | undefined
  readonly #hint: string
  #release: (() => void) | undefined
  #boundary: { readonly update: number; readonly bytes: number }

  constructor(path: string, config: ExperimentConfig, release: () => void, start: Start, options: RunFolderOptions) {
    this.path = path
    this.config = config
    this.resume = start.checkpoint?.state
    this.resumedFrom = start.file
    this.notices = start.notices
    this.#release = release
    this.#write = options.write
    this.#hint = hintFor(path)
    const from = start.checkpoint?.eventBytes ?? 0
    this.#events = new JsonLines(join(path, 'events.jsonl'), { from, write: options.write, hint: this.#hint })
    this.#timing = new Timing(join(path, 'timing.jsonl'), this.#hint)
    this.#boundary = { update: start.checkpoint?.state.update ?? 0, bytes: from }
  }

  /** Keeps an event: a checkpoint in a file of its own, anything else as a line of the log.
   *  @throws WriteError if the disk does not take it; the checkpoints before are intact */
  record(event: TrainEvent): void {
    if (event.type === 'checkpoint') {
      this.#checkpoint(event.state)
      return
    }
    this.#timing.record(event)
    if (event.type === 'start' && this.resume) return // the log has it since the run began
    this.#events.append(event)
    // Episodes of an update that is not complete come again after a resume: the log is cut at the boundary.
    if (event.type !== 'episode') this.#boundary = { update: event.update, bytes: this.#events.bytes }
  }

  /** Writes `facts.json`: of the beginning, and of every time the run went on.
   *  @returns what differs from when the run began and may change its numbers */
  writeFacts(backend: Facts['backend']): string[] {
    const file = join(this.path, 'facts.json')
    const facts = gatherFacts(backend)
    const before = this.resume && readFacts(file)
    const all = before
      ? { ...before, resumed: [...(before.resumed ?? []), { update: this.resume?.update, ...facts }] }
      : facts
    this.#save(file, Buffer.from(`${JSON.stringify(all, undefined, 2)}\n`))
    if (!before) return []
    const pairs: [string, string, string][] = [
      ['rxgym', before.rxgym, facts.rxgym],
      ['tfjs', before.tfjs, facts.tfjs],
      ['backend', computing(before.backend), computing(facts.backend)],
    ]
    return pairs
      .filter(([, then, now]) => then !== now)
      .map(([what, then, now]) => `${what} was ${then} when the run began and is ${now}: numbers may differ`)
  }

  /** Writes what is left and lets go of the folder. A second call does nothing. */
  close(): void {
    const release = this.#release
    this.#release = undefined
    if (!release) return
    try {
      this.#timing.close()
      this.#events.close()
    } finally {
      release()
    }
  }

  #checkpoint(state: TrainState): void {
    if (state.update !== this.#boundary.update) {
      throw new Error(`a checkpoint of update ${state.update} came after the events of update ${this.#boundary.update}`)
    }
    this.#events.sync()
    const folder = join(this.path, 'checkpoints')
    const bytes = encodeCheckpoint({ state, eventBytes: this.#boundary.bytes })
    this.#save(join(folder, checkpointName(state.update)), bytes)
    const { keepEvery = Number.POSITIVE_INFINITY } = this.config
    for (const old of checkpointFiles(folder).slice(NEWEST)) {
      if (updateOf(old) % keepEvery !== 0 && !existsSync(keptMark(old))) rmSync(old, { force: true })
    }
  }

  #save(file: string, bytes: Uint8Array): void {
    try {
      writeAtomically(file, bytes, this.#write)
    } catch (error) {
      throw new WriteError(file, error, this.#hint)
    }
  }
}

/**
 * Makes a run's folder: `out`, or `runs/<name>-s<seed>`, with a number behind it where that is taken. Where the agent starts
 * from another run, the configuration is written with its newest checkpoint, as `RUN@UPDATE`, which stays from then on:
 * going on with that run changes nothing here.
 *
 * @throws UsageError if `out` holds a run already, or the run that the agent starts from has no such checkpoint
 * @throws LockedError if another process is at work in it
 */
export function createRun(
  asked: ExperimentConfig,
  {
    out,
    root = 'runs',
    ...options
  }: RunFolderOptions & { readonly out?: string | undefined; readonly root?: string } = {},
): RunFolder {
  const config = pinned(asked)
  const path = out ?? freshFolder(root, `${config.name}-s${config.seed}`)
  const hint = hintFor(path)
  attempt(path, hint, () => mkdirSync(join(path, 'checkpoints'), { recursive: true }))
  return holding(path, hint, (release) => {
    if (existsSync(join(path, 'config.yaml'))) {
      throw new UsageError(`${path} holds a run already. Go on with --resume ${path}, or choose another --out.`)
    }
    const file = join(path, 'config.yaml')
    attempt(file, hint, () => writeAtomically(file, Buffer.from(configYaml(config)), options.write))
    const close = () => {
      const unbegun = holdsNothing(path)
      if (unbegun) for (const name of MADE) rmSync(join(path, name), { recursive: true, force: true })
      release()
      if (unbegun && readdirSync(path).length === 0) rmSync(path, { recursive: true })
    }
    return new RunFolder(path, config, close, { notices: [] }, options)
  })
}

/** What is in a run's folder before its backend has started. */
const MADE = ['config.yaml', 'checkpoints', 'events.jsonl', 'timing.jsonl'] as const

/** Whether a run failed before it began: a folder of it would only be in the way of the next try. */
function holdsNothing(path: string): boolean {
  const events = statSync(join(path, 'events.jsonl'), { throwIfNoEntry: false })?.size ?? 0
  return events === 0 && !existsSync(join(path, 'facts.json')) && readdirSync(join(path, 'checkpoints')).length === 0
}

/**
 * Opens a run's folder to go on: from the newest checkpoint that can be read, or from the beginning where the run did not
 * get as far as one. What the log tells beyond that point is cut off; the run will tell it again.
 *
 * @param overrides  fields of the budget, `checkpointEvery` and `keepEvery`, say a longer budget
 * @throws UsageError if no run is there
 * @throws ConfigError if an override touches anything else
 * @throws LockedError if another process is at work in it
 * @throws CorruptFileError if no checkpoint can be read, or the log is damaged before the point to go on from
 */
export function openRun(
  path: string,
  { overrides = [], ...options }: RunFolderOptions & { readonly overrides?: readonly Override[] } = {},
): RunFolder {
  const file = configFile(path)
  const past = overrides.filter(({ path: [field = ''] }) => !CHANGEABLE.includes(field))
  if (past.length > 0) {
    const message = `cannot change in a run that has begun; only ${listed(CHANGEABLE)} can`
    throw new ConfigError(past.map(({ flag, path }) => ({ place: flag, path: path.join('.'), message })))
  }
  const hint = hintFor(path)
  return holding(path, hint, (release) => {
    const config = loadConfig(file, overrides)
    removeDrafts(path)
    const start = findStart(path)
    if (overrides.length > 0) {
      attempt(file, hint, () => writeAtomically(file, Buffer.from(configYaml(config)), options.write))
    }
    attempt(path, hint, () => mkdirSync(join(path, 'checkpoints'), { recursive: true }))
    return new RunFolder(path, config, release, start, options)
  })
}

/** The configuration with the checkpoint that its language model starts from, where that is another run's. */
function pinned(config: ExperimentConfig): ExperimentConfig {
  const { agent } = config
  const name = modelNameOf(config)
  if (agent.type !== 'language' || name === undefined) return config
  const { path, update } = runAt(name)
  if (update === 0 || !existsSync(join(path, 'config.yaml'))) return config
  const { file } = update === undefined ? latestCheckpoint(path) : checkpointAt(path, update)
  try {
    writeFileSync(keptMark(file), '')
  } catch (error) {
    // A folder that nothing can be written to loses no checkpoint.
    if (!isSystemError(error, 'EACCES') && !isSystemError(error, 'EROFS')) throw error
  }
  return update === undefined ? { ...config, agent: { ...agent, model: `${agent.model}@${updateOf(file)}` } } : config
}

/** Stands beside a checkpoint that is not to be deleted. */
function keptMark(checkpoint: string): string {
  return `${checkpoint}.kept`
}

/** A run and an update, out of `RUN@UPDATE`. A folder that is there is meant as it stands. */
export function runAt(name: string): { readonly path: string; readonly update?: number } {
  const [, path, update] = /^(.+)@(\d+)$/.exec(name) ?? []
  return path === undefined || existsSync(name) ? { path: name } : { path, update: Number(update) }
}

/** The configuration of a run that is there.
 *  @throws UsageError if none is */
export function configFile(path: string): string {
  const file = join(path, 'config.yaml')
  if (existsSync(file)) return file
  throw new UsageError(`${path}: no run there, it has no config.yaml. rxgym runs lists those under runs/.`)
}

/** The newest readable checkpoint of a run, to evaluate or play with; the folder is not locked or changed.
 *  @throws UsageError if the run has none
 *  @throws CorruptFileError if none can be read */
export function latestCheckpoint(path: string): { readonly checkpoint: Checkpoint; readonly file: string } {
  const files = checkpointFiles(join(path, 'checkpoints'))
  if (files.length === 0) throw new UsageError(`${path}: no checkpoint there`)
  let first: unknown
  for (const file of files) {
    try {
      return { checkpoint: readCheckpoint(file), file }
    } catch (error) {
      first ??= error
    }
  }
  throw first
}

/**
 * A run's checkpoint after an update.
 * @throws UsageError naming the updates that are there
 * @throws CorruptFileError if it cannot be read
 */
export function checkpointAt(path: string, update: number): { readonly checkpoint: Checkpoint; readonly file: string } {
  const file = checkpointFiles(join(path, 'checkpoints')).find((each) => updateOf(each) === update)
  if (file) return { checkpoint: readCheckpoint(file), file }
  const there = [0, ...checkpointUpdates(path)].join(', ')
  throw new UsageError(
    `${path}: no checkpoint of update ${update}. There are ${there}; keepEvery in a configuration keeps more.`,
  )
}

/** The updates that a run has checkpoints of, in order. */
export function checkpointUpdates(path: string): number[] {
  return checkpointFiles(join(path, 'checkpoints')).map(updateOf).reverse()
}

/** Where a run goes on. */
interface Start {
  readonly checkpoint?: Checkpoint
  readonly file?: string
  readonly notices: readonly string[]
}

function findStart(path: string): Start {
  const log = join(path, 'events.jsonl')
  const size = statSync(log, { throwIfNoEntry: false })?.size ?? 0
  const files = checkpointFiles(join(path, 'checkpoints'))
  const broken: { file: string; message: string }[] = []
  for (const file of files) {
    const checkpoint = tryCheckpoint(file, size)
    if (checkpoint instanceof CorruptFileError) {
      broken.push({ file, message: checkpoint.message })
      continue
    }
    readEvents(log, checkpoint.eventBytes)
    for (const { file } of broken) renameSync(file, `${file}.corrupt`)
    const notices = broken.map(
      ({ message }) => `${message}. Set aside; going on from update ${checkpoint.state.update}.`,
    )
    return { checkpoint, file, notices }
  }
  if (broken.length === 0) return { notices: [] }
  const all = broken.map(({ message }) => message).join('\n')
  throw new CorruptFileError(path, `no checkpoint can be read, start the run again in another folder\n${all}`)
}

/** Takes away what a killed process had begun to write and never renamed. */
function removeDrafts(path: string): void {
  for (const folder of [path, join(path, 'checkpoints')]) {
    if (!existsSync(folder)) continue
    for (const name of readdirSync(folder)) if (name.endsWith('.tmp')) rmSync(join(folder, name), { force: true })
  }
}

function tryCheckpoint(file: string, logSize: number): Checkpoint | CorruptFileError {
  try {
    const checkpoint = readCheckpoint(file)
    if (checkpoint.eventBytes <= logSize) return checkpoint
    return new CorruptFileError(file, `needs ${checkpoint.eventBytes} bytes of events.jsonl, which has ${logSize}`)
  } catch (error) {
    if (error instanceof CorruptFileError) return error
    throw error
  }
}

function computing({ name, adapter, dtype }: Facts['backend']): string {
  return `${name}${adapter === undefined ? '' : ` on ${adapter}`}${dtype === undefined ? '' : ` in ${dtype}`}`
}

function readFacts(file: string): (Facts & { resumed?: unknown[] }) | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Facts
  } catch {
    return undefined
  }
}

/** Makes a folder of that name, with a number behind it where it is taken. */
export function freshFolder(root: string, name: string): string {
  attempt(root, 'Choose another folder with --out.', () => mkdirSync(root, { recursive: true }))
  for (let i = 1; ; i++) {
    const path = join(root, i === 1 ? name : `${name}-${i}`)
    try {
      mkdirSync(path)
      return path
    } catch (error) {
      if (!isSystemError(error, 'EEXIST')) throw new WriteError(path, error, 'Choose another folder with --out.')
    }
  }
}

function holding(path: string, hint: string, make: (release: () => void) => RunFolder): RunFolder {
  const release = attempt(path, hint, () => lockFolder(path))
  try {
    return make(release)
  } catch (error) {
    release()
    throw error
  }
}

/** What the system refuses becomes a {@link WriteError}; any other error passes through. */
export function attempt<T>(file: string, hint: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    throw error instanceof Error && 'syscall' in error ? new WriteError(file, error, hint) : error
  }
}

function hintFor(path: string): string {
  return `What was written before is intact: once there is room, go on with --resume ${path}`
}

/** Seconds and rates, about once a second, so that a report can tell how fast a run was. */
class Timing {
  readonly #lines: JsonLines
  readonly #began = performance.now()
  #last = 0
  #first: { readonly steps: number } | undefined
  #tokens: number | undefined

  constructor(file: string, hint: string) {
    this.#lines = new JsonLines(file, { hint })
  }

  record(event: Exclude<TrainEvent, { type: 'checkpoint' }>): void {
    if (event.type === 'episode' || event.type === 'evaluation') return
    const seconds = (performance.now() - this.#began) / 1000
    if (event.type === 'start') this.#first = event
    if (event.type === 'update' && event.tokens !== undefined) this.#tokens = (this.#tokens ?? 0) + event.tokens
    if (event.type === 'update' && seconds - this.#last < 1) return
    this.#last = seconds
    const { type, update, episodes, steps } = event
    const perSecond = (count: number) => (seconds > 0 ? Math.round(count / seconds) : 0)
    const tokens = this.#tokens
    this.#lines.append({
      ...{ type, update, episodes, steps, seconds: Number(seconds.toFixed(3)) },
      stepsPerSecond: perSecond(steps - (this.#first?.steps ?? 0)),
      ...(tokens !== undefined && { tokens, tokensPerSecond: perSecond(tokens) }),
    })
  }

  close(): void {
    this.#lines.close()
  }
}
