import type { PCG64 } from '../envs/seeding.js'

/**
 * An action and the choices that made it, column by column: one choice for CartPole, one per token for a completion,
 * none for an agent that does not sample. `choices` and `logProbs` have the same length.
 *
 * @typeParam A  the action
 */
export interface Decision<A = unknown> {
  readonly action: A
  /** What was drawn, one a choice: the index of a category, or the value itself for a continuous action. */
  readonly choices: ArrayLike<number>
  /** The natural logarithm of the probability (or density) each choice was drawn with. */
  readonly logProbs: ArrayLike<number>
  /** The agent stopped at a limit of its own, so many tokens say, before it had come to an end. */
  readonly truncated?: true
}

/** What an agent is told beside the observations. Entry i of each column belongs to observation i. */
export interface ActContext {
  /** Take the likeliest action instead of drawing one. */
  readonly greedy: boolean
  /** Each episode's own random stream: the only source of chance an agent may use, so that one seed decides everything
   *  and an episode does not depend on which others ran beside it. */
  readonly generators: readonly PCG64[]
  readonly seats: readonly number[]
  /** The index of each observation's episode, for agents that keep something per episode. */
  readonly episodes: readonly number[]
}

/** An observation that an agent cannot decide about. */
export class ObservationError extends RangeError {
  override readonly name: string = 'ObservationError'
  /** Which of those it was asked about. */
  readonly observation: number

  constructor(observation: number, message: string) {
    super(message)
    this.observation = observation
  }
}

/**
 * Decides, for a whole batch at once: `act` gives one decision per observation, in order. The arrays it is called with
 * are used again once its decisions are there; an agent that keeps them copies them. What it cannot decide about it refuses with an
 * {@link ObservationError}, so that the right episode is named.
 */
export interface Agent<O = unknown, A = unknown> {
  act(observations: readonly O[], context: ActContext): readonly Decision<A>[] | Promise<readonly Decision<A>[]>
  /** Frees what the agent holds, tensors or a process. A second call does nothing. */
  close?(): void
}
