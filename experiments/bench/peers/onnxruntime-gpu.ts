import { decodeFloats, encodeFloats } from '../../../tensors/float-formats.js'
import {
  checkResult,
  EPSILON,
  type GpuInputs,
  type GpuWork,
  type GpuWorker,
  inputShapes,
  outputShape,
} from '../gpu-work.js'
import { importPeer, peerVersion } from '../peer-packages.js'
import { gpuProgram } from './gpu-program.js'
import { type OnnxConstant, type OnnxModel, type OnnxNode, type OnnxType, onnxModel } from './onnx.js'

/* A work of gpu-work.ts on the WebGPU provider of onnxruntime-node, which brings a Dawn of its own: an ONNX model of the work's operators,
   several times in one run, whose inputs and outputs stay on the device. Which adapter it takes cannot be told to it, but to Vulkan
   (VK_DRIVER_FILES). */

/** What of onnxruntime-node is used here. */
interface Ort {
  readonly env: { logLevel: 'error' }
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<Session> }
  readonly Tensor: new (type: OnnxType, data: Float32Array | Uint16Array, shape: readonly number[]) => Tensor
}

interface Session {
  run(feeds: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>>
}

interface Tensor {
  /** Where it is not on the device. */
  readonly data: unknown
  dispose(): void
}

/** Where a run of the work takes less than so many milliseconds, a model has it so often, of different inputs: what a run costs beside it is shared. */
const SHORT = 5
const COPIES = 8

await gpuProgram(async (work, inputs) => {
  if (process.env.RXGYM_ADAPTER)
    throw new Error('RXGYM_ADAPTER chooses an adapter, which onnxruntime-node cannot be told (VK_DRIVER_FILES can)')
  const ort = (await importPeer('onnxruntime-node')) as Ort
  ort.env.logLevel = 'error'
  const session = (location: 'cpu' | 'gpu-buffer', model: OnnxModel) =>
    ort.InferenceSession.create(onnxModel(model), {
      executionProviders: ['webgpu'],
      preferredOutputLocation: location,
      // What is done on the processor is not what is measured.
      extra: { session: { disable_cpu_ep_fallback: '1' } },
    })
  const type = typeOf(work)
  const { x, y } = shapesOf(work)
  const upload = await session('gpu-buffer', unary('Identity', type, x))
  const download = await session('cpu', unary('Identity', type, y))
  // What is read of the device comes after all that it was asked for before.
  const waiting = await session('cpu', unary('Neg', 'float32', [1]))
  const one = new ort.Tensor('float32', Float32Array.of(1), [1])
  const workerOf = async ({ name: by, nodes, constants }: Operators, copies: number) => {
    const each = Array.from({ length: copies }, (_, copy) => copy)
    const worker = await session('gpu-buffer', {
      nodes: each.flatMap((copy) => nodes(`x${copy}`, `y${copy}`)),
      constants,
      inputs: each.map((copy) => ({ name: `x${copy}`, type, shape: x })),
      outputs: each.map((copy) => ({ name: `y${copy}`, type, shape: y })),
    })
    const feeds: Record<string, Tensor> = {}
    for (const copy of each) {
      // They differ, so that none is known to come to the same as another; the first is what is asked for.
      const values = inputs.x!.map((value) => value + copy / 1024)
      feeds[`x${copy}`] = (await upload.run({ from: new ort.Tensor(type, stored(values, type), x) })).to!
    }
    return {
      details: { onnxruntime: peerVersion('onnxruntime-node') ?? 'unknown', by, inOneRun: copies },
      async ask() {
        for (const tensor of Object.values(await worker.run(feeds))) tensor.dispose()
        return copies
      },
      async done() {
        await waiting.run({ from: one })
      },
      async result() {
        const { to } = await download.run({ from: (await worker.run(feeds)).y0! })
        return type === 'float16' ? widened(to!.data as Uint16Array) : (to!.data as Float32Array)
      },
    }
  }
  const ways = operatorsOf(work, inputs)
  let [way, worker] = [ways[0]!, await workerOf(ways[0]!, 1)]
  for (const other of ways.slice(1)) {
    if (isRight(work, inputs, await worker.result())) break
    ;[way, worker] = [other, await workerOf(other, 1)]
  }
  return (await milliseconds(worker)) < SHORT ? workerOf(way, COPIES) : worker
})

/** How long a run takes, after one in which its kernels are compiled. */
async function milliseconds({ ask, done }: GpuWorker): Promise<number> {
  await ask()
  await done()
  const began = performance.now()
  await ask()
  await done()
  return performance.now() - began
}

function typeOf(work: GpuWork): OnnxType {
  return work.kind === 'product' && work.half ? 'float16' : 'float32'
}

/** Shapes of a work's first input and of its output: attention has an axis more than its matrices. */
function shapesOf(work: GpuWork): Readonly<Record<'x' | 'y', readonly number[]>> {
  const [x, y] = [inputShapes(work).x!, outputShape(work)]
  return work.kind === 'attention' ? { x: [work.rows, work.length, x[1]], y: [work.rows, work.length, y[1]] } : { x, y }
}

/** One operator from one tensor to one of the same shape. */
function unary(operator: string, type: OnnxType, shape: readonly number[]): OnnxModel {
  const value = (name: string) => ({ name, type, shape })
  const nodes = [{ operator, inputs: ['from'], outputs: ['to'] }]
  return { nodes, constants: [], inputs: [value('from')], outputs: [value('to')] }
}

/** Operators that do a work. */
interface Operators {
  readonly name: string
  nodes(x: string, y: string): OnnxNode[]
  /** All inputs but the first, and what else the operators need. */
  readonly constants: readonly OnnxConstant[]
}

/** The ways there are to do a work, the fastest first. */
function operatorsOf(work: GpuWork, inputs: GpuInputs): Operators[] {
  const type = typeOf(work)
  const shapes = inputShapes(work)
  const constant = (name: string, shape: readonly number[] = shapes[name]!): OnnxConstant => ({
    ...{ name, type, shape, data: stored(inputs[name]!, type) },
  })
  switch (work.kind) {
    case 'product': {
      const nodes = (x: string, y: string) => [{ operator: 'MatMul', inputs: [x, 'w'], outputs: [y] }]
      return [{ name: 'MatMul', nodes, constants: [constant('w')] }]
    }
    case 'rms-norm': {
      const by = { integers: { axis: -1 }, floats: { epsilon: EPSILON } }
      const nodes = (x: string, y: string) => [
        { operator: 'RMSNormalization', inputs: [x, 'weight'], outputs: [y], ...by },
      ]
      return [{ name: 'RMSNormalization', nodes, constants: [constant('weight', [work.features])] }]
    }
    case 'attention': {
      const { rows, length, keyHeads, headSize } = work
      const keys = ['k', 'v'].map((name) => constant(name, [rows, length, keyHeads * headSize]))
      return [groupQueryAttention(work, keys), composedAttention(work, keys)]
    }
    case 'mlp': {
      const nodes = (x: string, y: string) => [
        { operator: 'MatMul', inputs: [x, 'gate'], outputs: [`${y}gate`] },
        { operator: 'MatMul', inputs: [x, 'up'], outputs: [`${y}up`] },
        { operator: 'Sigmoid', inputs: [`${y}gate`], outputs: [`${y}sigmoid`] },
        { operator: 'Mul', inputs: [`${y}gate`, `${y}sigmoid`], outputs: [`${y}silu`] },
        { operator: 'Mul', inputs: [`${y}silu`, `${y}up`], outputs: [`${y}activated`] },
        { operator: 'MatMul', inputs: [`${y}activated`, 'down'], outputs: [y] },
      ]
      return [{ name: 'MatMul, Sigmoid, Mul', nodes, constants: ['gate', 'up', 'down'].map((name) => constant(name)) }]
    }
  }
}

type AttentionWork = GpuWork & { kind: 'attention' }

/** In version 1.30 it comes to wrong numbers where subgroups have less than 16 invocations, as those of adapters in software. */
function groupQueryAttention({ rows, length, heads, keyHeads }: AttentionWork, keys: OnnxConstant[]): Operators {
  const operator = 'GroupQueryAttention'
  return {
    name: operator,
    nodes: (x, y) => [
      {
        ...{ operator, domain: 'com.microsoft', inputs: [x, 'k', 'v', '', '', 'last', 'length'], outputs: [y] },
        integers: { num_heads: heads, kv_num_heads: keyHeads },
      },
    ],
    constants: [
      ...keys,
      { name: 'last', type: 'int32', shape: [rows], data: new Int32Array(rows).fill(length - 1) },
      { name: 'length', type: 'int32', shape: [1], data: Int32Array.of(length) },
    ],
  }
}

function composedAttention(work: AttentionWork, keys: OnnxConstant[]): Operators {
  const { rows, length, heads, keyHeads, headSize } = work
  const group = heads / keyHeads
  const shapes = {
    apart: [rows, length, heads, headSize],
    keysApart: [rows, length, keyHeads, headSize],
    grouped: [rows, keyHeads, group * length, headSize],
    masked: [rows, keyHeads, group, length, length],
    weighed: [rows, keyHeads, group * length, length],
    ungrouped: [rows, heads, length, headSize],
    out: [rows, length, heads * headSize],
  }
  const mask = new Float32Array(length * length).map((_, at) => (at % length > Math.floor(at / length) ? -1e9 : 0))
  const nodes = (x: string, y: string): OnnxNode[] => {
    let from = x
    let step = 0
    const next = (operator: string, others: readonly string[] = [], more: Partial<OnnxNode> = {}, to?: string) => {
      const node = { operator, inputs: [from, ...others], outputs: [to ?? `${y}.${step++}`], ...more }
      from = node.outputs[0]!
      return node
    }
    const keysOf = (name: string, perm: readonly number[]) => [
      { operator: 'Reshape', inputs: [name, 'keysApart'], outputs: [`${y}.${name}`] },
      { operator: 'Transpose', inputs: [`${y}.${name}`], outputs: [`${y}.${name}s`], lists: { perm } },
    ]
    const [swap, flip] = [
      [0, 2, 1, 3],
      [0, 2, 3, 1],
    ]
    return [
      ...[...keysOf('k', flip!), ...keysOf('v', swap!)],
      ...[next('Mul', ['scale']), next('Reshape', ['apart']), next('Transpose', [], { lists: { perm: swap! } })],
      ...[next('Reshape', ['grouped']), next('MatMul', [`${y}.ks`]), next('Reshape', ['masked'])],
      ...[next('Add', ['mask']), next('Softmax', [], { integers: { axis: -1 } }), next('Reshape', ['weighed'])],
      ...[next('MatMul', [`${y}.vs`]), next('Reshape', ['ungrouped'])],
      ...[next('Transpose', [], { lists: { perm: swap! } }), next('Reshape', ['out'], {}, y)],
    ]
  }
  return {
    name: 'MatMul, Add, Softmax, MatMul',
    nodes,
    constants: [
      ...keys,
      { name: 'mask', type: 'float32', shape: [length, length], data: mask },
      { name: 'scale', type: 'float32', shape: [], data: Float32Array.of(1 / Math.sqrt(headSize)) },
      ...Object.entries(shapes).map(([name, shape]): OnnxConstant => {
        return { name, type: 'int64', shape: [shape.length], data: BigInt64Array.from(shape, BigInt) }
      }),
    ],
  }
}

/** Whether a way to do a work is one here. */
function isRight(work: GpuWork, inputs: GpuInputs, result: Float32Array): boolean {
  try {
    checkResult(work, inputs, result)
    return true
  } catch {
    return false
  }
}

function stored(values: Float32Array, type: OnnxType): Float32Array | Uint16Array {
  if (type === 'float32') return values
  const halves = new Uint16Array(values.length)
  encodeFloats('F16', values, new Uint8Array(halves.buffer))
  return halves
}

function widened(halves: Uint16Array): Float32Array {
  const values = new Float32Array(halves.length)
  decodeFloats('F16', new Uint8Array(halves.buffer, halves.byteOffset, halves.byteLength), values)
  return values
}
