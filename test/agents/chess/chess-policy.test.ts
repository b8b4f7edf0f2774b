import { beforeAll, describe, expect, expectTypeOf, it } from 'vitest'
import type { ActContext, Agent, Decision } from '../../../agents/agent.js'
import { type ChessPolicyOptions, chessPolicy } from '../../../agents/chess/chess-policy.js'
import { MOVE_FEATURES, MoveReader, PER_MOVE } from '../../../agents/chess/move-features.js'
import type { Policy, PolicyOutputs } from '../../../agents/policy.js'
import { reinforce } from '../../../algorithms/reinforce.js'
import { Chess, type ChessObservation } from '../../../envs/chess/chess.js'
import { PCG64 } from '../../../envs/seeding.js'
import { Box } from '../../../envs/spaces/box.js'
import { assign } from '../../../tensors/adam.js'
import { useBackend } from '../../../tensors/backend.js'
import * as tf from '../../../tensors/tf.js'

type ChessDecision = Decision<number>
type Planes = 13 | 111

/** A small policy whose weights are away from a start that is close to uniform. */
function shakenPolicy(planes: Planes, options: Partial<ChessPolicyOptions> = {}): Policy<ChessObservation, number> {
  const { observationSpace } = new Chess({ planes })
  const policy = chessPolicy({ observationSpace, generator: new PCG64(0), hidden: [8, 6], ...options })
  shake(policy, 0.3)
  return policy
}

function shake({ parameters }: Pick<Policy, 'parameters'>, by: number): void {
  const generator = new PCG64(9)
  for (const variable of Object.values(parameters)) {
    const values = variable.dataSync() as Float32Array
    assign(
      variable,
      values.map((x) => x + by * generator.normal()),
    )
  }
}

/** What the movers of random games saw, game after game, from all over each. */
function positions(planes: Planes, count: number): ChessObservation[] {
  const env = new Chess({ planes, maxPlies: 90 })
  const random = new PCG64(4)
  const seen: ChessObservation[] = []
  for (let seed = 0; seen.length < count; seed++) {
    let { observation } = env.reset({ seed })
    while (!env.ending && seen.length < count) {
      if (env.moves.length % 7 === seed % 7) seen.push(observation)
      const actions = env.legalActions
      observation = env.step(actions[random.integers(0, actions.length)]!).observation
    }
  }
  return seen
}

const context = (n: number, { greedy = false, seed = 0 } = {}): ActContext => ({
  greedy,
  generators: Array.from({ length: n }, (_, i) => new PCG64(seed + i)),
  seats: new Array(n).fill(0),
  episodes: Array.from({ length: n }, (_, i) => i),
})

const act = (
  agent: Agent<ChessObservation, number>,
  observations: readonly ChessObservation[],
  settings: { greedy?: boolean; seed?: number } = {},
) => agent.act(observations, context(observations.length, settings)) as readonly ChessDecision[]

const actionsOf = ({ actionMask }: ChessObservation) => [...actionMask.keys()].filter((a) => actionMask[a] === 1)

const taking = (action: number): ChessDecision => ({ action, choices: [action], logProbs: [0] })

/** What learning makes of recorded decisions. */
async function outputsOf(
  policy: Policy<ChessObservation, number>,
  observations: readonly ChessObservation[],
  decisions: readonly ChessDecision[],
) {
  const read: Record<string, number[]> = {}
  const { loss, gradients } = await policy.differentiate({ observations, decisions }, (outputs) => {
    for (const [name, tensor] of Object.entries(outputs)) read[name] = Array.from(tensor.dataSync())
    return tf.sum(outputs.logProbs)
  })
  tf.dispose([loss, gradients as Record<string, tf.Tensor>])
  return read as { logProbs: number[]; entropies: number[]; values?: number[] }
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, within = 1e-5): void {
  expect(actual.length).toBe(expected.length)
  for (let i = 0; i < expected.length; i++) {
    expect(Math.abs(actual[i]! - expected[i]!)).toBeLessThanOrEqual(within * Math.max(1, Math.abs(expected[i]!)))
  }
}

beforeAll(() => useBackend('wasm'))

describe.each([13, 111] as const)('chessPolicy of %d planes', (planes) => {
  const observations = positions(planes, 64)

  it('acts and learns by the same probabilities, to 1e-5', async () => {
    const policy = shakenPolicy(planes)
    const decisions = act(policy, observations)
    decisions.forEach(({ action, choices }, i) => {
      expect(observations[i]!.actionMask[action]).toBe(1)
      expect(choices).toEqual([action])
    })
    const { logProbs } = await outputsOf(policy, observations, decisions)
    expectClose(
      logProbs,
      decisions.map((decision) => decision.logProbs[0]!),
    )
    policy.close()
  })

  it('gives exactly the legal moves probabilities, which sum to 1 and have the entropy it tells', async () => {
    const policy = shakenPolicy(planes)
    const frozen = policy.freeze()
    const entropies = (await outputsOf(policy, observations, act(policy, observations))).entropies
    for (const [i, observation] of observations.entries()) {
      const decisions = actionsOf(observation).map(taking)
      const rows = { observations: decisions.map(() => observation), decisions }
      const probabilities = Array.from(await frozen.logProbs(rows), Math.exp)
      expect(probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5)
      expect(entropies[i]).toBeCloseTo(
        probabilities.reduce((sum, p) => sum - p * Math.log(p), 0),
        4,
      )
      const illegal = observation.actionMask.indexOf(0)
      const refused = { observations: [observation], decisions: [taking(illegal)] }
      await expect(frozen.logProbs(refused)).rejects.toThrow(`action ${illegal} of row 0 is not legal`)
    }
    frozen.close()
    policy.close()
  })

  it('decides the same, bit for bit, however many positions are decided together, and which', () => {
    const policy = shakenPolicy(planes, { hidden: [33, 17] })
    const together = act(policy, observations)
    for (const size of [1, 7]) {
      const apart: ChessDecision[] = []
      for (let i = 0; i < observations.length; i += size) {
        apart.push(...act(policy, observations.slice(i, i + size), { seed: i }))
      }
      expect(apart).toEqual(together)
    }
    const turned = policy.act(observations.toReversed(), {
      ...context(64),
      generators: context(64).generators.toReversed(),
    }) as readonly ChessDecision[]
    expect(turned.toReversed()).toEqual(together)
    policy.close()
  })

  it('takes the likeliest move when greedy', async () => {
    const policy = shakenPolicy(planes)
    const frozen = policy.freeze()
    const greedy = act(policy, observations, { greedy: true })
    expect(act(policy, observations, { greedy: true, seed: 100 })).toEqual(greedy)
    for (const [i, observation] of observations.entries()) {
      const decisions = actionsOf(observation).map(taking)
      const logProbs = await frozen.logProbs({ observations: decisions.map(() => observation), decisions })
      expect(greedy[i]!.logProbs[0]).toBeCloseTo(Math.max(...logProbs), 5)
    }
    frozen.close()
    policy.close()
  })
})

it('chessPolicy draws moves as often as their probability says', async () => {
  const policy = shakenPolicy(13)
  const [observation] = positions(13, 1) as [ChessObservation]
  const actions = actionsOf(observation)
  const frozen = policy.freeze()
  const decisions = actions.map(taking)
  const logProbs = await frozen.logProbs({ observations: decisions.map(() => observation), decisions })
  const n = 10_000
  const counts = new Map(actions.map((action) => [action, 0]))
  const generator = new PCG64(5)
  const same = { ...context(1000), generators: new Array(1000).fill(generator) }
  for (let drawn = 0; drawn < n; drawn += 1000) {
    for (const { action } of policy.act(new Array(1000).fill(observation), same) as readonly ChessDecision[]) {
      counts.set(action, counts.get(action)! + 1)
    }
  }
  const chiSquare = actions.reduce((sum, action, i) => {
    const expected = n * Math.exp(logProbs[i]!)
    return sum + (counts.get(action)! - expected) ** 2 / expected
  }, 0)
  expect(actions).toHaveLength(20)
  expect(chiSquare).toBeLessThan(43.82) // 19 degrees of freedom, p = 0.001
  frozen.close()
  policy.close()
})

describe("chessPolicy's gradient", () => {
  const targets = positions(13, 12).map((_, i) => Math.sin(i))
  /** Weighs every row otherwise, so that none can stand for another. */
  const lossOf = ({ logProbs, entropies, values }: PolicyOutputs): tf.Scalar => {
    const weights = tf.tensor1d(targets)
    const parts = [
      tf.mean(tf.mul(logProbs, weights)),
      tf.mul(tf.mean(tf.mul(entropies, tf.square(weights))), 0.7),
      values ? tf.mean(tf.square(tf.sub(values, weights))) : tf.scalar(0),
    ]
    return tf.addN(parts) as tf.Scalar
  }

  /** The same in plain operations: logits are sums of features, by a matrix of zeros and ones. */
  function plainly(
    parameters: Policy['parameters'],
    observations: readonly ChessObservation[],
    decisions: readonly ChessDecision[],
    valueHead: boolean,
  ): PolicyOutputs {
    let x: tf.Tensor2D = tf.tensor2d(observations.map(({ planes }) => Array.from(planes)))
    for (let layer = 0; layer < 3; layer++) {
      const kernel = parameters[`policy/${layer}/kernel`] as tf.Variable<tf.Rank.R2>
      x = tf.add(tf.matMul(x, kernel), parameters[`policy/${layer}/bias`]!)
      if (layer < 2) x = tf.relu(x)
    }
    const reader = new MoveReader()
    const logProbs: tf.Tensor[] = []
    const entropies: tf.Tensor[] = []
    for (const [i, observation] of observations.entries()) {
      reader.read(observation)
      const parts = Array.from({ length: reader.count }, (_, m) => {
        const row = new Array<number>(MOVE_FEATURES).fill(0)
        for (const feature of reader.features.subarray(m * PER_MOVE, (m + 1) * PER_MOVE)) {
          if (feature >= 0) row[feature]!++
        }
        return row
      })
      const scores = tf.reshape(tf.slice(x, [i, 0], [1, MOVE_FEATURES]), [MOVE_FEATURES, 1]) as tf.Tensor2D
      const logits = tf.reshape(tf.matMul(tf.tensor2d(parts), scores), [-1])
      const each = tf.logSoftmax(logits)
      const chosen = Array.from(reader.actions.subarray(0, reader.count), (a) => +(a === decisions[i]!.action))
      logProbs.push(tf.sum(tf.mul(each, tf.tensor1d(chosen))))
      entropies.push(tf.neg(tf.sum(tf.mul(tf.exp(each), each))))
    }
    return {
      logProbs: tf.stack(logProbs) as tf.Tensor1D,
      entropies: tf.stack(entropies) as tf.Tensor1D,
      ...(valueHead && { values: tf.reshape(tf.slice(x, [0, MOVE_FEATURES], [-1, 1]), [-1]) as tf.Tensor1D }),
    }
  }

  it.each([
    [13, true],
    [13, false],
    [111, true],
  ] as const)('of %d planes is that of plain operations, and the loss too (values: %s)', async (planes, valueHead) => {
    await useBackend('cpu')
    const observations = positions(planes, targets.length)
    const policy = shakenPolicy(planes, { valueHead })
    expect(policy.hasValues).toBe(valueHead)
    const decisions = act(policy, observations)
    const { loss, gradients } = await policy.differentiate({ observations, decisions }, lossOf)
    const { value, grads } = tf.variableGrads(
      () => lossOf(plainly(policy.parameters, observations, decisions, valueHead)),
      Object.values(policy.parameters),
    )
    expectClose(loss.dataSync(), value.dataSync())
    expect(Object.keys(gradients)).toEqual(Object.keys(policy.parameters))
    for (const [name, variable] of Object.entries(policy.parameters)) {
      const expected = grads[variable.name]!.dataSync()
      expect(Math.max(...Array.from(expected, Math.abs)), name).toBeGreaterThan(1e-4)
      expectClose(gradients[name]!.dataSync(), expected)
    }
    // The other backend multiplies and adds in another order.
    await useBackend('wasm')
    const wasm = await policy.differentiate({ observations, decisions }, lossOf)
    for (const name of Object.keys(gradients)) {
      expectClose(await wasm.gradients[name]!.data(), await gradients[name]!.data())
    }
    policy.close()
  })

  it('is that of finite differences, along itself', async () => {
    await useBackend('cpu')
    const observations = positions(13, targets.length)
    const policy = shakenPolicy(13, { valueHead: true })
    const decisions = act(policy, observations)
    const differentiate = () => policy.differentiate({ observations, decisions }, lossOf)
    const { gradients } = await differentiate()
    for (const [name, variable] of Object.entries(policy.parameters)) {
      const start = Float32Array.from(variable.dataSync() as Float32Array)
      const gradient = gradients[name]!.dataSync() as Float32Array
      const norm = Math.hypot(...gradient)
      const at = async (h: number) => {
        assign(
          variable,
          start.map((x, i) => x + (h * gradient[i]!) / norm),
        )
        return (await differentiate()).loss.dataSync()[0]!
      }
      const h = 5e-4
      expect(((await at(h)) - (await at(-h))) / (2 * h) / norm, name).toBeCloseTo(1, 2)
      assign(variable, start)
    }
    policy.close()
    await useBackend('wasm')
  })
})

/** One update of a learner from one game's first moves. */
async function learn(policy: Policy<ChessObservation, number>, observations: readonly ChessObservation[]) {
  const learner = reinforce({ baseline: 'none', learningRate: 0.05 }).start(policy)
  const decisions = act(policy, observations)
  const column = decisions.map((_, i) => (i % 3) - 1)
  await learner.update([
    {
      ...{ index: 0, group: 0, seed: 0, length: decisions.length, terminated: true, truncated: false, info: {} },
      observations: [...observations, observations[0]!],
      agents: [policy],
      decisions,
      seats: decisions.map(() => 0),
      rewards: [column],
    },
  ])
  learner.close()
}

it('a frozen chessPolicy acts and scores as the policy was, when it learns and after it is closed', async () => {
  const observations = positions(13, 20)
  const policy = shakenPolicy(13, { valueHead: true })
  const frozen = policy.freeze()
  const decisions = act(policy, observations)
  const logProbs = decisions.map((decision) => decision.logProbs[0]!)
  await learn(policy, observations)
  expect(act(policy, observations)).not.toEqual(decisions)
  expect(act(frozen, observations)).toEqual(decisions)
  expectClose(await frozen.logProbs({ observations, decisions }), logProbs, 1e-6)
  policy.close()
  expect(act(frozen, observations)).toEqual(decisions)
  frozen.close()
})

it('chessPolicy holds its parameters alone, however often it acts and learns, and nothing once it is closed', async () => {
  const before = tf.memory().numTensors
  const observations = positions(13, 10)
  const policy = shakenPolicy(13, { valueHead: true })
  const held = tf.memory().numTensors
  expect(held - before).toBe(Object.keys(policy.parameters).length)
  for (let update = 0; update < 3; update++) {
    await learn(policy, observations)
    const frozen = policy.freeze()
    await frozen.logProbs({ observations, decisions: act(frozen, observations) })
    frozen.close()
    frozen.close()
    expect(tf.memory().numTensors).toBe(held)
  }
  policy.close()
  policy.close()
  expect(tf.memory().numTensors).toBe(before)
})

describe('chessPolicy refuses', () => {
  it('spaces that show no chess board', () => {
    const observationSpace = new Box({ low: 0, high: 1, shape: [8, 8, 13] }) as never
    expect(() => chessPolicy({ observationSpace, generator: new PCG64(0) })).toThrow(
      /^chessPolicy: an observation of Box.* is no chess board; use Chess-v1's$/,
    )
  })

  it('observations of other planes than its own, to act on and to learn from', async () => {
    const policy = shakenPolicy(111)
    const observations = positions(13, 1)
    const message = 'chessPolicy: this one sees 111 planes; it was shown 13. Make the environment with planes: 111'
    expect(() => act(policy, observations)).toThrow(message)
    const rows = { observations, decisions: [taking(actionsOf(observations[0]!)[0]!)] }
    await expect(policy.differentiate(rows, ({ logProbs }) => tf.sum(logProbs))).rejects.toThrow(message)
    expect(() => act(policy, [new Float32Array(4) as never])).toThrow('chessPolicy plays Chess-v1')
    policy.close()
  })

  it('recorded decisions that were not legal', async () => {
    const policy = shakenPolicy(13)
    const observations = positions(13, 2)
    const illegal = observations[1]!.actionMask.indexOf(0)
    const decisions = [...act(policy, observations.slice(0, 1)), taking(illegal)]
    const scored = policy.differentiate({ observations, decisions }, ({ logProbs }) => tf.sum(logProbs))
    await expect(scored).rejects.toThrow(`action ${illegal} of row 1 is not legal in its observation`)
    policy.close()
  })

  it('weights that are not numbers, to act by; what learning makes of them is no number', async () => {
    const policy = shakenPolicy(13)
    const observations = positions(13, 2)
    const decisions = act(policy, observations)
    shake(policy, Number.NaN)
    expect(() => act(policy, observations)).toThrow('not finite')
    expect(() => act(policy, observations, { greedy: true })).toThrow('not finite')
    expect((await outputsOf(policy, observations, decisions)).logProbs).toEqual([Number.NaN, Number.NaN])
    policy.close()
  })
})

it('its type is a policy of chess', () => {
  expectTypeOf(chessPolicy).returns.toEqualTypeOf<Policy<ChessObservation, number>>()
})
