import type { Metrics } from '../algorithms/algorithm.js'
import type { Outcomes } from '../algorithms/evaluate.js'
import type { Message } from '../envs/spaces/conversation.js'
import type { Json } from '../envs/spec.js'
import type { HostTensor } from '../tensors/safetensors.js'

/** Everything a run needs to go on exactly where it was: taken between two updates. */
export interface TrainState {
  /** Updates made, episodes and steps sampled so far. */
  readonly update: number
  readonly episodes: number
  readonly steps: number
  /** Policy parameters under `policy/…`, learner tensors under `learner/…`. */
  readonly tensors: Readonly<Record<string, HostTensor>>
  /** The learner's counters, and the state of environments that learn (running means). */
  readonly values: { readonly [key: string]: Json | undefined }
}

/** What a policy wrote in an evaluation, kept to be read. */
export interface WrittenSample {
  readonly prompt: readonly Message[]
  /** All that stands behind the prompt; of an episode that is not one text's, such as a game in words, the first completion. */
  readonly completion: string
  /** The episode's. */
  readonly reward: number
  readonly correct?: boolean
}

/** Why a run came to its end. */
export type EndReason = 'budget' | 'solved' | 'stopped'

/**
 * What a run tells, in order: one `start`, then per update its `episode`s and the `update`, with a `checkpoint` and an
 * `evaluation` now and then, and one `end`. Everything in it but `seconds` is the same whenever the same seed runs
 * on the same backend.
 */
export type TrainEvent =
  | {
      readonly type: 'start'
      readonly env: string
      readonly algorithm: string
      readonly seed: number
      readonly backend: string
      /** Trainable numbers of the policy. */
      readonly parameters: number
      /** The update this run goes on from; 0 for a new one. */
      readonly update: number
      readonly episodes: number
      readonly steps: number
      /** Episodes of an epoch; only where the budget is in epochs. */
      readonly epoch?: number
    }
  | {
      readonly type: 'episode'
      readonly index: number
      readonly seed: number
      /** Each seat's undiscounted sum of rewards. */
      readonly returns: readonly number[]
      readonly length: number
      readonly terminated: boolean
      readonly truncated: boolean
      /** Steps sampled by the run up to this episode's end. */
      readonly steps: number
      /** By seat, `self`, `random` or `past@<update>`; only where the policy does not play every seat. */
      readonly players?: readonly string[]
      /** The actions, where they are numbers: with the seed, the whole episode can be replayed. */
      readonly actions?: readonly number[]
    }
  | {
      readonly type: 'update'
      readonly update: number
      readonly episodes: number
      readonly steps: number
      /** Tokens of the completions that it was made from, drawn or imitated; only of a policy that writes. */
      readonly tokens?: number
      /** Mean return of the last 100 episodes (of all, while fewer): the demonstrator's, where one plays. */
      readonly meanReturn: number
      readonly metrics: Metrics
    }
  | {
      readonly type: 'evaluation'
      readonly update: number
      readonly episodes: number
      readonly steps: number
      readonly mean: number
      readonly iqm: number
      /** Bootstrap 95% interval of the mean. */
      readonly interval: readonly [number, number]
      /** Whom the policy played, each seat in turn, and how the games ended; only against an opponent. */
      readonly opponent?: string
      readonly outcomes?: Outcomes
      /** The share of correct episodes, and the mean of each part of the reward; only where the environment tells of them. */
      readonly correct?: number
      readonly parts?: Readonly<Record<string, number>>
      /** Mean of −log π, in nats, over the choices of what a demonstrator does there; only where one is imitated. */
      readonly validationLoss?: number
      /** The first few completions, of the same tasks each time; only of a policy that writes. */
      readonly written?: readonly WrittenSample[]
    }
  | { readonly type: 'checkpoint'; readonly state: TrainState }
  | {
      readonly type: 'end'
      readonly reason: EndReason
      readonly update: number
      readonly episodes: number
      readonly steps: number
    }
