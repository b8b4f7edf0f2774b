import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { isSystemError, UsageError } from '../errors.js'

const run = promisify(execFile)

/**
 * Has npm fetch a package from its registry, whichever that is, and unpacks it: no script of it runs, and neither its platform nor its
 * dependencies matter.
 *
 * @param within  a folder for it
 * @returns the folder of the package
 * @throws UsageError if there is no npm, no registry in reach, or no such version
 */
export async function npmPackage(name: string, version: string, within: string): Promise<string> {
  const folder = mkdtempSync(join(within, 'npm-'))
  const patience = ['--fetch-retries=2', '--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=5000']
  try {
    await run('npm', ['pack', `${name}@${version}`, '--pack-destination', folder, '--loglevel=error', ...patience])
  } catch (error) {
    throw new UsageError(`bundle: ${whyNot(error, name, version)}`, { cause: error })
  }
  const [archive] = readdirSync(folder)
  await run('tar', ['-xzf', join(folder, archive!), '-C', folder])
  return join(folder, 'package')
}

function whyNot(error: unknown, name: string, version: string): string {
  if (isSystemError(error, 'ENOENT'))
    return `npm, which fetches ${name}, is not found. It comes with Node: put it on the PATH`
  const { stderr = '' } = error as { readonly stderr?: string }
  const code = /npm (?:error|ERR!) code (\w+)/.exec(stderr)?.[1] ?? ''
  if (code === 'ETARGET' || code === 'E404') return `npm's registry has no ${name} of version ${version}`
  if (/^(ENOTFOUND|EAI_AGAIN|ECONN\w+|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ERR_SOCKET\w*)$/.test(code)) {
    return `npm does not reach its registry for ${name} (${code}). The bundle needs a network where it is made, though not where it runs`
  }
  if (/CERT|UNABLE_TO_VERIFY/.test(code)) {
    return `npm does not trust its registry (${code}): NODE_EXTRA_CA_CERTS, or npm's setting cafile, names the file with the certificates that are to be trusted`
  }
  const said = /npm (?:error|ERR!) (?!code)(.+)/.exec(stderr)?.[1] ?? (error as Error).message.split('\n')[0]
  return `npm does not fetch ${name}@${version} (${said})`
}
