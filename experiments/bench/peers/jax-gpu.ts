import { openGpu } from '../../../tensors/webgpu/device.js'
import { EPSILON, type GpuInputs, type GpuWork, inputShapes } from '../gpu-work.js'
import { importPeer, peerVersion } from '../peer-packages.js'
import { gpuProgram } from './gpu-program.js'

/* A work of gpu-work.ts in jax-js, compiled by its jit, on the Dawn that rxgym itself runs on. */

/** What of jax-js is used here. An operation takes over the arrays that it is given; `ref` is one more hold on one. */
interface Jax {
  init(device: 'webgpu'): Promise<readonly string[]>
  defaultDevice(device: 'webgpu'): void
  getWebGPUDevice(): GPUDevice
  jit(f: (...arrays: JaxArray[]) => JaxArray): (...arrays: JaxArray[]) => JaxArray
  readonly nn: {
    silu(x: JaxArray): JaxArray
    dotProductAttention(q: JaxArray, k: JaxArray, v: JaxArray, options: { isCausal: true }): JaxArray
  }
  readonly numpy: {
    readonly float16: string
    readonly float32: string
    array(data: Float32Array, options: { shape: readonly number[] }): JaxArray
    matmul(a: JaxArray, b: JaxArray): JaxArray
    mean(x: JaxArray, axis: number, options: { keepdims: true }): JaxArray
    sqrt(x: JaxArray): JaxArray
    square(x: JaxArray): JaxArray
  }
}

interface JaxArray {
  readonly ref: JaxArray
  add(other: JaxArray | number): JaxArray
  mul(other: JaxArray | number): JaxArray
  div(other: JaxArray): JaxArray
  astype(type: string): JaxArray
  blockUntilReady(): Promise<JaxArray>
  data(): Promise<Float32Array>
  /** Has the device work it out and lets go of it. */
  gpuBufferSync(): GPUBuffer
}

await gpuProgram(async (work, inputs) => {
  await openGpu()
  fillIn()
  const jax = (await importPeer('@jax-js/jax')) as Jax
  if (!(await jax.init('webgpu')).includes('webgpu')) throw new Error('jax-js found no adapter')
  jax.defaultDevice('webgpu')
  const { numpy } = jax
  const arrays = arraysOf(work, inputs, numpy)
  await Promise.all(arrays.map((array) => array.blockUntilReady()))
  const f = jax.jit(functionOf(work, jax))
  const once = () => f(...arrays.map((array) => array.ref))
  const { queue } = jax.getWebGPUDevice()
  return {
    details: { 'jax-js': peerVersion('@jax-js/jax') ?? 'unknown' },
    ask() {
      once().gpuBufferSync()
      return 1
    },
    async done() {
      await queue.onSubmittedWorkDone()
    },
    result: () => once().astype(numpy.float32).data(),
  }
})

/** What jax-js takes for granted and older versions of Node do not have: a navigator that says who it is (21), iterators with map and filter (22). */
function fillIn(): void {
  const { navigator } = globalThis as unknown as { navigator: { userAgent?: string } }
  if (navigator.userAgent === undefined) navigator.userAgent = 'Node.js'
  const iterators = Object.getPrototypeOf(Object.getPrototypeOf(''.matchAll(/./g))) as Record<string, unknown>
  iterators.map ??= function* <T>(this: Iterable<T>, f: (value: T) => unknown) {
    for (const value of this) yield f(value)
  }
  iterators.filter ??= function* <T>(this: Iterable<T>, f: (value: T) => boolean) {
    for (const value of this) if (f(value)) yield value
  }
}

function arraysOf(work: GpuWork, inputs: GpuInputs, numpy: Jax['numpy']): JaxArray[] {
  const shapes = inputShapes(work)
  return Object.entries(inputs).map(([name, data]) => {
    const array = numpy.array(data, { shape: work.kind === 'attention' ? headsOf(work, name) : shapes[name]! })
    return work.kind === 'product' && work.half ? array.astype(numpy.float16) : array
  })
}

function headsOf({ rows, length, heads, keyHeads, headSize }: GpuWork & { kind: 'attention' }, name: string): number[] {
  return [rows, length, name === 'x' ? heads : keyHeads, headSize]
}

function functionOf(work: GpuWork, { nn, numpy }: Jax): (...arrays: JaxArray[]) => JaxArray {
  const { matmul } = numpy
  switch (work.kind) {
    case 'product':
      return (x, w) => matmul(x!, w!)
    case 'rms-norm':
      return (x, weight) => {
        const square = numpy.mean(numpy.square(x!.ref), -1, { keepdims: true })
        return x!.div(numpy.sqrt(square.add(EPSILON))).mul(weight!)
      }
    case 'attention':
      return (q, k, v) => nn.dotProductAttention(q!, k!, v!, { isCausal: true })
    case 'mlp':
      return (x, gate, up, down) => matmul(nn.silu(matmul(x!.ref, gate!)).mul(matmul(x!, up!)), down!)
  }
}
