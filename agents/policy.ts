import type * as tf from '../tensors/tf.js'
import type { Agent, Decision } from './agent.js'

/** Recorded decisions to learn from: row i is what was seen and what was decided. */
export interface Decisions<O = unknown, A = unknown> {
  readonly observations: readonly O[]
  readonly decisions: readonly Decision<A>[]
}

/** What a policy says today of recorded decisions. All choices of all rows stand side by side, in order. */
export interface PolicyOutputs {
  /** [choices] log-probability of each recorded choice. */
  readonly logProbs: tf.Tensor1D
  /** [choices] entropy in nats of the distribution each choice was drawn from. */
  readonly entropies: tf.Tensor1D
  /** [rows] the value network's estimate of each observation's return; absent without a value network. */
  readonly values?: tf.Tensor1D
}

/** The gradient of a loss, by parameter name. The caller disposes of the tensors. */
export interface Differentiated {
  readonly loss: tf.Scalar
  readonly gradients: Readonly<Record<string, tf.Tensor>>
}

/** A copy of a policy as it was, for KL penalties and as an opponent: it acts and scores, it does not learn. */
export interface FrozenPolicy<O = unknown, A = unknown> extends Agent<O, A> {
  /** [choices] log-probability of each recorded choice. */
  logProbs(rows: Decisions<O, A>): Promise<Float32Array>
  close(): void
}

/**
 * An agent that can learn. An algorithm sees nothing of its network: it hands over decisions and a loss of their
 * log-probabilities, and gets the gradient of every parameter back. How the policy computes it (in one piece, in
 * chunks, block by block) is its own affair.
 */
export interface Policy<O = unknown, A = unknown> extends Agent<O, A> {
  /** Every trainable parameter, by a name that is stable across versions: checkpoints use it. */
  readonly parameters: Readonly<Record<string, tf.Variable>>
  /** Tells the policy before training from others, where it came from files outside of the run: their SHA-256. A run whose
   *  reference or frozen weights would be others is not gone on with. */
  readonly origin?: string | undefined
  /** Whether `outputs` carry `values`. */
  readonly hasValues: boolean
  /** Runs `loss` on the policy's present outputs for `rows` and differentiates it. `loss` must be made of tensor
   *  operations only and return a scalar. Until the promise settles the parameters must stay as they are, and the policy open. */
  differentiate(rows: Decisions<O, A>, loss: (outputs: PolicyOutputs) => tf.Scalar): Promise<Differentiated>
  /** The decision that takes an action which somebody else chose: its choices are those the policy would have had to draw.
   *  Nothing was drawn, so every log-probability is 0.
   *  @throws RangeError for an action that the policy cannot take */
  decisionFor(observation: O, action: A): Decision<A>
  /** Takes up parameters that were changed: what `act` does next follows them. */
  refresh(): Promise<void>
  /** A copy that stays as the policy is now. */
  freeze(): FrozenPolicy<O, A>
  close(): void
}
