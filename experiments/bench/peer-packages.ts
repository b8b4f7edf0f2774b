import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

/** Where a package that rxgym does not depend on lies: under the folder that the environment variable `RXGYM_PEERS` names, else where the
 *  working directory would find it. */
export function peerPackage(name: string): string | undefined {
  const folder = process.env.RXGYM_PEERS || '.'
  try {
    return createRequire(resolve(folder, 'package.json')).resolve(name)
  } catch {
    return undefined
  }
}

/** How to install packages.
 *  @param packages  names, and versions that were tried */
export function howToInstall(packages: readonly (readonly [name: string, version: string])[]): string {
  const names = packages.map(([name]) => name).join(', ')
  const versions = packages.map(([name, version]) => `${name}@${version}`).join(' ')
  // What onnxruntime-node runs when it is installed fetches CUDA's libraries, which WebGPU does not need.
  return `not installed: ${names}. npm install --ignore-scripts --prefix FOLDER ${versions}, and RXGYM_PEERS=FOLDER`
}

/** @throws Error if it is not installed */
export async function importPeer(name: string): Promise<unknown> {
  const path = peerPackage(name)
  if (path === undefined) throw new Error(`${name} is not installed`)
  return import(pathToFileURL(path).href)
}

/** The version that is installed, as its package.json names it, if it can be told. */
export function peerVersion(name: string): string | undefined {
  const path = peerPackage(name)
  if (path === undefined) return undefined
  // Not every package lets its package.json be asked for by name.
  const folder = path.slice(0, path.lastIndexOf(join('node_modules', name)) + join('node_modules', name).length)
  const { version } = createRequire(path)(join(folder, 'package.json')) as { version?: string } // an npm package's
  return version
}
