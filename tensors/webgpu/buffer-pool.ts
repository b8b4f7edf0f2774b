/** Bytes of buffers that nobody uses, beside as many as are in use, that are kept to be used again. */
const LEAST_KEPT = 2 ** 28

/**
 * Buffers on the device, used again by others of their size once they are let go of. It takes the place of tfjs's own pool, which
 * keeps whatever it once had: batches of ever other lengths would fill the memory.
 */
export class BufferPool {
  readonly #device: GPUDevice
  /** By size and use; of each the one that was let go of last is at the end. A map goes through them in the order of their last use. */
  readonly #free = new Map<string, GPUBuffer[]>()
  /** In buffers that are in use. tfjs reads both under these names. */
  numBytesUsed = 0
  numBytesAllocated = 0
  /** The most that were allocated at once since {@link resetPeak}. */
  peak = 0

  constructor(device: GPUDevice) {
    this.#device = device
  }

  acquireBuffer(size: number, usage: number, mappedAtCreation = false, reuse = true): GPUBuffer {
    const found = reuse ? this.#free.get(`${size} ${usage}`)?.pop() : undefined
    const buffer = found ?? this.#device.createBuffer({ size, usage, mappedAtCreation })
    if (!found) this.numBytesAllocated += size
    this.numBytesUsed += size
    this.peak = Math.max(this.peak, this.numBytesAllocated)
    return buffer
  }

  releaseBuffer(buffer: GPUBuffer, reuse = true): void {
    this.numBytesUsed -= buffer.size
    if (!reuse) {
      this.#destroy(buffer)
      return
    }
    const key = `${buffer.size} ${buffer.usage}`
    const others = this.#free.get(key) ?? []
    others.push(buffer)
    this.#free.delete(key)
    this.#free.set(key, others)
  }

  /** Frees what has not been used for longest, where more is kept than is used. Only while no command that is not submitted yet
   *  may name a free buffer. */
  trim(): void {
    const most = this.numBytesUsed + Math.max(LEAST_KEPT, this.numBytesUsed)
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
    this.numBytesAllocated -= buffer.size
    buffer.destroy()
  }
}
