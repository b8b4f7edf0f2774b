import * as tf from './tf.js'
import { type Kernels, wasmKernels } from './wasm/kernels.js'
import * as onGpu from './webgpu/decode-attention.js'
import { type Gpu, gpuKernels } from './webgpu/kernels.js'

/** The sizes of a {@link KeyValueCache}. */
export interface CacheShape {
  readonly rows: number
  /** Tokens that a row can hold. */
  readonly capacity: number
  readonly heads: number
  readonly keyHeads: number
  readonly headSize: number
  /** Keeps half-precision numbers on `webgpu`, where reading them is most of what attention takes; nothing elsewhere. */
  readonly half?: boolean
}

/** [rows, keyHeads, capacity, headSize] each. */
interface OnHeap {
  readonly kernels: Kernels
  readonly keys: tf.Tensor4D
  readonly values: tf.Tensor4D
}

interface OnDevice {
  readonly gpu: Gpu
  readonly cache: onGpu.DeviceCache
}

/** [rows, capacity, keyHeads · headSize] each. */
interface InArrays {
  readonly keys: Float32Array
  readonly values: Float32Array
}

/**
 * The keys and values of one block's tokens, row by row from place 0 without padding, for attention of one new token a row.
 *
 * On `wasm` and `webgpu` they are in the backend's memory. Elsewhere in typed arrays: a copy to them and back is small beside the
 * products around it, and nothing is allocated a step.
 */
export class KeyValueCache {
  readonly #shape: CacheShape
  readonly #store: OnHeap | OnDevice | InArrays

  constructor(shape: CacheShape) {
    this.#shape = shape
    this.#store = storeOf(shape)
  }

  /** The keys and values on the device, where the backend is `webgpu`: for steps that are prepared once (`ropeAndKeepInto`,
   *  `decodeAttentionInto`). */
  get onDevice(): onGpu.DeviceCache | undefined {
    return 'cache' in this.#store ? this.#store.cache : undefined
  }

  /**
   * Keeps new tokens.
   * @param k, v    [tokens, keyHeads · headSize]
   * @param rows    [tokens] whose each is; negative: nobody's, it is left out
   * @param places  [tokens] where in its row
   * @throws RangeError if there is no such place
   */
  write(k: tf.Tensor2D, v: tf.Tensor2D, rows: ArrayLike<number>, places: ArrayLike<number>): void {
    for (let i = 0; i < rows.length; i++) if (rows[i]! >= 0) this.#check(rows[i]!, places[i]! + 1)
    const store = this.#store
    if ('cache' in store) keepOnDevice(store, k, v, rows, places)
    else if ('kernels' in store) keepOnHeap(this.#shape, store, k, v, rows, places)
    else keepInArrays(this.#shape, store, k, v, rows, places)
  }

  /**
   * What each row's new token takes from the row's tokens: softmax(q kᵀ / √headSize) v.
   * @param q        [rows asked, heads · headSize]
   * @param rows     [rows asked] which row of the cache each looks at
   * @param lengths  [rows asked] how many of its places, at least one
   * @returns [rows asked, heads · headSize]
   * @throws RangeError if there are no such places
   */
  attend(q: tf.Tensor2D, rows: ArrayLike<number>, lengths: ArrayLike<number>): tf.Tensor2D {
    for (let i = 0; i < rows.length; i++) this.#check(rows[i]!, lengths[i]!)
    const store = this.#store
    if ('cache' in store) return attendOnDevice(store, q, rows, lengths)
    return 'kernels' in store
      ? attendOnHeap(this.#shape, store, q, rows, lengths)
      : attendInArrays(this.#shape, store, q, rows, lengths)
  }

  #check(row: number, length: number): void {
    const { rows, capacity } = this.#shape
    if (row >= 0 && row < rows && length >= 1 && length <= capacity) return
    throw new RangeError(`a cache of ${rows} rows of ${capacity} tokens has no ${length} tokens in row ${row}`)
  }

  dispose(): void {
    const store = this.#store
    if ('cache' in store) tf.dispose([store.cache.keys, store.cache.values])
    else if ('kernels' in store) tf.dispose([store.keys, store.values])
  }
}

function storeOf(shape: CacheShape): OnHeap | OnDevice | InArrays {
  const gpu = gpuKernels()
  if (gpu) {
    const cache = onGpu.deviceCache(gpu, shape, shape.half ?? false)
    tf.keep(cache.keys)
    tf.keep(cache.values)
    return { gpu, cache }
  }
  const kernels = wasmKernels()
  if (kernels) return { kernels, keys: unwritten(kernels, shape), values: unwritten(kernels, shape) }
  const size = shape.rows * shape.capacity * shape.keyHeads * shape.headSize
  return { keys: new Float32Array(size), values: new Float32Array(size) }
}

function keepOnDevice(
  { gpu, cache }: OnDevice,
  k: tf.Tensor2D,
  v: tf.Tensor2D,
  rows: ArrayLike<number>,
  places: ArrayLike<number>,
): void {
  const [slots, at] = [gpu.integers(rows), gpu.integers(places)]
  onGpu.keepInto(gpu, cache, rows.length, { k, v, slots, places: at })
  tf.dispose([slots, at])
}

function attendOnDevice(
  { gpu, cache }: OnDevice,
  q: tf.Tensor2D,
  rows: ArrayLike<number>,
  lengths: ArrayLike<number>,
): tf.Tensor2D {
  const out = gpu.output<tf.Rank.R2>(q.shape)
  const [slots, places] = [gpu.integers(rows), gpu.integers(Int32Array.from(lengths, (length) => length - 1))]
  const scratch = onGpu.decodeScratch(gpu, cache.shape, rows.length)
  onGpu.decodeAttentionInto(gpu, cache, rows.length, { q, slots, places, out }, scratch)
  tf.dispose([slots, places])
  if (scratch) tf.dispose([scratch.sums, scratch.statistics])
  return out
}

function unwritten(kernels: Kernels, { rows, capacity, keyHeads, headSize }: CacheShape): tf.Tensor4D {
  return tf.keep(kernels.output<tf.Rank.R4>([rows, keyHeads, capacity, headSize]))
}

function keepOnHeap(
  { capacity, keyHeads, headSize }: CacheShape,
  { kernels, keys, values }: OnHeap,
  k: tf.Tensor2D,
  v: tf.Tensor2D,
  rows: ArrayLike<number>,
  places: ArrayLike<number>,
): void {
  const [, slots, at] = kernels.scratch(0, rows, places) as [number, number, number]
  for (const [x, cache] of [
    [k, keys],
    [v, values],
  ] as const) {
    const from = kernels.address(x, rows.length * keyHeads * headSize)
    kernels.keep(rows.length, capacity, keyHeads, headSize, from, slots, at, kernels.address(cache))
  }
}

function keepInArrays(
  { capacity, keyHeads, headSize }: CacheShape,
  { keys, values }: InArrays,
  k: tf.Tensor2D,
  v: tf.Tensor2D,
  rows: ArrayLike<number>,
  places: ArrayLike<number>,
): void {
  const width = keyHeads * headSize
  const [newKeys, newValues] = [k.dataSync() as Float32Array, v.dataSync() as Float32Array]
  for (let i = 0; i < rows.length; i++) {
    if (rows[i]! < 0) continue
    const to = (rows[i]! * capacity + places[i]!) * width
    keys.set(newKeys.subarray(i * width, (i + 1) * width), to)
    values.set(newValues.subarray(i * width, (i + 1) * width), to)
  }
}

function attendOnHeap(
  { capacity, heads, keyHeads, headSize }: CacheShape,
  { kernels, keys, values }: OnHeap,
  q: tf.Tensor2D,
  rows: ArrayLike<number>,
  lengths: ArrayLike<number>,
): tf.Tensor2D {
  const { address } = kernels
  const out = kernels.output<tf.Rank.R2>(q.shape)
  const [scores, slots, counts] = kernels.scratch(capacity * 4, rows, lengths) as [number, number, number]
  kernels.decodeAttend(
    rows.length,
    capacity,
    heads,
    keyHeads,
    headSize,
    1 / Math.sqrt(headSize),
    address(q, rows.length * heads * headSize),
    address(keys),
    address(values),
    slots,
    counts,
    address(out),
    scores,
  )
  return out
}

function attendInArrays(
  { capacity, heads, keyHeads, headSize }: CacheShape,
  { keys, values }: InArrays,
  q: tf.Tensor2D,
  rows: ArrayLike<number>,
  lengths: ArrayLike<number>,
): tf.Tensor2D {
  const [group, width] = [heads / keyHeads, keyHeads * headSize]
  const queries = q.dataSync() as Float32Array
  const out = new Float32Array(queries.length)
  const scores = new Float32Array(capacity)
  const scale = 1 / Math.sqrt(headSize)
  for (let i = 0; i < rows.length; i++) {
    const length = lengths[i]!
    for (let head = 0; head < heads; head++) {
      const from = i * heads * headSize + head * headSize
      const first = rows[i]! * capacity * width + Math.floor(head / group) * headSize
      let most = Number.NEGATIVE_INFINITY
      for (let t = 0; t < length; t++) {
        let score = 0
        const key = first + t * width
        for (let d = 0; d < headSize; d++) score += queries[from + d]! * keys[key + d]!
        scores[t] = score * scale
        if (scores[t]! > most) most = scores[t]!
      }
      let sum = 0
      for (let t = 0; t < length; t++) {
        scores[t] = Math.exp(scores[t]! - most)
        sum += scores[t]!
      }
      for (let t = 0; t < length; t++) {
        const weight = scores[t]! / sum
        const value = first + t * width
        for (let d = 0; d < headSize; d++) out[from + d]! += weight * values[value + d]!
      }
    }
  }
  return tf.tensor2d(out, [rows.length, heads * headSize])
}
