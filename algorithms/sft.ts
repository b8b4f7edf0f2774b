import { z } from 'zod'
import type { Decision } from '../agents/agent.js'
import type { Policy } from '../agents/policy.js'
import { Adam } from '../tensors/adam.js'
import { scheduleAt, scheduleConfig } from '../tensors/schedule.js'
import * as tf from '../tensors/tf.js'
import type { Algorithm, Learner, LearnerState } from './algorithm.js'
import { descend, expectDecisions } from './descend.js'
import { type Episode, trajectories } from './episode.js'

export const sftConfig = z.strictObject({
  learningRate: z.number().positive().default(0.001).describe("AdamW's"),
  schedule: scheduleConfig.prefault({}).describe('of the learning rate over updates'),
  weightDecay: z
    .number()
    .nonnegative()
    .default(0)
    .describe('decoupled weight decay, per update times the learning rate'),
  maxGradientNorm: z
    .number()
    .positive()
    .optional()
    .describe('gradients are scaled down to this norm; none unless given'),
  episodesPerUpdate: z.int().positive().default(8).describe('demonstrations of each update'),
})

export type SftConfig = z.infer<typeof sftConfig>

/**
 * Supervised fine-tuning: what a demonstrator did is made likelier. Per update one step of AdamW down
 *
 *   −(1/C) Σ_t log π(c_t | what stands before it)
 *
 * over the C choices of all demonstrated decisions: the tokens of completions, and of nothing else. π is the policy as it draws, at
 * its sampling temperature: a model that is to draw at 0.6 learns to be right at 0.6. For a language model
 * that is completion-only SFT; for other policies behavioural cloning (Pomerleau 1991). Episodes are played by the
 * `demonstrator` of {@link train}; an environment with tasks goes through all of them before one comes again, so that an
 * epoch is as many updates as there are tasks, divided by `episodesPerUpdate`.
 *
 * Metrics: `loss`, `entropy`, `choices` (how many), `grad_norm`, `learning_rate`.
 *
 * @example
 * train({ env: 'Countdown-v1', agent, demonstrator: countdownSolver(), algorithm: sft(), budget: { epochs: 3 }, seed: 0 })
 */
export function sft(options: z.input<typeof sftConfig> = {}): Algorithm {
  const config = sftConfig.parse(options)
  return {
    name: 'sft',
    group: 1,
    batch: config.episodesPerUpdate,
    demonstrated: true,
    start: (policy) => new SftLearner(policy, config),
  }
}

class SftLearner<O, A> implements Learner<O, A> {
  readonly #policy: Policy<O, A>
  readonly #config: SftConfig
  readonly #adam: Adam
  #updates = 0

  constructor(policy: Policy<O, A>, config: SftConfig) {
    this.#policy = policy
    this.#config = config
    const { weightDecay, maxGradientNorm } = config
    this.#adam = new Adam(policy.parameters, { weightDecay, maxGradientNorm })
  }

  async update(episodes: readonly Episode<O, A>[]): Promise<Record<string, number>> {
    const { learningRate, schedule } = this.#config
    const rows = demonstrations(this.#policy, episodes)
    const parts: Record<string, tf.Tensor> = {}
    const differentiated = this.#policy.differentiate(rows, ({ logProbs, entropies }) => {
      parts.entropy = tf.keep(tf.mean(entropies))
      return tf.neg(tf.mean(logProbs))
    })
    const rate = learningRate * scheduleAt(schedule, this.#updates)
    const metrics = await descend(this.#policy, this.#adam, differentiated, rate, parts)
    this.#updates++
    const choices = rows.decisions.reduce((sum, decision) => sum + decision.choices.length, 0)
    return { ...metrics, choices, learning_rate: rate }
  }

  async state(): Promise<LearnerState> {
    const own = { updates: this.#updates }
    const { steps, tensors } = await this.#adam.state()
    return { tensors, values: { steps, ...own } }
  }

  restore({ tensors, values }: LearnerState): void {
    this.#adam.restore({ steps: values.steps as number, tensors })
    this.#updates = values.updates as number
  }

  close(): void {}
}

/**
 * The loss that {@link sft} descends, of episodes it does not learn from: the mean of −log π over all their choices.
 *
 * @param episodes  a demonstrator's
 * @returns the sum over all choices in nats, and how many they are
 */
export async function imitationLoss<O, A>(
  policy: Policy<O, A>,
  episodes: readonly Episode<O, A>[],
): Promise<{ readonly sum: number; readonly choices: number }> {
  const frozen = policy.freeze()
  try {
    const logProbs = await frozen.logProbs(demonstrations(policy, episodes))
    return { sum: logProbs.reduce((sum, logProb) => sum - logProb, 0), choices: logProbs.length }
  } finally {
    frozen.close()
  }
}

/** What was done in episodes, as the choices by which the policy would have done it. */
function demonstrations<O, A>(
  policy: Policy<O, A>,
  episodes: readonly Episode<O, A>[],
): { readonly observations: O[]; readonly decisions: Decision<A>[] } {
  const played = episodes.flatMap((episode) => trajectories(episode))
  const observations = played.flatMap((trajectory) => trajectory.observations)
  const actions = played.flatMap((trajectory) => trajectory.decisions.map(({ action }) => action))
  expectDecisions(actions)
  return { observations, decisions: actions.map((action, i) => policy.decisionFor(observations[i]!, action)) }
}
