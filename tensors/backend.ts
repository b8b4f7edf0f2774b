import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { BackendError } from './backend-error.js'
import * as tf from './tf.js'
import type { GpuDevice } from './webgpu/device.js'

export { BackendError }

export const backendNames = ['auto', 'wasm', 'cpu', 'webgpu', 'tensorflow'] as const
export type BackendName = (typeof backendNames)[number]

/** The backend in use, and why it was taken. */
export interface Backend {
  readonly name: Exclude<BackendName, 'auto'>
  readonly reason: string
  /** The graphics card and its driver, of `webgpu`. */
  readonly adapter?: string
}

const require = createRequire(import.meta.url)
const tensorflowPackages = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'] as const

/**
 * Makes tfjs compute with the named backend from now on.
 *
 * - `wasm`: WebAssembly with SIMD, one thread, so that results are the same on every run. Always there.
 * - `cpu`: plain JavaScript. Always there; slow, and the reference that the others are compared with.
 * - `webgpu`: a graphics card of any vendor, through Dawn on Vulkan, Metal or Direct3D 12; needs the package `webgpu`, which is optional, and a
 *   driver. The environment variable `RXGYM_ADAPTER` chooses among several cards by a part of the name.
 * - `tensorflow`: libtensorflow, on CUDA through `@tensorflow/tfjs-node-gpu` or on the CPU through
 *   `@tensorflow/tfjs-node`; both are optional and installed by hand.
 * - `auto`: `tensorflow` if the GPU package loads, else `wasm`, else `cpu`.
 *
 * @throws BackendError if it was asked for by name and does not load
 */
export async function useBackend(name: BackendName = 'auto'): Promise<Backend> {
  const backend = await load(name)
  await tf.setBackend(backend.name)
  await tf.ready()
  return backend
}

async function load(name: BackendName): Promise<Backend> {
  switch (name) {
    case 'wasm':
      await loadWasm()
      return { name, reason: 'asked for' }
    case 'cpu':
      await import('@tensorflow/tfjs-backend-cpu')
      return { name, reason: 'asked for' }
    case 'webgpu': {
      const adapter = await loadWebgpu()
      return { name, reason: `asked for; ${adapter}`, adapter }
    }
    case 'tensorflow': {
      const { loaded, missing } = await loadTensorflow(tensorflowPackages)
      if (!loaded) {
        throw new BackendError(
          `backend tensorflow: ${missing}. Install one (npm install @tensorflow/tfjs-node-gpu, or @tensorflow/tfjs-node), or choose wasm.`,
        )
      }
      return { name, reason: `asked for; ${loaded} loads` }
    }
    case 'auto': {
      const { loaded, missing } = await loadTensorflow([tensorflowPackages[0]])
      if (loaded) return { name: 'tensorflow', reason: `${loaded} loads` }
      try {
        await loadWasm()
        return { name: 'wasm', reason: missing }
      } catch (error) {
        await import('@tensorflow/tfjs-backend-cpu')
        return { name: 'cpu', reason: `${missing}; wasm does not start (${messageOf(error)})` }
      }
    }
    default:
      throw new BackendError(
        `backend ${String(name)}: there is none of that name; there are ${backendNames.join(', ')}`,
      )
  }
}

let wasmStarted: Promise<void> | undefined

/** Once: its paths cannot be set after it has started. */
function loadWasm(): Promise<void> {
  wasmStarted ??= startWasm()
  return wasmStarted
}

async function startWasm(): Promise<void> {
  const wasm = await import('@tensorflow/tfjs-backend-wasm')
  const folder = dirname(require.resolve('@tensorflow/tfjs-backend-wasm'))
  wasm.setWasmPaths(`${folder}/`)
  // Several threads would add in an order that changes from run to run.
  wasm.setThreadsCount(1)
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false)
  if (!(await tf.setBackend('wasm'))) throw new BackendError(`no WebAssembly backend in ${join(folder, '*.wasm')}`)
}

let webgpuStarted: Promise<string> | undefined

/** Once, unless it failed: a device stays as long as the process, or until it is lost.
 *  @returns the adapter's name */
function loadWebgpu(): Promise<string> {
  webgpuStarted ??= startWebgpu().catch((error) => {
    webgpuStarted = undefined
    throw error
  })
  return webgpuStarted
}

async function startWebgpu(): Promise<string> {
  const { adapterName, openDevice } = await import('./webgpu/device.js')
  const gpu = await openDevice()
  gpu.device.lost.then(() => {
    webgpuStarted = undefined
  })
  await register(gpu)
  return adapterName(gpu.adapter)
}

/** Makes tfjs compute with a device from now on. {@link useBackend} opens another one. */
export async function useDevice(gpu: GpuDevice): Promise<void> {
  webgpuStarted = undefined
  await register(gpu)
}

async function register(gpu: GpuDevice): Promise<void> {
  // Only now: tfjs's backend looks for the globals that Dawn brings when it is loaded.
  const { DawnBackend } = await import('./webgpu/dawn-backend.js')
  // tfjs registers one of its own, with a device of fewer features.
  tf.removeBackend('webgpu')
  tf.registerBackend('webgpu', () => new DawnBackend(gpu))
  if (!(await tf.setBackend('webgpu'))) throw new BackendError('webgpu: tfjs does not start its backend')
}

async function loadTensorflow(packages: readonly string[]): Promise<{ loaded?: string; missing: string }> {
  const missing: string[] = []
  for (const name of packages) {
    const takeBack = restoreUtil()
    try {
      await import(name)
      return { loaded: name, missing: '' }
    } catch (error) {
      takeBack()
      const absent = (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND'
      missing.push(absent ? `${name} is not installed` : `${name} does not load (${messageOf(error)})`)
    }
  }
  return { missing: missing.join(', ') }
}

/** What `@tensorflow/tfjs-node` 4.22 calls of `node:util`, of which Node 23 and later have less. */
const removedFromUtil: Readonly<Record<string, (x: unknown) => boolean>> = {
  isArray: Array.isArray,
  isNullOrUndefined: (x) => x === null || x === undefined,
}

/** Puts back what {@link removedFromUtil} has and Node has not.
 *  @returns undoes it */
function restoreUtil(): () => void {
  const util = require('node:util') as Record<string, unknown>
  const missing = Object.keys(removedFromUtil).filter((name) => util[name] === undefined)
  for (const name of missing) util[name] = removedFromUtil[name]
  return () => {
    for (const name of missing) delete util[name]
  }
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]!
}
