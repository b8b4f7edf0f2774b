import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { InvalidArgumentError, Option } from 'commander'
import type { Json } from '../../envs/spec.js'
import type { BackendName } from '../../tensors/backend.js'
import { UsageError } from '../errors.js'

/** An option that may stand several times: each value joins the list. */
export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value]
}

/** As `backendNames`, without what they load: `--help` is to answer at once. */
const BACKENDS = ['auto', 'wasm', 'cpu', 'webgpu', 'tensorflow'] as const satisfies readonly BackendName[]

/** `--backend`, of a command that makes runs. */
export function backendOption(): Option {
  return new Option('--backend <name>', `what tensors are computed with: ${BACKENDS.join(', ')}`)
}

/** `--backend`, of a command that takes up a run. */
export function otherBackendOption(): Option {
  return new Option('--backend <name>', "what a run's tensors are computed with, in place of its own backend").choices(
    BACKENDS,
  )
}

/** A whole number from 0. */
export function wholeNumber(text: string): number {
  return numberWithin(text, 0, Number.MAX_SAFE_INTEGER, 'It must be a whole number from 0.')
}

/** A whole number from 1. */
export function positiveNumber(text: string): number {
  return numberWithin(text, 1, Number.MAX_SAFE_INTEGER, 'It must be a whole number from 1.')
}

/** A port to listen on; 0 for a free one. */
export function portNumber(text: string): number {
  return numberWithin(text, 0, 65535, 'It must be a port from 0 to 65535.')
}

function numberWithin(text: string, least: number, most: number, expected: string): number {
  const n = Number(text)
  if (/^\d+$/.test(text) && n >= least && n <= most) return n
  throw new InvalidArgumentError(expected)
}

/** An option of an environment that may stand several times: `name=value`, the value being JSON or text. */
export const environmentOption = namedValue('numbers=4')

/** How a language model completes, a field of it at a time. */
export const samplingOption = namedValue('repetitionPenalty=1.1')

function namedValue(example: string) {
  return (text: string, before: Readonly<Record<string, Json>> = {}): Readonly<Record<string, Json>> => {
    const at = text.indexOf('=')
    if (at < 1) throw new InvalidArgumentError(`It must be of the form name=value, such as ${example}.`)
    return { ...before, [text.slice(0, at)]: jsonOrText(text.slice(at + 1)) }
  }
}

/** What went wrong in making an environment with options of the command line: its own words about one of them. */
export function optionError(error: unknown, options: Readonly<Record<string, Json>> = {}): unknown {
  if (!(error instanceof RangeError) || Object.keys(options).length === 0) return error
  return new UsageError(`--option: ${error.message}`, { cause: error })
}

function jsonOrText(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    return text
  }
}

/** Makes the built-in environments and wrappers known, then runs the user's own modules, which register theirs. */
export async function importModules(files: readonly string[] = []): Promise<void> {
  await import('../../index.js')
  for (const file of files) {
    try {
      await import(pathToFileURL(resolve(file)).href)
    } catch (error) {
      throw new UsageError(`--import ${file}: ${importProblem(error)}`, { cause: error })
    }
  }
}

function importProblem(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const unknown = 'code' in error && error.code === 'ERR_UNKNOWN_FILE_EXTENSION'
  if (!unknown || !/\.[cm]?ts\b/.test(error.message)) return error.message
  return (
    `${error.message}. Node ${process.versions.node} does not run TypeScript: compile it, use Node 22.18 or later, ` +
    'or install tsx and set NODE_OPTIONS="--import tsx"'
  )
}
