import {
  type Attention,
  type AttentionMask,
  type AttentionShape,
  attention,
  attentionGradient,
  attentionMask,
} from '../../tensors/attention.js'
import { columnSums } from '../../tensors/column-sums.js'
import { embedding, embeddingGradient } from '../../tensors/embedding.js'
import { product } from '../../tensors/product.js'
import { rmsNorm, rmsNormGradient } from '../../tensors/rms-norm.js'
import { type Angles, rope, ropeAngles, ropeFrequencies } from '../../tensors/rope.js'
import { swiglu, swigluGradient } from '../../tensors/swiglu.js'
import * as tf from '../../tensors/tf.js'
import type { Gradients } from './gradients.js'
import type { ModelConfig } from './model-config.js'
import type { TokenBatch } from './token-batch.js'

/** A model's weights by their names in a checkpoint, as {@link weightShapes} lists them. */
export type Weights = Readonly<Record<string, tf.Tensor>>

/** What a forward pass kept for the backward one. */
export interface Trace {
  /** [rows · length, hidden] behind the last norm: what the head is multiplied with. */
  readonly hidden: tf.Tensor2D
  dispose(): void
}

/** What a block keeps of its forward pass. */
interface BlockTrace {
  readonly x: tf.Tensor2D
  /** Nothing where the block is worked out again in the backward pass. */
  readonly inside: Inside | undefined
}

interface Inside {
  readonly normed: tf.Tensor2D
  readonly inverse: tf.Tensor2D
  readonly attention: Attention
  readonly middle: tf.Tensor2D
  readonly middleNormed: tf.Tensor2D
  readonly middleInverse: tf.Tensor2D
  readonly gate: tf.Tensor2D
  readonly up: tf.Tensor2D
  readonly activated: tf.Tensor2D
}

interface Pass {
  readonly shape: AttentionShape
  readonly angles: Angles
  readonly mask: AttentionMask
}

interface WholeTrace extends Trace {
  readonly batch: TokenBatch
  readonly pass: Pass
  readonly blocks: readonly BlockTrace[]
  readonly last: tf.Tensor2D
  readonly inverse: tf.Tensor2D
}

/** How much a forward pass keeps: all that the backward pass needs, the blocks' inputs alone (each block is then worked out
 *  again, so that memory grows with one block instead of all), or nothing. */
export type Keep = 'all' | 'inputs' | 'nothing'

/**
 * The hidden states of a batch: Llama's and Qwen2's transformer, a chain of pre-norm blocks with rotary positions, grouped
 * queries and SwiGLU. Its gradient is written out, block by block from the last, so that nothing is kept that is not
 * needed again.
 *
 * @param onKeys  sees each block's keys and values, [rows · length, keyHeads · headSize], while they are there
 * @returns disposed of by the caller
 */
export function forward(
  config: ModelConfig,
  weights: Weights,
  batch: TokenBatch,
  keep: Keep = 'nothing',
  onKeys?: (layer: number, k: tf.Tensor2D, v: tf.Tensor2D) => void,
): Trace {
  const { rows, length } = batch
  const { heads, keyHeads, headSize } = config
  let x = embedding(weights['model.embed_tokens.weight'] as tf.Tensor2D, batch.ids)
  const pass: Pass = {
    shape: { rows, length, heads, keyHeads, headSize },
    angles: ropeAngles(batch.positions, ropeFrequencies(headSize, config.ropeTheta, config.ropeScaling)),
    mask: attentionMask(batch.segments, rows, length),
  }
  const blocks: BlockTrace[] = []
  for (let layer = 0; layer < config.layers; layer++) {
    const { out, inside } = blockForward(config, weights, layer, x, pass, keep === 'all', onKeys)
    if (keep === 'nothing') x.dispose()
    else blocks.push({ x, inside })
    x = out
  }
  const { y, inverse } = rmsNorm(x, weights['model.norm.weight'] as tf.Tensor1D, config.normEpsilon)
  const kept = { batch, pass, blocks, last: x, inverse, hidden: y }
  const trace: WholeTrace = { ...kept, dispose: () => tf.dispose(kept as unknown as tf.TensorContainer) }
  return trace
}

/** What a forward pass that kept everything computed, in its order, by the layer that it came out of. */
export function tensorsOf(trace: Trace): Record<string, tf.Tensor> {
  // the only traces there are
  const { blocks, hidden } = trace as WholeTrace
  const named: Record<string, tf.Tensor> = {}
  for (const [layer, { x, inside }] of blocks.entries()) {
    const name = `model.layers.${layer}`
    named[layer === 0 ? 'model.embed_tokens' : `model.layers.${layer - 1}.mlp.down_proj`] = x
    if (!inside) throw new RangeError('tensorsOf: the forward pass did not keep everything')
    named[`${name}.input_layernorm`] = inside.normed
    named[`${name}.self_attn`] = inside.attention.out
    named[`${name}.self_attn.o_proj`] = inside.middle
    named[`${name}.post_attention_layernorm`] = inside.middleNormed
    named[`${name}.mlp.gate_proj`] = inside.gate
    named[`${name}.mlp.up_proj`] = inside.up
    named[`${name}.mlp.act_fn`] = inside.activated
  }
  named[`model.layers.${blocks.length - 1}.mlp.down_proj`] = (trace as WholeTrace).last
  named['model.norm'] = hidden
  return named
}

/**
 * The gradient of every weight, from that of the hidden states.
 *
 * @param trace   of a forward pass that kept something; the same weights
 * @param dHidden [rows · length, hidden]
 * @param gradients  to which it is added, without the head's own part
 */
export function backward(
  config: ModelConfig,
  weights: Weights,
  trace: Trace,
  dHidden: tf.Tensor2D,
  gradients: Gradients,
): void {
  // the only traces there are
  const { batch, pass, blocks, last, inverse } = trace as WholeTrace
  if (blocks.length !== config.layers) throw new RangeError('backward: the forward pass kept nothing')
  const norm = rmsNormGradient(dHidden, last, weights['model.norm.weight'] as tf.Tensor1D, inverse)
  gradients.add('model.norm.weight', norm.dWeight)
  let dx = norm.dx
  for (let layer = config.layers - 1; layer >= 0; layer--) {
    const { x, inside } = blocks[layer]!
    const again = inside ?? recomputed(config, weights, layer, x, pass)
    const before = blockBackward(config, weights, layer, x, again, pass, dx, gradients)
    if (!inside) tf.dispose(again as unknown as tf.TensorContainer)
    dx.dispose()
    dx = before
  }
  gradients.add('model.embed_tokens.weight', embeddingGradient(dx, batch.ids, config.vocabulary))
  dx.dispose()
}

function recomputed(config: ModelConfig, weights: Weights, layer: number, x: tf.Tensor2D, pass: Pass): Inside {
  const { out, inside } = blockForward(config, weights, layer, x, pass, true)
  out.dispose()
  return inside!
}

function blockForward(
  config: ModelConfig,
  weights: Weights,
  layer: number,
  x: tf.Tensor2D,
  { shape, angles, mask }: Pass,
  keep: boolean,
  onKeys?: (layer: number, k: tf.Tensor2D, v: tf.Tensor2D) => void,
): { readonly out: tf.Tensor2D; readonly inside: Inside | undefined } {
  const name = `model.layers.${layer}`
  const norm = (input: tf.Tensor2D, which: string) =>
    rmsNorm(input, weights[`${name}.${which}.weight`] as tf.Tensor1D, config.normEpsilon)
  const project = (input: tf.Tensor2D, which: string, plus?: tf.Tensor2D) =>
    linear(config, input, weights, `${name}.${which}`, plus)
  return tf.tidy(() => {
    const { y: normed, inverse } = norm(x, 'input_layernorm')
    const q = rope(project(normed, 'self_attn.q_proj'), config.heads, angles)
    const k = rope(project(normed, 'self_attn.k_proj'), config.keyHeads, angles)
    const v = project(normed, 'self_attn.v_proj')
    onKeys?.(layer, k, v)
    const attended = attention(q, k, v, mask, shape)
    const middle = project(attended.out, 'self_attn.o_proj', x)
    const { y: middleNormed, inverse: middleInverse } = norm(middle, 'post_attention_layernorm')
    const gate = project(middleNormed, 'mlp.gate_proj')
    const up = project(middleNormed, 'mlp.up_proj')
    const activated = swiglu(gate, up)
    const out = project(activated, 'mlp.down_proj', middle)
    const inside = { normed, inverse, attention: attended, middle, middleNormed, middleInverse, gate, up, activated }
    return (keep ? { out, inside } : { out }) as unknown as tf.TensorContainer
  }) as unknown as { out: tf.Tensor2D; inside: Inside | undefined }
}

/** The gradient of a block's input; its weights' are added to `gradients`. */
function blockBackward(
  config: ModelConfig,
  weights: Weights,
  layer: number,
  x: tf.Tensor2D,
  inside: Inside,
  { shape, angles, mask }: Pass,
  dOut: tf.Tensor2D,
  gradients: Gradients,
): tf.Tensor2D {
  const name = `model.layers.${layer}`
  const weight = (which: string) => weights[`${name}.${which}.weight`]!
  const { normed, inverse, middle, middleNormed, middleInverse, gate, up, activated } = inside
  return tf.tidy(() => {
    const back = (dy: tf.Tensor2D, input: tf.Tensor2D, which: string, plus?: tf.Tensor2D) =>
      linearGradient(config, dy, input, weights, `${name}.${which}`, gradients, plus)
    const dActivated = back(dOut, activated, 'mlp.down_proj')
    const { dGate, dUp } = swigluGradient(dActivated, gate, up)
    const dMiddleNormed = back(dUp, middleNormed, 'mlp.up_proj', back(dGate, middleNormed, 'mlp.gate_proj'))
    const second = rmsNormGradient(
      dMiddleNormed,
      middle,
      weight('post_attention_layernorm') as tf.Tensor1D,
      middleInverse,
      dOut,
    )
    gradients.add(`${name}.post_attention_layernorm.weight`, second.dWeight)
    const dMiddle = second.dx
    const dAttended = back(dMiddle, inside.attention.out, 'self_attn.o_proj')
    const { dq, dk, dv } = attentionGradient(dAttended, inside.attention, mask, shape)
    const ofValues = back(dv, normed, 'self_attn.v_proj')
    const ofKeysToo = back(rope(dk, config.keyHeads, angles, true), normed, 'self_attn.k_proj', ofValues)
    const dNormed = back(rope(dq, config.heads, angles, true), normed, 'self_attn.q_proj', ofKeysToo)
    const first = rmsNormGradient(dNormed, x, weight('input_layernorm') as tf.Tensor1D, inverse, dMiddle)
    gradients.add(`${name}.input_layernorm.weight`, first.dWeight)
    return first.dx
  })
}

/** x · weightᵀ + bias, where there is one, + `plus`. */
function linear(
  { dtype }: ModelConfig,
  x: tf.Tensor2D,
  weights: Weights,
  name: string,
  plus?: tf.Tensor2D,
): tf.Tensor2D {
  const bias = weights[`${name}.bias`]
  const y = product(x, weights[`${name}.weight`] as tf.Tensor2D, {
    b: true,
    plus: plus ?? bias,
    half: dtype === 'float16',
  })
  return plus && bias ? tf.add(y, bias) : y
}

/** The gradient of {@link linear}'s input; those of the weight and the bias are added to `gradients`. */
function linearGradient(
  { dtype }: ModelConfig,
  dy: tf.Tensor2D,
  x: tf.Tensor2D,
  weights: Weights,
  name: string,
  gradients: Gradients,
  plus?: tf.Tensor2D,
): tf.Tensor2D {
  const half = dtype === 'float16'
  gradients.put<tf.Rank.R2>(`${name}.weight`, (before) => product(dy, x, { a: true, plus: before, half }))
  if (weights[`${name}.bias`]) gradients.add(`${name}.bias`, columnSums(dy))
  return product(dy, weights[`${name}.weight`] as tf.Tensor2D, { plus, half })
}
