import { embedding } from '../../tensors/embedding.js'
import { KeyValueCache } from '../../tensors/key-value-cache.js'
import { type PackedWeight, packedProduct, packedWeight } from '../../tensors/packed-weight.js'
import { rmsNorm } from '../../tensors/rms-norm.js'
import { rope, ropeAngles, ropeFrequencies } from '../../tensors/rope.js'
import { swiglu } from '../../tensors/swiglu.js'
import * as tf from '../../tensors/tf.js'
import type { Decoder, DecodeWeights } from './decoder.js'
import { headOf } from './head.js'
import type { ModelConfig } from './model-config.js'
import { type Draw, drawToken, type Sampling } from './sampling.js'
import { paddedBatch } from './token-batch.js'
import { forward, type Weights } from './transformer.js'

interface Layer {
  readonly weight: PackedWeight
  readonly bias: tf.Tensor1D | undefined
}

interface Block {
  readonly inputNorm: tf.Tensor1D
  readonly queries: Layer
  readonly keys: Layer
  readonly values: Layer
  readonly output: Layer
  readonly middleNorm: tf.Tensor1D
  readonly gate: Layer
  readonly up: Layer
  readonly down: Layer
}

/** Weights of a small model or on a processor: products of a few rows, one operation after the other, and draws on the host. */
export class HostDecodeWeights implements DecodeWeights {
  /** What the cache of a whole evaluation would hold is too much. */
  readonly mostRows = 64
  readonly config: ModelConfig
  readonly weights: Weights
  readonly blocks: readonly Block[]
  readonly head: PackedWeight

  constructor(config: ModelConfig, weights: Weights) {
    const layer = (name: string): Layer => {
      const bias = weights[`${name}.bias`]
      return {
        weight: packedWeight(weights[`${name}.weight`] as tf.Tensor2D),
        bias: bias && (tf.clone(bias) as tf.Tensor1D),
      }
    }
    // Tensors in plain objects, which tidy and dispose look through.
    const { blocks, head } = tf.tidy(() => {
      const made = Array.from({ length: config.layers }, (_, i): Block => {
        const block = `model.layers.${i}`
        return {
          inputNorm: tf.clone(weights[`${block}.input_layernorm.weight`] as tf.Tensor1D),
          queries: layer(`${block}.self_attn.q_proj`),
          keys: layer(`${block}.self_attn.k_proj`),
          values: layer(`${block}.self_attn.v_proj`),
          output: layer(`${block}.self_attn.o_proj`),
          middleNorm: tf.clone(weights[`${block}.post_attention_layernorm.weight`] as tf.Tensor1D),
          gate: layer(`${block}.mlp.gate_proj`),
          up: layer(`${block}.mlp.up_proj`),
          down: layer(`${block}.mlp.down_proj`),
        }
      })
      return { blocks: made, head: packedWeight(headOf(config, weights)) } as unknown as tf.TensorContainer
    }) as unknown as { blocks: readonly Block[]; head: PackedWeight }
    this.config = config
    this.weights = weights
    this.blocks = blocks
    this.head = head
  }

  decoder(rows: number, capacity: number, sampling: Required<Sampling>): HostDecoder {
    return new HostDecoder(this, rows, capacity, sampling)
  }

  dispose(): void {
    tf.dispose([this.blocks, this.head] as unknown as tf.TensorContainer)
  }
}

export class HostDecoder implements Decoder {
  readonly ahead = 0
  readonly #model: HostDecodeWeights
  readonly #sampling: Required<Sampling>
  readonly #frequencies: Float32Array
  readonly #caches: readonly KeyValueCache[]
  /** The tokens of each row, its prompt's first. */
  readonly #tokens: number[][]

  constructor(model: HostDecodeWeights, rows: number, capacity: number, sampling: Required<Sampling>) {
    const { layers, heads, keyHeads, headSize, ropeTheta, ropeScaling } = model.config
    this.#model = model
    this.#sampling = sampling
    this.#frequencies = ropeFrequencies(headSize, ropeTheta, ropeScaling)
    this.#tokens = Array.from({ length: rows }, () => [])
    this.#caches = Array.from(
      { length: layers },
      () => new KeyValueCache({ rows, capacity, heads, keyHeads, headSize }),
    )
  }

  async join(rows: readonly number[], prompts: readonly ArrayLike<number>[], uniforms: readonly number[]) {
    const { config, weights } = this.#model
    const batch = paddedBatch(prompts, 'right')
    const owners = Int32Array.from(batch.segments, (segment, i) =>
      segment > 0 ? rows[Math.floor(i / batch.length)]! : -1,
    )
    const write = (layer: number, k: tf.Tensor2D, v: tf.Tensor2D) =>
      this.#caches[layer]!.write(k, v, owners, batch.positions)
    const trace = forward(config, weights, batch, 'nothing', write)
    for (const [i, row] of rows.entries()) this.#tokens[row] = Array.from(prompts[i]!)
    try {
      const lasts = prompts.map(({ length }, i) => batch.starts[i]! + length - 1)
      const logits = tf.tidy(() => this.#logits(tf.gather(trace.hidden, tf.tensor1d(lasts, 'int32')) as tf.Tensor2D))
      return this.#draw(await read(logits), rows, uniforms)
    } finally {
      trace.dispose()
    }
  }

  async step(rows: readonly number[], uniforms: readonly number[]) {
    const { config, weights, blocks } = this.#model
    const { heads, keyHeads, normEpsilon } = config
    const lengths = rows.map((row) => this.#tokens[row]!.length)
    const places = Int32Array.from(lengths, (length) => length - 1)
    const logits = tf.tidy(() => {
      const angles = ropeAngles(places, this.#frequencies)
      const table = weights['model.embed_tokens.weight'] as tf.Tensor2D
      let x = embedding(
        table,
        Int32Array.from(rows, (row) => this.#tokens[row]!.at(-1)!),
      )
      for (const [layer, block] of blocks.entries()) {
        const cache = this.#caches[layer]!
        x = tf.tidy(() => {
          const { y: normed } = rmsNorm(x, block.inputNorm, normEpsilon)
          const k = rope(linear(normed, block.keys), keyHeads, angles)
          cache.write(k, linear(normed, block.values), rows, places)
          const attended = cache.attend(rope(linear(normed, block.queries), heads, angles), rows, lengths)
          const middle = linear(attended, block.output, x)
          const { y: middleNormed } = rmsNorm(middle, block.middleNorm, normEpsilon)
          const activated = swiglu(linear(middleNormed, block.gate), linear(middleNormed, block.up))
          return linear(activated, block.down, middle)
        })
      }
      const { y } = rmsNorm(x, weights['model.norm.weight'] as tf.Tensor1D, normEpsilon)
      return this.#logits(y)
    })
    return this.#draw(await read(logits), rows, uniforms)
  }

  #draw(logits: Float32Array, rows: readonly number[], uniforms: readonly number[]): Draw[] {
    const { vocabulary } = this.#model.config
    return rows.map((row, i) => {
      const own = logits.slice(i * vocabulary, (i + 1) * vocabulary)
      const tokens = this.#tokens[row]!
      const draw = drawToken(own, tokens, this.#sampling, uniforms[i]!)
      tokens.push(draw.token)
      return draw
    })
  }

  #logits(hidden: tf.Tensor2D): tf.Tensor2D {
    return packedProduct(hidden, this.#model.head)
  }

  dispose(): void {
    for (const cache of this.#caches) cache.dispose()
  }
}

async function read(logits: tf.Tensor2D): Promise<Float32Array> {
  const values = (await logits.data()) as Float32Array
  logits.dispose()
  return values
}

function linear(x: tf.Tensor2D, { weight, bias }: Layer, plus?: tf.Tensor2D): tf.Tensor2D {
  const y = packedProduct(x, weight, plus ?? bias)
  return plus && bias ? tf.add(y, bias) : y
}
