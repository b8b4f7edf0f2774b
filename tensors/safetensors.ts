import { decodeFloats, encodeFloats, type FloatFormat, floatBytes } from './float-formats.js'

/** One tensor off the backend: row-major float32 values and their shape. */
export interface HostTensor {
  readonly shape: readonly number[]
  readonly data: Float32Array
}

/** What a safetensors file holds: tensors by name, and strings by name beside them. */
export interface Safetensors {
  readonly tensors: Readonly<Record<string, HostTensor>>
  readonly metadata: Readonly<Record<string, string>>
}

/** Where in a safetensors file a tensor is. */
export interface TensorEntry {
  readonly name: string
  readonly format: FloatFormat
  readonly shape: readonly number[]
  /** The first byte of its values, from the first byte of all values on. */
  readonly begin: number
  /** The byte after its last. */
  readonly end: number
}

/** The header of a safetensors file, once it is known to fit the file. */
export interface SafetensorsHeader {
  /** As the header has them. */
  readonly entries: readonly TensorEntry[]
  readonly metadata: Readonly<Record<string, string>>
}

/** Before the header: its length. */
export const PREFIX_BYTES = 8
/** The reference implementation refuses longer headers; so does this one. */
const MAX_HEADER_BYTES = 100_000_000
const METADATA = '__metadata__'

/** Not a safetensors file of floating-point tensors. The message says what is wrong, and where it can, with which file and tensor. */
export class SafetensorsError extends Error {
  override readonly name = 'SafetensorsError'
  /** The message without the file. */
  readonly reason: string
  readonly file: string | undefined

  constructor(reason: string, file?: string, options?: ErrorOptions) {
    super(file === undefined ? reason : `${file}: ${reason}`, options)
    this.reason = reason
    this.file = file
  }
}

/**
 * The bytes of a safetensors file (https://huggingface.co/docs/safetensors) of float32 tensors: 8 bytes of header length,
 * a JSON header padded with spaces so that the values are aligned to 8 bytes, then the values, little-endian, in the order
 * of the header, which is the order given.
 *
 * @throws SafetensorsError if a shape does not fit its values, or a tensor is called `__metadata__`
 */
export function encodeSafetensors({ tensors, metadata }: Safetensors): Uint8Array {
  const given = Object.entries(tensors)
  for (const [name, { shape, data }] of given) {
    if (elements(shape) === data.length) continue
    throw new SafetensorsError(`tensor "${name}": shape [${shape}] does not hold ${data.length} values`)
  }
  const entries = layOut(
    given.map(([name, { shape }]) => [name, shape]),
    'F32',
  )
  const header = encodeHeader({ entries, metadata })
  const bytes = new Uint8Array(header.length + (entries.at(-1)?.end ?? 0))
  bytes.set(header)
  for (const [i, { begin, end }] of entries.entries()) {
    encodeFloats('F32', given[i]![1].data, bytes.subarray(header.length + begin, header.length + end))
  }
  return bytes
}

/**
 * Reads a safetensors file of float32, bfloat16 or float16 tensors. Nothing of the header is believed before it is
 * checked: lengths, names, shapes and offsets must fit each other and cover the whole file without a gap.
 *
 * @returns arrays of their own, which do not share memory with `bytes`
 * @throws SafetensorsError
 */
export function decodeSafetensors(bytes: Uint8Array): Safetensors {
  const start = PREFIX_BYTES + headerBytes(bytes.subarray(0, PREFIX_BYTES), bytes.length)
  const { entries, metadata } = decodeHeader(bytes.subarray(PREFIX_BYTES, start), bytes.length - start)
  const tensors = entries.map(({ name, format, shape, begin, end }) => {
    const data = new Float32Array((end - begin) / floatBytes[format])
    decodeFloats(format, bytes.subarray(start + begin, start + end), data)
    return [name, { shape, data }] as const
  })
  return { tensors: Object.fromEntries(tensors), metadata }
}

/** The entries of tensors that follow each other.
 *  @throws SafetensorsError if one is called `__metadata__` */
export function layOut(
  tensors: Iterable<readonly [name: string, shape: readonly number[]]>,
  format: FloatFormat,
): TensorEntry[] {
  let begin = 0
  return Array.from(tensors, ([name, shape]) => {
    if (name === METADATA) throw new SafetensorsError(`a tensor cannot be called "${METADATA}"`)
    const entry = { name, format, shape, begin, end: begin + elements(shape) * floatBytes[format] }
    begin = entry.end
    return entry
  })
}

/** What a file begins with: the length of the header, and the header with its padding. */
export function encodeHeader({ entries, metadata }: SafetensorsHeader): Uint8Array {
  const fields: [string, unknown][] = entries.map(({ name, format, shape, begin, end }) => [
    name,
    { dtype: format, shape, data_offsets: [begin, end] },
  ])
  if (Object.keys(metadata).length > 0) fields.unshift([METADATA, metadata])
  // Not of an object: it would put names that are numbers first.
  const json = `{${fields.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`)}}`
  const text = new TextEncoder().encode(json)
  const length = Math.ceil(text.length / 8) * 8
  const bytes = new Uint8Array(PREFIX_BYTES + length).fill(0x20)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true)
  bytes.set(text, PREFIX_BYTES)
  return bytes
}

/**
 * The length of a file's header.
 *
 * @param prefix  its first 8 bytes
 * @param size    of the file, in bytes
 * @throws SafetensorsError if that cannot be
 */
export function headerBytes(prefix: Uint8Array, size: number, file?: string): number {
  if (size < PREFIX_BYTES) throw new SafetensorsError(`${size} bytes are too short for a safetensors file`, file)
  const length = new DataView(prefix.buffer, prefix.byteOffset, PREFIX_BYTES).getBigUint64(0, true)
  if (length > MAX_HEADER_BYTES) {
    throw new SafetensorsError(
      `a header of ${length} bytes is longer than any real one: ${MAX_HEADER_BYTES} at most`,
      file,
    )
  }
  const end = PREFIX_BYTES + Number(length)
  if (end > size) {
    const reason = `the file ends at byte ${size}, inside a header that goes to ${end}: it was cut short`
    throw new SafetensorsError(reason, file)
  }
  return Number(length)
}

/**
 * Reads a header and believes nothing of it: names, shapes and offsets must fit each other and the values, without a gap.
 *
 * @param size  of all the values, in bytes
 * @throws SafetensorsError
 */
export function decodeHeader(bytes: Uint8Array, size: number, file?: string): SafetensorsHeader {
  const entries: TensorEntry[] = []
  let metadata: Record<string, string> = {}
  for (const [name, entry] of Object.entries(parseHeader(bytes, file))) {
    if (name === METADATA) metadata = checkMetadata(entry, file)
    else entries.push(checkEntry(name, entry, file))
  }
  let at = 0
  for (const { name, begin, end } of entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== at) {
      throw new SafetensorsError(`tensor "${name}" begins at byte ${begin} of the values, not at ${at}`, file)
    }
    if (end > size) {
      const reason = `tensor "${name}" goes to byte ${end} of the values, the file ends at ${size}: it was cut short`
      throw new SafetensorsError(reason, file)
    }
    at = end
  }
  if (at !== size) throw new SafetensorsError(`${size - at} bytes after the last tensor belong to none`, file)
  return { entries, metadata }
}

function elements(shape: readonly number[]): number {
  let product = 1
  for (const size of shape) {
    product *= size
    if (!Number.isSafeInteger(product)) return Number.POSITIVE_INFINITY // also where a 0 is to come
  }
  return product
}

function parseHeader(bytes: Uint8Array, file: string | undefined): Record<string, unknown> {
  let header: unknown
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch {
    throw new SafetensorsError('the header is not JSON', file)
  }
  if (!isRecord(header)) throw new SafetensorsError('the header is not a JSON object', file)
  if (namesWritten(bytes) !== namesIn(header)) throw new SafetensorsError('the header has a name twice', file)
  return header
}

/** How many names of fields a JSON text has: its colons outside of strings. */
function namesWritten(json: Uint8Array): number {
  const [quote, backslash, colon] = [0x22, 0x5c, 0x3a]
  let count = 0
  let inString = false
  for (let i = 0; i < json.length; i++) {
    const byte = json[i]
    if (byte === quote) inString = !inString
    else if (inString && byte === backslash) i++
    else if (!inString && byte === colon) count++
  }
  return count
}

/** How many are left after parsing, which keeps the last of those that are equal. */
function namesIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  const parts = Object.values(value)
  return parts.reduce((sum: number, part) => sum + namesIn(part), Array.isArray(value) ? 0 : parts.length)
}

function checkMetadata(entry: unknown, file: string | undefined): Record<string, string> {
  if (isRecord(entry) && Object.values(entry).every((value) => typeof value === 'string')) {
    return entry as Record<string, string> // every value was just seen to be a string
  }
  throw new SafetensorsError(`${METADATA} is not an object of strings`, file)
}

function checkEntry(name: string, entry: unknown, file: string | undefined): TensorEntry {
  const wrong = (what: string) => new SafetensorsError(`tensor "${name}": ${what}`, file)
  if (!isRecord(entry)) throw wrong('its header entry is not an object')
  const { dtype: format, shape, data_offsets: offsets } = entry
  if (format !== 'F32' && format !== 'BF16' && format !== 'F16') {
    throw wrong(`its values are ${String(format)}; F32, BF16 and F16 are read here`)
  }
  if (!isWholeNumbers(shape)) throw wrong('its shape is not a list of whole numbers')
  if (!isWholeNumbers(offsets) || offsets.length !== 2) throw wrong('its offsets are not two whole numbers')
  const [begin = 0, end = 0] = offsets
  const bytes = elements(shape) * floatBytes[format]
  if (!Number.isSafeInteger(bytes)) throw wrong(`no file holds as many values as shape [${shape}] has`)
  if (end < begin || end - begin !== bytes) {
    throw wrong(`shape [${shape}] in ${format} does not fill the ${end - begin} bytes from ${begin} to ${end}`)
  }
  return { name, format, shape, begin, end }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isWholeNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0)
}
