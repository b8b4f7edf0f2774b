import { lastValueFrom, toArray } from 'rxjs'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { mlpPolicy } from '../../agents/mlp/mlp-policy.js'
import { NonFiniteError } from '../../algorithms/algorithm.js'
import { type ReinforceConfig, reinforce } from '../../algorithms/reinforce.js'
import '../../envs/classic-control/cart-pole.js'
import { train } from '../../experiments/train.js'
import { useBackend } from '../../tensors/backend.js'
import * as tf from '../../tensors/tf.js'
import { criticOf, episodeOf, policyGradient, type TinyPolicy, tinyPolicy, watched } from './learning.js'

const xs = [0.5, -1, 2]
const actions = [0, 1, 1]
const rewards = [1, 0, 3]
const gamma = 0.9
const G = [1 + gamma * gamma * 3, gamma * 3, 3]
const meanG = (G[0]! + G[1]! + G[2]!) / 3

let inner: TinyPolicy

beforeAll(() => useBackend('wasm'))
beforeEach(() => {
  inner = tinyPolicy({ valueNetwork: true })
})
afterEach(() => inner.close())

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expected.forEach((value, i) => {
    expect(actual[i]).toBeCloseTo(value, 5)
  })
}

async function firstGradient(options: Partial<ReinforceConfig>) {
  const { policy, gradients } = watched(inner)
  const learner = reinforce({ gamma, ...options }).start(policy)
  const episode = episodeOf(inner, 0, 0, xs, actions, rewards)
  const before = tinyPolicy({ valueNetwork: true }) // the same weights
  const metrics = await learner.update([episode])
  learner.close()
  return { gradient: gradients[0]!, metrics, before }
}

describe('reinforce: its first gradient is the one by hand', () => {
  const whitened = (values: readonly number[]) => {
    const mean = values.reduce((sum, v) => sum + v, 0) / values.length
    const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length)
    return values.map((v) => (v - mean) / deviation)
  }
  it.each([
    ['without a baseline', { baseline: 'none' }, () => G],
    ['with the first batch’s mean', { baseline: 'moving-average' }, () => G.map((g) => g - meanG)],
    ['with a critic', { baseline: 'value' }, (p: TinyPolicy) => G.map((g, t) => g - criticOf(p, xs[t]!))],
    ['with whitened returns', { baseline: 'none', whiten: true }, () => whitened(G)],
  ] as const)('%s', async (_, options, advantages) => {
    const { gradient, before, metrics } = await firstGradient(options)
    const A = advantages(before)
    const { kernel, bias } = policyGradient(
      before,
      xs,
      actions,
      A.map((a) => a / 3),
    )
    expectClose(gradient['policy/0/kernel']!, kernel)
    expectClose(gradient['policy/0/bias']!, bias)
    // The critic's: 2/3 Σ (V − G) ∂V. The policy's term is constant to it.
    const errors = xs.map((x, t) => (2 / 3) * (criticOf(before, x) - G[t]!))
    expectClose(gradient['value/0/bias']!, [errors.reduce((sum, e) => sum + e, 0)])
    expectClose(gradient['value/0/kernel']!, [errors.reduce((sum, e, t) => sum + e * xs[t]!, 0)])
    expect(metrics.value_loss).toBeCloseTo(xs.reduce((sum, x, t) => sum + (criticOf(before, x) - G[t]!) ** 2, 0) / 3, 4)
    before.close()
  })

  it('an entropy bonus raises the entropy', async () => {
    const { policy } = watched(inner)
    const learner = reinforce({ baseline: 'none', entropyCoefficient: 1 }).start(policy)
    const entropies: number[] = []
    for (let i = 0; i < 30; i++) {
      entropies.push((await learner.update([episodeOf(inner, i, i, xs, actions, [0, 0, 0])])).entropy!)
    }
    expect(entropies.at(-1)).toBeGreaterThan(entropies[0]!)
    expect(entropies.at(-1)).toBeLessThanOrEqual(Math.LN2 + 1e-5)
  })
})

describe('reinforce', () => {
  it('the moving average follows the returns, and is part of its state', async () => {
    const learner = reinforce({ baseline: 'moving-average', gamma: 1, averageDecay: 0.5 }).start(inner)
    await learner.update([episodeOf(inner, 0, 0, [1], [0], [4])])
    await learner.update([episodeOf(inner, 1, 1, [1], [0], [8])])
    expect((await learner.state()).values).toMatchObject({ average: 6, updates: 2, steps: 2 })
  })

  it('a loss that is NaN is an error that leaves the parameters and the tensors as they were', async () => {
    const learner = reinforce().start(inner)
    const before = Object.values(inner.parameters).map((v) => Array.from(v.dataSync()))
    const tensors = tf.memory().numTensors
    const update = learner.update([episodeOf(inner, 0, 0, xs, actions, [1, Number.NaN, 1])])
    await expect(update).rejects.toThrow(NonFiniteError)
    await expect(update).rejects.toThrow('the loss is NaN: nothing was updated')
    expect(Object.values(inner.parameters).map((v) => Array.from(v.dataSync()))).toEqual(before)
    expect((await learner.state()).values.updates).toBe(0)
    expect(tf.memory().numTensors).toBe(tensors)
  })

  it('keeps as many tensors over 300 updates', async () => {
    const learner = reinforce({ whiten: true, entropyCoefficient: 0.1, maxGradientNorm: 1 }).start(inner)
    const episode = episodeOf(inner, 0, 0, xs, actions, rewards)
    await learner.update([episode])
    const before = tf.memory().numTensors
    for (let i = 0; i < 300; i++) await learner.update([episode])
    expect(tf.memory().numTensors).toBe(before)
  })

  it('a critic that is not there is missed at the start', () => {
    const plain = tinyPolicy()
    expect(() => reinforce({ baseline: 'value' }).start(plain)).toThrow('valueNetwork: true')
    plain.close()
  })

  it('learns CartPole: a mean of 100 above 400 within 800 episodes', async () => {
    const events = await lastValueFrom(
      train<Float32Array, number>({
        env: 'CartPole-v1',
        agent: (start) => mlpPolicy({ ...start, hidden: [32] }),
        algorithm: reinforce({
          baseline: 'none',
          whiten: true,
          learningRate: 0.02,
          schedule: { shape: 'linear', updates: 100, end: 0.02 },
          episodesPerUpdate: 8,
        }),
        budget: { episodes: 800, solved: true },
        seed: 1,
      }).pipe(toArray()),
    )
    const means = events.flatMap((event) => (event.type === 'update' ? [event.meanReturn] : []))
    expect(Math.max(...means)).toBeGreaterThan(400)
  })
})
