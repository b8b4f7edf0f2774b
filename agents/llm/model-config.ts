import { z } from 'zod'
import type { ComputeType } from '../../tensors/compute-type.js'
import type { Llama3Scaling } from '../../tensors/rope.js'

/** A folder of Hugging Face's form that cannot be used: which file, and what of it. */
export class ModelFolderError extends Error {
  override readonly name = 'ModelFolderError'
  readonly file: string
  /** The field or the tensor at fault, where one is. */
  readonly field: string | undefined

  constructor(file: string, field: string | undefined, reason: string, options?: ErrorOptions) {
    super(`${file}: ${field === undefined ? '' : `${field}: `}${reason}`, options)
    this.file = file
    this.field = field
  }
}

/** What the forward pass of a Qwen2 or Llama model needs to know, from its `config.json`. */
export interface ModelConfig {
  readonly family: 'qwen2' | 'llama'
  readonly vocabulary: number
  readonly hidden: number
  /** Of the feed-forward network. */
  readonly intermediate: number
  readonly layers: number
  readonly heads: number
  /** Heads of keys and values; query heads share them in groups. */
  readonly keyHeads: number
  readonly headSize: number
  /** Whether queries, keys and values have biases. */
  readonly attentionBias: boolean
  /** Whether the output projection of the attention has one too (Llama with `attention_bias`). */
  readonly outputBias: boolean
  readonly feedForwardBias: boolean
  /** Whether the head is the embedding's table. */
  readonly tiedHead: boolean
  readonly normEpsilon: number
  readonly ropeTheta: number
  readonly ropeScaling: Llama3Scaling | undefined
  /** Tokens that the model can look back on. */
  readonly context: number
  /** Standard deviation of freshly drawn weights. */
  readonly initializerRange: number
  /** What products are computed in; not of the file. */
  readonly dtype: ComputeType
}

const whole = z.int().positive()
const scaling = z.looseObject({
  rope_type: z.string().optional(),
  type: z.string().optional(),
  factor: z.number().positive().optional(),
  low_freq_factor: z.number().positive().optional(),
  high_freq_factor: z.number().positive().optional(),
  original_max_position_embeddings: whole.optional(),
  rope_theta: z.number().positive().optional(),
})

const fields = z.looseObject({
  model_type: z.string(),
  vocab_size: whole,
  hidden_size: whole,
  intermediate_size: whole,
  num_hidden_layers: whole,
  num_attention_heads: whole,
  num_key_value_heads: whole.optional(),
  head_dim: whole.nullish(),
  attention_bias: z.boolean().optional(),
  mlp_bias: z.boolean().optional(),
  tie_word_embeddings: z.boolean().default(false),
  rms_norm_eps: z.number().positive().default(1e-6),
  rope_theta: z.number().positive().optional(),
  rope_scaling: scaling.nullish(),
  rope_parameters: scaling.nullish(),
  max_position_embeddings: whole.default(2048),
  initializer_range: z.number().positive().default(0.02),
  hidden_act: z.string().default('silu'),
  use_sliding_window: z.boolean().optional(),
})

/**
 * Reads the content of a `config.json`.
 *
 * @param file  its name, for errors
 * @throws ModelFolderError naming the field: missing or of another type, an architecture other than Qwen2 and Llama, another
 * activation, another scaling of positions than Llama 3's, heads that do not divide
 */
export function modelConfig(json: unknown, file = 'config.json'): ModelConfig {
  const parsed = fields.safeParse(json)
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!
    throw new ModelFolderError(file, path.join('.') || undefined, message)
  }
  const config = parsed.data
  const wrong = (field: keyof typeof config, reason: string) => new ModelFolderError(file, String(field), reason)
  const family = config.model_type
  if (family !== 'qwen2' && family !== 'llama') {
    throw wrong('model_type', `"${family}" is not an architecture that is here: qwen2, llama`)
  }
  if (config.hidden_act !== 'silu') throw wrong('hidden_act', `"${config.hidden_act}" is not silu`)
  if (config.use_sliding_window) throw wrong('use_sliding_window', 'sliding windows are not supported')
  const heads = config.num_attention_heads
  const keyHeads = config.num_key_value_heads ?? heads
  const headSize = config.head_dim ?? config.hidden_size / heads
  if (!Number.isInteger(headSize) || headSize % 2 !== 0) {
    throw wrong('hidden_size', `${config.hidden_size} does not give ${heads} heads an even whole size`)
  }
  if (heads % keyHeads !== 0) {
    throw wrong('num_key_value_heads', `${heads} query heads do not share ${keyHeads} in equal groups`)
  }
  const qwen = family === 'qwen2'
  return {
    family,
    vocabulary: config.vocab_size,
    hidden: config.hidden_size,
    intermediate: config.intermediate_size,
    layers: config.num_hidden_layers,
    heads,
    keyHeads,
    headSize,
    attentionBias: qwen || (config.attention_bias ?? false),
    outputBias: !qwen && (config.attention_bias ?? false),
    feedForwardBias: !qwen && (config.mlp_bias ?? false),
    tiedHead: config.tie_word_embeddings,
    normEpsilon: config.rms_norm_eps,
    ropeTheta: config.rope_parameters?.rope_theta ?? config.rope_theta ?? 10_000,
    ropeScaling: config.rope_parameters
      ? ropeScalingOf(config.rope_parameters, file, 'rope_parameters')
      : ropeScalingOf(config.rope_scaling ?? undefined, file, 'rope_scaling'),
    context: config.max_position_embeddings,
    initializerRange: config.initializer_range,
    dtype: 'float32',
  }
}

/** @param at  the field that holds it: `rope_parameters` since transformers 5, which has the frequency base in it too */
function ropeScalingOf(
  given: z.infer<typeof scaling> | undefined,
  file: string,
  at: 'rope_scaling' | 'rope_parameters',
): Llama3Scaling | undefined {
  if (!given) return undefined
  const type = given.rope_type ?? given.type ?? 'default'
  if (type === 'default') return undefined
  if (type !== 'llama3') {
    throw new ModelFolderError(
      file,
      `${at}.${given.rope_type === undefined ? 'type' : 'rope_type'}`,
      `"${type}" is not a scaling that is here: default, llama3`,
    )
  }
  const number = (field: 'factor' | 'low_freq_factor' | 'high_freq_factor' | 'original_max_position_embeddings') => {
    const value = given[field]
    if (value !== undefined) return value
    throw new ModelFolderError(file, `${at}.${field}`, 'is missing, and llama3 needs it')
  }
  const [low, high] = [number('low_freq_factor'), number('high_freq_factor')]
  if (low >= high) {
    throw new ModelFolderError(file, `${at}.low_freq_factor`, `${low} is not below the high_freq_factor ${high}`)
  }
  return {
    factor: number('factor'),
    lowFrequencyFactor: low,
    highFrequencyFactor: high,
    originalContext: number('original_max_position_embeddings'),
  }
}

/** The name and shape of every weight of a model, as Hugging Face checkpoints have them: matrices are [outputs, inputs]. */
export function weightShapes(config: ModelConfig): ReadonlyMap<string, readonly number[]> {
  const { hidden, intermediate, vocabulary, heads, keyHeads, headSize } = config
  const [queries, keys] = [heads * headSize, keyHeads * headSize]
  const shapes = new Map<string, readonly number[]>([['model.embed_tokens.weight', [vocabulary, hidden]]])
  const linear = (name: string, outputs: number, inputs: number, bias: boolean) => {
    shapes.set(`${name}.weight`, [outputs, inputs])
    if (bias) shapes.set(`${name}.bias`, [outputs])
  }
  for (let layer = 0; layer < config.layers; layer++) {
    const block = `model.layers.${layer}`
    linear(`${block}.self_attn.q_proj`, queries, hidden, config.attentionBias)
    linear(`${block}.self_attn.k_proj`, keys, hidden, config.attentionBias)
    linear(`${block}.self_attn.v_proj`, keys, hidden, config.attentionBias)
    linear(`${block}.self_attn.o_proj`, hidden, queries, config.outputBias)
    linear(`${block}.mlp.gate_proj`, intermediate, hidden, config.feedForwardBias)
    linear(`${block}.mlp.up_proj`, intermediate, hidden, config.feedForwardBias)
    linear(`${block}.mlp.down_proj`, hidden, intermediate, config.feedForwardBias)
    shapes.set(`${block}.input_layernorm.weight`, [hidden])
    shapes.set(`${block}.post_attention_layernorm.weight`, [hidden])
  }
  shapes.set('model.norm.weight', [hidden])
  if (!config.tiedHead) shapes.set('lm_head.weight', [vocabulary, hidden])
  return shapes
}
