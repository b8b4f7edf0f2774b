import { afterAll, describe, expect, it } from 'vitest'
import { chessPolicy } from '../../../agents/chess/chess-policy.js'
import { mlpPolicy } from '../../../agents/mlp/mlp-policy.js'
import type { Algorithm } from '../../../algorithms/algorithm.js'
import { reinforce } from '../../../algorithms/reinforce.js'
import { rloo } from '../../../algorithms/rloo.js'
import '../../../index.js'
import { make } from '../../../envs/registry.js'
import { PCG64 } from '../../../envs/seeding.js'
import { type TrainOptions, train } from '../../../experiments/train.js'
import { BackendError, type BackendName, useBackend } from '../../../tensors/backend.js'
import * as tf from '../../../tensors/tf.js'

afterAll(() => useBackend('wasm'))

const cartPole = (algorithm: Algorithm): TrainOptions<Float32Array, number> => ({
  env: { ...make('CartPole-v1').spec!, maxEpisodeSteps: 20 },
  agent: (start) => mlpPolicy({ ...start, hidden: [8], valueNetwork: true }),
  algorithm,
  budget: { updates: 4 },
  seed: 2,
})
const value = reinforce({ episodesPerUpdate: 2, whiten: true, entropyCoefficient: 0.01, maxGradientNorm: 1 })
const ratios = rloo({ group: 4, groupsPerUpdate: 1, ratio: 'token', epochs: 2, klCoefficient: 0.1, klIn: 'loss' })

/** The metrics of every update. */
async function metricsOn(backend: BackendName, algorithm: Algorithm): Promise<Record<string, number>[]> {
  await useBackend(backend)
  const before = tf.memory().numTensors
  const metrics: Record<string, number>[] = []
  await train(cartPole(algorithm)).forEach((event) => {
    if (event.type === 'update') metrics.push(event.metrics)
  })
  expect(tf.memory().numTensors).toBe(before)
  return metrics
}

describe('A perceptron', () => {
  it.each([
    ['reinforce', value],
    ['rloo', ratios],
  ])('learns as on the other backends, to 1e-3: %s', async (_, algorithm) => {
    const expected = await metricsOn('wasm', algorithm)
    const actual = await metricsOn('webgpu', algorithm)
    expect(actual).toHaveLength(4)
    for (const [i, own] of actual.entries()) {
      expect(Object.keys(own)).toEqual(Object.keys(expected[i]!))
      for (const [name, number] of Object.entries(own)) {
        const other = expected[i]![name]!
        expect(Math.abs(number - other), `${name} ${number} for ${other}`).toBeLessThan(1e-3 * (1 + Math.abs(other)))
      }
    }
  })

  it('leaves no tensor behind when its run is cancelled while an update waits for the device', async () => {
    await useBackend('webgpu')
    const before = tf.memory().numTensors
    let updates = 0
    for (const turns of [0, 1, 2, 4, 8]) {
      const ended = new Promise<void>((resolve, reject) => {
        const running = train({
          ...cartPole(value),
          budget: { updates: 1000 },
          agent: (start) => {
            const policy = mlpPolicy({ ...start, hidden: [8], valueNetwork: true })
            // A run closes its policy last.
            return Object.assign(policy, { close: closing(policy.close, resolve) })
          },
        }).subscribe({
          next: async ({ type }) => {
            if (type !== 'update') return
            updates++
            for (let turn = 0; turn < turns; turn++) await new Promise((done) => setImmediate(done))
            running.unsubscribe()
          },
          error: reject,
        })
      })
      await ended
      expect(tf.memory().numTensors).toBe(before)
    }
    expect(updates).toBeGreaterThanOrEqual(5)
  })
})

function closing(close: () => void, then: () => void): () => void {
  return () => {
    close()
    then()
  }
}

it('A chess policy is refused, with the way out', async () => {
  await useBackend('webgpu')
  const { observationSpace } = make('Chess-v1')
  const made = () => chessPolicy({ observationSpace: observationSpace as never, generator: new PCG64(0) })
  expect(made).toThrow(BackendError)
  expect(made).toThrow('a chess policy needs wasm')
})
