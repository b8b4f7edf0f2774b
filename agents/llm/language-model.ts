import { PCG64 } from '../../envs/seeding.js'
import { type BackendName, useBackend } from '../../tensors/backend.js'
import { type ComputeType, noHalf } from '../../tensors/compute-type.js'
import * as tf from '../../tensors/tf.js'
import { gpuKernels } from '../../tensors/webgpu/kernels.js'
import { encodeConversation } from './chat-template.js'
import { type DecodeWeights, decodeWeights } from './decoder.js'
import { type Generated, type GenerateOptions, generate } from './generate.js'
import type { GenerationConfig } from './generation-config.js'
import { headOf } from './head.js'
import { type ModelConfig, modelConfig, weightShapes } from './model-config.js'
import { modelFiles } from './model-files.js'
import { type JsonObject, openModelFolder, type WeightType } from './model-folder.js'
import { type ScoringSettings, type Sequence, sequenceLogProbs } from './scoring.js'
import { paddedBatch } from './token-batch.js'
import { checkVocabulary, loadTokenizer, type Tokenizer } from './tokenizer.js'
import { forward, type Weights } from './transformer.js'
import { writeModelFolder } from './write-model-folder.js'

/** What a {@link LanguageModel} is made of. */
export interface LanguageModelParts {
  /** `config.json`, with the fields that only other tools read. */
  readonly configJson: JsonObject
  /** By their names in a checkpoint; the model takes them over. */
  readonly weights: Weights
  readonly tokenizer: Tokenizer
  /** Every token that ends a completion. */
  readonly endTokens: readonly number[]
  /** `generation_config.json`, where there is one. */
  readonly generationJson?: JsonObject | undefined
  /** What products are computed in. `float16`: a card's matrix units, where it has them; weights stay in single precision. Where the backend
   *  has no half precision a warning says so, and it is `float32`. Default `float32`. */
  readonly dtype?: ComputeType | undefined
}

/** A transformer with its tokenizer. Weights are float32 variables on the present backend. */
export class LanguageModel {
  readonly config: ModelConfig
  readonly tokenizer: Tokenizer
  readonly endTokens: readonly number[]
  readonly #parts: LanguageModelParts
  /** Every weight, by its name in a checkpoint. */
  readonly variables: Readonly<Record<string, tf.Variable>>
  #decoding: DecodeWeights | undefined

  /** @throws ModelFolderError if the configuration cannot be used, or has fewer rows than the tokenizer has tokens */
  constructor(parts: LanguageModelParts) {
    const { configJson, weights, tokenizer, endTokens } = parts
    const config = { ...modelConfig(configJson), dtype: computed(parts.dtype) }
    checkVocabulary(tokenizer, config)
    this.#parts = parts
    this.config = config
    this.tokenizer = tokenizer
    this.endTokens = endTokens
    this.variables = Object.fromEntries(
      [...weightShapes(config).keys()].map((name) => {
        const weight = weights[name]!
        return [name, weight instanceof tf.Variable ? weight : taken(weight)]
      }),
    )
  }

  get weights(): Weights {
    return this.variables
  }

  /** Numbers in all weights. */
  get size(): number {
    return Object.values(this.variables).reduce((sum, { size }) => sum + size, 0)
  }

  /** The logits after each of `ids`: [ids, vocabulary], row by row. */
  async logits(ids: ArrayLike<number>): Promise<Float32Array> {
    const trace = forward(this.config, this.weights, paddedBatch([ids], 'right'))
    const logits = tf.tidy(() => tf.matMul(trace.hidden, headOf(this.config, this.weights), false, true))
    trace.dispose()
    const values = (await logits.data()) as Float32Array
    logits.dispose()
    return values
  }

  /**
   * Goes on with texts.
   * @param prompts  each tokens, or a text, read as a message of the role `text` is: special tokens in it are recognised,
   *                 and before it stands what the tokenizer puts before any text (Llama 3's `<|begin_of_text|>`)
   * @param seed     of the draws: prompt i draws from child i of its sequence
   */
  async generate(
    prompts: readonly (string | ArrayLike<number>)[],
    sampling: GenerateOptions & { readonly seed?: number } = {},
  ): Promise<Generated[]> {
    const { seed = 0, endTokens = this.endTokens, ...options } = sampling
    this.#decoding ??= decodeWeights(this.config, this.weights)
    const tokens = prompts.map((prompt) =>
      typeof prompt === 'string' ? encodeConversation(this.tokenizer, [{ role: 'text', content: prompt }]) : prompt,
    )
    const generators = new PCG64(seed).spawn(prompts.length)
    return generate(this.#decoding, tokens, { ...options, endTokens }, generators, () => this.tokenizer.stream())
  }

  /** The natural logarithm of the probability of each completion's every token.
   *  @returns for each completion: [tokens]
   *  @throws RangeError if they are not as many, for a prompt without tokens, or a token outside the vocabulary */
  async tokenLogProbs(
    prompts: readonly ArrayLike<number>[],
    completions: readonly ArrayLike<number>[],
    settings: ScoringSettings = {},
  ): Promise<Float32Array[]> {
    if (prompts.length !== completions.length) {
      throw new RangeError(`tokenLogProbs: ${completions.length} completions for ${prompts.length} prompts`)
    }
    const sequences = prompts.map((prompt, i): Sequence => ({ prompt, completion: completions[i]! }))
    const all = await sequenceLogProbs(this.config, this.weights, sequences, settings)
    let from = 0
    return completions.map(({ length }) => {
      from += length
      return all.slice(from - length, from)
    })
  }

  /**
   * Writes the model as a folder that other tools load, tokenizer and all.
   * @param dtype  how weights are stored. Default `float32`, which loses nothing
   */
  async save(folder: string, { dtype = 'float32' }: { readonly dtype?: WeightType } = {}): Promise<void> {
    const { configJson, generationJson, tokenizer } = this.#parts
    const { variables } = this
    await writeModelFolder(folder, {
      config: configJson,
      generation: generationJson,
      tokenizer: Object.fromEntries(Object.entries(tokenizer.files).map(([name, text]) => [name, Buffer.from(text)])),
      weights: (async function* () {
        for (const [name, variable] of Object.entries(variables)) {
          yield [name, { shape: variable.shape, data: (await variable.data()) as Float32Array }] as const
        }
      })(),
      dtype,
    })
  }

  /** The same model with other weights, which it takes over, and with fields of `generation_config.json` beside its own. */
  withWeights(weights: Weights, generation: JsonObject = {}, dtype: ComputeType = this.config.dtype): LanguageModel {
    return new LanguageModel({
      ...this.#parts,
      weights,
      dtype,
      generationJson: { ...this.#parts.generationJson, ...generation },
    })
  }

  /** Takes up weights that were changed. */
  refresh(): void {
    this.#decoding?.dispose()
    this.#decoding = undefined
  }

  dispose(): void {
    this.refresh()
    tf.dispose(this.variables as Record<string, tf.Variable>)
  }
}

/**
 * Reads a model from a folder as Hugging Face's transformers writes it: Qwen2 or Llama, F32, BF16 or F16, in one file or
 * several. The weights go to the backend, as float32.
 *
 * @param backend   where to; the present one ({@link useBackend}) unless given
 * @param dtype     what products are computed in, float32 or float16 ({@link LanguageModelParts}); weights are float32 in any case
 * @param pathOrId  a folder, or `org/name[@revision]` of the Hugging Face hub ({@link modelFiles})
 * @throws ModelFolderError, SafetensorsError naming the file, and the field or tensor, that is missing or wrong
 * @throws BackendError on a graphics card whose memory is too small: what is needed, what there is, and what would fit
 *
 * @example
 * const model = await loadLanguageModel('models/Qwen2.5-0.5B-Instruct', { backend: 'wasm' })
 * const [{ text }] = await model.generate(['The capital of Peru is'], { maxNewTokens: 8, temperature: 0 })
 */
export async function loadLanguageModel(
  pathOrId: string,
  { backend, dtype }: { readonly backend?: BackendName; readonly dtype?: ComputeType } = {},
): Promise<LanguageModel> {
  if (backend !== undefined) await useBackend(backend)
  const path = await modelFiles(pathOrId)
  const folder = await openModelFolder(path)
  const tokenizer = await loadTokenizer(path)
  expectRoom(folder.config)
  const weights: Record<string, tf.Tensor> = {}
  try {
    for await (const [name, { shape, data }] of folder.weights()) weights[name] = tf.tensor(data, [...shape])
    const { configJson, generationJson, generation } = folder
    return new LanguageModel({
      configJson,
      generationJson,
      weights,
      tokenizer,
      endTokens: endTokensOf(generation, tokenizer),
      dtype,
    })
  } catch (error) {
    tf.dispose(weights)
    throw error
  }
}

/** What is not said of a new model is as in Qwen2. */
export interface NewModelShape {
  readonly hidden: number
  readonly intermediate: number
  readonly layers: number
  readonly heads: number
  readonly keyHeads: number
  readonly context: number
}

/** A Qwen2 model with fresh weights, as transformers draws them: normal with standard deviation 0.02, norms 1, biases 0. */
export function newLanguageModel(
  shape: NewModelShape,
  tokenizer: Tokenizer,
  generator: PCG64,
  dtype?: ComputeType,
): LanguageModel {
  const end = tokenizer.eos
  if (end === undefined)
    throw new RangeError('newLanguageModel: the tokenizer names no eos_token, with which completions end')
  const configJson = {
    ...{ architectures: ['Qwen2ForCausalLM'], model_type: 'qwen2', hidden_act: 'silu', torch_dtype: 'float32' },
    ...{ vocab_size: tokenizer.vocabularySize, hidden_size: shape.hidden, intermediate_size: shape.intermediate },
    ...{ num_hidden_layers: shape.layers, num_attention_heads: shape.heads, num_key_value_heads: shape.keyHeads },
    ...{ max_position_embeddings: shape.context, rope_theta: 10_000, rms_norm_eps: 1e-6, initializer_range: 0.02 },
    ...{
      tie_word_embeddings: true,
      eos_token_id: end,
      bos_token_id: tokenizer.bos ?? null,
      pad_token_id: tokenizer.pad ?? null,
    },
  }
  const config = modelConfig(configJson)
  expectRoom(config)
  const weights: Record<string, tf.Tensor> = {}
  for (const [name, dimensions] of weightShapes(config)) {
    const size = dimensions.reduce((product, length) => product * length, 1)
    const values = new Float32Array(size)
    if (name.endsWith('norm.weight')) values.fill(1)
    else if (!name.endsWith('.bias'))
      for (let i = 0; i < size; i++) values[i] = generator.normal(0, config.initializerRange)
    weights[name] = tf.tensor(values, [...dimensions])
  }
  return new LanguageModel({ configJson, weights, tokenizer, endTokens: [end], dtype })
}

/** @throws BackendError on a graphics card whose memory is too small for the weights */
function expectRoom(config: ModelConfig): void {
  const shapes = [...weightShapes(config)]
  const sizes = shapes.map(([name, shape]) => [name, shape.reduce((product, length) => product * length, 1)] as const)
  gpuKernels()?.backend.pool.expectRoom(new Map(sizes))
}

/** Those that the model's files name, and the tokenizer's own. */
function endTokensOf({ endTokens }: GenerationConfig, { eos }: Tokenizer): number[] {
  return [...new Set([...endTokens, ...(eos === undefined ? [] : [eos])])]
}

/** What is computed in where that is wished for. */
function computed(dtype: ComputeType = 'float32'): ComputeType {
  const missing = dtype === 'float16' ? noHalf() : undefined
  if (missing === undefined) return dtype
  process.emitWarning(`dtype float16: ${missing}. The model computes in float32.`)
  return 'float32'
}

function taken(tensor: tf.Tensor): tf.Variable {
  const variable = tf.variable(tensor)
  tensor.dispose()
  return variable
}
