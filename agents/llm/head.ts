import type * as tf from '../../tensors/tf.js'
import type { ModelConfig } from './model-config.js'
import type { Weights } from './transformer.js'

/** The weights of a model's head: its own, or the embedding's table. */
export function headOf(config: ModelConfig, weights: Weights): tf.Tensor2D {
  return weights[config.tiedHead ? 'model.embed_tokens.weight' : 'lm_head.weight'] as tf.Tensor2D
}
