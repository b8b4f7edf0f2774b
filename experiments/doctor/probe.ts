import { type BackendName, useBackend } from '../../tensors/backend.js'
import { noHalf } from '../../tensors/compute-type.js'
import { product } from '../../tensors/product.js'
import * as tf from '../../tensors/tf.js'
import type { DawnBackend } from '../../tensors/webgpu/dawn-backend.js'
import { adapterNames } from '../../tensors/webgpu/device.js'
import { deviceMemory } from '../../tensors/webgpu/device-memory.js'
import type { Adapter, Findings } from './doctor.js'

/* Run by doctor as a process of its own, which a driver may crash or hang: `adapters` lists their names, a backend's name tries that. The
 * answer is a line of JSON. */

/** The kinds of memory and arithmetic whose limits decide what a model can do on a card. */
const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
] as const

/** Milliseconds that a rate is measured for at least. */
const MEASURED_MS = 400

/** Rows of the largest matrices and numbers of the largest vector that are tried: more makes no device faster. */
const MOST_ROWS = 4096
const MOST_NUMBERS = 2 ** 24

async function examine(name: BackendName): Promise<Findings> {
  const began = performance.now()
  const { reason } = await useBackend(name)
  const startSeconds = (performance.now() - began) / 1000
  const adapter = name === 'webgpu' ? adapterFindings() : undefined
  const half = noHalf()
  return {
    reason,
    startSeconds,
    ...(adapter && { adapter }),
    gigaflops: await matrixRate(false),
    ...(half === undefined && { gigaflopsHalf: await matrixRate(true) }),
    gigabytes: await copyRate(),
  }
}

function adapterFindings(): Adapter {
  // Under its name nothing else is registered.
  const { adapter } = (tf.backend() as DawnBackend).gpu
  const { info, features, limits } = adapter
  const memory = deviceMemory(info)
  // Both are Dawn's, and in no published type.
  const { subgroupMatrixConfigs: matrices = [] } = info as { subgroupMatrixConfigs?: readonly SubgroupMatrix[] }
  return {
    name: info.device,
    vendor: info.vendor,
    architecture: info.architecture,
    driver: info.description,
    software: info.isFallbackAdapter,
    ...(memory !== undefined && { memory }),
    half: features.has('shader-f16'),
    subgroups: features.has('subgroups') ? { least: info.subgroupMinSize ?? 0, most: info.subgroupMaxSize ?? 0 } : null,
    subgroupMatrices: [...matrices].map(
      ({ M, N, K, componentType, resultComponentType }) => `${M}×${N}×${K} ${componentType} to ${resultComponentType}`,
    ),
    timestamps: features.has('timestamp-query'),
    limits: Object.fromEntries(LIMITS.map((limit) => [limit, Number(limits[limit])])),
  }
}

interface SubgroupMatrix {
  readonly M: number
  readonly N: number
  readonly K: number
  readonly componentType: string
  readonly resultComponentType: string
}

/** Billions of operations a second in products of square matrices, as large as the device multiplies in a while. */
async function matrixRate(half: boolean): Promise<number> {
  let seconds = 0
  let rows = 32
  let enough = false
  while (!enough && rows < MOST_ROWS) {
    rows *= 2
    const a = tf.fill([rows, rows], 0.5) as tf.Tensor2D
    const b = tf.fill([rows, rows], 0.25) as tf.Tensor2D
    const multiply = () => product(a, b, { half })
    enough = (await takesAWhile(multiply)) || rows === MOST_ROWS
    if (enough) seconds = await secondsOf(multiply)
    tf.dispose([a, b])
  }
  return (2 * rows ** 3) / seconds / 1e9
}

/** Billions of bytes a second that an operation of one number after the other reads and writes, of more numbers than a cache holds. */
async function copyRate(): Promise<number> {
  let seconds = 0
  let numbers = 2 ** 14
  let enough = false
  while (!enough && numbers < MOST_NUMBERS) {
    numbers *= 4
    const x = tf.fill([numbers], 0.5)
    enough = (await takesAWhile(() => tf.neg(x))) || numbers === MOST_NUMBERS
    if (enough) seconds = await secondsOf(() => tf.neg(x))
    x.dispose()
  }
  return (2 * 4 * numbers) / seconds / 1e9
}

/** Whether something takes long enough to be measured by: not only the first time, which also brings its kernels, or by chance. */
async function takesAWhile(work: () => tf.Tensor): Promise<boolean> {
  await finished(work, 1)
  return (await millisecondsOf(work, 1)) > MEASURED_MS / 8 && (await millisecondsOf(work, 1)) > MEASURED_MS / 8
}

/** How long something takes of many, one after the other. */
async function secondsOf(work: () => tf.Tensor): Promise<number> {
  for (let times = 1; ; times *= 4) {
    const milliseconds = await millisecondsOf(work, times)
    if (milliseconds > MEASURED_MS) return milliseconds / times / 1000
  }
}

/** Without what waiting for anything takes. */
async function millisecondsOf(work: () => tf.Tensor, times: number): Promise<number> {
  while (waits.length < 3) waits.push(await elapsed(() => tf.fill([1], 0.5), 1))
  return (await elapsed(work, times)) - Math.min(...waits)
}

const waits: number[] = []

async function elapsed(work: () => tf.Tensor, times: number): Promise<number> {
  const began = performance.now()
  await finished(work, times)
  return performance.now() - began
}

/** Done so often, and waited for: by a number of the last one, as a device works behind what is asked of it. */
async function finished(work: () => tf.Tensor, times: number): Promise<void> {
  for (let i = 1; i < times; i++) work().dispose()
  const probe = tf.tidy(() => tf.slice(tf.reshape(work(), [-1]), 0, 1))
  await probe.data()
  probe.dispose()
}

const [what] = process.argv.slice(2) as ['adapters' | BackendName]
const answer = await (what === 'adapters' ? adapterNames() : examine(what)).then(
  (found) => ({ found }),
  (error) => ({ failed: error instanceof Error ? error.message : String(error) }),
)
// Waited for, as an answer to a pipe may be on its way; what a device has left to do is not.
process.stdout.write(`${JSON.stringify(answer)}\n`, () => process.exit())
