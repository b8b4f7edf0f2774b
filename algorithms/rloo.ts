import { z } from 'zod'
import type { Decision } from '../agents/agent.js'
import type { FrozenPolicy, Policy } from '../agents/policy.js'
import { Adam, assign } from '../tensors/adam.js'
import { scheduleAt, scheduleConfig } from '../tensors/schedule.js'
import * as tf from '../tensors/tf.js'
import { leaveOneOut } from './advantages.js'
import type { Algorithm, Learner, LearnerState } from './algorithm.js'
import { descend, expectDecisions } from './descend.js'
import { type Episode, trajectories } from './episode.js'

export const rlooConfig = z
  .strictObject({
    group: z.int().min(2).default(4).describe('k: episodes from the same start, each compared with the other k − 1'),
    groupsPerUpdate: z.int().positive().default(4).describe('groups sampled before each update'),
    ratio: z
      .enum(['none', 'sequence', 'token'])
      .default('none')
      .describe('plain policy gradient; or importance ratios, of whole sequences or of single choices, clipped'),
    clip: z.number().positive().lt(1).default(0.2).describe('ε: ratios are clipped to 1 ± ε'),
    epochs: z.int().positive().default(1).describe('steps of Adam on each batch; more than one needs a ratio'),
    klCoefficient: z
      .number()
      .nonnegative()
      .default(0)
      .describe('β: weight of the KL to the policy at the start of training'),
    klIn: z
      .enum(['reward', 'loss'])
      .default('reward')
      .describe(
        "where the KL goes: k1 = log π/π_ref summed over a sequence's choices and taken from its reward, or k3 in the loss",
      ),
    normalizeAdvantages: z
      .boolean()
      .default(false)
      .describe('shift and scale the advantages of an update to mean 0, deviation 1'),
    maskTruncated: z
      .boolean()
      .default(false)
      .describe(
        'learn nothing from completions that the agent’s own limit cut off; their rewards still count for the others',
      ),
    learningRate: z.number().positive().default(1e-3).describe("Adam's"),
    schedule: scheduleConfig.prefault({}).describe('of the learning rate over updates'),
    weightDecay: z.number().nonnegative().default(0).describe('decoupled, as AdamW'),
    maxGradientNorm: z
      .number()
      .positive()
      .optional()
      .describe('gradients are scaled down to this norm; none unless given'),
  })
  .refine((config) => config.epochs === 1 || config.ratio !== 'none', {
    error: 'more than one epoch needs ratio "sequence" or "token": after the first step the samples are off-policy',
    path: ['epochs'],
  })

export type RlooConfig = z.infer<typeof rlooConfig>

/** One seat's decisions in one episode: what RLOO rewards as a whole. */
interface Sequence<O, A> {
  readonly observations: readonly O[]
  readonly decisions: readonly Decision<A>[]
  readonly reward: number
  /** Choices in all its decisions. */
  readonly choices: number
}

/**
 * REINFORCE Leave-One-Out (Kool et al. 2019; Ahmadian et al. 2024). From each start k episodes are sampled; the reward
 * R_i of one (its undiscounted return, minus the KL penalty if that goes into the reward) is compared with the others:
 * A_i = R_i − mean_{j≠i} R_j. Per update, `epochs` steps of Adam down one of
 *
 * - `none`      −(1/N) Σ_i A_i Σ_t log π(c_it)                                   (Ahmadian et al. 2024, eq. 8)
 * - `sequence`  −(1/N) Σ_i min(ρ_i A_i, clip(ρ_i, 1 ± ε) A_i),  ρ_i = Π_t π/π_old     (TRL's RLOO)
 * - `token`     −(1/C) Σ_i Σ_t min(ρ_it A_i, clip(ρ_it, 1 ± ε) A_i),  C choices in all    (PPO's ratio, a choice at a time)
 *
 * plus β (1/N) Σ_i mean_t k3_it with k3 = e^{−d} + d − 1, d = log π − log π_ref (Schulman 2020), if the KL is in the loss.
 * With several seats each seat's decisions are a sequence, compared with the same seat's in the group.
 *
 * Where `maskTruncated` leaves nothing of a batch to learn from, the update makes no step, and tells of no loss.
 *
 * Metrics, named as TRL names them: `loss`, `reward`, `reward_std`, `frac_reward_zero_std` (groups that teach nothing),
 * `kl` (with a penalty), `entropy`, `clip_ratio/low_mean`, `…/high_mean` and `…/region_mean` (with a ratio: the shares that were
 * clipped from below, from above and in all), `grad_norm`, `learning_rate`.
 *
 * @example
 * train({ env: 'CartPole-v1', agent: mlpPolicy, algorithm: rloo({ group: 8 }), budget: { episodes: 1000 }, seed: 0 })
 */
export function rloo(options: z.input<typeof rlooConfig> = {}): Algorithm {
  const config = rlooConfig.parse(options)
  return {
    name: 'rloo',
    group: config.group,
    batch: config.group * config.groupsPerUpdate,
    start: (policy) => new RlooLearner(policy, config),
  }
}

class RlooLearner<O, A> implements Learner<O, A> {
  readonly #policy: Policy<O, A>
  readonly #config: RlooConfig
  readonly #adam: Adam
  readonly #reference: FrozenPolicy<O, A> | undefined
  #updates = 0

  constructor(policy: Policy<O, A>, config: RlooConfig) {
    this.#policy = policy
    this.#config = config
    this.#adam = new Adam(policy.parameters, {
      weightDecay: config.weightDecay,
      maxGradientNorm: config.maxGradientNorm,
    })
    if (config.klCoefficient > 0) this.#reference = policy.freeze()
  }

  async update(episodes: readonly Episode<O, A>[]): Promise<Record<string, number>> {
    const { group, epochs, klCoefficient, klIn, maskTruncated, learningRate, schedule } = this.#config
    const sampled = sequencesOf(episodes, this.#policy, group)
    const all = rowsOf(sampled)
    expectDecisions(all.decisions)
    const allOld = oldLogProbs(all)
    const allReference = await this.#reference?.logProbs(all)

    const rewards = Float64Array.from(sampled, (sequence) => sequence.reward)
    const kl = allReference ? klPerSequence(sampled, allOld, allReference) : undefined
    const paid = kl && klIn === 'reward' ? rewards.map((reward, i) => reward - klCoefficient * kl[i]!) : rewards
    const compared = this.#normalized(leaveOneOut(paid, group))

    const whole = (sequence: Sequence<O, A>) => !maskTruncated || !sequence.decisions.some(({ truncated }) => truncated)
    const sequences = sampled.filter(whole)
    const rows = rowsOf(sequences)
    const advantages = compared.filter((_, i) => whole(sampled[i]!))
    const old = oldLogProbs(rows)
    const reference = allReference && choicesOf(allReference, sampled, whole)

    const rate = learningRate * scheduleAt(schedule, this.#updates)
    const sums: Record<string, number> = {}
    const steps = rows.decisions.length === 0 ? 0 : epochs // all cut off: nothing to learn from
    const undo = steps > 1 ? await this.#undoable() : undefined
    try {
      for (let epoch = 0; epoch < steps; epoch++) {
        const step = await this.#step(rows, sequences, advantages, old, reference, rate)
        for (const [name, value] of Object.entries(step)) sums[name] = (sums[name] ?? 0) + value / epochs
      }
    } catch (error) {
      await undo?.()
      throw error
    }
    this.#updates++
    return {
      reward: mean(rewards),
      reward_std: deviation(rewards),
      frac_reward_zero_std: zeroSpread(rewards, group),
      ...(kl && { kl: mean(kl) }),
      ...sums,
      learning_rate: rate,
    }
  }

  /** Takes back the epochs before one that failed: an update happens whole or not at all. */
  async #undoable(): Promise<() => Promise<void>> {
    const adam = await this.#adam.state()
    const before: [tf.Variable, Float32Array][] = []
    for (const variable of Object.values(this.#policy.parameters)) {
      before.push([variable, Float32Array.from((await variable.data()) as Float32Array)])
    }
    return async () => {
      for (const [variable, values] of before) assign(variable, values)
      this.#adam.restore(adam)
      await this.#policy.refresh()
    }
  }

  /** One step of Adam on the batch. */
  async #step(
    rows: { observations: O[]; decisions: Decision<A>[] },
    sequences: readonly Sequence<O, A>[],
    advantages: Float64Array,
    old: Float32Array,
    reference: Float32Array | undefined,
    rate: number,
  ): Promise<Record<string, number>> {
    const { klCoefficient, klIn } = this.#config
    const counts = sequences.map((sequence) => sequence.choices)
    const parts: Record<string, tf.Tensor> = {}
    const differentiated = this.#policy.differentiate(rows, ({ logProbs, entropies }) => {
      const { policyLoss, clipped } = policyGradientLoss(this.#config, logProbs, old, advantages, counts)
      parts.entropy = tf.keep(tf.mean(entropies))
      for (const [side, shares] of Object.entries(clipped ?? {})) {
        parts[`clip_ratio/${side}_mean`] = tf.keep(tf.mean(shares))
      }
      if (!reference || klIn === 'reward') return policyLoss
      return tf.add(policyLoss, tf.mul(k3Loss(logProbs, reference, counts), klCoefficient))
    })

    return descend(this.#policy, this.#adam, differentiated, rate, parts)
  }

  #normalized(advantages: Float64Array): Float64Array {
    if (!this.#config.normalizeAdvantages) return advantages
    const centre = mean(advantages)
    const scale = deviation(advantages) + 1e-4 // TRL's
    return advantages.map((advantage) => (advantage - centre) / scale)
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

  close(): void {
    this.#reference?.close()
  }
}

/**
 * The loss of a batch without its KL term, and for the ratio forms which of them were clipped (0 or 1 each): at 1 − ε, at 1 + ε,
 * and at either.
 * @param logProbs    [choices] of the present policy, differentiable
 * @param old         [choices] of the policy that sampled
 * @param advantages  [sequences]
 * @param counts      [sequences] choices in each
 */
export function policyGradientLoss(
  { ratio, clip }: Pick<RlooConfig, 'ratio' | 'clip'>,
  logProbs: tf.Tensor1D,
  old: Float32Array,
  advantages: ArrayLike<number>,
  counts: readonly number[],
): { policyLoss: tf.Scalar; clipped?: Readonly<Record<'low' | 'high' | 'region', tf.Tensor>> } {
  if (ratio === 'none') {
    const A = tf.tensor1d(perChoice(advantages, counts))
    return { policyLoss: tf.div(tf.neg(tf.sum(tf.mul(logProbs, A))), counts.length) }
  }
  const logRatios: tf.Tensor1D = tf.sub(logProbs, tf.tensor1d(old))
  const ratios: tf.Tensor1D = tf.exp(ratio === 'token' ? logRatios : sumPerSequence(logRatios, counts))
  const A = tf.tensor1d(ratio === 'token' ? perChoice(advantages, counts) : Float32Array.from(advantages))
  const within = tf.clipByValue(ratios, 1 - clip, 1 + clip)
  const objective = tf.minimum(tf.mul(ratios, A), tf.mul(within, A))
  const region = tf.cast(tf.less(tf.mul(within, A), tf.mul(ratios, A)), 'float32')
  const low = tf.mul(region, tf.cast(tf.less(A, 0), 'float32'))
  return { policyLoss: tf.neg(tf.mean(objective)), clipped: { low, high: tf.sub(region, low), region } }
}

/** Mean over sequences of the mean over their choices of k3, an unbiased and positive estimate of KL(π, π_ref).
 *  @param logProbs [choices] differentiable, @param reference [choices], @param counts [sequences] choices in each */
export function k3Loss(logProbs: tf.Tensor1D, reference: Float32Array, counts: readonly number[]): tf.Scalar {
  const d = tf.sub(logProbs, tf.tensor1d(reference))
  const k3 = tf.sub(tf.add(tf.exp(tf.neg(d)), d), 1)
  const weights = perChoice(
    counts.map((count) => 1 / (count * counts.length)),
    counts,
  )
  return tf.sum(tf.mul(k3, tf.tensor1d(weights)))
}

/** Each sequence's Σ_t log π_old − log π_ref: k1, the KL's plain estimate from the samples. */
export function klPerSequence(
  sequences: readonly { readonly choices: number }[],
  old: Float32Array,
  reference: Float32Array,
): Float64Array {
  let at = 0
  return Float64Array.from(sequences, ({ choices }) => {
    let sum = 0
    for (const end = at + choices; at < end; at++) sum += old[at]! - reference[at]!
    return sum
  })
}

function rowsOf<O, A>(sequences: readonly Sequence<O, A>[]): { observations: O[]; decisions: Decision<A>[] } {
  return {
    observations: sequences.flatMap((sequence) => sequence.observations),
    decisions: sequences.flatMap((sequence) => sequence.decisions),
  }
}

/** [choices] as they were drawn. */
function oldLogProbs({ decisions }: { readonly decisions: readonly Decision[] }): Float32Array {
  return Float32Array.from(decisions.flatMap((decision) => Array.from(decision.logProbs)))
}

/** Of a column of all sequences' choices, those of some sequences. */
function choicesOf<S extends { readonly choices: number }>(
  column: Float32Array,
  sequences: readonly S[],
  kept: (sequence: S) => boolean,
): Float32Array {
  let at = 0
  return Float32Array.from(
    sequences.flatMap((sequence) => {
      at += sequence.choices
      return kept(sequence) ? Array.from(column.subarray(at - sequence.choices, at)) : []
    }),
  )
}

/** The batch as sequences, the same seat's of one group side by side. */
function sequencesOf<O, A>(episodes: readonly Episode<O, A>[], policy: Policy<O, A>, group: number): Sequence<O, A>[] {
  const played = episodes.map((episode) => trajectories(episode, policy))
  const sequences: Sequence<O, A>[] = []
  for (let first = 0; first < played.length; first += group) {
    for (let seat = 0; seat < played[first]!.length; seat++) {
      for (const trajectory of played.slice(first, first + group)) {
        const { observations, decisions, rewards } = trajectory[seat]!
        sequences.push({
          observations,
          decisions,
          reward: rewards.reduce((sum, reward) => sum + reward, 0),
          choices: decisions.reduce((sum, decision) => sum + decision.choices.length, 0),
        })
      }
    }
  }
  return sequences
}

/** [choices] → [sequences]. By split and sum: a segment sum's gradient has no kernel on every backend. */
function sumPerSequence(numbers: tf.Tensor1D, counts: readonly number[]): tf.Tensor1D {
  return tf.stack(tf.split(numbers, [...counts]).map((part) => tf.sum(part))) as tf.Tensor1D
}

/** [sequences] → [choices]: a sequence's number for each of its choices. */
function perChoice(numbers: ArrayLike<number>, counts: readonly number[]): Float32Array {
  const out = new Float32Array(counts.reduce((sum, count) => sum + count, 0))
  let at = 0
  for (const [i, count] of counts.entries()) {
    out.fill(numbers[i]!, at, at + count)
    at += count
  }
  return out
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** With n − 1 in the denominator, as torch's `std`. */
function deviation(values: Float64Array): number {
  const centre = mean(values)
  return Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / Math.max(1, values.length - 1))
}

function zeroSpread(rewards: Float64Array, group: number): number {
  let same = 0
  for (let first = 0; first < rewards.length; first += group) {
    if (rewards.subarray(first, first + group).every((reward) => reward === rewards[first])) same++
  }
  return (same * group) / rewards.length
}
