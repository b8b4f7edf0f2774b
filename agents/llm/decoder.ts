import { gpuKernels } from '../../tensors/webgpu/kernels.js'
import { GpuDecodeWeights } from './gpu-decoder.js'
import { HostDecodeWeights } from './host-decoder.js'
import type { ModelConfig } from './model-config.js'
import type { Draw, Sampling } from './sampling.js'
import type { Weights } from './transformer.js'

/**
 * Goes on with texts a token at a time, side by side in rows, keeping the keys and values of the tokens before. A row is anyone's: a prompt takes one
 * that another has left.
 */
export interface Decoder {
  /** How many draws may be asked for before the first ones are there: while a device computes, what it does next is handed over. */
  readonly ahead: number
  /**
   * Reads prompts into rows, and draws the token behind each.
   * @param uniforms  one for each prompt, in [0, 1): what chance says
   */
  join(
    rows: readonly number[],
    prompts: readonly ArrayLike<number>[],
    uniforms: readonly number[],
  ): Promise<readonly Draw[]>
  /** Draws one more token in each of the rows, behind the one drawn last. */
  step(rows: readonly number[], uniforms: readonly number[]): Promise<readonly Draw[]>
  /** Also while draws that were asked for are not there yet: they never come then. */
  dispose(): void
}

/** A model's weights, laid out once for many small steps. The caller disposes of it. */
export interface DecodeWeights {
  readonly config: ModelConfig
  /** Rows that a decoder has, at most. */
  readonly mostRows: number
  /** @param capacity  tokens that a row can hold, its prompt's among them */
  decoder(rows: number, capacity: number, sampling: Required<Sampling>): Decoder
  dispose(): void
}

/** Lays weights out for decoding on the backend in use. */
export function decodeWeights(config: ModelConfig, weights: Weights): DecodeWeights {
  const gpu = gpuKernels()
  return gpu ? new GpuDecodeWeights(gpu, config, weights) : new HostDecodeWeights(config, weights)
}
