import type { Policy } from '../agents/policy.js'
import type { Json } from '../envs/spec.js'
import type { HostTensor } from '../tensors/safetensors.js'
import type { Episode } from './episode.js'

/** Named numbers of one update, in the order they are shown. */
export type Metrics = Readonly<Record<string, number>>

/** What a learner must remember between two updates beside the policy's parameters: optimiser moments and counters. */
export interface LearnerState {
  readonly tensors: Readonly<Record<string, HostTensor>>
  readonly values: { readonly [key: string]: Json | undefined }
}

/** An algorithm at work on one policy. */
export interface Learner<O = unknown, A = unknown> {
  /** One update from `batch` episodes, whole groups side by side. The policy is refreshed when it resolves.
   *  @throws NonFiniteError if the loss or a gradient is NaN or infinite; the parameters are then as before */
  update(episodes: readonly Episode<O, A>[]): Promise<Metrics>
  /** As of the moment of the call. */
  state(): Promise<LearnerState>
  restore(state: LearnerState): void
  close(): void
}

/** A learning rule with its settings: what to sample before each update, and how to make a learner. */
export interface Algorithm {
  readonly name: string
  /** Episodes from the same start, side by side; 1 where the rule does not compare. */
  readonly group: number
  /** Episodes in one update, a multiple of `group`. */
  readonly batch: number
  /** It learns from what a demonstrator does, not from what the policy tries. */
  readonly demonstrated?: true
  start<O, A>(policy: Policy<O, A>): Learner<O, A>
}

/** A number that is NaN or infinite where learning needs a finite one. */
export class NonFiniteError extends Error {
  override readonly name = 'NonFiniteError'
  readonly quantity: string
  readonly value: number

  constructor(quantity: string, value: number) {
    super(`${quantity} is ${value}: nothing was updated. A lower learningRate or a maxGradientNorm may keep it finite`)
    this.quantity = quantity
    this.value = value
  }
}
