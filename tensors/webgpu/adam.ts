import type { HostTensor } from '../safetensors.js'
import * as tf from '../tf.js'
import { copyInto } from './copy.js'
import type { DawnBackend } from './dawn-backend.js'
import { ARGUMENTS, type Gpu, kernel, variants, WORKGROUP_INDEX } from './kernels.js'
import { workgroupSum } from './reduce.js'

const SIZE = 128

/** Numbers of a gradient whose squares a workgroup adds. */
const SQUARES_AT_ONCE = SIZE * 64

const addSquares = kernel({
  name: 'adam-squares',
  params: { size: 'u32', first: 'u32' },
  buffers: { gradient: 'array<f32>', parts: 'array<f32>' },
  writes: ['parts'],
  workgroup: [SIZE],
  code: `${workgroupSum('total', SIZE)}
fn main(${ARGUMENTS}) {
  let part = ${WORKGROUP_INDEX};
  let first = part * ${SQUARES_AT_ONCE}u;
  if (first >= params.size) { return; }
  let last = min(first + ${SQUARES_AT_ONCE}u, params.size);
  var squares = 0.0;
  for (var i = first + local; i < last; i += ${SIZE}u) { squares += gradient[i] * gradient[i]; }
  let whole = total(squares, local);
  if (local == 0u) { parts[params.first + part] = whole; }
}`,
})

/** The norm of all gradients, what they are scaled by, and 1 if the norm is finite: what a step's other kernels read. */
const measure = kernel({
  name: 'adam-norm',
  params: { parts: 'u32', clips: 'u32', most: 'f32' },
  buffers: { parts: 'array<f32>', measured: 'array<f32>' },
  writes: ['measured'],
  workgroup: [256],
  code: `${workgroupSum('total', 256)}
fn main(@builtin(local_invocation_index) local: u32) {
  var squares = 0.0;
  for (var i = local; i < params.parts; i += 256u) { squares += parts[i]; }
  let norm = sqrt(total(squares, local));
  if (local == 0u) {
    measured[0] = norm;
    // As clip_grad_norm_ does it, with its 1e-6.
    measured[1] = select(1.0, min(1.0, params.most / (norm + 1e-6)), params.clips != 0u);
    measured[2] = select(1.0, 0.0, (bitcast<u32>(norm) & 0x7f800000u) == 0x7f800000u);
  }
}`,
})

const update = variants((type: 'f32' | 'vec4<f32>') =>
  kernel({
    name: 'adam',
    params: {
      size: 'u32',
      beta1: 'f32',
      rest1: 'f32',
      beta2: 'f32',
      rest2: 'f32',
      rate: 'f32',
      shrink: 'f32',
      rootCorrection: 'f32',
      epsilon: 'f32',
    },
    buffers: {
      measured: 'array<f32>',
      gradient: `array<${type}>`,
      before: `array<${type}>`,
      m: `array<${type}>`,
      v: `array<${type}>`,
      values: `array<${type}>`,
    },
    writes: ['m', 'v', 'values'],
    workgroup: [64],
    code: `
fn main(${ARGUMENTS}) {
  let i = (${WORKGROUP_INDEX}) * 64u + local;
  if (i >= params.size) { return; }
  if (measured[2] == 0.0) {
    values[i] = before[i];
    return;
  }
  let slope = gradient[i] * measured[1];
  let first = params.beta1 * m[i] + params.rest1 * slope;
  let second = params.beta2 * v[i] + params.rest2 * slope * slope;
  m[i] = first;
  v[i] = second;
  values[i] = before[i] * params.shrink - params.rate * first / (sqrt(second) / params.rootCorrection + params.epsilon);
}`,
  }),
)

/** What a step goes by; `steps` counts it. */
export interface DeviceStep {
  readonly steps: number
  readonly learningRate: number
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  readonly weightDecay: number
  readonly maxGradientNorm: number | undefined
}

interface Moments {
  readonly m: GPUBuffer
  readonly v: GPUBuffer
}

/** Adam's moments on the device, and the steps that are taken there: of each nothing but the norm is read. */
export class DeviceMoments {
  readonly #gpu: Gpu
  readonly #parameters: readonly (readonly [string, tf.Variable])[]
  readonly #moments: ReadonlyMap<string, Moments>
  /** Kept once every state that was asked for has been read: until then no step may change the moments. */
  #reading: Promise<unknown> = Promise.resolve()

  constructor(gpu: Gpu, parameters: readonly (readonly [string, tf.Variable])[]) {
    this.#gpu = gpu
    this.#parameters = parameters
    const { pool } = gpu.backend
    const use = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST
    // New ones, as those are zero.
    const zeros = ({ size }: tf.Variable) => pool.acquireBuffer(Math.max(4, size * 4), use, false, false)
    this.#moments = new Map(parameters.map(([name, variable]) => [name, { m: zeros(variable), v: zeros(variable) }]))
    unused.register(this, { backend: gpu.backend, moments: [...this.#moments.values()] })
  }

  /** Disposes of the gradients. If their norm, which it gives, is not finite, nothing was changed. */
  async step(gradients: Readonly<Record<string, tf.Tensor>>, by: DeviceStep): Promise<number> {
    await this.#reading
    const measured = this.#measure(Object.values(gradients), by.maxGradientNorm)
    for (const [name, variable] of this.#parameters) {
      const gradient = gradients[name]
      if (gradient) this.#update(variable, gradient, this.#moments.get(name)!, measured, by)
    }
    tf.dispose(gradients as Record<string, tf.Tensor>)
    try {
      return (await measured.data())[0]!
    } finally {
      measured.dispose()
    }
  }

  #measure(gradients: readonly tf.Tensor[], most: number | undefined): tf.Tensor {
    const counts = gradients.map(({ size }) => Math.ceil(size / SQUARES_AT_ONCE))
    const count = counts.reduce((sum, count) => sum + count, 0)
    const parts = this.#gpu.output([Math.max(1, count)])
    let first = 0
    for (const [i, gradient] of gradients.entries()) {
      this.#gpu.run(addSquares, { gradient, parts }, { size: gradient.size, first }, [counts[i]!])
      first += counts[i]!
    }
    const measured = this.#gpu.output([3])
    const params = { parts: count, clips: most === undefined ? 0 : 1, most: most ?? 0 }
    this.#gpu.run(measure, { parts, measured }, params, [1])
    parts.dispose()
    return measured
  }

  #update(variable: tf.Variable, gradient: tf.Tensor, { m, v }: Moments, measured: tf.Tensor, by: DeviceStep): void {
    const { steps, learningRate, beta1, beta2, epsilon, weightDecay } = by
    // Not in the variable's own memory: clones of it may share that.
    const values = this.#gpu.output(variable.shape)
    const width = variable.size % 4 === 0 ? 4 : 1
    const size = variable.size / width
    const params = {
      size,
      beta1,
      rest1: 1 - beta1,
      beta2,
      rest2: 1 - beta2,
      rate: learningRate / (1 - beta1 ** steps),
      shrink: 1 - learningRate * weightDecay,
      rootCorrection: Math.sqrt(1 - beta2 ** steps),
      epsilon,
    }
    const buffers = { measured, gradient, before: variable, m, v, values }
    this.#gpu.run(update(width === 4 ? 'vec4<f32>' : 'f32'), buffers, params, [Math.ceil(size / 64)])
    variable.assign(values)
    values.dispose()
  }

  /** `m/<parameter>` and `v/<parameter>`, as they are now: a step waits until they have been read. */
  state(): Promise<Record<string, HostTensor>> {
    const state = this.#read()
    this.#reading = Promise.allSettled([this.#reading, state])
    return state
  }

  async #read(): Promise<Record<string, HostTensor>> {
    const tensors: Record<string, HostTensor> = {}
    for (const [name, { shape, size }] of this.#parameters) {
      const { m, v } = this.#moments.get(name)!
      for (const [kind, moment] of [
        ['m', m],
        ['v', v],
      ] as const) {
        // One at a time, as all of them would take as much memory again.
        const copy = this.#gpu.output(shape)
        copyInto(this.#gpu, moment, 0, copy, 0, size)
        try {
          tensors[`${kind}/${name}`] = { shape, data: (await copy.data()) as Float32Array }
        } finally {
          copy.dispose()
        }
      }
    }
    return tensors
  }

  /** @param saved  the numbers of a parameter's moment */
  restore(saved: (kind: 'm' | 'v', name: string, size: number) => Float32Array): void {
    const all = this.#parameters.map(
      ([name, { size }]) => [name, saved('m', name, size), saved('v', name, size)] as const,
    )
    const { backend } = this.#gpu
    // Writing does not wait for what is encoded.
    backend.flush()
    for (const [name, m, v] of all) {
      const moments = this.#moments.get(name)!
      backend.device.queue.writeBuffer(moments.m, 0, m)
      backend.device.queue.writeBuffer(moments.v, 0, v)
    }
  }
}

/** The moments of an optimiser that nobody has any more, as those in main memory, need nobody who disposes of them. */
const unused = new FinalizationRegistry(
  ({ backend, moments }: { readonly backend: DawnBackend; readonly moments: readonly Moments[] }) => {
    backend.flush()
    for (const { m, v } of moments) {
      backend.pool.releaseBuffer(m, false)
      backend.pool.releaseBuffer(v, false)
    }
  },
)
