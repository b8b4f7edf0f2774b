import { product } from './product.js'
import * as tf from './tf.js'
import { type Kernels, wasmKernels } from './wasm/kernels.js'
import { gpuKernels } from './webgpu/kernels.js'
import * as onGpu from './webgpu/token-scores.js'

/** What a model says of tokens, one a row. */
export interface TokenScores {
  /** [rows] natural logarithm of the probability of the row's token. */
  readonly logProbs: tf.Tensor1D
  /** [rows] entropy of the row's distribution, in nats. */
  readonly entropies: tf.Tensor1D
  /** [rows] natural logarithm of the sum of e^logit, on a backend where the gradient uses it. */
  readonly logSums?: tf.Tensor1D
}

/** Most numbers of logits that are there at once: 64 MiB of them. */
const MOST_LOGITS = 2 ** 24

/** Numbers of logits that the kernels work on at a time: 1 MiB of them. */
const CACHED_LOGITS = 2 ** 18

/**
 * The log-probability of a token in each row, and the entropy of all, without ever holding the logits of all rows.
 *
 * @param hidden       [rows, features]
 * @param head         [vocabulary, features]: logits are hidden · headᵀ / temperature
 * @param tokens       [rows]
 * @param temperature  above 0; that of the distribution that is asked about
 * @param half         products may be of factors in half precision, where the backend has them
 */
export function tokenScores(
  hidden: tf.Tensor2D,
  head: tf.Tensor2D,
  tokens: Int32Array,
  temperature = 1,
  half = false,
): TokenScores {
  checkTokens(hidden, head, tokens)
  const gpu = gpuKernels()
  if (gpu) return onGpu.tokenScores(gpu, hidden, head, tokens, temperature, half)
  const kernels = wasmKernels()
  if (!kernels) return tokenScoresComposed(hidden, head, tokens, temperature)
  const { address } = kernels
  const [count, vocabulary] = [tokens.length, head.shape[0]]
  const logProbs = kernels.output<tf.Rank.R1>([count])
  const entropies = kernels.output<tf.Rank.R1>([count])
  inChunks(kernels, hidden, head, tokens, (logits, names, from, rows) => {
    const [own, spread] = [address(logProbs) + from * 4, address(entropies) + from * 4]
    kernels.score(rows, vocabulary, logits, 1 / temperature, names, own, spread)
  })
  return { logProbs, entropies }
}

/** {@link tokenScores} of tfjs's operations. */
export function tokenScoresComposed(
  hidden: tf.Tensor2D,
  head: tf.Tensor2D,
  tokens: Int32Array,
  temperature = 1,
): TokenScores {
  return tf.tidy(() => {
    const parts = chunks(hidden, head).map(({ rows, from, to }) => {
      const logProbs = tf.logSoftmax(logitsOf(rows, head, temperature))
      const chosen = oneHot(tokens.subarray(from, to), head)
      return {
        logProbs: tf.sum(tf.mul(logProbs, chosen), 1),
        entropies: tf.neg(tf.sum(tf.mul(tf.exp(logProbs), logProbs), 1)),
      }
    })
    return {
      logProbs: tf.concat1d(parts.map(({ logProbs }) => logProbs as tf.Tensor1D)),
      entropies: tf.concat1d(parts.map(({ entropies }) => entropies as tf.Tensor1D)),
    }
  }) as unknown as TokenScores
}

/** What comes out of {@link tokenScoresGradient}. */
export interface TokenScoresGradient {
  readonly dHidden: tf.Tensor2D
  readonly dHead: tf.Tensor2D
}

/** The gradients of {@link tokenScores}, from those of the log-probabilities and the entropies: with p the probabilities and H the
 *  entropy of a row, dlogits = (dlogProb · (chosen − p) − dentropy · p · (log p + H)) / temperature.
 *  @param half   products may be of factors in half precision, where the backend has them
 *  @param known  what {@link tokenScores} gave for the same: it need not be worked out again */
export function tokenScoresGradient(
  dLogProbs: tf.Tensor1D,
  dEntropies: tf.Tensor1D | undefined,
  hidden: tf.Tensor2D,
  head: tf.Tensor2D,
  tokens: Int32Array,
  temperature = 1,
  half = false,
  known?: TokenScores,
): TokenScoresGradient {
  checkTokens(hidden, head, tokens)
  const gpu = gpuKernels()
  if (gpu) {
    return onGpu.tokenScoresGradient(gpu, dLogProbs, dEntropies, hidden, head, tokens, temperature, half, known)
  }
  const kernels = wasmKernels()
  if (!kernels) return tokenScoresGradientComposed(dLogProbs, dEntropies, hidden, head, tokens, temperature)
  const { address } = kernels
  const [vocabulary, features] = head.shape
  const slopes = address(dLogProbs, tokens.length)
  const spreads = dEntropies ? address(dEntropies, tokens.length) : 0
  const dHidden = kernels.output<tf.Rank.R2>([tokens.length, features])
  const dHead = kernels.output<tf.Rank.R2>([vocabulary, features])
  inChunks(kernels, hidden, head, tokens, (logits, names, from, rows, scratch) => {
    const spread = spreads ? spreads + from * 4 : 0
    kernels.scoreGradient(rows, vocabulary, logits, 1 / temperature, names, slopes + from * 4, spread)
    const at = from * features * 4
    const [x, dx] = [address(hidden) + at, address(dHidden) + at]
    kernels.multiply(rows, features, vocabulary, logits, false, address(head), false, dx, 0, 0, scratch)
    const [sum, sumRow] = from > 0 ? [address(dHead), features * 4] : [0, 0]
    kernels.multiply(vocabulary, features, rows, logits, true, x, false, address(dHead), sum, sumRow, scratch)
  })
  return { dHidden, dHead }
}

/** {@link tokenScoresGradient} of tfjs's operations. */
export function tokenScoresGradientComposed(
  dLogProbs: tf.Tensor1D,
  dEntropies: tf.Tensor1D | undefined,
  hidden: tf.Tensor2D,
  head: tf.Tensor2D,
  tokens: Int32Array,
  temperature = 1,
): TokenScoresGradient {
  return tf.tidy(() => {
    let dHead: tf.Tensor2D | undefined
    const parts = chunks(hidden, head).map(({ rows, from, to }) => {
      const [part, sum] = tf.tidy(() => {
        const logProbs = tf.logSoftmax(logitsOf(rows, head, temperature))
        const p = tf.exp(logProbs)
        const column = (values: tf.Tensor1D) => tf.reshape(tf.slice1d(values, from, to - from), [to - from, 1])
        let slopes: tf.Tensor = tf.mul(column(dLogProbs), tf.sub(oneHot(tokens.subarray(from, to), head), p))
        if (dEntropies) {
          const entropies = tf.neg(tf.sum(tf.mul(p, logProbs), 1, true))
          slopes = tf.sub(slopes, tf.mul(column(dEntropies), tf.mul(p, tf.add(logProbs, entropies))))
        }
        const dLogits = (temperature === 1 ? slopes : tf.div(slopes, temperature)) as tf.Tensor2D
        const own = product(dLogits, rows, { a: true })
        return [product(dLogits, head), dHead ? tf.add(dHead, own) : own] as [tf.Tensor2D, tf.Tensor2D]
      })
      dHead?.dispose()
      dHead = sum
      return part
    })
    return { dHidden: tf.concat2d(parts, 0), dHead: dHead! }
  })
}

/** The logits of some rows at a time, in scratch memory: few enough to stay in a cache, unless the head is large.
 *  @param use  given where the logits and the rows' tokens are, the first row, how many, and more scratch memory */
function inChunks(
  kernels: Kernels,
  hidden: tf.Tensor2D,
  head: tf.Tensor2D,
  tokens: Int32Array,
  use: (logits: number, names: number, from: number, rows: number, scratch: number) => void,
): void {
  const { address } = kernels
  const [vocabulary, features] = head.shape
  const first = address(hidden, tokens.length * features)
  const most = Math.max(64, Math.min(1024, Math.floor(CACHED_LOGITS / vocabulary)))
  const size = Math.max(1, Math.min(most, tokens.length))
  const forProducts = Math.max(
    kernels.multiplyScratch(size, vocabulary, features, false),
    kernels.multiplyScratch(size, features, vocabulary, false),
    kernels.multiplyScratch(vocabulary, features, size, true),
  )
  const logitBytes = Math.ceil((size * vocabulary * 4) / 16) * 16
  const [logits, names] = kernels.scratch(logitBytes + forProducts, tokens) as [number, number]
  const scratch = logits + logitBytes
  for (let from = 0; from < Math.max(1, tokens.length); from += size) {
    const rows = Math.min(size, tokens.length - from)
    const x = first + from * features * 4
    kernels.multiply(rows, vocabulary, features, x, false, address(head), true, logits, 0, 0, scratch)
    use(logits, names + from * 4, from, rows, scratch)
  }
}

function checkTokens(hidden: tf.Tensor2D, head: tf.Tensor2D, tokens: Int32Array): void {
  if (tokens.length !== hidden.shape[0]) {
    throw new RangeError(`token scores: ${tokens.length} tokens for ${hidden.shape[0]} rows`)
  }
  const wrong = tokens.findIndex((token) => token < 0 || token >= head.shape[0])
  if (wrong < 0) return
  throw new RangeError(`token ${tokens[wrong]} at ${wrong}: the vocabulary has 0 to ${head.shape[0] - 1}`)
}

function chunks(hidden: tf.Tensor2D, head: tf.Tensor2D): { rows: tf.Tensor2D; from: number; to: number }[] {
  const count = hidden.shape[0]
  const size = Math.max(1, Math.floor(MOST_LOGITS / head.shape[0]))
  if (count <= size) return [{ rows: hidden, from: 0, to: count }]
  return Array.from({ length: Math.ceil(count / size) }, (_, i) => {
    const [from, to] = [i * size, Math.min(count, (i + 1) * size)]
    return { rows: tf.slice2d(hidden, [from, 0], [to - from, hidden.shape[1]]), from, to }
  })
}

function logitsOf(hidden: tf.Tensor2D, head: tf.Tensor2D, temperature: number): tf.Tensor2D {
  const logits = product(hidden, head, { b: true })
  return temperature === 1 ? logits : tf.div(logits, temperature)
}

/** [tokens, vocabulary] */
function oneHot(tokens: Int32Array, head: tf.Tensor2D): tf.Tensor2D {
  return tf.oneHot(tf.tensor1d(tokens, 'int32'), head.shape[0]) as tf.Tensor2D
}
