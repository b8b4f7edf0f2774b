import { median } from '../../algorithms/statistics.js'
import { attention, attentionMask } from '../../tensors/attention.js'
import { product } from '../../tensors/product.js'
import { rmsNorm, rmsNormGradient } from '../../tensors/rms-norm.js'
import { swiglu } from '../../tensors/swiglu.js'
import * as tf from '../../tensors/tf.js'
import type { Gpu } from '../../tensors/webgpu/kernels.js'
import type { Row } from './bench.js'
import { adapterHere, startCard, startGpu } from './gpu-adapter.js'
import { callTime, EPSILON, type GpuInputs, type GpuWork, type GpuWorker, gpuInputs, gpuRate } from './gpu-work.js'
import type { Effort } from './measure.js'
import { javascriptPeer, type Peer } from './peers.js'

/** What the page says first. */
export const GPU_OPERATIONS_NOTE = `On a card each operation has the sizes of Qwen2.5-0.5B; on an adapter that computes on the processor they are scaled down, and no figure is one of
a graphics card. Each row names its adapter below. The others do the same on the same adapter at the same sizes; on a machine with little else to do
a few percent between them are within the range of the repetitions.`

/** A work at the sizes of a card, and of an adapter that computes on the processor. */
interface Sizes<W extends GpuWork = GpuWork> {
  readonly card: W
  readonly software: W
}

const sizes = <W extends GpuWork>(card: W, software: W): Sizes<W> => ({ card, software })

/** So small that the device has next to nothing to do. */
const TINY = { rows: 8, features: 64 }

/** Qwen2.5-0.5B's sizes: a training pass of 16,384 tokens, a decode step of 64 rows. */
const works = {
  product: sizes<GpuWork>(
    { kind: 'product', m: 16_384, k: 896, n: 4864 },
    { kind: 'product', m: 256, k: 224, n: 1216 },
  ),
  half: sizes<GpuWork>(
    { kind: 'product', m: 16_384, k: 896, n: 4864, half: true },
    { kind: 'product', m: 256, k: 224, n: 1216, half: true },
  ),
  decode: sizes<GpuWork>({ kind: 'product', m: 64, k: 896, n: 4864 }, { kind: 'product', m: 64, k: 224, n: 1216 }),
  norm: sizes<GpuWork>(
    { kind: 'rms-norm', rows: 16_384, features: 896 },
    { kind: 'rms-norm', rows: 2048, features: 896 },
  ),
  attention: sizes<GpuWork>(
    { kind: 'attention', rows: 32, length: 512, heads: 14, keyHeads: 2, headSize: 64 },
    { kind: 'attention', rows: 2, length: 128, heads: 14, keyHeads: 2, headSize: 64 },
  ),
  mlp: sizes<GpuWork>(
    { kind: 'mlp', rows: 16_384, hidden: 896, intermediate: 4864 },
    { kind: 'mlp', rows: 128, hidden: 224, intermediate: 1216 },
  ),
  call: sizes<GpuWork>({ kind: 'rms-norm', ...TINY }, { kind: 'rms-norm', ...TINY }),
}

const packages = { onnxruntime: { 'onnxruntime-node': '1.30.0' }, jax: { '@jax-js/jax': '0.1.25' } }

/** Both peers, at the same sizes on the adapter that they find. */
function peersOf(work: Sizes, measure: 'rate' | 'call' = 'rate'): readonly Peer[] {
  const args = async ({ seconds, repetitions }: Effort) => {
    const { inSoftware } = await adapterHere()
    return [measure, JSON.stringify(inSoftware ? work.software : work.card), seconds, repetitions]
  }
  return [
    javascriptPeer("onnxruntime-node's WebGPU provider", 'onnxruntime-gpu.js', { needs: packages.onnxruntime }, args),
    javascriptPeer('jax-js', 'jax-gpu.js', { needs: packages.jax }, args),
  ]
}

function rateRow(name: string, what: string, unit: string, work: Sizes): Row {
  return {
    ...{ name, what, unit, better: 'more', peers: peersOf(work), peerTarget: 1 },
    async measure(effort) {
      const { gpu, adapter } = await startGpu()
      const chosen = gpu.inSoftware ? work.software : work.card
      const inputs = gpuInputs(chosen)
      const { close, ...worker } = workerOf(gpu, chosen, inputs)
      const { values, details } = await gpuRate(chosen, inputs, worker, effort)
      close()
      return { values, details: { adapter, ...shapeOf(chosen), ...details } }
    },
  }
}

/** `m 64; k 224; …` */
function shapeOf({ kind: _, ...shape }: GpuWork): Readonly<Record<string, number | boolean>> {
  return shape
}

/** rxgym's own. Matrices lie as a model has its weights, [outputs, inputs]. */
function workerOf(gpu: Gpu, work: GpuWork, inputs: GpuInputs): GpuWorker & { close(): void } {
  const held: tf.Tensor[] = []
  const hold = <T extends tf.Tensor>(tensor: T): T => {
    held.push(tensor)
    return tensor
  }
  const f = functionOf(work, inputs, hold)
  return {
    ask() {
      tf.dispose(tf.tidy(f))
      return 1
    },
    done: () => gpu.backend.done(),
    async result() {
      const y = tf.tidy(f)
      const numbers = (await y.data()) as Float32Array
      y.dispose()
      return numbers
    },
    close: () => tf.dispose(held),
  }
}

function functionOf(work: GpuWork, inputs: GpuInputs, hold: <T extends tf.Tensor>(tensor: T) => T): () => tf.Tensor {
  const matrix = (name: string, columns: number) =>
    hold(tf.tensor2d(inputs[name]!, [inputs[name]!.length / columns, columns]))
  const weight = (name: string, outputs: number) => hold(tf.tidy(() => tf.transpose(matrix(name, outputs))))
  switch (work.kind) {
    case 'product': {
      const [x, w] = [matrix('x', work.k), weight('w', work.n)]
      const options = { b: true, half: work.half ?? false }
      return () => product(x, w, options)
    }
    case 'rms-norm': {
      const [x, scale] = [matrix('x', work.features), hold(tf.tensor1d(inputs.weight!))]
      return () => rmsNorm(x, scale, EPSILON).y
    }
    case 'attention': {
      const { rows, length, heads, keyHeads, headSize } = work
      const q = matrix('x', heads * headSize)
      const [k, v] = [matrix('k', keyHeads * headSize), matrix('v', keyHeads * headSize)]
      const mask = attentionMask(
        new Int32Array(rows * length).map((_, token) => Math.floor(token / length)),
        rows,
        length,
      )
      for (const tensor of tensorsOf(mask)) hold(tensor)
      return () => attention(q, k, v, mask, work).out
    }
    case 'mlp': {
      const { hidden, intermediate } = work
      const x = matrix('x', hidden)
      const [gate, up, down] = [weight('gate', intermediate), weight('up', intermediate), weight('down', hidden)]
      const times = (left: tf.Tensor2D, right: tf.Tensor2D) => product(left, right, { b: true })
      return () => times(swiglu(times(x, gate), times(x, up)), down)
    }
  }
}

const overhead: Row = {
  name: 'gpu-overhead',
  what: 'main-thread time of a call of RMSNorm on a tiny tensor, the device not waited for',
  unit: 'µs',
  better: 'less',
  peers: peersOf(works.call, 'call'),
  async measure(effort) {
    const { gpu, adapter } = await startGpu()
    const { fused, close } = tinyCalls()
    const { values, byClock } = await callTime(called(fused.rmsNorm!), () => gpu.backend.done(), effort)
    close()
    return { values, details: { adapter, byClock } }
  },
}

const dearestCall: Row = {
  name: 'gpu-overhead-most',
  what: 'main-thread time of a call of the fused operation that takes most of it, and of operations of tfjs',
  unit: 'µs',
  better: 'less',
  target: 15,
  peers: [],
  async measure(effort) {
    const { gpu, adapter } = await startCard()
    const { fused, tfjs, close } = tinyCalls()
    const times: Record<string, number[]> = {}
    for (const [name, f] of Object.entries({ ...fused, ...tfjs })) {
      times[name] = (await callTime(called(f), () => gpu.backend.done(), effort)).values
    }
    close()
    const middle = (name: string) => Number(median(times[name]!).toFixed(1))
    const names = Object.keys(fused)
    const dearest = names.reduce((most, name) => (middle(name) > middle(most) ? name : most))
    const details = Object.fromEntries(Object.keys(times).map((name) => [name, middle(name)]))
    return { values: times[dearest]!, details: { adapter, dearest, ...details } }
  },
}

/** A call, and what comes out let go of. */
function called(f: () => tf.TensorContainer): () => number {
  return () => {
    tf.dispose(f())
    return 1
  }
}

/** Calls of fused operations and of tfjs's, by name of {@link TINY} tensors. */
function tinyCalls() {
  const { rows, features } = TINY
  const normals = (shape: [number, number], seed: number) => tf.randomNormal<tf.Rank.R2>(shape, 0, 1, 'float32', seed)
  const [x, w, keys] = [
    normals([rows, features], 1),
    normals([features, features], 2),
    normals([rows, features / 2], 3),
  ]
  const scale = tf.ones<tf.Rank.R1>([features])
  const inverse = tf.ones<tf.Rank.R2>([rows, 1])
  const shape = { rows: 1, length: rows, heads: 2, keyHeads: 1, headSize: features / 2 }
  const mask = attentionMask(new Int32Array(rows), 1, rows)
  // What comes out are objects of tensors, some within others.
  const fused: Record<string, () => tf.TensorContainer> = {
    rmsNorm: () => ({ ...rmsNorm(x, scale, EPSILON) }),
    rmsNormGradient: () => ({ ...rmsNormGradient(x, x, scale, inverse) }),
    product: () => product(x, w, { b: true }),
    swiglu: () => swiglu(x, x),
    attention: () => ({ ...attention(x, keys, keys, mask, shape) }) as unknown as tf.TensorContainer,
  }
  const tfjs: Record<string, () => tf.TensorContainer> = {
    'tfjs.add': () => tf.add(x, x),
    'tfjs.matMul': () => tf.matMul(x, w, false, true),
  }
  const held = [x, w, keys, scale, inverse, ...tensorsOf(mask)]
  return { fused, tfjs, close: () => tf.dispose(held) }
}

function tensorsOf(mask: object): tf.Tensor[] {
  return Object.values(mask).filter((value) => value instanceof tf.Tensor)
}

/** How fast the operations of a language model are on a graphics card, one by one, beside others' on the same card. */
export const gpuOperationRows: readonly Row[] = [
  rateRow('gpu-product', "the product of a training pass with an MLP's weight", 'GFLOP/s', works.product),
  rateRow('gpu-product-half', 'the same of factors rounded to half precision', 'GFLOP/s', works.half),
  rateRow('gpu-product-decode', "the product of a decode step's rows with it", 'GFLOP/s', works.decode),
  rateRow('gpu-rms-norm', 'RMSNorm of a training pass, read and written', 'GB/s', works.norm),
  rateRow('gpu-attention', 'causal attention with grouped queries, forward', 'GFLOP/s', works.attention),
  rateRow('gpu-mlp', 'an MLP with SwiGLU, forward', 'GFLOP/s', works.mlp),
  ...[overhead, dearestCall],
]
