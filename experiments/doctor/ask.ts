import { spawn } from 'node:child_process'
import { nodeCommand } from '../node-command.js'

/** What a process answers in its last line, as JSON. */
export type Answer<T> = { readonly found: T } | { readonly failed: string }

const CRASHES: readonly (string | null)[] = ['SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGTRAP']

/**
 * Has a module try something in a process of its own. It may crash or hang, which is then the answer.
 *
 * @param limit  seconds that it has
 * @param env    added to the environment
 */
export async function ask<T>(
  module: string,
  args: readonly string[],
  limit: number,
  env: Readonly<Record<string, string>> = {},
): Promise<Answer<T>> {
  const [program, all] = nodeCommand(module, ...args)
  // Not 'ignore', which needs /dev/null: an empty root folder has none.
  const child = spawn(program, all, { env: { ...process.env, ...env }, stdio: 'pipe' })
  child.stdin.end()
  const said = { out: '', err: '' }
  child.stdout.on('data', (data) => {
    said.out += data
  })
  // What drivers and libraries print is of interest only where nothing else tells what happened.
  child.stderr.on('data', (data) => {
    said.err = `${said.err}${data}`.slice(-1000)
  })
  let late = false
  const timer = setTimeout(() => {
    late = true
    child.kill('SIGKILL')
  }, 1000 * limit)
  const { code, signal, error } = await new Promise<Ended>((resolve) => {
    child.once('error', (error) => resolve({ code: null, signal: null, error }))
    child.once('close', (code, signal) => resolve({ code, signal }))
  })
  clearTimeout(timer)
  const answer = said.out.trimEnd().split('\n').at(-1)!
  if (/^\{.*\}$/.test(answer)) return JSON.parse(answer) as Answer<T>
  if (late) return { failed: `no answer within ${limit} s: its driver or library hangs, or is very slow` }
  const how = error?.message ?? (signal ? `it was ended by ${signal}` : `it ended with exit code ${code}`)
  const cause = CRASHES.includes(signal) ? ': its driver or library crashed' : ''
  const last = said.err.trim().split('\n').at(-1)
  return {
    failed: `the process in which it was tried gave no answer, as ${how}${cause}${last ? ` (${last.trim()})` : ''}`,
  }
}

interface Ended {
  readonly code: number | null
  readonly signal: string | null
  readonly error?: Error
}
