import { useBackend, useDevice } from '../../tensors/backend.js'
import { BackendError } from '../../tensors/backend-error.js'
import { adapterName, openGpu } from '../../tensors/webgpu/device.js'
import { type Gpu, gpuKernels } from '../../tensors/webgpu/kernels.js'
import { countingDevice } from './counting-device.js'
import { NotMeasurable } from './measure.js'

/** What adapter there is; no device is made. */
export async function adapterHere(): Promise<{ readonly inSoftware: boolean }> {
  const adapter = await (await openGpu()).requestAdapter({ powerPreference: 'high-performance' })
  return { inSoftware: adapter?.info.isFallbackAdapter ?? true }
}

/** The backend `webgpu`, started, and what it computes on.
 *  @throws NotMeasurable where it does not start */
export async function startGpu(): Promise<{ readonly gpu: Gpu; readonly adapter: string }> {
  await started(() => useBackend('webgpu'))
  const gpu = gpuKernels()!
  return { gpu, adapter: adapterName(gpu.backend.gpu.adapter) }
}

/** As {@link startGpu} where that is a card. Elsewhere a device that computes nothing: what the main thread does for a device, and what is kept
 *  on it, is the same without the processor being the device.
 *  @throws NotMeasurable where Dawn does not load */
export async function startCard(): Promise<{ readonly gpu: Gpu; readonly adapter: string }> {
  try {
    const card = await startGpu()
    if (!card.gpu.inSoftware) return card
  } catch (error) {
    if (!(error instanceof NotMeasurable)) throw error
  }
  await started(async () => useDevice(await countingDevice()))
  return { gpu: gpuKernels()!, adapter: 'none: a device that computes nothing' }
}

async function started(start: () => Promise<unknown>): Promise<void> {
  try {
    await start()
  } catch (error) {
    throw error instanceof BackendError ? new NotMeasurable(error.message) : error
  }
}
