import { z } from 'zod'
import type { PCG64 } from '../../envs/seeding.js'
import { product } from '../../tensors/product.js'
import * as tf from '../../tensors/tf.js'
import type { Weights } from './transformer.js'

const projections = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const

/** Which weights get adapters, and of what size. */
export const loraConfig = z.strictObject({
  rank: z.int().positive().default(8).describe('rank of each adapter'),
  alpha: z.number().positive().default(16).describe('adapters are scaled by alpha / rank'),
  projections: z
    .array(z.enum(projections))
    .nonempty()
    .default([...projections])
    .describe('the layers that get one'),
})
export type LoraConfig = z.infer<typeof loraConfig>

/**
 * Low-rank adapters: W + alpha / rank · B A takes the place of W, and only A and B are learned (Hu et al. 2021, "LoRA", section 4.1).
 * A is drawn uniformly from ±√(1 / inputs) (as PEFT draws it: Kaiming with a = √5), B is 0.
 */
export class Lora {
  /** `<layer>.lora_A.weight` [rank, inputs] and `<layer>.lora_B.weight` [outputs, rank]. */
  readonly parameters: Readonly<Record<string, tf.Variable>>
  readonly #layers: readonly string[]
  readonly #scale: number

  constructor(weights: Weights, { rank, alpha, projections: chosen }: LoraConfig, generator: PCG64) {
    const suffixes = chosen.map((name) => `.${name}.weight`)
    this.#layers = Object.keys(weights).filter((name) => suffixes.some((suffix) => name.endsWith(suffix)))
    this.#scale = alpha / rank
    const parameters: Record<string, tf.Variable> = {}
    for (const name of this.#layers) {
      const [outputs, inputs] = weights[name]!.shape as [number, number]
      const bound = Math.sqrt(1 / inputs)
      const drawn = Float32Array.from({ length: rank * inputs }, () => generator.uniform(-bound, bound))
      const [a, b] = names(name)
      parameters[a] = tf.tidy(() => tf.variable(tf.tensor2d(drawn, [rank, inputs])))
      parameters[b] = tf.tidy(() => tf.variable(tf.zeros([outputs, rank])))
    }
    this.parameters = parameters
  }

  /** The weights with the adapters in them. Of the adapted ones the caller disposes. */
  merged(weights: Weights): Record<string, tf.Tensor> {
    const merged: Record<string, tf.Tensor> = { ...weights }
    for (const name of this.#layers) {
      const [a, b] = names(name).map((part) => this.parameters[part] as unknown as tf.Tensor2D) as [
        tf.Tensor2D,
        tf.Tensor2D,
      ]
      merged[name] = product(b, a, { scale: this.#scale, plus: weights[name] })
    }
    return merged
  }

  /** The adapters' gradients, from those of the weights they are merged into; disposes of those. */
  gradients(ofWeights: Readonly<Record<string, tf.Tensor>>): Record<string, tf.Tensor> {
    const gradients: Record<string, tf.Tensor> = {}
    for (const name of this.#layers) {
      const slope = ofWeights[name] as tf.Tensor2D
      const [a, b] = names(name)
      const [down, up] = [this.parameters[a], this.parameters[b]] as unknown as [tf.Tensor2D, tf.Tensor2D]
      gradients[a] = product(up, slope, { a: true, scale: this.#scale })
      gradients[b] = product(slope, down, { b: true, scale: this.#scale })
    }
    tf.dispose(ofWeights as Record<string, tf.Tensor>)
    return gradients
  }

  dispose(): void {
    tf.dispose(this.parameters as Record<string, tf.Variable>)
  }
}

function names(weight: string): [string, string] {
  const layer = weight.slice(0, -'.weight'.length)
  return [`${layer}.lora_A.weight`, `${layer}.lora_B.weight`]
}
