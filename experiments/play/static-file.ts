import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'

const TYPES = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml; charset=utf-8',
} as const

/** What of cm-chessboard is served: its modules and styles, and of its two sets of men the one whose licence allows it. */
export const BOARD_FILES =
  /^(?:src\/[\w/-]+\.js|assets\/[\w/-]+\.css|assets\/(?:pieces\/standard|extensions\/\w+\/\w+)\.svg)$/

/** A file that the page asks for. */
export interface StaticFile {
  readonly content: Uint8Array<ArrayBuffer>
  /** Its media type. */
  readonly type: string
}

/** A module of the page (`page`), or a file of the board it shows (`board`); undefined where there is none. */
export async function staticFile(folder: 'page' | 'board', path: string): Promise<StaticFile | undefined> {
  const allowed = folder === 'page' ? /^[\w-]+\.js$/ : BOARD_FILES
  const ending = Object.entries(TYPES).find(([name]) => path.endsWith(`.${name}`))
  if (!allowed.test(path) || !ending) return undefined
  try {
    return { content: new Uint8Array(await readFile(new URL(path, folderOf(folder)))), type: ending[1] }
  } catch {
    return undefined
  }
}

function folderOf(folder: 'page' | 'board'): URL {
  if (folder === 'board') {
    return new URL('./', pathToFileURL(createRequire(import.meta.url).resolve('cm-chessboard/package.json')))
  }
  // The browser takes what is built: beside this module, or, where the sources run, in dist.
  const built = new URL('./page/', import.meta.url)
  return existsSync(fileURLToPath(new URL('main.js', built)))
    ? built
    : new URL('../../dist/experiments/play/page/', import.meta.url)
}
