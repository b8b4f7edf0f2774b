/* Models in ONNX's format, of the few fields of its onnx.proto3 that are needed: protocol buffers, written by hand. */

/** Of TensorProto.DataType. */
export const onnxTypes = { float32: 1, int32: 6, int64: 7, float16: 10 } as const
export type OnnxType = keyof typeof onnxTypes

/** A tensor that goes in or comes out. */
export interface OnnxValue {
  readonly name: string
  readonly type: OnnxType
  readonly shape: readonly number[]
}

/** A tensor that is part of the model. */
export interface OnnxConstant extends OnnxValue {
  /** In C order, little-endian. */
  readonly data: ArrayBufferView
}

export interface OnnxNode {
  readonly operator: string
  /** Of the operator; ONNX's own unless given. */
  readonly domain?: string
  /** Names of tensors; '' for one that is left out. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly integers?: Readonly<Record<string, number>>
  readonly floats?: Readonly<Record<string, number>>
  readonly lists?: Readonly<Record<string, readonly number[]>>
}

export interface OnnxModel {
  readonly nodes: readonly OnnxNode[]
  readonly constants: readonly OnnxConstant[]
  readonly inputs: readonly OnnxValue[]
  readonly outputs: readonly OnnxValue[]
}

/** The version of the format, and of the operators' sets. */
const IR = 10
const OPERATORS = { '': 23, 'com.microsoft': 1 }
/** Of AttributeProto.AttributeType. */
const FLOAT = 1
const INT = 2
const INTS = 7

/** The bytes of a model's file: a ModelProto. */
export function onnxModel({ nodes, constants, inputs, outputs }: OnnxModel): Uint8Array {
  const graph = joined([
    ...nodes.map((node) => message(1, nodeProto(node))),
    text(2, 'graph'),
    ...constants.map((constant) => message(5, tensorProto(constant))),
    ...inputs.map((value) => message(11, valueProto(value))),
    ...outputs.map((value) => message(12, valueProto(value))),
  ])
  const sets = Object.entries(OPERATORS).map(([domain, version]) => joined([text(1, domain), integer(2, version)]))
  return joined([integer(1, IR), message(7, graph), ...sets.map((set) => message(8, set))])
}

function nodeProto({
  operator,
  domain = '',
  inputs,
  outputs,
  integers = {},
  floats = {},
  lists = {},
}: OnnxNode): Uint8Array {
  const attributes = [
    ...Object.entries(integers).map(([name, value]) => [text(1, name), integer(3, value), integer(20, INT)]),
    ...Object.entries(floats).map(([name, value]) => [text(1, name), float(2, value), integer(20, FLOAT)]),
    ...Object.entries(lists).map(([name, values]) => [
      text(1, name),
      ...values.map((value) => integer(8, value)),
      integer(20, INTS),
    ]),
  ]
  return joined([
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(3, outputs[0]!),
    text(4, operator),
    ...attributes.map((fields) => message(5, joined(fields))),
    text(7, domain),
  ])
}

function tensorProto({ name, type, shape, data }: OnnxConstant): Uint8Array {
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  return joined([...shape.map((size) => integer(1, size)), integer(2, onnxTypes[type]), text(8, name), message(9, raw)])
}

function valueProto({ name, type, shape }: OnnxValue): Uint8Array {
  const dimensions = joined(shape.map((size) => message(1, integer(1, size))))
  const tensor = joined([integer(1, onnxTypes[type]), message(2, dimensions)])
  return joined([text(1, name), message(2, message(1, tensor))])
}

/** Fields of protocol buffers: a key of number and wire type, then the value. */
function integer(field: number, value: number): Uint8Array {
  return Uint8Array.from([...varint(field * 8), ...varint(value)])
}

function float(field: number, value: number): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(4))
  bytes.setFloat32(0, value, true)
  return Uint8Array.from([...varint(field * 8 + 5), ...new Uint8Array(bytes.buffer)])
}

function message(field: number, bytes: Uint8Array): Uint8Array {
  return joined([Uint8Array.from([...varint(field * 8 + 2), ...varint(bytes.length)]), bytes])
}

function text(field: number, value: string): Uint8Array {
  return message(field, new TextEncoder().encode(value))
}

/** Seven bits a byte, the lowest first; every byte but the last has the eighth set. Negative numbers are of 64 bits, in two's complement. */
function varint(value: number): number[] {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, BigInt(value))
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  bytes.push(Number(rest))
  return bytes
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
