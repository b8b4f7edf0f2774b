import { describe, expect, it } from 'vitest'
import { ModelFolderError, modelConfig, weightShapes } from '../../../agents/llm/model-config.js'

const qwen = {
  model_type: 'qwen2',
  vocab_size: 100,
  hidden_size: 32,
  intermediate_size: 48,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  rms_norm_eps: 1e-6,
  rope_theta: 1e6,
  tie_word_embeddings: true,
  max_position_embeddings: 512,
}
const llama = {
  ...qwen,
  model_type: 'llama',
  tie_word_embeddings: false,
  head_dim: 16,
  rope_scaling: {
    rope_type: 'llama3',
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 64,
  },
}

describe('the configuration of a model', () => {
  it("is Qwen2's, with biases of queries, keys and values", () => {
    expect(modelConfig(qwen)).toEqual({
      family: 'qwen2',
      vocabulary: 100,
      hidden: 32,
      intermediate: 48,
      layers: 2,
      heads: 4,
      keyHeads: 2,
      headSize: 8,
      attentionBias: true,
      outputBias: false,
      feedForwardBias: false,
      tiedHead: true,
      normEpsilon: 1e-6,
      ropeTheta: 1e6,
      ropeScaling: undefined,
      context: 512,
      initializerRange: 0.02,
      dtype: 'float32',
    })
  })

  it("is Llama 3's, with a head size of its own and stretched positions", () => {
    const config = modelConfig({ ...llama, attention_bias: true, mlp_bias: true })
    expect(config).toMatchObject({
      family: 'llama',
      headSize: 16,
      attentionBias: true,
      outputBias: true,
      feedForwardBias: true,
      tiedHead: false,
      ropeScaling: { factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContext: 64 },
    })
    expect(modelConfig(llama)).toMatchObject({ attentionBias: false, outputBias: false, feedForwardBias: false })
  })

  it('has positions where transformers 5 writes them too', () => {
    const { rope_theta, rope_scaling, ...rest } = llama
    expect(modelConfig({ ...rest, rope_parameters: { ...rope_scaling, rope_theta } })).toEqual(modelConfig(llama))
    const { rope_theta: theta, ...plain } = qwen
    expect(modelConfig({ ...plain, rope_parameters: { rope_type: 'default', rope_theta: theta } })).toEqual(
      modelConfig(qwen),
    )
  })

  it('has the values of the architecture where fields are left out or null', () => {
    const { num_key_value_heads: _, rope_theta: __, ...rest } = qwen
    expect(modelConfig({ ...rest, head_dim: null, rope_scaling: null })).toMatchObject({
      keyHeads: 4,
      headSize: 8,
      ropeTheta: 10_000,
      ropeScaling: undefined,
    })
    expect(modelConfig({ ...qwen, rope_scaling: { type: 'default' } }).ropeScaling).toBeUndefined()
  })

  it('gives every weight its name and shape', () => {
    const shapes = weightShapes(modelConfig({ ...llama, num_hidden_layers: 1 }))
    expect(Object.fromEntries(shapes)).toEqual({
      'model.embed_tokens.weight': [100, 32],
      'model.layers.0.self_attn.q_proj.weight': [64, 32],
      'model.layers.0.self_attn.k_proj.weight': [32, 32],
      'model.layers.0.self_attn.v_proj.weight': [32, 32],
      'model.layers.0.self_attn.o_proj.weight': [32, 64],
      'model.layers.0.mlp.gate_proj.weight': [48, 32],
      'model.layers.0.mlp.up_proj.weight': [48, 32],
      'model.layers.0.mlp.down_proj.weight': [32, 48],
      'model.layers.0.input_layernorm.weight': [32],
      'model.layers.0.post_attention_layernorm.weight': [32],
      'model.norm.weight': [32],
      'lm_head.weight': [100, 32],
    })
    const ofQwen = [...weightShapes(modelConfig(qwen)).keys()]
    expect(ofQwen.filter((name) => name.endsWith('.bias'))).toEqual(
      [0, 1].flatMap((layer) => ['q', 'k', 'v'].map((which) => `model.layers.${layer}.self_attn.${which}_proj.bias`)),
    )
    expect(ofQwen).not.toContain('lm_head.weight')
  })
})

describe('a configuration that cannot be used names its field', () => {
  const scaled = (change: object) => ({ ...llama, rope_scaling: { ...llama.rope_scaling, ...change } })
  it.each<[object, string, string]>([
    [{ ...qwen, model_type: 'gpt2' }, 'model_type', '"gpt2" is not an architecture that is here: qwen2, llama'],
    [{ ...qwen, hidden_act: 'gelu' }, 'hidden_act', '"gelu" is not silu'],
    [{ ...qwen, use_sliding_window: true }, 'use_sliding_window', 'sliding windows are not supported'],
    [{ ...qwen, num_attention_heads: 5 }, 'hidden_size', '32 does not give 5 heads an even whole size'],
    [{ ...qwen, num_key_value_heads: 3 }, 'num_key_value_heads', '4 query heads do not share 3 in equal groups'],
    [{ ...qwen, vocab_size: undefined }, 'vocab_size', 'Invalid input: expected number, received undefined'],
    [{ ...qwen, num_hidden_layers: '2' }, 'num_hidden_layers', 'Invalid input: expected number, received string'],
    [{ ...qwen, rms_norm_eps: -1 }, 'rms_norm_eps', 'Too small: expected number to be >0'],
    [scaled({ rope_type: 'yarn' }), 'rope_scaling.rope_type', '"yarn" is not a scaling that is here: default, llama3'],
    [
      { ...qwen, rope_scaling: { type: 'linear', factor: 2 } },
      'rope_scaling.type',
      '"linear" is not a scaling that is here: default, llama3',
    ],
    [
      { ...qwen, rope_parameters: { rope_type: 'dynamic', rope_theta: 1e4 } },
      'rope_parameters.rope_type',
      '"dynamic" is not a scaling that is here: default, llama3',
    ],
    [scaled({ factor: undefined }), 'rope_scaling.factor', 'is missing, and llama3 needs it'],
    [scaled({ factor: 0 }), 'rope_scaling.factor', 'Too small: expected number to be >0'],
    [scaled({ low_freq_factor: 4 }), 'rope_scaling.low_freq_factor', '4 is not below the high_freq_factor 4'],
  ])('%o', (json, field, reason) => {
    let error: unknown
    try {
      modelConfig(json, 'folder/config.json')
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(ModelFolderError)
    expect((error as ModelFolderError).message).toBe(`folder/config.json: ${field}: ${reason}`)
    expect((error as ModelFolderError).field).toBe(field)
  })

  it('and the file where it is no object', () => {
    expect(() => modelConfig([], 'x/config.json')).toThrow(
      'x/config.json: Invalid input: expected object, received array',
    )
  })
})
