import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Json } from '../../envs/spec.js'
import { built } from './built.js'
import type { Effort, Measurement } from './measure.js'
import { howToInstall, peerPackage } from './peer-packages.js'

/** Somebody else's program that does the same, measured in the same run. */
export interface Peer {
  readonly name: string
  measure(effort: Effort): Promise<Measurement | Skipped>
}

/** A peer that could not be measured, and why. */
export interface Skipped {
  readonly skipped: string
}

type Arguments = readonly (string | number)[]

const run = promisify(execFile)
const MOST_OUTPUT = 2 ** 20

/** Where a peer's program lies: beside the sources, also for what is built of them. */
function scriptAt(name: string): string | undefined {
  const places = ['./peers/', '../../../experiments/bench/peers/']
  return places.map((place) => fileURLToPath(new URL(place + name, import.meta.url))).find((path) => existsSync(path))
}

const NO_SCRIPTS: Skipped = { skipped: "the peers' programs are only in a checkout of rxgym" }

/**
 * A script of `peers/` under the first Python that has the modules it needs: `RXGYM_PYTHON` where that is set, else
 * `python3`, else `/usr/bin/python3`. One thread.
 *
 * @param needs  modules without which it is skipped
 * @param likes  modules for whose sake a later Python is preferred to an earlier one
 */
export function pythonPeer(
  name: string,
  script: string,
  { needs, likes = [] }: { readonly needs: readonly string[]; readonly likes?: readonly string[] },
  args: (effort: Effort) => Arguments | Promise<Arguments>,
): Peer {
  return {
    name,
    async measure(effort) {
      const path = scriptAt(script)
      if (path === undefined) return NO_SCRIPTS
      const python = (await pythonWith([...needs, ...likes])) ?? (await pythonWith(needs))
      if (python === undefined) return { skipped: await whyNot(needs) }
      return answerOf(python, [path, ...(await args(effort)).map(String)])
    },
  }
}

/** A C file of `peers/`, compiled with `cc -O3`. */
export function cPeer(name: string, source: string, args: (effort: Effort) => Arguments): Peer {
  return {
    name,
    async measure(effort) {
      const path = scriptAt(source)
      if (path === undefined) return NO_SCRIPTS
      const compiled = mkdtempSync(join(tmpdir(), 'rxgym-peer-'))
      try {
        const program = join(compiled, 'peer')
        try {
          await run('cc', ['-O3', '-o', program, path, '-lm'])
        } catch (error) {
          return { skipped: isMissing(error) ? 'there is no cc' : `cc: ${firstLine(error)}` }
        }
        return await answerOf(program, args(effort).map(String))
      } finally {
        rmSync(compiled, { recursive: true, force: true })
      }
    },
  }
}

/**
 * A compiled module of `peers/` in a Node of its own, which uses packages that are no dependencies of rxgym ({@link peerPackage}): where one is
 * not installed, it is skipped, and says how to install it.
 *
 * @param needs  packages without which it is skipped, and the versions that were tried
 */
export function javascriptPeer(
  name: string,
  module: string,
  { needs }: { readonly needs: Readonly<Record<string, string>> },
  args: (effort: Effort) => Promise<Arguments>,
): Peer {
  return {
    name,
    async measure(effort) {
      const missing = Object.entries(needs).filter(([name]) => peerPackage(name) === undefined)
      if (missing.length > 0) return { skipped: howToInstall(missing) }
      const program = built(`experiments/bench/peers/${module}`)
      return answerOf(process.execPath, [program, ...(await args(effort)).map(String)])
    },
  }
}

/** Every interpreter there is to try, in order. */
function pythons(): readonly string[] {
  const own = process.env.RXGYM_PYTHON
  return own ? [own] : ['python3', '/usr/bin/python3']
}

async function pythonWith(modules: readonly string[]): Promise<string | undefined> {
  for (const python of pythons()) if ((await missing(python, modules))?.length === 0) return python
  return undefined
}

/** Which of some modules an interpreter lacks; undefined if there is no such interpreter. */
async function missing(python: string, modules: readonly string[]): Promise<string[] | undefined> {
  const program = [
    'import importlib.util, sys',
    'print(*[m for m in sys.argv[1:] if importlib.util.find_spec(m) is None])',
  ]
  try {
    const { stdout } = await run(python, ['-c', program.join('\n'), ...modules])
    return stdout.split(/\s+/).filter(Boolean)
  } catch {
    return undefined
  }
}

async function whyNot(modules: readonly string[]): Promise<string> {
  const reasons: string[] = []
  for (const python of pythons()) {
    const lacking = await missing(python, modules)
    reasons.push(lacking === undefined ? `there is no ${python}` : `${python} has no ${lacking.join(', no ')}`)
  }
  return reasons.join('; ')
}

/** What a program says in its last line: libraries may say something before. */
async function answerOf(program: string, args: readonly string[]): Promise<Measurement | Skipped> {
  const env = { ...process.env, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1', PYTHONDONTWRITEBYTECODE: '1' }
  try {
    const { stdout } = await run(program, args, { env, maxBuffer: MOST_OUTPUT })
    const { values, ...details } = JSON.parse(stdout.trim().split('\n').at(-1)!) as { values: number[] } & Record<
      string,
      Json
    >
    return { values, details }
  } catch (error) {
    return { skipped: firstLine(error) }
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

/** What a failed program said last, which is where Python names the error. */
function firstLine(error: unknown): string {
  const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim().split('\n').at(-1) : undefined
  return said || (error instanceof Error ? error.message : String(error))
}
