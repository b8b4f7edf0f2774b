import { z } from 'zod'
import type { Decision } from '../agents/agent.js'
import type { Policy, PolicyOutputs } from '../agents/policy.js'
import { Adam } from '../tensors/adam.js'
import { scheduleAt, scheduleConfig } from '../tensors/schedule.js'
import * as tf from '../tensors/tf.js'
import { withoutGradient } from '../tensors/without-gradient.js'
import { returnsToGo } from './advantages.js'
import type { Algorithm, Learner, LearnerState } from './algorithm.js'
import { descend, expectDecisions } from './descend.js'
import { type Episode, trajectories } from './episode.js'

export const reinforceConfig = z.strictObject({
  baseline: z
    .enum(['none', 'moving-average', 'value'])
    .default('value')
    .describe('what is taken from the returns: nothing, their running mean, or what the value network expects'),
  gamma: z.number().min(0).max(1).default(0.99).describe('discount of a reward per decision'),
  whiten: z.boolean().default(false).describe('shift and scale the advantages of an update to mean 0, deviation 1'),
  entropyCoefficient: z.number().nonnegative().default(0).describe('bonus for the mean entropy of a choice, in nats'),
  valueCoefficient: z.number().nonnegative().default(1).describe("weight of the value network's squared error"),
  averageDecay: z.number().min(0).lt(1).default(0.9).describe('of the moving average, per update'),
  learningRate: z.number().positive().default(0.01).describe("Adam's"),
  schedule: scheduleConfig.prefault({}).describe('of the learning rate over updates'),
  maxGradientNorm: z
    .number()
    .positive()
    .optional()
    .describe('gradients are scaled down to this norm; none unless given'),
  episodesPerUpdate: z.int().positive().default(1).describe('episodes sampled before each update'),
})

export type ReinforceConfig = z.infer<typeof reinforceConfig>

/**
 * REINFORCE (Williams 1992) with a baseline: per update one step of Adam down
 *
 *   −mean_t A_t log π(a_t | s_t) − c_H mean_t H(π(· | s_t)) + c_V mean_t (V(s_t) − G_t)²,   A_t = G_t − b(s_t)
 *
 * over all decisions of the sampled episodes, where G_t is the discounted return from t on (Sutton & Barto 2018,
 * §13.3–13.4). The baseline is a constant to the first term. An episode cut by a time limit counts as ended: what would
 * have followed is taken as 0. With several seats, each seat's decisions are credited with that seat's rewards.
 *
 * Metrics: `loss`, `policy_loss`, `value_loss` (with a value network), `entropy`, `grad_norm`, `learning_rate`.
 *
 * @example
 * train({ env: 'CartPole-v1', agent: (start) => mlpPolicy({ ...start, valueNetwork: true }), algorithm: reinforce(), … })
 */
export function reinforce(options: z.input<typeof reinforceConfig> = {}): Algorithm {
  const config = reinforceConfig.parse(options)
  return {
    name: 'reinforce',
    group: 1,
    batch: config.episodesPerUpdate,
    start: (policy) => new ReinforceLearner(policy, config),
  }
}

class ReinforceLearner<O, A> implements Learner<O, A> {
  readonly #policy: Policy<O, A>
  readonly #config: ReinforceConfig
  readonly #adam: Adam
  #updates = 0
  #average: number | null = null

  constructor(policy: Policy<O, A>, config: ReinforceConfig) {
    if (config.baseline === 'value' && !policy.hasValues) {
      throw new RangeError('reinforce: baseline "value" needs a policy with a value network (valueNetwork: true)')
    }
    this.#policy = policy
    this.#config = config
    this.#adam = new Adam(policy.parameters, { maxGradientNorm: config.maxGradientNorm })
  }

  async update(episodes: readonly Episode<O, A>[]): Promise<Record<string, number>> {
    const { baseline, gamma, entropyCoefficient, valueCoefficient, averageDecay, learningRate, schedule } = this.#config
    const observations: O[] = []
    const decisions: Decision<A>[] = []
    const returns: number[] = []
    for (const episode of episodes) {
      for (const trajectory of trajectories(episode, this.#policy)) {
        for (const observation of trajectory.observations) observations.push(observation)
        for (const decision of trajectory.decisions) decisions.push(decision)
        for (const value of returnsToGo(trajectory.rewards, gamma)) returns.push(value)
      }
    }
    expectDecisions(decisions)
    const meanReturn = returns.reduce((sum, value) => sum + value, 0) / returns.length
    // Before the first update there is no mean to go by; the first batch's own then serves.
    const average = this.#average ?? meanReturn

    const parts: Record<string, tf.Tensor> = {}
    const differentiated = this.#policy.differentiate({ observations, decisions }, (outputs) => {
      const { logProbs, entropies, values } = outputs
      const G = tf.tensor1d(returns)
      const A = this.#advantages(G, outputs, average, decisions)
      let total: tf.Scalar = tf.neg(tf.mean(tf.mul(logProbs, A)))
      parts.policy_loss = tf.keep(tf.clone(total))
      parts.entropy = tf.keep(tf.mean(entropies))
      if (entropyCoefficient > 0) total = tf.sub(total, tf.mul(tf.mean(entropies), entropyCoefficient))
      if (values) {
        const valueLoss: tf.Scalar = tf.mean(tf.squaredDifference(values, G))
        parts.value_loss = tf.keep(tf.clone(valueLoss))
        total = tf.add(total, tf.mul(valueLoss, valueCoefficient))
      }
      return total
    })

    const rate = learningRate * scheduleAt(schedule, this.#updates)
    const metrics = await descend(this.#policy, this.#adam, differentiated, rate, parts)

    if (baseline === 'moving-average') this.#average = averageDecay * average + (1 - averageDecay) * meanReturn
    this.#updates++
    return { ...metrics, learning_rate: rate }
  }

  /** [choices] what each choice's log-probability is weighted with; constant to the gradient. */
  #advantages(
    G: tf.Tensor1D,
    { values }: PolicyOutputs,
    average: number,
    decisions: readonly Decision<A>[],
  ): tf.Tensor1D {
    const { baseline, whiten } = this.#config
    const finish = (advantages: tf.Tensor1D): tf.Tensor1D => {
      let A = advantages
      if (whiten) {
        const { mean, variance } = tf.moments(A)
        A = tf.div(tf.sub(A, mean), tf.add(tf.sqrt(variance), 1e-8))
      }
      return perChoice(A, decisions)
    }
    if (baseline === 'value' && values) return withoutGradient(values, (V) => finish(tf.sub(G, V)))
    return finish(baseline === 'moving-average' ? tf.sub(G, average) : G)
  }

  async state(): Promise<LearnerState> {
    const own = { updates: this.#updates, average: this.#average }
    const { steps, tensors } = await this.#adam.state()
    return { tensors, values: { steps, ...own } }
  }

  restore({ tensors, values }: LearnerState): void {
    this.#adam.restore({ steps: values.steps as number, tensors })
    this.#updates = values.updates as number
    this.#average = values.average as number | null
  }

  close(): void {}
}

/** [decisions] → [choices]: a decision's number for each of its choices. */
function perChoice(advantages: tf.Tensor1D, decisions: readonly Decision[]): tf.Tensor1D {
  if (decisions.every((decision) => decision.choices.length === 1)) return advantages
  const rows: number[] = []
  for (const [i, decision] of decisions.entries()) for (let c = 0; c < decision.choices.length; c++) rows.push(i)
  return tf.gather(advantages, tf.tensor1d(rows, 'int32'))
}
