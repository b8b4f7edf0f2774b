import { freemem, totalmem } from 'node:os'
import { built } from '../bench/built.js'
import { machineFacts } from '../facts.js'
import { ask } from './ask.js'

/** What a graphics card, or what stands for one, can do. */
export interface Adapter {
  readonly name: string
  readonly vendor: string
  readonly architecture: string
  readonly driver: string
  /** Whether it computes on the processor. */
  readonly software: boolean
  /** Bytes, where they can be known. */
  readonly memory?: number
  /** Arithmetic in half precision. */
  readonly half: boolean
  readonly subgroups: { readonly least: number; readonly most: number } | null
  /** Matrix units, such as `16×16×16 f16 to f32`. */
  readonly subgroupMatrices: readonly string[]
  readonly timestamps: boolean
  readonly limits: Readonly<Record<string, number>>
}

/** What a backend that runs was seen to do. */
export interface Findings {
  /** Which library or adapter computes. */
  readonly reason: string
  readonly startSeconds: number
  readonly adapter?: Adapter
  /** Billions of operations a second, of matrix products in single precision. */
  readonly gigaflops: number
  /** The same with factors in half precision, where there is any. */
  readonly gigaflopsHalf?: number
  /** Billions of bytes a second, read and written. */
  readonly gigabytes: number
}

/** One backend, or of `webgpu` one adapter. */
export type Check = { readonly backend: ExaminedBackend; readonly choose: string } & (
  | ({ readonly runs: true } & Findings)
  | { readonly runs: false; readonly why: string }
)

/** What this machine offers. */
export interface Diagnosis {
  readonly rxgym: string
  readonly node: string
  readonly platform: string
  readonly processor: string
  readonly cores: number
  /** Bytes. */
  readonly memory: { readonly total: number; readonly free: number }
  readonly backends: readonly Check[]
}

export const examinedBackends = ['wasm', 'cpu', 'webgpu', 'tensorflow'] as const
export type ExaminedBackend = (typeof examinedBackends)[number]

export interface DoctorOptions {
  /** Which backends; all unless given. */
  readonly only?: readonly ExaminedBackend[]
  /** Seconds after which a backend that does not answer is given up. */
  readonly limit?: number
  readonly note?: (message: string) => void
}

/** Examines the machine, each backend in a process of its own: a driver that crashes or hangs is one of the findings. */
export async function examineMachine({
  only = examinedBackends,
  limit = 120,
  note = () => {},
}: DoctorOptions = {}): Promise<Diagnosis> {
  const { rxgym, node, platform, processor, cores } = machineFacts()
  const probe = built('experiments/doctor/probe.js')
  const backends: Check[] = []
  const check = async (backend: ExaminedBackend, adapter?: string) => {
    note(adapter ? `${backend}: ${adapter}` : backend)
    const answer = await ask<Findings>(probe, [backend], limit, adapter ? { RXGYM_ADAPTER: adapter } : {})
    const choose = `${adapter ? `RXGYM_ADAPTER='${adapter}' ` : ''}--backend ${backend}`
    backends.push(
      'found' in answer
        ? { backend, choose, runs: true, ...answer.found }
        : { backend, choose, runs: false, why: answer.failed },
    )
  }
  for (const backend of examinedBackends.filter((name) => only.includes(name))) {
    const names = backend === 'webgpu' ? await ask<string[]>(probe, ['adapters'], limit) : undefined
    const found = names && 'found' in names ? names.found : []
    const chosen = process.env.RXGYM_ADAPTER
    // Chosen, and not there: it tells so.
    const missed = backend === 'webgpu' && chosen && !found.some((name) => name.includes(chosen)) ? [chosen] : []
    // Without a name it tells why there is none.
    const adapters = found.length > 0 ? [...missed, ...found] : [undefined]
    for (const adapter of adapters) await check(backend, adapter)
  }
  return { rxgym, node, platform, processor, cores, memory: { total: totalmem(), free: freemem() }, backends }
}
