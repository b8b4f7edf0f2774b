import { type BackendName, useBackend } from '../../tensors/backend.js'
import { noHalf } from '../../tensors/compute-type.js'
import * as tf from '../../tensors/tf.js'
import type { DawnBackend } from '../../tensors/webgpu/dawn-backend.js'
import { adapterNames } from '../../tensors/webgpu/device.js'
import { deviceMemory } from '../../tensors/webgpu/device-memory.js'
import { copyRate, matrixRate } from './device-rates.js'
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

const [what] = process.argv.slice(2) as ['adapters' | BackendName]
const answer = await (what === 'adapters' ? adapterNames() : examine(what)).then(
  (found) => ({ found }),
  (error) => ({ failed: error instanceof Error ? error.message : String(error) }),
)
// Waited for, as an answer to a pipe may be on its way; what a device has left to do is not.
process.stdout.write(`${JSON.stringify(answer)}\n`, () => process.exit())
