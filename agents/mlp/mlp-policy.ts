import { z } from 'zod'
import type { PCG64 } from '../../envs/seeding.js'
import type { Space } from '../../envs/spaces/space.js'
import * as tf from '../../tensors/tf.js'
import { actionMask } from '../action-mask.js'
import type { ActContext, Decision } from '../agent.js'
import { differentiate } from '../differentiate.js'
import type { Decisions, FrozenPolicy, Policy, PolicyOutputs } from '../policy.js'
import { encoder } from './encoder.js'
import { type Head, headFor } from './head.js'
import { Network } from './network.js'

/** The network's fields, as a configuration gives them. */
export const mlpConfig = z.strictObject({
  hidden: z.array(z.int().positive()).default([64, 64]).describe('units of each hidden layer'),
  activation: z.enum(['relu', 'tanh']).default('tanh').describe('after each hidden layer'),
  initialisation: z
    .enum(['orthogonal', 'glorot', 'fan-in'])
    .default('orthogonal')
    .describe("first weights; fan-in is PyTorch's default, uniform within ±1/√inputs, biases too"),
  valueNetwork: z.boolean().default(false).describe('a second network of the same shape that estimates returns'),
})

/** Numbers in a network from which on a batch of rows in tensors is the faster way to act, whatever its dispatch costs. */
const LARGE = 2 ** 18

export interface MlpOptions<O, A> extends Partial<z.infer<typeof mlpConfig>> {
  readonly observationSpace: Space<O>
  readonly actionSpace: Space<A>
  /** Draws the first weights. */
  readonly generator: PCG64
}

/**
 * A policy of fully connected layers: categorical over `Discrete` actions, under the observation's `actionMask` where it
 * has one, or a diagonal Gaussian over `Box` actions. A small network acts in typed arrays, a large one in tensors, a
 * batch at a time; both learn in tensors.
 *
 * Parameters: `policy/<layer>/kernel|bias`, `policy/logStd` for a Gaussian, `value/<layer>/kernel|bias`.
 *
 * @example
 * const policy = mlpPolicy({ ...make('CartPole-v1'), generator: new PCG64(0), hidden: [64] })
 *
 * @throws RangeError for a space it has no encoding or distribution for
 */
export function mlpPolicy<O, A>(options: MlpOptions<O, A>): Policy<O, A> {
  const { observationSpace, actionSpace, generator } = options
  // zod would copy and check the spaces too; only the fields a configuration gives are its own.
  const { hidden, activation, initialisation, valueNetwork } = mlpConfig.parse({
    hidden: options.hidden,
    activation: options.activation,
    initialisation: options.initialisation,
    valueNetwork: options.valueNetwork,
  })
  const encode = encoder(observationSpace)
  const head = headFor(actionSpace)
  const policy = new Network([encode.size, ...hidden, head.outputs], activation, initialisation, 0.01, generator)
  const value = valueNetwork
    ? new Network([encode.size, ...hidden, 1], activation, initialisation, 1, generator)
    : undefined
  const parameters: Record<string, tf.Variable> = { ...policy.parameters('policy') }
  for (const [name, variable] of Object.entries(head.parameters)) parameters[`policy/${name}`] = variable
  Object.assign(parameters, value?.parameters('value'))
  const row = new Float32Array(encode.size)
  const large = policy.size > LARGE
  let closed = false

  /** The recorded choices of every row under the present parameters, differentiable. */
  function outputs({ observations, decisions }: Decisions<O, A>): PolicyOutputs {
    const x = inputs(observations)
    const scores = head.scores(policy.forward(x), observations.map(actionMask), decisions)
    return value ? { ...scores, values: tf.reshape(value.forward(x), [-1]) } : scores
  }

  /** Calls `use` with the outputs for each observation, which the next call may write over; a promise where they come from tensors. */
  function eachOutput(
    network: Pick<Network, 'host' | 'forward'>,
    observations: readonly O[],
    use: (outputs: Float32Array, i: number) => void,
  ): void | Promise<void> {
    if (large) return eachOutputOfTensor(network, observations, use)
    for (let i = 0; i < observations.length; i++) {
      encode.write(observations[i]!, row, 0)
      use(network.host.row(row), i)
    }
  }

  async function eachOutputOfTensor(
    network: Pick<Network, 'forward'>,
    observations: readonly O[],
    use: (outputs: Float32Array, i: number) => void,
  ): Promise<void> {
    const tensor = tf.tidy(() => network.forward(inputs(observations)))
    try {
      const all = (await tensor.data()) as Float32Array
      for (let i = 0; i < observations.length; i++) use(all.subarray(i * head.outputs, (i + 1) * head.outputs), i)
    } finally {
      tensor.dispose()
    }
  }

  function decide(
    network: Pick<Network, 'host' | 'forward'>,
    { draw }: Pick<Head<A>, 'draw'>,
    observations: readonly O[],
    { greedy, generators }: ActContext,
  ): Decision<A>[] | Promise<Decision<A>[]> {
    const decisions: Decision<A>[] = []
    const read = eachOutput(network, observations, (outputs, i) => {
      decisions.push(draw(outputs, actionMask(observations[i]!), greedy ? undefined : generators[i]))
    })
    return read ? read.then(() => decisions) : decisions
  }

  /** [rows, inputs] */
  function inputs(observations: readonly O[]): tf.Tensor2D {
    const rows = new Float32Array(observations.length * encode.size)
    for (let i = 0; i < observations.length; i++) encode.write(observations[i]!, rows, i * encode.size)
    return tf.tensor2d(rows, [observations.length, encode.size])
  }

  return {
    parameters,
    hasValues: value !== undefined,
    act: (observations, context) => decide(policy, head, observations, context),
    differentiate: async (rows, loss) => differentiate(parameters, () => loss(outputs(rows))),
    decisionFor(_, action) {
      const choices = head.choicesFor(action)
      return { action, choices, logProbs: choices.map(() => 0) }
    },
    async refresh() {
      if (!large) await policy.refresh() // what is large acts in tensors; the value network does not act at all
      await head.refresh()
    },
    freeze(): FrozenPolicy<O, A> {
      const network = policy.freeze()
      const frozen = head.frozen()
      return {
        act: (observations, context) => decide(network, frozen, observations, context),
        async logProbs({ observations, decisions }) {
          const out = new Float32Array(observations.length * head.choices)
          await eachOutput(network, observations, (outputs, i) => {
            frozen.score(outputs, actionMask(observations[i]!), decisions[i]!, out, i * head.choices)
          })
          return out
        },
        close: () => network.dispose(),
      }
    },
    close() {
      if (closed) return
      closed = true
      policy.dispose()
      value?.dispose()
      tf.dispose(Object.values(head.parameters))
    },
  }
}
