import { basename, dirname, join, resolve } from 'node:path'

/** Relative to where the process began, which it may leave. */
const node = resolve(process.argv0)

/** The program and its arguments that start this Node again. Where a bundle's own C library runs it, the process is that library's loader,
 *  which is to be told of both. */
export function nodeCommand(...args: readonly string[]): readonly [program: string, args: string[]] {
  const program = process.execPath
  if (!basename(program).startsWith('ld-linux')) return [program, [...args]]
  const libraries = [dirname(program), join(dirname(program), '../lib'), process.env.LD_LIBRARY_PATH]
  return [program, ['--library-path', libraries.filter(Boolean).join(':'), node, ...args]]
}
