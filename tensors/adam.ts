import type { HostTensor } from './safetensors.js'
import * as tf from './tf.js'
import { wasmKernels } from './wasm/kernels.js'
import { DeviceMoments } from './webgpu/adam.js'
import { gpuKernels } from './webgpu/kernels.js'

export interface AdamOptions {
  /** Default 0.9. */
  readonly beta1?: number
  /** Default 0.999. */
  readonly beta2?: number
  /** Added to the root of the second moment. Default 1e-8. */
  readonly epsilon?: number
  /** Decoupled (AdamW): each step first shrinks every parameter by learningRate · weightDecay. Default 0. */
  readonly weightDecay?: number
  /** All gradients together are scaled down to this norm where they exceed it. Default: no limit. */
  readonly maxGradientNorm?: number | undefined
}

/** What an optimiser must remember between two steps. */
export interface AdamState {
  readonly steps: number
  /** `m/<parameter>` and `v/<parameter>`. */
  readonly tensors: Readonly<Record<string, HostTensor>>
}

/**
 * Adam (Kingma & Ba 2015, algorithm 1) with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2) and
 * global-norm clipping, as PyTorch's `AdamW` after `clip_grad_norm_` computes it.
 *
 * It works in typed arrays: most backends keep tensors in main memory, where one pass over an array is cheaper than a
 * dozen tensor operations; on `wasm` over that memory itself, without copies. On `webgpu` all of it stays on the device.
 */
export class Adam {
  readonly #parameters: readonly (readonly [string, tf.Variable])[]
  readonly #moments = new Map<string, { readonly m: Float32Array; readonly v: Float32Array }>()
  readonly #options: AdamOptions
  /** In the place of `#moments`, on `webgpu`. */
  readonly #onDevice: DeviceMoments | undefined
  #steps = 0

  constructor(parameters: Readonly<Record<string, tf.Variable>>, options: AdamOptions = {}) {
    this.#parameters = Object.entries(parameters)
    this.#options = options
    const gpu = gpuKernels()
    this.#onDevice = gpu && new DeviceMoments(gpu, this.#parameters)
    if (gpu) return
    for (const [name, { size }] of this.#parameters) {
      this.#moments.set(name, { m: new Float32Array(size), v: new Float32Array(size) })
    }
  }

  /**
   * One step along `gradients` (by parameter name; a parameter without one stays), which it disposes of.
   * @returns the gradients' global norm before clipping. If that is not finite nothing was changed.
   */
  async step(gradients: Readonly<Record<string, tf.Tensor>>, learningRate: number): Promise<number> {
    const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0, maxGradientNorm } = this.#options
    if (this.#onDevice) {
      const by = { learningRate, beta1, beta2, epsilon, weightDecay, maxGradientNorm }
      const norm = await this.#onDevice.step(gradients, { ...by, steps: this.#steps + 1 })
      if (Number.isFinite(norm)) this.#steps++
      return norm
    }
    // Where tensors cannot be seen in place they are read: once each.
    const kernels = wasmKernels()
    const read = new Map<string, Float32Array>()
    const valuesOf = (name: string) => kernels?.view(gradients[name]!) ?? read.get(name)!
    let squares = 0
    for (const [name, gradient] of Object.entries(gradients)) {
      if (!kernels) read.set(name, (await gradient.data()) as Float32Array)
      squares += sumOfSquares(valuesOf(name))
    }
    const norm = Math.sqrt(squares)
    if (!Number.isFinite(norm)) {
      tf.dispose(gradients as Record<string, tf.Tensor>)
      return norm
    }

    // As clip_grad_norm_ does it, with its 1e-6.
    const scale = maxGradientNorm === undefined ? 1 : Math.min(1, maxGradientNorm / (norm + 1e-6))
    this.#steps++
    const rate = learningRate / (1 - beta1 ** this.#steps)
    const shrink = 1 - learningRate * weightDecay
    const rootCorrection = Math.sqrt(1 - beta2 ** this.#steps)
    for (const [name, variable] of this.#parameters) {
      if (!gradients[name]) continue
      const { m, v } = this.#moments.get(name)!
      // Not in the variable's own memory: clones of it may share that.
      const next = kernels?.output(variable.shape)
      const before = kernels?.view(variable) ?? ((await variable.data()) as Float32Array)
      const values = next ? kernels!.view(next) : new Float32Array(before.length)
      const g = valuesOf(name)
      for (let i = 0; i < g.length; i++) {
        const gradient = g[i]! * scale
        m[i] = beta1 * m[i]! + (1 - beta1) * gradient
        v[i] = beta2 * v[i]! + (1 - beta2) * gradient * gradient
        const decayed = before[i]! * shrink
        values[i] = decayed - (rate * m[i]!) / (Math.sqrt(v[i]!) / rootCorrection + epsilon)
      }
      if (next) {
        variable.assign(next)
        next.dispose()
      } else assign(variable, values)
    }
    tf.dispose(gradients as Record<string, tf.Tensor>)
    return norm
  }

  /** As of the moment of the call, whatever steps follow before the promise is kept. */
  async state(): Promise<AdamState> {
    const steps = this.#steps
    if (this.#onDevice) return { steps, tensors: await this.#onDevice.state() }
    const tensors: Record<string, HostTensor> = {}
    for (const [name, { shape }] of this.#parameters) {
      const { m, v } = this.#moments.get(name)!
      tensors[`m/${name}`] = { shape, data: m.slice() }
      tensors[`v/${name}`] = { shape, data: v.slice() }
    }
    return { steps, tensors }
  }

  /** @throws RangeError if the state is of other parameters */
  restore({ steps, tensors }: AdamState): void {
    const saved = (kind: 'm' | 'v', name: string, size: number) => {
      const moment = tensors[`${kind}/${name}`]
      if (moment?.data.length !== size) throw new RangeError(`optimiser state has no ${kind}/${name} to fit`)
      return moment.data
    }
    this.#onDevice?.restore(saved)
    for (const [name, { m, v }] of this.#moments) {
      m.set(saved('m', name, m.length))
      v.set(saved('v', name, v.length))
    }
    this.#steps = steps
  }
}

function sumOfSquares(values: Float32Array): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]! * values[i]!
  return sum
}

/** Replaces a variable's values; row-major, as many as it has. */
export function assign(variable: tf.Variable, values: Float32Array): void {
  const next = tf.tensor(values, variable.shape, 'float32')
  variable.assign(next)
  next.dispose()
}
