import { readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { median } from '../../algorithms/statistics.js'
import { CorruptFileError, UsageError } from '../errors.js'
import { readEvents } from '../event-log.js'
import { ELO_FILE, type EloRecord, eloRecord } from './ratings.js'
import type { NamedRuns } from './results.js'
import { type RunRecord, recordOf } from './run-record.js'
import type { Seconds } from './text-table.js'

/** A run as its folder holds it. */
export interface StoredRun {
  readonly folder: string
  readonly record: RunRecord
  /** `config.yaml`, as it was resolved. */
  readonly config: string
  /** `facts.json`: versions, backend, commit. Empty where there is none. */
  readonly facts: Readonly<Record<string, unknown>>
  readonly seconds?: number
  /** Of completions, over all the time that the run took; only where something was written. */
  readonly tokensPerSecond?: number
  /** `elo.json`: the ratings of its checkpoints. */
  readonly ratings?: EloRecord
}

/** A configuration's runs in a comparison. */
export interface StoredConfiguration {
  readonly name: string
  readonly runs: readonly StoredRun[]
}

const comparisonPlan = z.object({
  configurations: z.array(z.object({ name: z.string(), seeds: z.array(z.int()) })),
  command: z.string().optional().describe('what to type to run it again'),
})

/** What `compare` writes beside its runs, first thing: what is to be run, in order. */
export type ComparisonPlan = z.infer<typeof comparisonPlan>

/** The file of a comparison's {@link ComparisonPlan}. */
export const PLAN_FILE = 'comparison.json'

/** Whether a folder is that of a single run. */
export function isRunFolder(folder: string): boolean {
  return isFile(join(folder, 'events.jsonl'))
}

/** Reads a run folder, also one of a run that was interrupted or still goes on.
 *  @throws UsageError if it has no events */
export function readStoredRun(folder: string): StoredRun {
  const events = join(folder, 'events.jsonl')
  if (!isFile(events)) throw new UsageError(`${folder} is no run folder: it has no events.jsonl`)
  const { seconds, tokens } = sittings(folder)
  const ratings = jsonIn(join(folder, ELO_FILE), eloRecord)
  return {
    folder,
    record: recordOf(readEvents(events)),
    config: textOf(join(folder, 'config.yaml')),
    facts: jsonIn(join(folder, 'facts.json'), z.record(z.string(), z.unknown())) ?? {},
    ...(seconds !== undefined && { seconds }),
    ...(seconds && tokens && { tokensPerSecond: tokens / seconds }),
    ...(ratings && { ratings }),
  }
}

/** Where a comparison keeps a run. */
export function runFolderOf(folder: string, name: string, seed: number): string {
  return join(folder, name, `seed-${seed}`)
}

/** Reads the runs of a comparison, those that have begun: the ones of its plan, or any `FOLDER/<configuration>/<run>`
 *  where there is none.
 *  @throws UsageError if there is no run */
export function readStoredComparison(folder: string): StoredConfiguration[] {
  const planned = planOf(folder)?.configurations.map(({ name, seeds }) => ({
    name,
    folders: seeds.map((seed) => runFolderOf(folder, name, seed)),
  }))
  const found = () =>
    foldersIn(folder).map((name) => ({
      name,
      folders: foldersIn(join(folder, name)).map((run) => join(folder, name, run)),
    }))
  const configurations = (planned ?? found()).map(({ name, folders }) => ({
    name,
    runs: folders
      .filter(isRunFolder)
      .filter((run) => statSync(join(run, 'events.jsonl')).size > 0)
      .map(readStoredRun)
      .sort((a, b) => a.record.seed - b.record.seed),
  }))
  const begun = configurations.filter(({ runs }) => runs.length > 0)
  if (begun.length === 0) {
    throw new UsageError(
      `${folder} holds no runs. A run folder has an events.jsonl; rxgym compare makes folders of them.`,
    )
  }
  return begun
}

/** What the comparison was to run; undefined where nothing says so.
 *  @throws CorruptFileError */
export function planOf(folder: string): ComparisonPlan | undefined {
  return jsonIn(join(folder, PLAN_FILE), comparisonPlan)
}

/** A JSON file's checked contents; undefined where it is missing or empty.
 *  @throws CorruptFileError */
export function jsonIn<T>(file: string, schema: z.ZodType<T>): T | undefined {
  const text = textOf(file)
  if (text === '') return undefined
  try {
    return schema.parse(JSON.parse(text))
  } catch (error) {
    const what = error instanceof z.ZodError ? z.prettifyError(error) : error instanceof Error ? error.message : error
    throw new CorruptFileError(file, `not what rxgym writes there: ${what}`)
  }
}

/** Runs by configuration, as `resultsOf` takes them. */
export function namedRecords(configurations: readonly StoredConfiguration[]): NamedRuns[] {
  return configurations.map(({ name, runs }) => ({ name, runs: runs.map(({ record }) => record) }))
}

/** Each configuration's median seconds a run, where they were kept. */
export function secondsOf(configurations: readonly StoredConfiguration[]): Seconds {
  return new Map(
    configurations.flatMap(({ name, runs }) => {
      const known = runs.flatMap(({ seconds }) => seconds ?? [])
      return known.length > 0 ? [[name, median(known)] as const] : []
    }),
  )
}

/** The last part of a folder's path. */
export function nameOf(folder: string): string {
  return basename(folder)
}

/** Seconds a run took and tokens it wrote, all its sittings together; no seconds where no time was kept. */
function sittings(folder: string): { readonly seconds?: number; readonly tokens: number } {
  const lines = textOf(join(folder, 'timing.jsonl')).split('\n').slice(0, -1)
  const before = { seconds: 0, tokens: 0 }
  let present: { readonly seconds: number; readonly tokens?: number } | undefined
  for (const line of lines) {
    const next = JSON.parse(line) as { readonly type: string; readonly seconds: number; readonly tokens?: number }
    if (next.type === 'start') {
      before.seconds += present?.seconds ?? 0
      before.tokens += present?.tokens ?? 0
    }
    present = next
  }
  const tokens = before.tokens + (present?.tokens ?? 0)
  return present ? { seconds: before.seconds + present.seconds, tokens } : { tokens }
}

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .sort()
  } catch {
    return []
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false
}

function textOf(path: string): string {
  return isFile(path) ? readFileSync(path, 'utf8') : ''
}
