import { LanguageModel } from '../../agents/llm/language-model.js'
import { type ModelConfig, modelConfig, weightShapes } from '../../agents/llm/model-config.js'
import { Tokenizer } from '../../agents/llm/tokenizer.js'
import { noHalf } from '../../tensors/compute-type.js'
import * as tf from '../../tensors/tf.js'
import { benchTokenizer } from './language-work.js'
import { randomWeights } from './random-weights.js'

/** A model's sizes, and those of what it is measured at. */
export interface GpuSizes {
  readonly model: {
    readonly hidden: number
    readonly intermediate: number
    readonly layers: number
    readonly heads: number
    readonly keyHeads: number
    readonly vocabulary: number
  }
  readonly decode: { readonly batch: number; readonly prompt: number; readonly newTokens: number }
  /** Sequences that are scored or learned from at once. */
  readonly training: { readonly rows: number; readonly length: number }
  /** `rows` are sequences that go through the model at once. */
  readonly rloo: {
    readonly groups: number
    readonly group: number
    readonly prompt: number
    readonly newTokens: number
    readonly rows: number
  }
  /** What tells a device's own speed: MiB that are copied, and rows of the largest matrices. */
  readonly card: { readonly copyMib: number; readonly matrix: number }
}

/** Qwen2.5-0.5B, as a card is measured with it. */
export const CARD: GpuSizes = {
  model: { hidden: 896, intermediate: 4864, layers: 24, heads: 14, keyHeads: 2, vocabulary: 151_936 },
  decode: { batch: 64, prompt: 256, newTokens: 512 },
  training: { rows: 32, length: 512 },
  rloo: { groups: 8, group: 16, prompt: 256, newTokens: 512, rows: 16 },
  card: { copyMib: 1024, matrix: 8192 },
}

/** The same in small, for an adapter that computes on the processor. */
export const SOFTWARE: GpuSizes = {
  model: { hidden: 128, intermediate: 256, layers: 2, heads: 2, keyHeads: 1, vocabulary: 1024 },
  decode: { batch: 8, prompt: 16, newTokens: 16 },
  training: { rows: 4, length: 32 },
  rloo: { groups: 2, group: 4, prompt: 16, newTokens: 16, rows: 4 },
  card: { copyMib: 16, matrix: 256 },
}

const CONTEXT = 32_768

/** A model of Qwen2's kind with random weights on the backend in use, in half precision where that has it. Nothing ends its completions but their
 *  length; of what it writes few tokens have a text. */
export function gpuModel({ model }: GpuSizes): LanguageModel {
  const configJson = {
    ...{ architectures: ['Qwen2ForCausalLM'], model_type: 'qwen2', hidden_act: 'silu', tie_word_embeddings: true },
    ...{ vocab_size: model.vocabulary, hidden_size: model.hidden, intermediate_size: model.intermediate },
    ...{ num_hidden_layers: model.layers, num_attention_heads: model.heads, num_key_value_heads: model.keyHeads },
    ...{ max_position_embeddings: CONTEXT, rope_theta: 1e6, rms_norm_eps: 1e-6 },
  }
  const weights: Record<string, tf.Tensor> = {}
  for (const [name, { shape, data }] of randomWeights(weightShapes(modelConfig(configJson)))) {
    weights[name] = tf.tensor(data, [...shape])
  }
  const dtype = noHalf() === undefined ? 'float16' : 'float32'
  return new LanguageModel({
    configJson,
    weights,
    tokenizer: new Tokenizer(benchTokenizer(), 'bench'),
    endTokens: [],
    dtype,
  })
}

/** Bytes of a number that a product reads: what weights and keys can be read as. */
export function numberBytes({ dtype }: ModelConfig): number {
  return dtype === 'float16' ? 2 : 4
}

/** Bytes of a token's keys and values in all blocks. */
export function cacheBytes(config: ModelConfig): number {
  return 2 * config.layers * config.keyHeads * config.headSize * numberBytes(config)
}

/** Bytes that a block's values of a token take, where all that its backward pass needs is kept; its input and output among them. */
export function blockBytes({ hidden, intermediate, heads, keyHeads, headSize }: ModelConfig): number {
  // Input, norm, sum, norm and output; queries and what they attend to; keys and values; gate, up and their product.
  return 4 * (5 * hidden + 2 * heads * headSize + 2 * keyHeads * headSize + 3 * intermediate)
}
