import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { createGzip } from 'node:zlib'
import { isSystemError, UsageError, WriteError } from '../errors.js'
import { packageVersion } from '../facts.js'
import { nodeCommand } from '../node-command.js'
import { packageRoot } from '../package-root.js'
import { BOARD_FILES } from '../play/static-file.js'
import { bundleReadme, LAUNCHER } from './launcher.js'
import { npmPackage } from './npm-package.js'
import { cLibrary, vulkanLoader } from './system-libraries.js'

const run = promisify(execFile)

export interface BundleOptions {
  /** An archive's file, ending in `.tar.gz` or `.tgz`, or a folder that is not there or empty. */
  readonly out: string
  /** Which Node: a version, or the newest of a major one. */
  readonly node: string
  /** With the Vulkan loader. */
  readonly vulkan: boolean
  /** With the C library, for a machine or a root folder without one. */
  readonly libc: boolean
  /** Told what is going on. */
  readonly note?: (message: string) => void
}

/** What was made. */
export interface Bundle {
  readonly out: string
  readonly node: string
  /** Bytes of the archive, or of the folder's files. */
  readonly size: number
  /** The bundle's parts with their bytes, not compressed, the largest first. */
  readonly parts: readonly { readonly name: string; readonly size: number }[]
}

/** The name of the folder in an archive. */
const FOLDER = 'rxgym'
const PLATFORM = 'linux-x64'

/** What a package opens beside the modules that it is made of. */
const OPENED: Readonly<Record<string, RegExp>> = {
  '@tensorflow/tfjs-backend-wasm': /^dist\/[\w-]+\.wasm$/,
  'cm-chessboard': BOARD_FILES,
  webgpu: new RegExp(`^dist/${PLATFORM}/`),
}

/** Binaries whose names for debuggers nobody needs. */
const NODE = 'bin/node'
const DAWN = `node_modules/webgpu/dist/${PLATFORM}/dawn.node`

/**
 * Puts all that rxgym needs into one folder or archive that runs on a bare Linux machine on x64: Node, what is built, of its dependencies
 * what can be loaded, the binary of `webgpu`, a launcher.
 *
 * @throws UsageError if it is not built, the target is of no use, or something cannot be fetched
 * @throws WriteError if it cannot be written
 */
export async function makeBundle({ out, node, vulkan, libc, note = () => {} }: BundleOptions): Promise<Bundle> {
  if (!existsSync(join(packageRoot, 'dist/experiments/cli.js'))) {
    throw new UsageError(`bundle: ${packageRoot} is not built. Run npm run build`)
  }
  const target = resolve(out)
  const archive = /\.(tar\.gz|tgz)$/.test(target)
  checkTarget(out, target, archive)
  const stage = stageBeside(target)
  try {
    const folder = join(stage, FOLDER)
    const paths = { downloads: join(stage, 'downloads'), folder }
    for (const path of Object.values(paths)) mkdirSync(path)
    note(`Node ${node} from npm`)
    const version = await bringNode(node, paths)
    note('rxgym and what it is made of')
    await bringProject(paths)
    const loader = vulkan ? await vulkanLoader(join(folder, 'lib'), paths.downloads) : undefined
    const binaries = [NODE, DAWN, ...(vulkan ? ['lib/libvulkan.so.1'] : [])].map((path) => join(folder, path))
    if (libc) await cLibrary(binaries, join(folder, 'libc'))
    // Only what GNU's binutils know; elsewhere the bundle is a little larger.
    for (const binary of binaries) await run('strip', ['--strip-unneeded', binary]).catch(() => {})
    writeFileSync(join(folder, 'rxgym'), LAUNCHER, { mode: 0o755 })
    const parts = { rxgym: packageVersion(), node: version, vulkan: loader, libc }
    writeFileSync(join(folder, 'README.txt'), bundleReadme(parts))
    const sizes = partSizes(folder)
    let made = folder
    if (archive) {
      note('the archive')
      made = join(stage, basename(target))
      await pack(stage, made)
    }
    const size = archive ? statSync(made).size : sizes.reduce((sum, part) => sum + part.size, 0)
    renameSync(made, target)
    return { out, node: version, size, parts: sizes }
  } catch (error) {
    if (error instanceof Error && 'code' in error && typeof error.code === 'string' && 'syscall' in error) {
      throw new WriteError(out, error, 'Nothing was left there.')
    }
    throw error
  } finally {
    rmSync(stage, { recursive: true, force: true })
  }
}

interface Paths {
  readonly folder: string
  readonly downloads: string
}

function checkTarget(out: string, target: string, archive: boolean): void {
  if (!archive && /\.(tar|xz|gz|bz2|zst|zip|7z)$/.test(target)) {
    throw new UsageError(`bundle: ${out}: an archive ends in .tar.gz; any other name is a folder's`)
  }
  const there = existsSync(target) ? statSync(target) : undefined
  if (archive ? there?.isDirectory() : there && !(there.isDirectory() && readdirSync(target).length === 0)) {
    throw new UsageError(
      `bundle: ${out} is there${archive ? ', as a folder' : ' and not an empty folder'}. Choose another with --out`,
    )
  }
}

/** Where the bundle grows: on the same file system, so that it is there whole or not at all. */
function stageBeside(target: string): string {
  try {
    mkdirSync(dirname(target), { recursive: true })
    return mkdtempSync(join(dirname(target), '.rxgym-bundle-'))
  } catch (error) {
    throw new WriteError(target, error, 'Choose another place with --out.')
  }
}

/** @returns its version */
async function bringNode(version: string, { folder, downloads }: Paths): Promise<string> {
  const from = await npmPackage(`node-${PLATFORM}`, version, downloads)
  mkdirSync(join(folder, 'bin'))
  copyFileSync(join(from, 'bin/node'), join(folder, NODE))
  chmodSync(join(folder, NODE), 0o755)
  copyFileSync(join(from, 'LICENSE'), join(folder, 'bin/LICENSE'))
  return (JSON.parse(readFileSync(join(from, 'package.json'), 'utf8')) as { version: string }).version
}

async function bringProject({ folder, downloads }: Paths): Promise<void> {
  const dist = join(packageRoot, 'dist')
  // A dot begins what is not built; .tsbuildinfo, and folders of tests.
  const built = filesOf(dist).filter((path) => /\.(js|wasm)$/.test(path) && !/(^|\/)readme-/.test(path))
  const own = built.map((path) => join(dist, path))
  const flag = '--experimental-import-meta-resolve'
  const [program, args] = nodeCommand(flag, join(dist, 'experiments/bundle/loaded-files.js'), ...own)
  const { stdout } = await run(program, args, { maxBuffer: 2 ** 28 })
  const files = new Set([
    ...(JSON.parse(stdout) as string[]),
    join(packageRoot, 'package.json'),
    join(packageRoot, 'LICENSE'),
    ...peerPrograms(),
  ])
  for (const path of [...files]) for (const more of besides(path)) files.add(more)
  for (const path of files) {
    const to = join(folder, placeOf(path))
    mkdirSync(dirname(to), { recursive: true })
    copyFileSync(path, to)
  }
  if (!existsSync(join(folder, DAWN))) await bringWebgpu({ folder, downloads })
}

/** What `rxgym bench` measures beside rxgym, Python's and C's: only a checkout has it. */
function peerPrograms(): string[] {
  const folder = join(packageRoot, 'experiments/bench/peers')
  if (!existsSync(folder)) return []
  return filesOf(folder)
    .filter((path) => /\.(py|c)$/.test(path))
    .map((path) => join(folder, path))
}

/** The package is optional: where it is not installed it is fetched. */
async function bringWebgpu({ folder, downloads }: Paths): Promise<void> {
  type Versions = Readonly<Record<string, string>>
  const { peerDependencies = {}, devDependencies = {} } = JSON.parse(
    readFileSync(join(packageRoot, 'package.json'), 'utf8'),
  ) as { readonly peerDependencies?: Versions; readonly devDependencies?: Versions }
  const from = await npmPackage('webgpu', peerDependencies.webgpu ?? devDependencies.webgpu ?? 'latest', downloads)
  for (const path of filesOf(from)) {
    if (!/^(index\.js|package\.json|LICENSE.*)$/.test(path) && !OPENED.webgpu!.test(path)) continue
    const to = join(folder, 'node_modules/webgpu', path)
    mkdirSync(dirname(to), { recursive: true })
    copyFileSync(join(from, path), to)
  }
}

/** Where a file of the project or of a package goes. */
function placeOf(path: string): string {
  const within = relative(packageRoot, path)
  if (!within.startsWith('..')) return within
  const at = path.indexOf(`${sep}node_modules${sep}`)
  if (at < 0 || path.includes(`${sep}.pnpm${sep}`)) {
    throw new UsageError(`bundle: ${path} is not in a node_modules folder as npm makes it. Run npm ci`)
  }
  return path.slice(at + 1)
}

/** What goes with a module of a package: the packages.json files that say what it is, licences, what it opens. */
function besides(path: string): string[] {
  const [, root, name] = /^(.*[\\/]node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+))[\\/]/.exec(path) ?? []
  if (root === undefined) return []
  const found: string[] = []
  for (let folder = dirname(path); folder.length >= root.length; folder = dirname(folder)) {
    const manifest = join(folder, 'package.json')
    if (existsSync(manifest)) found.push(manifest)
  }
  const opened = OPENED[name!.replaceAll('\\', '/')]
  for (const file of opened ? filesOf(root) : readdirSync(root)) {
    if (/^(licen[cs]e|notice|copying)/i.test(file) || opened?.test(file)) found.push(join(root, file))
  }
  return found.filter((file) => statSync(file).isFile())
}

/** Every file under a folder, relative to it, in order. */
function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath ?? entry.path, entry.name)).replaceAll('\\', '/'))
    .sort()
}

/** Of a folder's first level, and of each package, the bytes. */
function partSizes(folder: string): { name: string; size: number }[] {
  const sizes = new Map<string, number>()
  for (const path of filesOf(folder)) {
    const name = /^(node_modules\/(@[^/]+\/)?[^/]+|[^/]+)/.exec(path)![0]
    sizes.set(name, (sizes.get(name) ?? 0) + statSync(join(folder, path)).size)
  }
  return [...sizes].map(([name, size]) => ({ name, size })).sort((a, b) => b.size - a.size)
}

/** Packs the bundle as tar and gzip, which every Linux machine unpacks. */
async function pack(stage: string, file: string): Promise<void> {
  const tar = spawn('tar', ['-cf', '-', '-C', stage, FOLDER], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(tar, 'close')
  // Rejects where tar is not there.
  const packed = pipeline(tar.stdout, createGzip({ level: 9 }), createWriteStream(file))
  const [code] = (
    await Promise.all([ended, packed]).catch((error) => {
      throw isSystemError(error, 'ENOENT')
        ? new UsageError('bundle: tar is not found. Install it, or give a folder with --out')
        : error
    })
  )[0] as [number]
  if (code !== 0) throw new Error(`bundle: tar failed (exit code ${code})`)
}
