import { existsSync, readFileSync } from 'node:fs'
import { createRequire, isBuiltin } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'

/* Run as a program by bundle: Node resolves a specifier as if another module had named it only under a flag. Prints every file that Node
 * may load for the modules named on its command line, as a JSON array. A module is read as text: what it imports, now or when it is
 * called, is written in it, except for what is put together, such as the paths of binaries. */

const IMPORTED = [/\b(?:from|import)\s*\(?\s*["']([^"'\n]+)["']/g]
const REQUIRED = [/(?:\brequire|\.resolve)\s*\(\s*["']([^"'\n]+)["']/g]

/** Every file that is loaded for some, with these. */
function loadedFiles(entries: readonly string[]): Set<string> {
  const files = new Set(entries)
  for (const file of files) {
    if (!/\.[cm]?js$/.test(file)) continue
    const text = readFileSync(file, 'utf8')
    const require = createRequire(file)
    const from = pathToFileURL(file).href
    const found = [
      ...named(text, IMPORTED).map((name) => resolved(() => fileURLToPath(import.meta.resolve(name, from)))),
      ...named(text, REQUIRED).map((name) => resolved(() => require.resolve(name))),
    ]
    for (const path of found) if (path !== undefined) files.add(path)
  }
  return files
}

function named(text: string, forms: readonly RegExp[]): string[] {
  const names = forms.flatMap((form) => [...text.matchAll(form)].map(([, name]) => name!))
  return [...new Set(names)].filter((name) => !isBuiltin(name))
}

/** What a module can do without need not be there, and what looks like an import may be a comment, of a type say. */
function resolved(resolve: () => string): string | undefined {
  try {
    const path = resolve()
    return existsSync(path) && !path.endsWith('.ts') ? path : undefined
  } catch {
    return undefined
  }
}

process.stdout.write(JSON.stringify([...loadedFiles(process.argv.slice(2))]))
