import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism, cpus } from 'node:os'
import type { ComputeType } from '../tensors/compute-type.js'

/** What a run's numbers may depend on beside its configuration. */
export interface Facts {
  readonly rxgym: string
  readonly node: string
  readonly tfjs: string
  /** Which tensor backend ran, and why that one; on a graphics card, on which. */
  readonly backend: {
    readonly name: string
    readonly reason: string
    readonly adapter?: string
    /** What products were computed in, where half precision was asked for. */
    readonly dtype?: ComputeType
  }
  readonly platform: string
  readonly processor: string
  readonly cores: number
  /** The commit of the folder's git repository, `-dirty` where files differ from it; absent outside of one. */
  readonly commit?: string
  /** When the run began, ISO 8601. */
  readonly began: string
}

/** Looks at this machine, this process and the repository it stands in. */
export function gatherFacts({ name, reason, adapter, dtype }: Facts['backend']): Facts {
  const more = { ...(adapter !== undefined && { adapter }), ...(dtype !== undefined && { dtype }) }
  return { ...machineFacts(), backend: { name, reason, ...more } }
}

/** As {@link gatherFacts}, of work without tensors. */
export function machineFacts(): Omit<Facts, 'backend'> {
  const commit = presentCommit()
  return {
    rxgym: packageVersion(),
    node: process.versions.node,
    tfjs: installedVersion('@tensorflow/tfjs-core'),
    platform: `${process.platform} ${process.arch}`,
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    ...(commit && { commit }),
    began: new Date().toISOString(),
  }
}

/** This package's version. */
export function packageVersion(): string {
  // Two places: beside the sources, and one folder further up from what is built of them.
  for (const path of ['../package.json', '../../package.json']) {
    try {
      const found = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as {
        name?: string
        version?: string
      }
      if (found.name === 'rxgym' && found.version !== undefined) return found.version
    } catch {
      // not this one
    }
  }
  return 'unknown'
}

function installedVersion(name: string): string {
  try {
    return (createRequire(import.meta.url)(`${name}/package.json`) as { version: string }).version
  } catch {
    return 'unknown'
  }
}

function presentCommit(): string | undefined {
  const git = spawnSync('git', ['describe', '--always', '--dirty', '--abbrev=40', '--exclude=*'], { encoding: 'utf8' })
  return git.status === 0 ? git.stdout.trim() : undefined
}
