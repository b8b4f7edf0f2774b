import { execFile } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { isSystemError, systemMessage, UsageError } from '../errors.js'

const run = promisify(execFile)

/**
 * Fetches Debian's Vulkan loader, which finds a graphics card's driver, as apt-get has it here.
 *
 * @param to      where the library goes
 * @param within  a folder for what is fetched
 * @returns its version
 * @throws UsageError if there is no apt-get, or it does not get it
 */
export async function vulkanLoader(to: string, within: string): Promise<string> {
  const folder = mkdtempSync(join(within, 'apt-'))
  try {
    await run('apt-get', ['download', 'libvulkan1:amd64'], { cwd: folder })
    const [archive] = readdirSync(folder)
    await run('dpkg', ['-x', join(folder, archive!), folder])
    mkdirSync(to, { recursive: true })
    // Under the name that programs open it by; the other is a link to it.
    const libraries = join(folder, 'usr/lib/x86_64-linux-gnu')
    copyFileSync(join(libraries, 'libvulkan.so.1'), join(to, 'libvulkan.so.1'))
    copyFileSync(join(folder, 'usr/share/doc/libvulkan1/copyright'), join(to, 'libvulkan1.copyright'))
    return archive!.split('_')[1]!
  } catch (error) {
    const missing = isSystemError(error, 'ENOENT')
    const why = missing ? 'apt-get and dpkg are not found here' : lastLine(error)
    const way = missing ? 'Make the bundle on Debian or Ubuntu, or' : 'Try apt-get update, or'
    throw new UsageError(`bundle --vulkan: ${why}. ${way} leave it out and install the loader where the bundle runs`, {
      cause: error,
    })
  }
}

/**
 * Copies this machine's C library and what else some binaries are linked with, the program that loads them first of all.
 *
 * @throws UsageError if this is no Linux on x64 with glibc
 */
export async function cLibrary(binaries: readonly string[], to: string): Promise<void> {
  const libraries = new Set<string>()
  try {
    if (process.platform !== 'linux' || process.arch !== 'x64')
      throw new Error(`this is ${process.platform} ${process.arch}`)
    for (const binary of binaries) {
      const { stdout } = await run('ldd', [binary])
      for (const [, path] of stdout.matchAll(/(\/\S+) \(0x/g)) libraries.add(path!)
    }
    if (![...libraries].some((path) => basename(path).startsWith('ld-linux')))
      throw new Error('it has another C library')
  } catch (error) {
    const why = isSystemError(error, 'ENOENT') ? 'ldd is not found here' : lastLine(error)
    throw new UsageError(`bundle --libc: it needs Linux on x64 with glibc to copy it from (${why})`, { cause: error })
  }
  mkdirSync(to, { recursive: true })
  for (const path of libraries) copyFileSync(path, join(to, basename(path)))
  for (const owner of ['libc6', 'libgcc-s1', 'libstdc++6']) {
    const copyright = `/usr/share/doc/${owner}/copyright`
    if (existsSync(copyright)) copyFileSync(copyright, join(to, `${owner}.copyright`))
  }
}

function lastLine(error: unknown): string {
  const { stderr } = error as { readonly stderr?: string }
  return stderr?.trim().split('\n').at(-1) || systemMessage(error)
}
