import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type OnnxModel, onnxModel, onnxTypes } from '../../../../experiments/bench/peers/onnx.js'

type Field = readonly [number: number, value: bigint | Uint8Array]

/** The fields of a message of protocol buffers, as its specification has them. */
function fieldsOf(bytes: Uint8Array): Field[] {
  const fields: Field[] = []
  let at = 0
  const varint = () => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]!
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return value
    }
  }
  const take = (length: number) => {
    expect(at + length).toBeLessThanOrEqual(bytes.length)
    at += length
    return bytes.slice(at - length, at)
  }
  while (at < bytes.length) {
    const key = Number(varint())
    const value = { 0: varint, 2: () => take(Number(varint())), 5: () => take(4) }[key & 7]!()
    fields.push([key >> 3, value])
  }
  return fields
}

const all = (fields: readonly Field[], number: number) => fields.filter(([n]) => n === number).map(([, value]) => value)
const texts = (fields: readonly Field[], number: number) =>
  all(fields, number).map((value) => new TextDecoder().decode(value as Uint8Array))
const messages = (fields: readonly Field[], number: number) =>
  all(fields, number).map((value) => fieldsOf(value as Uint8Array))

const name = fc.string({ maxLength: 200 })
const shape = fc.array(fc.nat({ max: 200_000 }), { maxLength: 4 })
const type = fc.constantFrom(...(Object.keys(onnxTypes) as (keyof typeof onnxTypes)[]))
const value = fc.record({ name, type, shape })
const model: fc.Arbitrary<OnnxModel> = fc.record({
  nodes: fc.array(
    fc.record({
      ...{ operator: name, domain: name, inputs: fc.array(name), outputs: fc.array(name, { minLength: 1 }) },
      integers: fc.dictionary(name, fc.integer()),
      floats: fc.dictionary(name, fc.float({ noNaN: true })),
      lists: fc.dictionary(name, fc.array(fc.nat())),
    }),
    { maxLength: 3 },
  ),
  constants: fc.array(fc.record({ name, type, shape, data: fc.uint8Array({ maxLength: 300 }) }), { maxLength: 3 }),
  inputs: fc.array(value, { maxLength: 3 }),
  outputs: fc.array(value, { maxLength: 3 }),
})

describe('a model in ONNX', () => {
  it('has every node, tensor and value in the fields of onnx.proto3', () => {
    fc.assert(
      fc.property(model, ({ nodes, constants, inputs, outputs }) => {
        const [graph] = messages(fieldsOf(onnxModel({ nodes, constants, inputs, outputs })), 7)
        expect(
          messages(graph!, 1).map((node) => ({
            ...{
              operator: texts(node, 4)[0],
              domain: texts(node, 7)[0],
              inputs: texts(node, 1),
              outputs: texts(node, 2),
            },
            ...attributesOf(messages(node, 5)),
          })),
        ).toEqual(nodes.map((node) => ({ ...node, ...entriesOf(node) })))
        expect(
          messages(graph!, 5).map((tensor) => ({
            ...{ name: texts(tensor, 8)[0], type: all(tensor, 2)[0], shape: all(tensor, 1) },
            data: all(tensor, 9)[0],
          })),
        ).toEqual(constants.map(({ data, ...tensor }) => ({ ...numbered(tensor), data })))
        expect(messages(graph!, 11).map(describedBy)).toEqual(inputs.map(numbered))
        expect(messages(graph!, 12).map(describedBy)).toEqual(outputs.map(numbered))
      }),
    )
  })

  it('says which version of the format and of the operators it is of', () => {
    const fields = fieldsOf(onnxModel({ nodes: [], constants: [], inputs: [], outputs: [] }))
    expect(all(fields, 1)).toEqual([10n])
    expect(messages(fields, 8).map((set) => [texts(set, 1)[0], all(set, 2)[0]])).toEqual([
      ['', 23n],
      ['com.microsoft', 1n],
    ])
  })
})

function numbered({ name, type, shape }: { name: string; type: keyof typeof onnxTypes; shape: readonly number[] }) {
  return { name, type: BigInt(onnxTypes[type]), shape: shape.map(BigInt) }
}

function describedBy(fields: readonly Field[]) {
  const [tensor] = messages(messages(fields, 2)[0]!, 1)
  const dimensions = messages(messages(tensor!, 2)[0]!, 1)
  return { name: texts(fields, 1)[0], type: all(tensor!, 1)[0], shape: dimensions.map((size) => all(size, 1)[0]) }
}

/** Attributes of each type by their name: FLOAT is 1, INT 2, INTS 7. */
function attributesOf(attributes: readonly Field[][]) {
  const of = (type: bigint, value: (attribute: Field[]) => unknown) =>
    attributes
      .filter((attribute) => all(attribute, 20)[0] === type)
      .map((attribute) => [texts(attribute, 1)[0], value(attribute)])
  const float = (bytes: Uint8Array) => new DataView(bytes.buffer).getFloat32(0, true)
  return {
    integers: of(2n, (attribute) => BigInt.asIntN(64, all(attribute, 3)[0] as bigint)),
    floats: of(1n, (attribute) => float(all(attribute, 2)[0] as Uint8Array)),
    lists: of(7n, (attribute) => all(attribute, 8)),
  }
}

function entriesOf(node: OnnxModel['nodes'][number]) {
  return {
    integers: Object.entries(node.integers!).map(([name, value]) => [name, BigInt(value)]),
    floats: Object.entries(node.floats!),
    lists: Object.entries(node.lists!).map(([name, values]) => [name, values.map(BigInt)]),
  }
}
