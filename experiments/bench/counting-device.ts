import { type GpuDevice, gpuFeatures, loadDawn, openGpu } from '../../tensors/webgpu/device.js'

/** Of each buffer so many bytes are there, whatever it is asked to have: enough for the small ones that are read. */
const HELD = 2 ** 16

/** Limits of a card of today that a device which holds nothing need not have. */
const LIMITS = { maxBufferSize: 2 ** 40, maxStorageBufferBindingSize: 2 ** 32 - 4 }

/**
 * A device that computes nothing and holds next to nothing: everything that is done on it is asked for, in the sizes of a card, and all that is
 * read is 0. What a work keeps on a device is so counted without one.
 */
export async function countingDevice(): Promise<GpuDevice> {
  // Its globals are what buffers are asked for with.
  await openGpu()
  const { create } = await loadDawn()
  // Unchecked, as buffers are smaller than what is bound of them.
  const gpu = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis,skip_validation'])
  const adapter = (await gpu.requestAdapter())!
  const device = await adapter.requestDevice({ requiredFeatures: [...gpuFeatures] as GPUFeatureName[] })
  holdLittle(device)
  // As long as the device there must be a reference to the instance.
  return { device: Object.assign(device, { gpu }), adapter, features: new Set(gpuFeatures) }
}

/** Replaces what would write beyond the bytes that are held. */
function holdLittle(device: GPUDevice): void {
  const { limits, queue } = device
  const sizes = new WeakMap<GPUBuffer, number>()
  const held = (buffer: GPUBuffer, offset: number, size: number) =>
    offset + size <= Math.min(HELD, sizes.get(buffer) ?? HELD)

  const writeBuffer = queue.writeBuffer.bind(queue)
  const createBuffer = device.createBuffer.bind(device)
  const createCommandEncoder = device.createCommandEncoder.bind(device)
  Object.defineProperties(device, {
    // Reads name by name: they are the device's own, and no plain object.
    limits: { value: new Proxy(limits, { get: (of, name) => Reflect.get(LIMITS, name) ?? Reflect.get(of, name, of) }) },
    // The device makes another object each time it is asked.
    queue: { value: queue },
    createBuffer: {
      value: (asked: GPUBufferDescriptor) => {
        const size = Math.min(asked.size, HELD)
        const buffer = createBuffer({ ...asked, size })
        sizes.set(buffer, asked.size)
        // Such a device does not clear its memory.
        if (!asked.mappedAtCreation) writeBuffer(buffer, 0, new Uint8Array(size))
        if (asked.size > HELD) Object.assign(buffer, { getMappedRange: () => new ArrayBuffer(asked.size) })
        return buffer
      },
    },
    createCommandEncoder: {
      value: () => {
        const encoder = createCommandEncoder()
        const copy = encoder.copyBufferToBuffer.bind(encoder) as (...args: Copy) => void
        const copyHeld = (...args: Copy) => {
          const [from, source, to, target, size] = args
          if (held(from, source, size) && held(to, target, size)) copy(...args)
        }
        return Object.assign(encoder, { copyBufferToBuffer: copyHeld })
      },
    },
  })
  Object.assign(queue, {
    writeBuffer: (buffer: GPUBuffer, offset: number, data: ArrayBufferView | ArrayBuffer, from = 0, size?: number) => {
      if (held(buffer, offset, size ?? data.byteLength)) writeBuffer(buffer, offset, data as ArrayBuffer, from, size)
    },
  })
}

type Copy = [from: GPUBuffer, source: number, to: GPUBuffer, target: number, size: number]
