import { BackendError } from '../backend-error.js'

/** A device, and what the adapter that it is of can do beyond the least. */
export interface GpuDevice {
  readonly device: GPUDevice
  readonly adapter: GPUAdapter
  /** What kernels may use: of {@link gpuFeatures} those that are there. */
  readonly features: ReadonlySet<GpuFeature>
}

/** What kernels use where it is there: half-precision arithmetic, sums across a subgroup, the card's matrix units. */
export const gpuFeatures = ['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix'] as const
export type GpuFeature = (typeof gpuFeatures)[number]

/** Limits that are asked for as far as the adapter offers them: without asking a device has the least that WebGPU promises. */
const limits = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupSizeZ',
  'maxComputeWorkgroupsPerDimension',
] as const

/** Dawn for Node, as its package `webgpu` exports it. */
interface Dawn {
  create(options: readonly string[]): GPU
  readonly globals: Readonly<Record<string, unknown>>
}

/** Kept as long as the process: with its last reference Dawn's instance would go, and every device with it. */
let gpu: GPU | undefined

/**
 * Dawn, under the names that a browser has for it: `navigator.gpu` and the global `GPU…` constants, which tfjs's backend looks for.
 *
 * The environment variable `RXGYM_ADAPTER` chooses among several adapters by a part of the name.
 *
 * @throws BackendError if the package is not installed, or does not load here
 */
export async function openGpu(): Promise<GPU> {
  if (gpu) return gpu
  const { create, globals } = await loadDawn()
  const chosen = process.env.RXGYM_ADAPTER
  // Subgroup matrices are an experiment of Dawn's, which it counts among the unsafe.
  gpu = create(['enable-dawn-features=allow_unsafe_apis', ...(chosen ? [`adapter=${chosen}`] : [])])
  Object.assign(globalThis, globals)
  const { navigator = {} } = globalThis as { navigator?: object }
  Object.defineProperty(navigator, 'gpu', { value: gpu, configurable: true })
  if (!('navigator' in globalThis))
    Object.defineProperty(globalThis, 'navigator', { value: navigator, configurable: true })
  return gpu
}

/** The package `webgpu`.
 *  @throws BackendError if it is not installed, or does not load here */
export async function loadDawn(): Promise<Dawn> {
  try {
    return (await import('webgpu')) as Dawn
  } catch (error) {
    const absent =
      (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND' && String(error).includes("'webgpu'")
    throw new BackendError(
      absent
        ? 'webgpu: the package webgpu is not installed. Install it (npm install webgpu), or choose --backend wasm.'
        : `webgpu: the package webgpu does not load (${String(error).split('\n')[0]}). It has binaries for Linux, macOS and Windows on x64 and arm64; choose --backend wasm elsewhere.`,
    )
  }
}

/**
 * The adapter that computes fastest, with every limit and feature of it that kernels use.
 *
 * @throws BackendError if there is no adapter, or it has no device to give
 */
export async function openDevice(): Promise<GpuDevice> {
  const adapter = await adapterOf(await openGpu())
  if (!adapter) throw new BackendError(`webgpu: ${await noAdapter()}, or choose --backend wasm.`)
  const features = new Set(gpuFeatures.filter((feature) => adapter.features.has(feature)))
  const timed = adapter.features.has('timestamp-query') ? (['timestamp-query'] as const) : []
  const device = await adapter.requestDevice({
    // The names that are not in the specification are Dawn's.
    requiredFeatures: [...features, ...timed] as GPUFeatureName[],
    requiredLimits: Object.fromEntries(limits.map((name) => [name, adapter.limits[name]])),
  })
  return { device, adapter, features }
}

/** What an adapter is, and by which driver: numbers may differ where either does. */
export function adapterName({ info }: Pick<GPUAdapter, 'info'>): string {
  const device = (info.device || info.architecture || info.vendor).replace(/-+$/, '')
  return [device, info.description].filter(Boolean).join(', ')
}

/** Every adapter's name, as `RXGYM_ADAPTER` takes it or a part of it; of several with one name the first is meant.
 *  @throws BackendError as {@link openGpu} */
export async function adapterNames(): Promise<string[]> {
  const { create } = await loadDawn()
  try {
    // Dawn lists what there is when it finds nothing of a name that was asked for.
    await adapterOf(create(['adapter=\n']), { throwing: true })
    return []
  } catch (error) {
    return [...new Set([...String(error).matchAll(/name: '(.*)'$/gm)].map(([, name]) => name!))]
  }
}

/** Dawn throws where no adapter has the name that was asked for, and finds none where there is none. */
async function adapterOf(gpu: GPU, { throwing = false } = {}): Promise<GPUAdapter | null> {
  try {
    return await gpu.requestAdapter({ powerPreference: 'high-performance' })
  } catch (error) {
    if (throwing) throw error
    return null
  }
}

async function noAdapter(): Promise<string> {
  const chosen = process.env.RXGYM_ADAPTER
  const names = chosen ? await adapterNames() : []
  if (names.length > 0) {
    return `no adapter has "${chosen}" in its name; there are ${names.join(', ')}. Set RXGYM_ADAPTER to a part of one, or unset it`
  }
  return `no adapter found. ${wanted()}`
}

function wanted(): string {
  switch (process.platform) {
    case 'linux':
      return hasVulkanLoader()
        ? "The Vulkan loader is there, and finds no driver that works: install the graphics card's (Debian: nvidia-driver, or mesa-vulkan-drivers for other cards and for computing in software)"
        : 'Install the Vulkan loader (Debian: libvulkan1) and a driver'
    case 'darwin':
      return 'It needs a Mac with Metal'
    case 'win32':
      return 'Install a driver for Direct3D 12'
    default:
      return 'Install a driver'
  }
}

/** Whether the library that Dawn opens is found and loads. */
function hasVulkanLoader(): boolean {
  try {
    process.dlopen({ exports: {} }, 'libvulkan.so.1')
    return true
  } catch (error) {
    // Found, and of course no addon of Node's.
    return String(error).includes('self-register')
  }
}
