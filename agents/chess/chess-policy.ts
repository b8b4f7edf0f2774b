import { z } from 'zod'
import type { ChessObservation } from '../../envs/chess/chess.js'
import type { PCG64 } from '../../envs/seeding.js'
import { Box } from '../../envs/spaces/box.js'
import { Dict } from '../../envs/spaces/dict.js'
import type { Space } from '../../envs/spaces/space.js'
import { BackendError } from '../../tensors/backend-error.js'
import * as tf from '../../tensors/tf.js'
import type { ActContext, Decision } from '../agent.js'
import { differentiate } from '../differentiate.js'
import { Network } from '../mlp/network.js'
import type { FrozenPolicy, Policy } from '../policy.js'
import { expectChess } from './expect-chess.js'
import { MOVE_FEATURES, MoveReader, PER_MOVE } from './move-features.js'

/** The network's fields, as a configuration gives them. */
export const chessConfig = z.strictObject({
  hidden: z.array(z.int().positive()).min(1).default([256, 128]).describe('units of each hidden layer'),
  valueHead: z.boolean().default(false).describe('one more output that estimates returns'),
})

export interface ChessPolicyOptions extends Partial<z.infer<typeof chessConfig>> {
  /** `make('Chess-v1', …).observationSpace`: of 13 or of 111 planes. */
  readonly observationSpace: Space<ChessObservation>
  /** Draws the first weights. */
  readonly generator: PCG64
}

/**
 * A chess player of fully connected layers whose outputs are worths of what moves are made of: which man leaves which
 * square, which comes to which, which takes which, how near the other's king it comes, what a pawn becomes. A move's logit
 * is the sum of its parts' worths in this position, and the softmax goes over the legal moves only. So what is learned of
 * one move (a queen is worth taking, with any man, anywhere) holds for all that share the part.
 *
 * It acts and learns in tensors, a batch at a time: for 64 games they are about 4 times as fast as typed arrays row by row,
 * measured by `rxgym bench chess` (its row chess-batching).
 *
 * Parameters: `policy/<layer>/kernel|bias`, of the last layer's outputs {@link MOVE_FEATURES} for moves, then one for the value.
 *
 * @throws RangeError if the observations are not a chess board's
 * @throws BackendError on `webgpu`: its moves are scored in numbers that are read within the gradient, which cannot wait there
 */
export function chessPolicy(options: ChessPolicyOptions): Policy<ChessObservation, number> {
  if (tf.getBackend() === 'webgpu') {
    const wayOut = "a chess policy needs wasm (--backend wasm, useBackend('wasm'))"
    throw new BackendError(`chessPolicy: webgpu serves language models and perceptrons; ${wayOut}`)
  }
  const { hidden, valueHead } = chessConfig.parse({ hidden: options.hidden, valueHead: options.valueHead })
  const inputs = inputsOf(options.observationSpace)
  const outputs = MOVE_FEATURES + (valueHead ? 1 : 0)
  const network = new Network([inputs, ...hidden, outputs], 'relu', 'orthogonal', 0.01, options.generator)
  const parameters = network.parameters('policy')
  const reader = new MoveReader()
  let closed = false

  /** [rows, inputs] */
  function boards(observations: readonly ChessObservation[]): tf.Tensor2D {
    const x = new Float32Array(observations.length * inputs)
    for (let i = 0; i < observations.length; i++) {
      const { planes } = observations[i]!
      if (planes?.length !== inputs) refuse(observations[i])
      x.set(planes, i * inputs)
    }
    return tf.tensor2d(x, [observations.length, inputs])
  }

  function refuse(observation: unknown): never {
    expectChess('chessPolicy', observation)
    const [shown, own] = [observation.planes.length / 64, inputs / 64]
    throw new TypeError(
      `chessPolicy: this one sees ${own} planes; it was shown ${shown}. Make the environment with planes: ${own}`,
    )
  }

  /** [rows · outputs] */
  function scoresOf(forward: Forward, observations: readonly ChessObservation[]): Float32Array {
    // Out of the tidy as a tensor: of an array it would look at every number.
    const tensor = tf.tidy(() => forward(boards(observations)))
    const scores = tensor.dataSync() as Float32Array
    tensor.dispose()
    return scores
  }

  function act(
    forward: Forward,
    observations: readonly ChessObservation[],
    { greedy, generators }: ActContext,
  ): Decision<number>[] {
    const scores = scoresOf(forward, observations)
    return observations.map((observation, i) => {
      reader.read(observation)
      const moves = distribution(reader, scores, i * outputs)
      const choice = greedy ? likeliest(moves) : drawn(moves, generators[i]!)
      const action = reader.actions[choice]!
      const logProb = moves.logProbs[choice]!
      if (!Number.isFinite(logProb)) throw new RangeError('the scores of the moves are not finite')
      return { action, choices: [action], logProbs: [logProb] }
    })
  }

  return {
    parameters,
    hasValues: valueHead,
    act: (observations, context) => act((x) => network.forward(x), observations, context),
    differentiate: async ({ observations, decisions }, loss) =>
      differentiate(parameters, () => {
        const scores = network.forward(boards(observations))
        const [logProbs, entropies] = choiceScores(scores, observations, decisions, reader)
        const values = valueHead
          ? { values: tf.reshape(tf.slice(scores, [0, MOVE_FEATURES], [-1, 1]), [-1]) as tf.Tensor1D }
          : {}
        return loss({ logProbs, entropies, ...values })
      }),
    decisionFor(observation, action) {
      reader.read(observation)
      const decision = { action, choices: [action], logProbs: [0] }
      chosenMove(reader, decision, 0)
      return decision
    },
    refresh: async () => {},
    freeze(): FrozenPolicy<ChessObservation, number> {
      const frozen = network.freeze()
      return {
        act: (observations, context) => act(frozen.forward, observations, context),
        async logProbs({ observations, decisions }) {
          const scores = scoresOf(frozen.forward, observations)
          return Float32Array.from(observations, (observation, i) => {
            reader.read(observation)
            const moves = distribution(reader, scores, i * outputs)
            return moves.logProbs[chosenMove(reader, decisions[i]!, i)]!
          })
        },
        close: () => frozen.dispose(),
      }
    },
    close() {
      if (closed) return
      closed = true
      network.dispose()
    },
  }
}

type Forward = (x: tf.Tensor2D) => tf.Tensor2D

function inputsOf(space: Space<ChessObservation>): number {
  const planes = space instanceof Dict ? (space.spaces as Record<string, Space>).planes : undefined
  if (planes instanceof Box && planes.shape.length === 3 && [13, 111].includes(planes.shape[2]!))
    return 64 * planes.shape[2]!
  throw new RangeError(`chessPolicy: an observation of ${space} is no chess board; use Chess-v1's`)
}

/** Softmax over one position's legal moves. */
interface Moves {
  readonly count: number
  readonly probabilities: Float64Array
  readonly logProbs: Float64Array
}

const probabilities = new Float64Array(512)
const logProbs = new Float64Array(512)

/** Of the position that was read; NaN where a score is not finite. The result is written over by the next call. */
function distribution({ count, features }: MoveReader, scores: Float32Array, row: number): Moves {
  let max = Number.NEGATIVE_INFINITY
  for (let m = 0; m < count; m++) {
    const at = m * PER_MOVE
    let logit = 0
    for (let f = at; f < at + PER_MOVE; f++) if (features[f]! >= 0) logit += scores[row + features[f]!]!
    logProbs[m] = logit
    if (logit > max) max = logit
  }
  let sum = 0
  for (let m = 0; m < count; m++) sum += Math.exp(logProbs[m]! - max)
  const normaliser = max + Math.log(sum)
  for (let m = 0; m < count; m++) {
    logProbs[m] = logProbs[m]! - normaliser
    probabilities[m] = Math.exp(logProbs[m]!)
  }
  return { count, probabilities, logProbs }
}

/** Which of the moves that were read a decision took. */
function chosenMove({ actions, count }: MoveReader, { choices }: Decision<number>, row: number): number {
  for (let m = 0; m < count; m++) if (actions[m] === choices[0]) return m
  throw new RangeError(`action ${choices[0]} of row ${row} is not legal in its observation`)
}

function drawn({ count, probabilities }: Moves, generator: PCG64): number {
  let left = generator.random()
  for (let m = 0; m < count; m++) {
    left -= probabilities[m]!
    if (left < 0) return m
  }
  return count - 1
}

function likeliest({ count, logProbs }: Moves): number {
  let best = 0
  for (let m = 1; m < count; m++) if (logProbs[m]! > logProbs[best]!) best = m
  return best
}

/**
 * [rows, outputs] → log-probability of each row's decision, and entropy of each row's softmax. In plain numbers, with its
 * own gradient: a few dozen moves of 4,672 count in each row, and gathering them has no gradient on every backend.
 * ∂ log π_c / ∂ z_m = [m = c] − π_m,  ∂ H / ∂ z_m = −π_m (log π_m + H); a move's logit is the sum of its features'.
 */
function choiceScores(
  scores: tf.Tensor2D,
  observations: readonly ChessObservation[],
  decisions: readonly Decision<number>[],
  reader: MoveReader,
): [tf.Tensor1D, tf.Tensor1D] {
  const rows = observations.length
  const [, outputs] = scores.shape
  let firsts: Int32Array
  let features: Int16Array
  let slopes: Float64Array
  let surprises: Float64Array
  const both = tf.customGrad((input) => {
    const z = (input as tf.Tensor2D).dataSync() as Float32Array
    const out = new Float32Array(2 * rows)
    firsts = new Int32Array(rows + 1)
    features = new Int16Array(rows * 64 * PER_MOVE)
    slopes = new Float64Array(rows * 64)
    surprises = new Float64Array(rows * 64)
    for (let i = 0; i < rows; i++) {
      reader.read(observations[i]!)
      const moves = distribution(reader, z, i * outputs)
      const first = firsts[i]!
      const end = first + moves.count
      firsts[i + 1] = end
      if (end > slopes.length) {
        features = grown(features, Int16Array, end * PER_MOVE * 2)
        slopes = grown(slopes, Float64Array, end * 2)
        surprises = grown(surprises, Float64Array, end * 2)
      }
      features.set(reader.features.subarray(0, moves.count * PER_MOVE), first * PER_MOVE)
      let entropy = 0
      for (let m = 0; m < moves.count; m++) entropy -= moves.probabilities[m]! * moves.logProbs[m]!
      const chosen = chosenMove(reader, decisions[i]!, i)
      for (let m = 0; m < moves.count; m++) {
        const p = moves.probabilities[m]!
        slopes[first + m] = (m === chosen ? 1 : 0) - p
        surprises[first + m] = -p * (moves.logProbs[m]! + entropy)
      }
      out[i] = moves.logProbs[chosen]!
      out[rows + i] = entropy
    }
    const gradFunc = (dy: tf.Tensor) => {
      const slope = dy.dataSync() as Float32Array
      const gradient = new Float32Array(rows * outputs)
      for (let i = 0; i < rows; i++) {
        const row = i * outputs
        const ofLogProb = slope[i]!
        const ofEntropy = slope[rows + i]!
        for (let m = firsts[i]!; m < firsts[i + 1]!; m++) {
          const g = ofLogProb * slopes[m]! + ofEntropy * surprises[m]!
          const at = m * PER_MOVE
          for (let f = at; f < at + PER_MOVE; f++) {
            const feature = features[f]!
            if (feature >= 0) gradient[row + feature] = gradient[row + feature]! + g
          }
        }
      }
      return tf.tensor2d(gradient, [rows, outputs])
    }
    return { value: tf.tensor1d(out), gradFunc }
  })(scores) as tf.Tensor1D
  return [tf.slice(both, [0], [rows]), tf.slice(both, [rows], [rows])]
}

function grown<T extends Int16Array | Float64Array>(array: T, Kind: new (size: number) => T, size: number): T {
  const larger = new Kind(size)
  larger.set(array)
  return larger
}
