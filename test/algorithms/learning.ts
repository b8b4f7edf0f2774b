import type { Decision } from '../../agents/agent.js'
import { mlpPolicy } from '../../agents/mlp/mlp-policy.js'
import type { Policy } from '../../agents/policy.js'
import type { Episode } from '../../algorithms/episode.js'
import { PCG64 } from '../../envs/seeding.js'
import { Box } from '../../envs/spaces/box.js'
import { Discrete } from '../../envs/spaces/discrete.js'

export type TinyPolicy = Policy<Float32Array, number>

/** Two actions, one number seen, no hidden layer: logits = x · kernel + bias, value = x · kernel' + bias'. */
export function tinyPolicy({ valueNetwork = false } = {}): TinyPolicy {
  return mlpPolicy<Float32Array, number>({
    observationSpace: new Box({ low: -9, high: 9, shape: [1] }) as never,
    actionSpace: new Discrete(2),
    generator: new PCG64(0),
    hidden: [],
    initialisation: 'fan-in',
    valueNetwork,
  })
}

/** The same policy, whose gradients are kept where they can be read. */
export function watched(policy: TinyPolicy): { policy: TinyPolicy; gradients: Record<string, number[]>[] } {
  const gradients: Record<string, number[]>[] = []
  const { differentiate } = policy
  policy.differentiate = async (rows, loss) => {
    const result = await differentiate(rows, loss)
    const read = Object.entries(result.gradients).map(([name, gradient]) => [name, Array.from(gradient.dataSync())])
    gradients.push(Object.fromEntries(read))
    return result
  }
  return { policy, gradients }
}

/** An episode of given observations, actions and rewards, with the log-probabilities of the policy that `act`ed. */
export function episodeOf(
  policy: TinyPolicy,
  index: number,
  group: number,
  xs: readonly number[],
  actions: readonly number[],
  rewards: readonly number[],
): Episode<Float32Array, number> {
  const observations = xs.map((x) => Float32Array.of(x))
  const decisions: Decision<number>[] = actions.map((action, t) => {
    const p = probabilities(policy, xs[t]!)
    return { action, choices: [action], logProbs: [Math.log(p[action]!)] }
  })
  return {
    index,
    group,
    seed: 0,
    observations: [...observations, Float32Array.of(0)],
    decisions,
    agents: [policy],
    seats: actions.map(() => 0),
    rewards: [rewards],
    length: actions.length,
    terminated: true,
    truncated: false,
    info: {},
  }
}

/** By hand: softmax(x · kernel + bias). */
export function probabilities({ parameters }: TinyPolicy, x: number): number[] {
  const kernel = parameters['policy/0/kernel']!.dataSync()
  const bias = parameters['policy/0/bias']!.dataSync()
  const e = [0, 1].map((a) => Math.exp(x * kernel[a]! + bias[a]!))
  return e.map((each) => each / (e[0]! + e[1]!))
}

/** By hand: x · kernel' + bias'. */
export function criticOf({ parameters }: TinyPolicy, x: number): number {
  return x * parameters['value/0/kernel']!.dataSync()[0]! + parameters['value/0/bias']!.dataSync()[0]!
}

/** By hand: the gradient of −Σ_t w_t log π(a_t | x_t), since ∂ log π(a) / ∂ logits = onehot(a) − π. */
export function policyGradient(
  policy: TinyPolicy,
  xs: readonly number[],
  actions: readonly number[],
  weights: readonly number[],
): { kernel: number[]; bias: number[] } {
  const kernel = [0, 0]
  const bias = [0, 0]
  xs.forEach((x, t) => {
    const p = probabilities(policy, x)
    for (const a of [0, 1]) {
      const slope = -weights[t]! * ((actions[t] === a ? 1 : 0) - p[a]!)
      kernel[a]! += slope * x
      bias[a]! += slope
    }
  })
  return { kernel, bias }
}
