import fc from 'fast-check'
import { lastValueFrom, toArray } from 'rxjs'
import { beforeAll, describe, expect, expectTypeOf, it } from 'vitest'
import type { ActContext, Decision } from '../../../agents/agent.js'
import { mlpPolicy } from '../../../agents/mlp/mlp-policy.js'
import type { Policy } from '../../../agents/policy.js'
import { episodes } from '../../../algorithms/episodes.js'
import { reinforce } from '../../../algorithms/reinforce.js'
import { PCG64 } from '../../../envs/seeding.js'
import { Box } from '../../../envs/spaces/box.js'
import { Dict } from '../../../envs/spaces/dict.js'
import { Discrete } from '../../../envs/spaces/discrete.js'
import { MultiBinary } from '../../../envs/spaces/multi-binary.js'
import { assign } from '../../../tensors/adam.js'
import { useBackend } from '../../../tensors/backend.js'
import * as tf from '../../../tensors/tf.js'
import { TicTacToe, type TicTacToeObservation } from '../../envs/tic-tac-toe.js'

const plain = new Box({ low: -Infinity, high: Infinity, shape: [3] })
const masked = new Dict({ x: plain, actionMask: new Box({ low: 0, high: 1, shape: [4], dtype: 'uint8' }) })

const context = (n: number, generator: PCG64, greedy = false): ActContext => ({
  greedy,
  generators: new Array(n).fill(generator),
  seats: new Array(n).fill(0),
  episodes: new Array(n).fill(0),
})

const act = <O, A>(policy: Policy<O, A>, observations: readonly O[], generator = new PCG64(1), greedy = false) =>
  policy.act(observations, context(observations.length, generator, greedy)) as readonly Decision<A>[]

/** As `act`, also of a network so large that it acts in tensors. */
const decided = async <O, A>(
  policy: Policy<O, A>,
  observations: readonly O[],
  generator = new PCG64(1),
  greedy = false,
) => policy.act(observations, context(observations.length, generator, greedy))

const rows = (n: number, seed = 0) => {
  const generator = new PCG64(seed)
  return Array.from({ length: n }, () => Float32Array.from({ length: 3 }, () => generator.normal()))
}

/** What learning makes of recorded decisions. */
async function outputsOf<O, A>(policy: Policy<O, A>, observations: readonly O[], decisions: readonly Decision<A>[]) {
  const read: { logProbs: Float32Array; entropies: Float32Array; values?: Float32Array } = {} as never
  const { loss, gradients } = await policy.differentiate({ observations, decisions }, (outputs) => {
    read.logProbs = outputs.logProbs.dataSync() as Float32Array
    read.entropies = outputs.entropies.dataSync() as Float32Array
    if (outputs.values) read.values = outputs.values.dataSync() as Float32Array
    return outputs.values
      ? tf.add(tf.sum(outputs.logProbs), tf.sum(tf.square(outputs.values)))
      : tf.sum(outputs.logProbs)
  })
  tf.dispose([loss, gradients])
  return read
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, within = 1e-5): void {
  expect(actual.length).toBe(expected.length)
  for (let i = 0; i < expected.length; i++) {
    expect(Math.abs(actual[i]! - expected[i]!)).toBeLessThanOrEqual(within * Math.max(1, Math.abs(expected[i]!)))
  }
}

/** Moves the weights away from a start that is close to uniform. */
async function shake(
  policy: { parameters: Policy['parameters']; refresh(): Promise<void> },
  by: number,
): Promise<void> {
  const generator = new PCG64(9)
  for (const variable of Object.values(policy.parameters)) {
    assign(
      variable,
      (variable.dataSync() as Float32Array).map((x) => x + by * generator.normal()),
    )
  }
  await policy.refresh()
}

beforeAll(() => useBackend('wasm'))

describe('mlpPolicy: acting and learning agree to 1e-5', () => {
  const shapes = [
    ['relu', 'orthogonal'],
    ['tanh', 'glorot'],
    ['tanh', 'fan-in'],
  ] as const

  it.each(shapes)('on categorical log-probabilities (%s, %s)', async (activation, initialisation) => {
    const policy = mlpPolicy({
      observationSpace: plain,
      actionSpace: new Discrete(4, { start: 7 }),
      generator: new PCG64(0),
      hidden: [16, 8],
      activation,
      initialisation,
      valueNetwork: true,
    })
    await shake(policy, 0.5)
    const observations = rows(200)
    const decisions = act(policy, observations)
    const learned = await outputsOf(policy, observations, decisions)
    expectClose(
      learned.logProbs,
      decisions.map(({ logProbs }) => logProbs[0]!),
    )
    expect(learned.values).toHaveLength(200)
    for (const { action, choices } of decisions) expect(action).toBe(choices[0]! + 7)
    policy.close()
  })

  it('under masks, where what is not allowed is never drawn', async () => {
    const policy = mlpPolicy({ observationSpace: masked, actionSpace: new Discrete(4), generator: new PCG64(0) })
    await shake(policy, 0.5)
    const generator = new PCG64(3)
    const observations = rows(300).map((x) => {
      const actionMask = Uint8Array.from({ length: 4 }, () => generator.integers(0, 2))
      actionMask[generator.integers(0, 4)] = 1
      return { x, actionMask }
    })
    type Observation = Parameters<typeof policy.act>[0][number]
    const seen = observations as unknown as Observation[]
    const decisions = act(policy, seen)
    decisions.forEach(({ action }, i) => {
      expect(observations[i]!.actionMask[action]).toBe(1)
    })
    act(policy, seen, new PCG64(1), true).forEach(({ action }, i) => {
      expect(observations[i]!.actionMask[action]).toBe(1)
    })
    const { logProbs, entropies } = await outputsOf(policy, seen, decisions)
    expectClose(
      logProbs,
      decisions.map((decision) => decision.logProbs[0]!),
    )
    entropies.forEach((entropy, i) => {
      const legal = observations[i]!.actionMask.reduce((sum, each) => sum + each, 0)
      expect(entropy).toBeGreaterThanOrEqual(0)
      expect(entropy).toBeLessThanOrEqual(Math.log(legal) + 1e-5)
    })
    policy.close()
  })

  it('on Gaussian log-densities, whose actions stay in their Box', async () => {
    const actionSpace = new Box({ low: [-0.5, -1], high: [0.5, 1] })
    const policy = mlpPolicy({ observationSpace: plain, actionSpace, generator: new PCG64(0), hidden: [8] })
    await shake(policy, 0.5)
    const observations = rows(200)
    const decisions = act(policy, observations)
    for (const { action } of decisions) expect(actionSpace.contains(action)).toBe(true)
    const { logProbs, entropies } = await outputsOf(policy, observations, decisions)
    expectClose(
      logProbs,
      decisions.flatMap((decision) => Array.from(decision.logProbs)),
    )
    const logStd = policy.parameters['policy/logStd']!.dataSync()
    expectClose(
      entropies.slice(0, 2),
      Array.from(logStd, (s) => s + 0.5 * Math.log(2 * Math.PI * Math.E)),
    )
    policy.close()
  })
})

describe('mlpPolicy: a network so large that it acts in tensors', () => {
  const largePolicy = async (actionSpace: Discrete) => {
    const policy = mlpPolicy({ observationSpace: plain, actionSpace, generator: new PCG64(0), hidden: [512, 512] })
    await shake(policy, 0.05)
    return policy
  }

  it('acts as it learns, and scores so when frozen', async () => {
    const policy = await largePolicy(new Discrete(4))
    const observations = rows(50)
    const decisions = await decided(policy, observations)
    const recorded = decisions.map(({ logProbs }) => logProbs[0]!)
    expectClose((await outputsOf(policy, observations, decisions)).logProbs, recorded)
    const frozen = policy.freeze()
    expectClose(await frozen.logProbs({ observations, decisions }), recorded)
    frozen.close()
    policy.close()
  })

  it('decides the same, bit for bit, however many rows are decided together', async () => {
    const policy = await largePolicy(new Discrete(4))
    const observations = rows(64)
    const contextOf = (from: number, n: number) => ({
      ...context(n, new PCG64(0)),
      generators: Array.from({ length: n }, (_, i) => new PCG64(from + i)),
    })
    const together = await policy.act(observations, contextOf(0, 64))
    for (const size of [1, 7]) {
      const apart: Decision<number>[] = []
      for (let i = 0; i < 64; i += size) {
        const part = observations.slice(i, i + size)
        apart.push(...(await policy.act(part, contextOf(i, part.length))))
      }
      expect(apart).toEqual(together)
    }
    policy.close()
  })

  it('refuses weights that are not numbers', async () => {
    const policy = await largePolicy(new Discrete(4))
    await shake(policy, Number.NaN)
    const before = tf.memory().numTensors
    await expect(decided(policy, rows(2))).rejects.toThrow('not finite')
    expect(tf.memory().numTensors).toBe(before)
    policy.close()
  })
})

describe('mlpPolicy: sampling', () => {
  it('draws actions as often as their probability says', async () => {
    const policy = mlpPolicy({ observationSpace: plain, actionSpace: new Discrete(4), generator: new PCG64(0) })
    await shake(policy, 0.5)
    const observation = rows(1)[0]!
    const n = 20_000
    const counts = new Float64Array(4)
    const probabilities = new Float64Array(4)
    for (const { action, logProbs } of act(policy, new Array(n).fill(observation), new PCG64(5))) {
      counts[action]!++
      probabilities[action] = Math.exp(logProbs[0]!)
    }
    expect(probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 6)
    const chiSquare = counts.reduce((sum, count, a) => {
      const expected = n * probabilities[a]!
      return sum + (count - expected) ** 2 / expected
    }, 0)
    expect(chiSquare).toBeLessThan(16.27) // 3 degrees of freedom, p = 0.001
    const [greedy] = act(policy, [observation], new PCG64(5), true)
    expect(probabilities[greedy!.action]).toBe(Math.max(...probabilities))
    policy.close()
  })

  it('does not depend on what else is in the batch', async () => {
    const policy = mlpPolicy({ observationSpace: plain, actionSpace: new Discrete(4), generator: new PCG64(0) })
    const observations = rows(5)
    const together = policy.act(observations, {
      ...context(5, new PCG64(0)),
      generators: observations.map((_, i) => new PCG64(i)),
    }) as readonly Decision<number>[]
    expect(observations.map((each, i) => act(policy, [each], new PCG64(i))[0])).toEqual(together)
    policy.close()
  })

  it('refuses weights that are not numbers', async () => {
    const policy = mlpPolicy({ observationSpace: plain, actionSpace: new Discrete(4), generator: new PCG64(0) })
    await shake(policy, Number.NaN)
    expect(() => act(policy, rows(1))).toThrow('not finite')
    policy.close()
  })
})

describe('mlpPolicy: first weights', () => {
  const kernelOf = (
    sizes: { inputs: number; hidden: number },
    initialisation: 'orthogonal' | 'glorot' | 'fan-in',
    seed = 0,
  ) => {
    const policy = mlpPolicy({
      observationSpace: new Box({ low: -1, high: 1, shape: [sizes.inputs] }),
      actionSpace: new Discrete(2),
      generator: new PCG64(seed),
      hidden: [sizes.hidden],
      initialisation,
    })
    const kernel = Array.from(policy.parameters['policy/0/kernel']!.dataSync())
    const bias = Array.from(policy.parameters['policy/0/bias']!.dataSync())
    policy.close()
    return { kernel, bias }
  }
  const sizes = fc.record({ inputs: fc.integer({ min: 1, max: 12 }), hidden: fc.integer({ min: 1, max: 12 }) })

  it('orthogonal ones are orthonormal times √2, by row or column, whichever are fewer', () => {
    fc.assert(
      fc.property(sizes, fc.nat(1e6), (shape, seed) => {
        const { kernel } = kernelOf(shape, 'orthogonal', seed)
        const { inputs, hidden } = shape
        const at = (i: number, o: number) => kernel[i * hidden + o]!
        const [count, length] = inputs <= hidden ? [inputs, hidden] : [hidden, inputs]
        for (let a = 0; a < count; a++) {
          for (let b = 0; b < count; b++) {
            let dot = 0
            for (let i = 0; i < length; i++) dot += inputs <= hidden ? at(a, i) * at(b, i) : at(i, a) * at(i, b)
            expect(dot).toBeCloseTo(a === b ? 2 : 0, 4)
          }
        }
      }),
      { numRuns: 50 },
    )
  })

  it.each([
    ['glorot', Math.sqrt(6 / 60), 0],
    ['fan-in', 1 / Math.sqrt(20), 1 / Math.sqrt(20)],
  ] as const)('%s ones fill their bounds', (initialisation, bound, biasBound) => {
    const { kernel, bias } = kernelOf({ inputs: 20, hidden: 40 }, initialisation)
    expect(Math.max(...kernel.map(Math.abs))).toBeLessThanOrEqual(bound * (1 + 1e-6))
    expect(Math.max(...kernel.map(Math.abs))).toBeGreaterThan(bound * 0.95)
    expect(Math.max(...bias.map(Math.abs))).toBeLessThanOrEqual(biasBound * (1 + 1e-6))
  })

  it('are decided by the generator', () => {
    const shape = { inputs: 4, hidden: 8 }
    expect(kernelOf(shape, 'orthogonal')).toEqual(kernelOf(shape, 'orthogonal'))
    expect(kernelOf(shape, 'orthogonal', 1)).not.toEqual(kernelOf(shape, 'orthogonal'))
  })
})

describe('mlpPolicy: learning', () => {
  it('its gradient is that of finite differences', async () => {
    await useBackend('cpu')
    const policy = mlpPolicy({
      observationSpace: plain,
      actionSpace: new Discrete(3),
      generator: new PCG64(0),
      hidden: [5],
      initialisation: 'fan-in',
      valueNetwork: true,
    })
    const observations = rows(6)
    const decisions = act(policy, observations)
    const lossOf = () =>
      policy.differentiate({ observations, decisions }, ({ logProbs, entropies, values }) =>
        tf.add(tf.add(tf.mean(logProbs), tf.mean(entropies)), tf.mean(tf.square(values!))),
      )
    const { gradients } = await lossOf()
    expect(Object.keys(gradients)).toEqual(Object.keys(policy.parameters))
    for (const [name, variable] of Object.entries(policy.parameters)) {
      const start = Float32Array.from(variable.dataSync() as Float32Array)
      for (const i of [0, start.length - 1]) {
        const at = async (x: number) => {
          assign(variable, start.with(i, x))
          return (await lossOf()).loss.dataSync()[0]!
        }
        const h = 1e-2
        const slope = ((await at(start[i]! + h)) - (await at(start[i]! - h))) / (2 * h)
        expect(gradients[name]!.dataSync()[i]).toBeCloseTo(slope, 3)
        assign(variable, start)
      }
    }
    policy.close()
    await useBackend('wasm')
  })

  it('what is frozen keeps its log-probabilities when the policy moves on', async () => {
    for (const actionSpace of [new Discrete(3), new Box({ low: -1, high: 1, shape: [2] })]) {
      const policy = mlpPolicy<Float32Array, unknown>({
        observationSpace: plain as never,
        actionSpace: actionSpace as never,
        generator: new PCG64(0),
      })
      const observations = rows(20)
      const decisions = act(policy, observations)
      const recorded = decisions.flatMap(({ logProbs }) => Array.from(logProbs))
      const frozen = policy.freeze()
      expectClose(await frozen.logProbs({ observations, decisions }), recorded)
      await shake(policy, 0.5)
      expectClose(await frozen.logProbs({ observations, decisions }), recorded)
      expect(Array.from((await outputsOf(policy, observations, decisions)).logProbs)).not.toEqual(recorded)
      frozen.close()
      policy.close()
    }
  })

  it.each([
    ['small, categorical', new Discrete(3), [16]],
    ['small, Gaussian', new Box({ low: -1, high: 1, shape: [2] }), [16]],
    ['large, categorical', new Discrete(3), [512, 512]],
    ['large, Gaussian', new Box({ low: -1, high: 1, shape: [2] }), [512, 512]],
  ])(
    'what is frozen goes on acting as the policy did, also when that is closed: %s',
    async (_, actionSpace, hidden) => {
      const before = tf.memory().numTensors
      const policy = mlpPolicy<Float32Array, unknown>({
        observationSpace: plain as never,
        actionSpace: actionSpace as never,
        generator: new PCG64(0),
        hidden,
      })
      await shake(policy, 0.1)
      const observations = rows(20)
      const frozen = policy.freeze()
      const actFrozen = (greedy: boolean) => frozen.act(observations, context(20, new PCG64(1), greedy))
      const drawn = await decided(policy, observations)
      const greedy = await decided(policy, observations, new PCG64(1), true)
      expect(await actFrozen(false)).toEqual(drawn)
      await shake(policy, 0.5)
      expect(await decided(policy, observations)).not.toEqual(drawn)
      expect(await actFrozen(false)).toEqual(drawn)
      policy.close()
      expect(await actFrozen(false)).toEqual(drawn)
      expect(await actFrozen(true)).toEqual(greedy)
      frozen.close()
      frozen.close()
      expect(tf.memory().numTensors).toBe(before)
    },
  )

  it('close frees every tensor, also called twice', async () => {
    const before = tf.memory().numTensors
    for (const actionSpace of [new Discrete(3), new Box({ low: -1, high: 1, shape: [2] })]) {
      const policy = mlpPolicy<Float32Array, unknown>({
        observationSpace: plain as never,
        actionSpace: actionSpace as never,
        generator: new PCG64(0),
        valueNetwork: true,
      })
      const held = tf.memory().numTensors
      const observations = rows(4)
      await outputsOf(policy, observations, act(policy, observations))
      expect(tf.memory().numTensors).toBe(held)
      policy.close()
      policy.close()
    }
    expect(tf.memory().numTensors).toBe(before)
  })

  it('REINFORCE moves a Gaussian to where the reward is', async () => {
    const actionSpace = new Box({ low: -2, high: 2, shape: [1] })
    const observationSpace = new Box({ low: -1, high: 1, shape: [1] })
    const policy = mlpPolicy({ observationSpace, actionSpace, generator: new PCG64(0), hidden: [8] })
    const learner = reinforce({ baseline: 'moving-average', learningRate: 0.03 }).start(policy)
    const observation = Float32Array.of(1)
    const generator = new PCG64(4)
    for (let update = 0; update < 80; update++) {
      const decisions = act(policy, new Array<Float32Array>(32).fill(observation), generator)
      await learner.update(
        decisions.map((decision, index) => ({
          index,
          group: index,
          seed: 0,
          observations: [observation, observation],
          agents: [policy],
          decisions: [decision],
          seats: [0],
          rewards: [[-Math.abs(Number(decision.action[0]) - 0.8)]],
          length: 1,
          terminated: true,
          truncated: false,
          info: {},
        })),
      )
    }
    const [best] = act(policy, [observation], generator, true)
    expect(Math.abs(Number(best!.action[0]) - 0.8)).toBeLessThan(0.3)
    learner.close()
    policy.close()
  })

  it('plays both seats of tic-tac-toe under its masks', async () => {
    const { observationSpace, actionSpace } = new TicTacToe()
    const policy = mlpPolicy<TicTacToeObservation, number>({
      observationSpace: observationSpace as never,
      actionSpace,
      generator: new PCG64(0),
    })
    const played = await lastValueFrom(
      episodes({ env: () => new TicTacToe(), agents: policy, seed: 0, count: 20, parallel: 4 }).pipe(toArray()),
    )
    expect(played).toHaveLength(20)
    policy.close()
  })

  it('refuses spaces it has no row or distribution for', () => {
    const generator = new PCG64(0)
    expect(() => mlpPolicy({ observationSpace: new MultiBinary(3), actionSpace: new Discrete(2), generator })).toThrow(
      'has no row of numbers',
    )
    expect(() => mlpPolicy({ observationSpace: plain, actionSpace: new MultiBinary(3), generator })).toThrow(
      'no distribution for actions',
    )
  })
})

it('a policy has the types of its spaces', () => {
  expectTypeOf(mlpPolicy<Float32Array, number>).returns.toEqualTypeOf<Policy<Float32Array, number>>()
})
