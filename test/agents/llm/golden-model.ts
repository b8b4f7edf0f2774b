import { fileURLToPath } from 'node:url'
import { LanguageModel } from '../../../agents/llm/language-model.js'
import { openModelFolder } from '../../../agents/llm/model-folder.js'
import { Tokenizer } from '../../../agents/llm/tokenizer.js'
import { trainTokenizer } from '../../../agents/llm/train-tokenizer.js'
import type { ComputeType } from '../../../tensors/compute-type.js'
import * as tf from '../../../tensors/tf.js'

/** The weights of a reference folder, in a model whose tokenizer nothing is asked of: llama-tiny has none. */
export async function goldenModel(name: string, dtype: ComputeType = 'float32'): Promise<LanguageModel> {
  const { configJson, generation, weights } = await openModelFolder(
    fileURLToPath(new URL(`../../../../shared/golden/hf/${name}`, import.meta.url)),
  )
  const tensors: Record<string, tf.Tensor> = {}
  for await (const [key, { shape, data }] of weights()) tensors[key] = tf.tensor(data, [...shape])
  const tokenizer = new Tokenizer(trainTokenizer(['a text'], { vocabularySize: 300 }))
  return new LanguageModel({ configJson, weights: tensors, tokenizer, endTokens: generation.endTokens, dtype })
}
