import { lastValueFrom, toArray } from 'rxjs'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { mlpPolicy } from '../../agents/mlp/mlp-policy.js'
import { NonFiniteError } from '../../algorithms/algorithm.js'
import { policyGradientLoss, rloo } from '../../algorithms/rloo.js'
import '../../envs/classic-control/cart-pole.js'
import { train } from '../../experiments/train.js'
import { useBackend } from '../../tensors/backend.js'
import * as tf from '../../tensors/tf.js'
import { episodeOf, policyGradient, type TinyPolicy, tinyPolicy, watched } from './learning.js'

let inner: TinyPolicy

beforeAll(() => useBackend('wasm'))
beforeEach(() => {
  inner = tinyPolicy()
})
afterEach(() => inner.close())

/** Two groups of two; leave-one-out advantages 3, -3, 0, 0. */
const batch = () => [
  episodeOf(inner, 0, 0, [1, 2], [0, 1], [1, 3]),
  episodeOf(inner, 1, 0, [1], [1], [1]),
  episodeOf(inner, 2, 1, [-1], [1], [2]),
  episodeOf(inner, 3, 1, [-1, 3], [0, 0], [1, 1]),
]

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expected.forEach((value, i) => {
    expect(actual[i]).toBeCloseTo(value, 4)
  })
}

const parametersOf = (policy: TinyPolicy) => Object.values(policy.parameters).map((v) => Array.from(v.dataSync()))

describe('rloo', () => {
  it.each([
    ['none', 1 / 4],
    ['sequence', 1 / 4],
    ['token', 1 / 6],
  ] as const)('its first gradient with ratio %s is the one by hand', async (ratio, share) => {
    const { policy, gradients } = watched(inner)
    // On the samples' own policy every ratio is 1, and its gradient that of the log-probability.
    const { kernel, bias } = policyGradient(
      inner,
      [1, 2, 1, -1, -1, 3],
      [0, 1, 1, 1, 0, 0],
      [3, 3, -3, 0, 0, 0].map((a) => a * share),
    )
    const metrics = await rloo({ group: 2, groupsPerUpdate: 2, ratio }).start(policy).update(batch())
    expectClose(gradients[0]!['policy/0/kernel']!, kernel)
    expectClose(gradients[0]!['policy/0/bias']!, bias)
    expect(metrics).toMatchObject({ reward: 2.25, frac_reward_zero_std: 0.5 })
    const shares = { 'clip_ratio/low_mean': 0, 'clip_ratio/high_mean': 0, 'clip_ratio/region_mean': 0 }
    if (ratio !== 'none') expect(metrics).toMatchObject(shares)
  })

  it('learns nothing from a sequence that a limit cut off, whose reward still counts for the other', async () => {
    const { policy, gradients } = watched(inner)
    const cut = batch()
    const [first] = cut[1]!.decisions
    cut[1] = { ...cut[1]!, decisions: [{ ...first!, truncated: true }] }
    // Of the three that are left, the first alone has an advantage.
    const { kernel, bias } = policyGradient(inner, [1, 2], [0, 1], [1, 1])
    const learner = rloo({ group: 2, groupsPerUpdate: 2, maskTruncated: true, klCoefficient: 0.1 }).start(policy)
    expect(await learner.update(cut)).toMatchObject({ reward: 2.25, kl: expect.closeTo(0, 6) })
    expectClose(gradients[0]!['policy/0/kernel']!, kernel)
    expectClose(gradients[0]!['policy/0/bias']!, bias)
    const all = batch().map((episode) => ({
      ...episode,
      decisions: episode.decisions.map((decision) => ({ ...decision, truncated: true as const })),
    }))
    // Nothing is left of a batch that was cut everywhere: the update is counted, and the policy stays as it is.
    const before = parametersOf(inner)
    const metrics = await learner.update(all)
    expect(Object.keys(metrics)).toEqual(['reward', 'reward_std', 'frac_reward_zero_std', 'kl', 'learning_rate'])
    expect(metrics.reward).toBe(2.25)
    expect(parametersOf(inner)).toEqual(before)
    expect((await learner.state()).values).toEqual({ steps: 1, updates: 2 })
    learner.close()
  })

  it('a KL to the first policy is 0 at first and grows, in the reward and in the loss', async () => {
    for (const klIn of ['reward', 'loss'] as const) {
      const policy = tinyPolicy()
      const learner = rloo({ group: 2, klCoefficient: 0.1, klIn, learningRate: 0.1 }).start(policy)
      const kls: number[] = []
      for (let i = 0; i < 5; i++) {
        const episodes = [episodeOf(policy, 0, 0, [1], [0], [1]), episodeOf(policy, 1, 0, [1], [1], [0])]
        kls.push(Math.abs((await learner.update(episodes)).kl!))
      }
      expect(kls[0]).toBeLessThan(1e-6)
      expect(kls.at(-1)).toBeGreaterThan(1e-3)
      learner.close()
      policy.close()
    }
  })

  it('tells which ratios were clipped from below and which from above: those that would go further', () => {
    const old = Float32Array.of(0, 0, 0, 0, 0)
    const ratios = [0.5, 1.5, 0.5, 1.5, 1.1]
    const logProbs = tf.tensor1d(ratios.map(Math.log))
    const { clipped } = policyGradientLoss({ ratio: 'token', clip: 0.2 }, logProbs, old, [1, -1, 2], [2, 2, 1])
    expect(Array.from(clipped!.low.dataSync())).toEqual([0, 0, 1, 0, 0])
    expect(Array.from(clipped!.high.dataSync())).toEqual([0, 1, 0, 0, 0])
    expect(Array.from(clipped!.region.dataSync())).toEqual([0, 1, 1, 0, 0])
  })

  it('clips over several epochs: steps of a large rate are cut short', async () => {
    const learner = rloo({ group: 2, ratio: 'token', epochs: 8, learningRate: 0.3 }).start(inner)
    const metrics = await learner.update(batch())
    expect(metrics['clip_ratio/region_mean']).toBeGreaterThan(0)
    expect((await learner.state()).values).toMatchObject({ steps: 8, updates: 1 })
  })

  it('an update that fails in a later epoch is taken back whole', async () => {
    let calls = 0
    const { differentiate } = inner
    inner.differentiate = (rows, loss) => {
      const poison = calls++ === 1 ? Number.NaN : 1
      return differentiate(rows, (outputs) => tf.mul(loss(outputs), poison))
    }
    const learner = rloo({ group: 2, ratio: 'sequence', epochs: 3 }).start(inner)
    const before = parametersOf(inner)
    const state = await learner.state()
    const tensors = tf.memory().numTensors
    await expect(learner.update(batch())).rejects.toThrow(NonFiniteError)
    expect(parametersOf(inner)).toEqual(before)
    expect(await learner.state()).toEqual(state)
    expect(tf.memory().numTensors).toBe(tensors)
  })

  it('keeps as many tensors over 200 updates', async () => {
    const learner = rloo({ group: 2, ratio: 'sequence', epochs: 2, klCoefficient: 0.1, klIn: 'loss' }).start(inner)
    const episodes = batch()
    await learner.update(episodes)
    const before = tf.memory().numTensors
    for (let i = 0; i < 200; i++) await learner.update(episodes)
    expect(tf.memory().numTensors).toBe(before)
  })

  it('refuses several epochs without a ratio, and groups of one', () => {
    expect(() => rloo({ epochs: 2 })).toThrow('more than one epoch needs ratio')
    expect(() => rloo({ group: 1 })).toThrow()
  })

  it('learns CartPole: the mean of 100 doubles within 400 episodes', async () => {
    const events = await lastValueFrom(
      train<Float32Array, number>({
        env: 'CartPole-v1',
        agent: (start) => mlpPolicy({ ...start, hidden: [32] }),
        algorithm: rloo({ group: 4, groupsPerUpdate: 2, normalizeAdvantages: true, learningRate: 0.01 }),
        budget: { episodes: 400 },
        seed: 1,
      }).pipe(toArray()),
    )
    const means = events.flatMap((event) => (event.type === 'update' ? [event.meanReturn] : []))
    expect(means.at(-1)).toBeGreaterThan(2 * means[0]!)
  })
})
