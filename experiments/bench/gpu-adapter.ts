import { useBackend } from '../../tensors/backend.js'
import { BackendError } from '../../tensors/backend-error.js'
import { adapterName, openGpu } from '../../tensors/webgpu/device.js'
import { type Gpu, gpuKernels } from '../../tensors/webgpu/kernels.js'
import { NotMeasurable } from './measure.js'

/** What adapter there is; no device is made. */
export async function adapterHere(): Promise<{ readonly inSoftware: boolean }> {
  const adapter = await (await openGpu()).requestAdapter({ powerPreference: 'high-performance' })
  return { inSoftware: adapter?.info.isFallbackAdapter ?? true }
}

/** The backend `webgpu`, started, and what it computes on.
 *  @throws NotMeasurable where it does not start */
export async function startGpu(): Promise<{ readonly gpu: Gpu; readonly adapter: string }> {
  try {
    await useBackend('webgpu')
    const gpu = gpuKernels()!
    return { gpu, adapter: adapterName(gpu.backend.gpu.adapter) }
  } catch (error) {
    if (error instanceof BackendError) throw new NotMeasurable(error.message)
    throw error
  }
}
