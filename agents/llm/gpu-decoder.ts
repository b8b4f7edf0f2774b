import { KeyValueCache } from '../../tensors/key-value-cache.js'
import { type PackedWeight, packedGate, packedWeight } from '../../tensors/packed-weight.js'
import { ropeAngles, ropeFrequencies } from '../../tensors/rope.js'
import * as tf from '../../tensors/tf.js'
import { addInto } from '../../tensors/webgpu/added.js'
import {
  type DecodeScratch,
  decodeAttentionInto,
  decodeScratch,
  ropeAndKeepInto,
} from '../../tensors/webgpu/decode-attention.js'
import { embedLastInto, keepDrawsInto } from '../../tensors/webgpu/decode-state.js'
import { type Bound, type Encoder, type Gpu, Plan } from '../../tensors/webgpu/kernels.js'
import { packedProductInto, packedSwigluInto } from '../../tensors/webgpu/packed-product.js'
import { rmsNormInto } from '../../tensors/webgpu/rms-norm.js'
import {
  markSeenInto,
  NAN_LOGIT,
  sampleTokensInto,
  samplingScratch,
  seenWords,
} from '../../tensors/webgpu/sample-tokens.js'
import { swigluInto } from '../../tensors/webgpu/swiglu.js'
import type { Decoder, DecodeWeights } from './decoder.js'
import { headOf } from './head.js'
import type { ModelConfig } from './model-config.js'
import { expectNoOverflow } from './overflow.js'
import { type Draw, notDrawn, type Sampling } from './sampling.js'
import { paddedBatch } from './token-batch.js'
import { forward, type Weights } from './transformer.js'

/** Rows of a decoder, at most: keys and values of one block are one buffer each. */
const MOST_ROWS = 256
/** Rows are computed in multiples of these, so that few plans serve all numbers of them; those that are nobody's have a slot to themselves. */
const ROWS_TOGETHER = 8
/** Tokens of prompts that are read at once, padding among them. */
const PROMPT_TOKENS = 8192

interface Layer {
  readonly weight: PackedWeight
  readonly bias: tf.Tensor1D | undefined
}

interface Block {
  readonly inputNorm: tf.Tensor1D
  /** Queries, keys and values side by side. */
  readonly attention: Layer
  readonly output: Layer
  readonly middleNorm: tf.Tensor1D
  /** Both together, unless they have biases. */
  readonly gateAndUp: PackedWeight | { readonly gate: Layer; readonly up: Layer }
  readonly down: Layer
}

/** A model's weights on a graphics card, laid out for steps of up to some hundred rows. */
export class GpuDecodeWeights implements DecodeWeights {
  readonly mostRows = MOST_ROWS
  readonly gpu: Gpu
  readonly config: ModelConfig
  readonly weights: Weights
  readonly blocks: readonly Block[]
  readonly head: PackedWeight
  readonly finalNorm: tf.Tensor1D

  constructor(gpu: Gpu, config: ModelConfig, weights: Weights) {
    const half = config.dtype === 'float16'
    const of = (name: string) => weights[`${name}.weight`] as tf.Tensor2D
    const biasOf = (name: string) => weights[`${name}.bias`] as tf.Tensor1D | undefined
    const layer = (name: string): Layer => {
      const bias = biasOf(name)
      return { weight: packedWeight(of(name), half), bias: bias && tf.clone(bias) }
    }
    const made = tf.tidy(() => {
      const blocks = Array.from({ length: config.layers }, (_, i): Block => {
        const block = `model.layers.${i}`
        const three = ['q_proj', 'k_proj', 'v_proj'].map((name) => `${block}.self_attn.${name}`)
        const biases = three.map(biasOf).filter((bias) => bias !== undefined)
        const [gate, up] = [`${block}.mlp.gate_proj`, `${block}.mlp.up_proj`]
        return {
          inputNorm: tf.clone(weights[`${block}.input_layernorm.weight`] as tf.Tensor1D),
          attention: {
            weight: packedWeight(tf.concat2d(three.map(of), 0), half),
            bias: biases.length > 0 ? tf.concat1d(biases) : undefined,
          },
          output: layer(`${block}.self_attn.o_proj`),
          middleNorm: tf.clone(weights[`${block}.post_attention_layernorm.weight`] as tf.Tensor1D),
          gateAndUp: biasOf(gate) ? { gate: layer(gate), up: layer(up) } : packedGate(of(gate), of(up), half).gate,
          down: layer(`${block}.mlp.down_proj`),
        }
      })
      const finalNorm = tf.clone(weights['model.norm.weight'] as tf.Tensor1D)
      // Tensors in plain objects, which tidy and dispose look through.
      return { blocks, finalNorm, head: packedWeight(headOf(config, weights), half) } as unknown as tf.TensorContainer
    }) as unknown as Pick<GpuDecodeWeights, 'blocks' | 'finalNorm' | 'head'>
    this.gpu = gpu
    this.config = config
    this.weights = weights
    this.blocks = made.blocks
    this.finalNorm = made.finalNorm
    this.head = made.head
  }

  decoder(rows: number, capacity: number, sampling: Required<Sampling>): GpuDecoder {
    return new GpuDecoder(this, rows, capacity, sampling)
  }

  dispose(): void {
    tf.dispose([this.blocks, this.finalNorm, this.head] as unknown as tf.TensorContainer)
  }
}

/** What a step reads that changes from one to the next: [3, rows] numbers of 32 bits, each part at an offset that bindings may have. */
interface Inputs {
  readonly buffer: GPUBuffer
  /** Whose each row is. */
  readonly slots: GPUBufferBinding
  /** Where its new token stands in its slot. */
  readonly places: GPUBufferBinding
  readonly uniforms: GPUBufferBinding
}

/** Tensors that a step writes, for the most rows. */
interface Work {
  readonly x: tf.Tensor2D
  readonly middle: tf.Tensor2D
  readonly normed: tf.Tensor2D
  /** Queries, keys and values side by side. */
  readonly projected: tf.Tensor2D
  readonly queries: tf.Tensor2D
  readonly attended: tf.Tensor2D
  readonly activated: tf.Tensor2D
  readonly gate: tf.Tensor2D
  readonly up: tf.Tensor2D
  readonly logits: tf.Tensor2D
  readonly scratch: tf.Tensor1D
  readonly tokens: tf.Tensor1D
  readonly logProbs: tf.Tensor1D
  readonly drawn: tf.Tensor2D
}

/**
 * Decodes on a graphics card: a step is one submission of dispatches that were prepared before, draws among them, and what comes back of it
 * are two numbers a row. The next step needs nothing of them, so that it is handed over while the card is at this one.
 */
export class GpuDecoder implements Decoder {
  readonly ahead = 2
  readonly #model: GpuDecodeWeights
  readonly #sampling: Required<Sampling>
  readonly #rows: number
  readonly #caches: readonly KeyValueCache[]
  /** Tokens of each slot whose keys and values are there. */
  readonly #lengths: Int32Array
  readonly #prompts: (ArrayLike<number> | undefined)[]
  readonly #inputs: Inputs
  readonly #numbers: Int32Array
  readonly #work: Work
  readonly #scratch: DecodeScratch | undefined
  /** [slots] the token drawn last. */
  readonly #last: tf.Tensor1D
  readonly #seen: tf.Tensor1D | undefined
  readonly #angles: { readonly cos: tf.Tensor3D; readonly sin: tf.Tensor3D }
  /** By their number of rows. */
  readonly #plans = new Map<number, Plan>()

  constructor(model: GpuDecodeWeights, rows: number, capacity: number, sampling: Required<Sampling>) {
    const { gpu, config } = model
    const { layers, heads, keyHeads, headSize, hidden, intermediate, vocabulary } = config
    this.#model = model
    this.#sampling = sampling
    this.#rows = Math.ceil(rows / ROWS_TOGETHER) * ROWS_TOGETHER
    this.#lengths = new Int32Array(rows)
    this.#prompts = new Array(rows).fill(undefined)
    const half = config.dtype === 'float16'
    this.#caches = Array.from(
      { length: layers },
      () => new KeyValueCache({ rows, capacity, heads, keyHeads, headSize, half }),
    )
    const most = this.#rows
    // Behind everyone's, the slot of rows that are nobody's: the cache has none of that number, and leaves them out.
    const slots = rows + 1
    const matrix = (columns: number) => tf.keep(gpu.output<tf.Rank.R2>([most, columns]))
    const biased = 'gate' in model.blocks[0]!.gateAndUp
    this.#work = {
      x: matrix(hidden),
      middle: matrix(hidden),
      normed: matrix(hidden),
      projected: matrix((heads + 2 * keyHeads) * headSize),
      queries: matrix(heads * headSize),
      attended: matrix(heads * headSize),
      activated: matrix(intermediate),
      gate: matrix(biased ? intermediate : 1),
      up: matrix(biased ? intermediate : 1),
      logits: matrix(vocabulary),
      scratch: tf.keep(gpu.output<tf.Rank.R1>([samplingScratch(most, vocabulary)])),
      tokens: tf.keep(gpu.output<tf.Rank.R1>([most], 'int32')),
      logProbs: tf.keep(gpu.output<tf.Rank.R1>([most])),
      drawn: tf.keep(gpu.output<tf.Rank.R2>([most, 2], 'int32')),
    }
    const scratch = decodeScratch(gpu, { rows, capacity, heads, keyHeads, headSize }, most)
    for (const tensor of scratch ? [scratch.sums, scratch.statistics] : []) tf.keep(tensor)
    this.#scratch = scratch
    this.#last = tf.keep(tf.zeros<tf.Rank.R1>([slots], 'int32'))
    this.#seen =
      sampling.repetitionPenalty === 1
        ? undefined
        : tf.keep(tf.zeros<tf.Rank.R1>([slots * seenWords(vocabulary)], 'int32'))
    const frequencies = ropeFrequencies(headSize, config.ropeTheta, config.ropeScaling)
    const { cos, sin } = ropeAngles(
      Int32Array.from({ length: capacity }, (_, place) => place),
      frequencies,
    )
    this.#angles = { cos: tf.keep(cos), sin: tf.keep(sin) }
    this.#numbers = new Int32Array(3 * inputStride(most))
    this.#inputs = inputsOn(gpu, most)
  }

  async join(rows: readonly number[], prompts: readonly ArrayLike<number>[], uniforms: readonly number[]) {
    const draws: Promise<readonly Draw[]>[] = []
    for (let from = 0; from < rows.length; ) {
      let [count, longest] = [0, 0]
      while (from + count < rows.length) {
        longest = Math.max(longest, prompts[from + count]!.length)
        if (count > 0 && (count + 1) * longest > PROMPT_TOKENS) break
        count++
      }
      const to = from + count
      draws.push(this.#join(rows.slice(from, to), prompts.slice(from, to), uniforms.slice(from, to)))
      from = to
    }
    return (await Promise.all(draws)).flat()
  }

  #join(rows: readonly number[], prompts: readonly ArrayLike<number>[], uniforms: readonly number[]) {
    const { gpu, config, weights, head } = this.#model
    const { vocabulary } = config
    const batch = paddedBatch(prompts, 'right')
    const owners = Int32Array.from(batch.segments, (segment, i) =>
      segment > 0 ? rows[Math.floor(i / batch.length)]! : -1,
    )
    const write = (layer: number, k: tf.Tensor2D, v: tf.Tensor2D) =>
      this.#caches[layer]!.write(k, v, owners, batch.positions)
    const drawn = tf.tidy(() => {
      const trace = forward(config, weights, batch, 'nothing', write)
      const lasts = prompts.map(({ length }, i) => batch.starts[i]! + length - 1)
      const hidden = tf.gather(trace.hidden, gpu.integers(lasts)) as tf.Tensor2D
      trace.dispose()
      const count = rows.length
      const logits = gpu.output<tf.Rank.R2>([count, vocabulary])
      packedProductInto(gpu, hidden, head, logits, undefined, count)
      const slots = gpu.integers(rows)
      if (this.#seen) {
        const starts = [0]
        for (const { length } of prompts) starts.push(starts.at(-1)! + length)
        const tokens = gpu.integers(prompts.flatMap((prompt) => Array.from(prompt)))
        markSeenInto(gpu, {
          ...{ prompts: count, vocabulary, seen: this.#seen, slots, tokens },
          starts: gpu.integers(starts),
        })
      }
      const out = gpu.output<tf.Rank.R2>([count, 2], 'int32')
      this.#drawInto(gpu, count, {
        ...{ logits, slots, uniforms: tf.tensor1d(Float32Array.from(uniforms, below1)), drawn: out },
        tokens: gpu.output([count], 'int32'),
        logProbs: gpu.output([count]),
        scratch: gpu.output([samplingScratch(count, vocabulary)]),
      })
      return out
    })
    for (const [i, row] of rows.entries()) {
      this.#lengths[row] = prompts[i]!.length
      this.#prompts[row] = prompts[i]
    }
    return this.#read(drawn, rows.length).finally(() => drawn.dispose())
  }

  step(rows: readonly number[], uniforms: readonly number[]): Promise<readonly Draw[]> {
    const { gpu } = this.#model
    const count = Math.ceil(rows.length / ROWS_TOGETHER) * ROWS_TOGETHER
    const stride = inputStride(this.#rows)
    const numbers = this.#numbers
    const chances = new Float32Array(numbers.buffer, 2 * stride * 4, stride)
    const nobody = this.#lengths.length
    for (let i = 0; i < count; i++) {
      const slot = rows[i] ?? nobody
      numbers[i] = slot
      numbers[stride + i] = slot === nobody ? 0 : this.#lengths[slot]!++
      chances[i] = below1(uniforms[i] ?? 0)
    }
    gpu.backend.flush()
    gpu.backend.device.queue.writeBuffer(this.#inputs.buffer, 0, numbers.buffer)
    let plan = this.#plans.get(count)
    if (!plan) {
      plan = this.#planOf(count)
      this.#plans.set(count, plan)
    }
    plan.encode()
    return this.#read(this.#work.drawn, rows.length)
  }

  /** Dispatches of a step. */
  dispatches(rows: number): number {
    const plan = this.#planOf(Math.ceil(rows / ROWS_TOGETHER) * ROWS_TOGETHER)
    plan.dispose()
    return plan.length
  }

  #planOf(count: number): Plan {
    const { gpu, config, weights, blocks, finalNorm, head } = this.#model
    const { normEpsilon, intermediate } = config
    const { slots, places, uniforms } = this.#inputs
    const plan = new Plan(gpu)
    const { x, middle, normed, projected, queries, attended, activated, gate, up, logits } = this.#work
    const project = (input: tf.Tensor2D, { weight, bias }: Layer, y: tf.Tensor2D, plus?: tf.Tensor2D) => {
      packedProductInto(plan, input, weight, y, bias ?? plus, count)
      if (plus && bias) addInto(plan, plus, y, count * weight.outputs)
    }
    const table = weights['model.embed_tokens.weight'] as tf.Tensor2D
    embedLastInto(plan, table, { last: this.#last, slots, x }, count)
    for (const [layer, block] of blocks.entries()) {
      // On this backend it is there.
      const cache = this.#caches[layer]!.onDevice!
      rmsNormInto(plan, x, block.inputNorm, normed, normEpsilon, count)
      project(normed, block.attention, projected)
      ropeAndKeepInto(plan, cache, count, { qkv: projected, ...this.#angles, slots, places, q: queries })
      decodeAttentionInto(plan, cache, count, { q: queries, slots, places, out: attended }, this.#scratch)
      project(attended, block.output, middle, x)
      rmsNormInto(plan, middle, block.middleNorm, normed, normEpsilon, count)
      if ('gate' in block.gateAndUp) {
        project(normed, block.gateAndUp.gate, gate)
        project(normed, block.gateAndUp.up, up)
        swigluInto(plan, gate, up, activated, count * intermediate)
      } else packedSwigluInto(plan, normed, block.gateAndUp, activated, count)
      project(activated, block.down, x, middle)
    }
    rmsNormInto(plan, x, finalNorm, normed, normEpsilon, count)
    packedProductInto(plan, normed, head, logits, undefined, count)
    this.#drawInto(plan, count, { ...this.#work, slots, uniforms })
    return plan
  }

  #drawInto(
    encoder: Encoder,
    rows: number,
    on: Pick<Work, 'logits' | 'tokens' | 'logProbs' | 'scratch' | 'drawn'> & {
      readonly slots: Bound
      readonly uniforms: Bound
    },
  ): void {
    const { slots, tokens, logProbs, drawn } = on
    const { vocabulary } = this.#model.config
    const before = this.#seen && { seen: this.#seen, slots }
    sampleTokensInto(encoder, { ...on, rows, vocabulary, sampling: this.#sampling, ...(before && { before }) })
    keepDrawsInto(encoder, { slots, tokens, logProbs, last: this.#last, drawn }, rows)
  }

  async #read(drawn: tf.Tensor2D, rows: number): Promise<Draw[]> {
    const { backend } = this.#model.gpu
    const numbers = new Int32Array(await backend.readBack(backend.buffer(drawn), rows * 8))
    const logProbs = new Float32Array(numbers.buffer)
    const draws: Draw[] = []
    for (let i = 0; i < rows; i++) {
      const token = numbers[2 * i]!
      if (token < 0) {
        await this.#expectNoOverflow()
        throw notDrawn(token === NAN_LOGIT ? 'a logit is NaN' : 'the largest logit is infinite')
      }
      draws.push({ token, logProb: logProbs[2 * i + 1]! })
    }
    return draws
  }

  /** @throws BackendError naming the layer, if half precision was too narrow for one of the prompts */
  async #expectNoOverflow(): Promise<void> {
    const { config, weights } = this.#model
    if (config.dtype !== 'float16') return
    const prompts = this.#prompts.filter((prompt) => prompt !== undefined)
    await expectNoOverflow(config, weights, paddedBatch(prompts, 'right'))
  }

  dispose(): void {
    for (const disposable of [...this.#caches, ...this.#plans.values()]) disposable.dispose()
    tf.dispose([
      this.#work,
      this.#scratch ?? [],
      this.#last,
      this.#angles,
      this.#seen ?? [],
    ] as unknown as tf.TensorContainer)
    // What has been submitted still reads it.
    this.#inputs.buffer.destroy()
  }
}

/** Numbers of 32 bits from one part of {@link Inputs} to the next. */
function inputStride(rows: number): number {
  return Math.ceil(rows / 64) * 64
}

function inputsOn({ backend }: Gpu, rows: number): Inputs {
  const bytes = inputStride(rows) * 4
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST
  const buffer = backend.device.createBuffer({ size: 3 * bytes, usage })
  const part = (index: number): GPUBufferBinding => ({ buffer, offset: index * bytes, size: bytes })
  return { buffer, slots: part(0), places: part(1), uniforms: part(2) }
}

/** In single precision what is just below 1 would be 1. */
function below1(uniform: number): number {
  return Math.min(Math.fround(uniform), 1 - 2 ** -24)
}
