import { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu'
import { BackendError } from '../backend-error.js'
import type * as tf from '../tf.js'
import { BufferPool } from './buffer-pool.js'
import type { GpuDevice } from './device.js'
import { deviceMemory } from './device-memory.js'
import { PARAMS_STEP } from './kernels.js'

/** What of tfjs's backend is used here and is in no published type: how it batches commands, and where tensors are. */
interface Internals {
  commandEncoder: GPUCommandEncoder | null
  computePassEncoder: GPUComputePassEncoder | null
  dispatchCountInPass: number
  commandQueueOwnedIds: { add(dataId: object): void; has(dataId: object): boolean }
  bufferManager: BufferPool
  readonly tensorMap: { get(dataId: object): { resource?: GPUBuffer | null; values?: unknown } }
  ensureCommandEncoderReady(): void
  endComputePassEncoder(): void
}

/** A kernel with all that it is run on. */
export interface Dispatch {
  readonly pipeline: GPUComputePipeline
  readonly bindings: GPUBindGroup
  /** Of its numbers, in the buffer that is bound last; undefined if it has none. */
  readonly offset: number | undefined
  readonly workgroups: readonly [number, number, number]
}

/** Bytes of the buffers in which the numbers that dispatches are given travel. */
const PARAMS_BYTES = 2 ** 16

/** Dispatches that are submitted together: submitting costs more than encoding one. */
const DISPATCHES_AT_ONCE = 128

/**
 * tfjs's WebGPU backend on a device of Dawn's. What differs:
 *
 * - a buffer is free for the next operation as soon as its tensor is disposed of, not only once what uses it was submitted: commands run in
 *   the order in which they were encoded, so the next one cannot overtake those before;
 * - the pool gives memory back ({@link BufferPool});
 * - a device that was lost, or that refused a command, is told as a {@link BackendError} by the next read;
 * - kernels of our own are encoded among tfjs's ({@link DawnBackend.encode}).
 */
export class DawnBackend extends WebGPUBackend {
  readonly gpu: GpuDevice
  readonly pool: BufferPool
  readonly #internals: Internals
  readonly #params: { readonly buffer: GPUBuffer; readonly view: DataView }[] = []
  /** Which of `#params` is being filled, and how far. */
  #filling = 0
  #filled = 0
  #failure: string | undefined

  constructor(gpu: GpuDevice) {
    super(gpu.device, gpu.adapter.info)
    this.gpu = gpu
    // The fields are there in this version, which is pinned; their types are not published.
    this.#internals = this as unknown as Internals
    const memory = deviceMemory(gpu.adapter.info) ?? Number.POSITIVE_INFINITY
    this.pool = new BufferPool(gpu.device, memory, () => this.flush())
    this.#internals.bufferManager = this.pool
    this.#internals.commandQueueOwnedIds = { add() {}, has: () => false }
    // A process that leaves while a driver computes may crash in it.
    process.once('exit', () => gpu.device.destroy())
    gpu.device.lost.then(({ reason, message }) => {
      const why = [reason, message.split('\n')[0]].filter(Boolean).join(': ')
      this.#failure ??= `the device was lost (${why}), and all tensors with it. A run goes on from its newest checkpoint (--resume)`
    })
    gpu.device.addEventListener('uncapturederror', (event) => {
      event.preventDefault()
      const what =
        event.error instanceof GPUOutOfMemoryError ? 'the device has no memory left' : 'the device refused a command'
      this.#failure ??= `${what} (${event.error.message.split('\n')[0]})`
    })
  }

  /** Where a tensor is on the device: it is brought there if it is not. */
  buffer({ dataId }: tf.TensorInfo): GPUBuffer {
    const data = this.#internals.tensorMap.get(dataId)
    if (!data.resource) this.uploadToGPU(dataId)
    return data.resource!
  }

  /** A kernel is about to write into the tensor's buffer: what was read of it before is no longer so. */
  changed({ dataId }: tf.TensorInfo): void {
    this.#internals.tensorMap.get(dataId).values = null
  }

  /** A place for numbers that a dispatch is given, until the next submission: which buffer, at which offset, and where to write them.
   *  @param size  in bytes */
  params(size: number): { readonly buffer: GPUBuffer; readonly offset: number; readonly view: DataView } {
    let offset = Math.ceil(this.#filled / PARAMS_STEP) * PARAMS_STEP
    if (offset + size > PARAMS_BYTES) {
      this.#filling++
      offset = 0
    }
    this.#params[this.#filling] ??= {
      buffer: this.device.createBuffer({ size: PARAMS_BYTES, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST }),
      view: new DataView(new ArrayBuffer(PARAMS_BYTES)),
    }
    const { buffer, view } = this.#params[this.#filling]!
    this.#filled = offset + size
    return { buffer, offset, view }
  }

  /** Encodes a dispatch behind what tfjs has encoded. */
  encode({ pipeline, bindings, offset, workgroups }: Dispatch): void {
    const internals = this.#internals
    internals.ensureCommandEncoderReady()
    internals.computePassEncoder ??= internals.commandEncoder!.beginComputePass()
    const pass = internals.computePassEncoder
    pass.setPipeline(pipeline)
    if (offset === undefined) pass.setBindGroup(0, bindings)
    else pass.setBindGroup(0, bindings, [offset])
    pass.dispatchWorkgroups(...workgroups)
    internals.dispatchCountInPass++
  }

  /** Submits what has been encoded, if that is enough to be worth it. */
  flushIfMany(): void {
    if (this.#internals.dispatchCountInPass >= DISPATCHES_AT_ONCE) this.flush()
  }

  /** Submits what has been encoded. */
  flush(): void {
    if (!this.#internals.commandEncoder) return
    this.#internals.endComputePassEncoder()
    this.submitQueue()
  }

  override submitQueue(): void {
    for (let i = 0; i <= this.#filling; i++) {
      const place = this.#params[i]
      const size = i === this.#filling ? this.#filled : PARAMS_BYTES
      if (place && size > 0) this.device.queue.writeBuffer(place.buffer, 0, place.view.buffer, 0, size)
    }
    this.#filling = 0
    this.#filled = 0
    super.submitQueue()
    // super puts a set of its own there.
    this.#internals.commandQueueOwnedIds = { add() {}, has: () => false }
    this.pool.trim()
  }

  /**
   * Submits what has been encoded, and reads the beginning of a buffer as it is behind that.
   * @throws BackendError if the device was lost or refused a command
   */
  async readBack(buffer: GPUBuffer, bytes: number): Promise<ArrayBuffer> {
    const internals = this.#internals
    const staging = this.pool.acquireBuffer(bytes, GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ)
    internals.ensureCommandEncoderReady()
    internals.endComputePassEncoder()
    internals.commandEncoder!.copyBufferToBuffer(buffer, 0, staging, 0, bytes)
    this.flush()
    return this.#checked(async () => {
      await staging.mapAsync(GPUMapMode.READ)
      const values = staging.getMappedRange().slice(0)
      staging.unmap()
      this.pool.releaseBuffer(staging)
      return values
    })
  }

  /** Waits until the device has done all that was submitted.
   *  @throws BackendError if the device was lost or refused a command */
  async done(): Promise<void> {
    this.flush()
    await this.device.queue.onSubmittedWorkDone().catch(() => {})
    this.check()
  }

  /** @throws BackendError if the device was lost or refused a command */
  check(): void {
    if (this.#failure) throw new BackendError(`webgpu: ${this.#failure}`)
  }

  override async read(dataId: object): Promise<tf.backend_util.TypedArray> {
    return this.#checked(async () => (await super.read(dataId)) as tf.backend_util.TypedArray)
  }

  async #checked<T>(read: () => Promise<T>): Promise<T> {
    try {
      const values = await read()
      this.check()
      return values
    } catch (error) {
      // A promise of a lost device may be kept before the one that tells of the loss.
      await new Promise((resolve) => setImmediate(resolve))
      this.check()
      throw error
    }
  }

  override readSync(dataId: object): tf.backend_util.TypedArray {
    const { values } = this.#internals.tensorMap.get(dataId)
    if (values) return values as tf.backend_util.TypedArray
    throw new BackendError('webgpu: a tensor on the device can only be read by waiting for it (await tensor.data())')
  }
}
