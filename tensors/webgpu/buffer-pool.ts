import { BackendError } from '../backend-error.js'

/** Bytes of buffers that nobody uses that are kept to be used again: as a share of those in use, and at least. */
const KEPT = 1 / 8
const LEAST_KEPT = 2 ** 28

/**
 * Buffers on the device, used again by others of their size once they are let go of. It takes the place of tfjs's own pool, which
 * keeps whatever it once had: batches of ever other lengths would fill the memory.
 */
export class BufferPool {
  readonly #device: GPUDevice
  readonly #most: number
  readonly #flush: () => void
  /** Those that nobody uses, by size and use; of each the one that was let go of last is at the end. A map goes through them in the order of
   *  their last use. */
  readonly #free = new Map<string, GPUBuffer[]>()
  /** Of every buffer: asking the device costs more. */
  readonly #kinds = new WeakMap<GPUBuffer, { readonly size: number; readonly key: string }>()
  /** In buffers that are in use. tfjs reads both under these names. */
  numBytesUsed = 0
  numBytesAllocated = 0
  /** The most that were allocated at once since {@link resetPeak}. */
  peak = 0

  /**
   * @param most   bytes that may be allocated at once
   * @param flush  submits what has been encoded, so that no command names a free buffer any more
   */
  constructor(device: GPUDevice, most: number, flush: () => void) {
    this.#device = device
    this.#most = most
    this.#flush = flush
  }

  /** @throws BackendError where the memory, or what a single buffer may have, is not enough */
  acquireBuffer(size: number, usage: number, mappedAtCreation = false, reuse = true): GPUBuffer {
    const key = `${size} ${usage}`
    let buffer = reuse ? this.#free.get(key)?.pop() : undefined
    if (!buffer) {
      this.#makeRoom(size)
      buffer = this.#device.createBuffer({ size, usage, mappedAtCreation })
      this.#kinds.set(buffer, { size, key })
    }
    this.numBytesUsed += size
    this.peak = Math.max(this.peak, this.numBytesAllocated)
    return buffer
  }

  /** Bytes that a buffer may have at most. */
  get #longest(): number {
    const { maxBufferSize, maxStorageBufferBindingSize } = this.#device.limits
    return Math.min(maxBufferSize, maxStorageBufferBindingSize)
  }

  /**
   * Before a model comes onto the device: whether it does.
   * @param tensors  by their names, how many numbers of 4 bytes each has
   * @throws BackendError telling what it needs, what there is, and what would fit
   */
  expectRoom(tensors: ReadonlyMap<string, number>): void {
    let needed = 0
    for (const [name, size] of tensors) {
      needed += 4 * size
      if (4 * size <= this.#longest) continue
      throw new BackendError(
        `webgpu: ${name} needs ${gigabytes(4 * size)}, and the adapter allows buffers of ${gigabytes(this.#longest)}. A tensor of at most ${millions(this.#longest / 4)} numbers fits: take a model with a smaller vocabulary, another adapter, or --backend wasm`,
      )
    }
    const left = this.#most - this.numBytesUsed
    if (needed <= left) return
    throw new BackendError(
      `webgpu: the model's weights need ${gigabytes(needed)}, and of the device's ${gigabytes(this.#most)} there are ${gigabytes(left)} left. ` +
        `A model of at most ${millions(left / 4)} weights fits, to be trained of ${millions(left / 16)} (gradients and AdamW take three times as much again)`,
    )
  }

  #makeRoom(size: number): void {
    if (size > this.#longest) {
      throw new BackendError(
        `webgpu: a tensor of ${gigabytes(size)}, where the adapter allows buffers of ${gigabytes(this.#longest)}. Take a smaller model, or fewer tokens at once (agent.tokensPerPass)`,
      )
    }
    if (this.numBytesUsed + size > this.#most) {
      throw new BackendError(
        `webgpu: out of memory: ${gigabytes(size)} more beside the ${gigabytes(this.numBytesUsed)} in use, and the device has ${gigabytes(this.#most)}. ` +
          'What takes less: agent.checkpointing, fewer tokens at once (agent.tokensPerPass), agent.lora, a smaller model',
      )
    }
    if (this.numBytesAllocated + size > this.#most) {
      this.#flush()
      this.clear()
    }
    this.numBytesAllocated += size
  }

  releaseBuffer(buffer: GPUBuffer, reuse = true): void {
    const { size, key } = this.#kinds.get(buffer)!
    this.numBytesUsed -= size
    if (!reuse) {
      this.#destroy(buffer)
      return
    }
    const others = this.#free.get(key) ?? []
    others.push(buffer)
    this.#free.delete(key)
    this.#free.set(key, others)
  }

  /** Frees what has not been used for longest, where more is kept than is used. Only while no command that is not submitted yet
   *  may name a free buffer. */
  trim(): void {
    const most = Math.min(this.#most, this.numBytesUsed + Math.max(LEAST_KEPT, KEPT * this.numBytesUsed))
    for (const [key, buffers] of this.#free) {
      while (this.numBytesAllocated > most && buffers.length > 0) this.#destroy(buffers.shift()!)
      if (buffers.length === 0) this.#free.delete(key)
      if (this.numBytesAllocated <= most) return
    }
  }

  /** Frees all that nobody uses. */
  clear(): void {
    for (const buffers of this.#free.values()) for (const buffer of buffers) this.#destroy(buffer)
    this.#free.clear()
  }

  resetPeak(): void {
    this.peak = this.numBytesAllocated
  }

  dispose(): void {
    this.clear()
  }

  #destroy(buffer: GPUBuffer): void {
    this.numBytesAllocated -= this.#kinds.get(buffer)!.size
    buffer.destroy()
  }
}

function gigabytes(bytes: number): string {
  return bytes < 2 ** 30 / 100 ? `${(bytes / 2 ** 20).toFixed(2)} MiB` : `${(bytes / 2 ** 30).toFixed(2)} GiB`
}

function millions(count: number): string {
  return `${(count / 1e6).toPrecision(3)} million`
}
