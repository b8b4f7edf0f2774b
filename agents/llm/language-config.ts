import { z } from 'zod'
import { computeTypes } from '../../tensors/compute-type.js'
import { loraConfig } from './lora.js'

const positive = z.int().positive()

/** A fresh model's shape. */
const freshConfig = z.strictObject({
  hidden: positive.default(128).describe('features of a token'),
  intermediate: positive.default(344).describe('of the feed-forward networks'),
  layers: positive.default(3).describe('blocks'),
  heads: positive.default(4).describe('of the attention'),
  keyHeads: positive.default(4).describe('of keys and values; query heads share them in groups'),
  context: positive.default(256).describe('tokens that it can look back on'),
  vocabulary: z.int().min(264).default(512).describe('tokens, at most: bytes, and what is merged of them'),
  digits: z
    .literal([1, 2, 3])
    .default(1)
    .describe('digits that a token may have: 1, as Qwen2’s, or up to 3, as Llama 3’s'),
  texts: positive
    .default(2000)
    .describe("of the environment's tasks, whose prompts and gold answers the tokenizer is trained on"),
})

const drawn = {
  temperature: z.number().positive().describe('logits are divided by it'),
  topK: z.int().nonnegative().describe('only so many of the likeliest tokens are drawn from; 0 for all'),
  topP: z.number().positive().max(1).describe('only the likeliest tokens of this probability together are drawn from'),
  repetitionPenalty: z.number().positive().describe('logits of tokens that were there are divided by it'),
  maxNewTokens: positive.describe('tokens of a completion, at most'),
  maxLength: positive.describe('tokens of a prompt and its completion together, at most; the context unless given'),
}

const samplingConfig = z.strictObject({
  temperature: drawn.temperature.default(1),
  topK: drawn.topK.default(0),
  topP: drawn.topP.default(1),
  repetitionPenalty: drawn.repetitionPenalty.default(1),
  maxNewTokens: drawn.maxNewTokens.default(256),
  maxLength: drawn.maxLength.exactOptional(),
})

/** How a language agent completes where it is measured: what differs from its `sampling`. */
export const measuredSamplingConfig = z.strictObject({
  temperature: drawn.temperature.exactOptional(),
  topK: drawn.topK.exactOptional(),
  topP: drawn.topP.exactOptional(),
  repetitionPenalty: drawn.repetitionPenalty.exactOptional(),
  maxNewTokens: drawn.maxNewTokens.exactOptional(),
  maxLength: drawn.maxLength.exactOptional(),
})

export type MeasuredSampling = z.infer<typeof measuredSamplingConfig>

/** How a language agent is made. */
export const languageConfig = z.strictObject({
  model: z
    .string()
    .optional()
    .describe(
      'where the weights come from: a run folder (its newest checkpoint when the run begins) or RUN@UPDATE, a model folder of Hugging Face’s form, org/name[@revision] of its hub, or a preset, which rxgym train and compare train first; fresh unless given. {seed} in it stands for the seed of the run',
    ),
  fresh: freshConfig.prefault({}).describe('the shape of a fresh model, Qwen2’s'),
  sampling: samplingConfig.prefault({}).describe('how completions are drawn'),
  lora: loraConfig.optional().describe('learn adapters of these instead of all weights'),
  dtype: z
    .enum(computeTypes)
    .default('float32')
    .describe('what products are computed in: float16 uses a graphics card’s matrix units (backend webgpu)'),
  tokensPerPass: positive.default(8192).describe('tokens that go through the model at once when it learns'),
  checkpointing: z
    .boolean()
    .default(false)
    .describe('work every block out again in the backward pass: a third more time, far less memory'),
})

export type LanguageConfig = z.infer<typeof languageConfig>
