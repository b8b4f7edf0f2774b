import { embedding, embeddingGradient } from '../../tensors/embedding.js'
import * as tf from '../../tensors/tf.js'
import { type TokenScores, tokenScores, tokenScoresGradient } from '../../tensors/token-scores.js'
import type { Differentiated, PolicyOutputs } from '../policy.js'
import { Gradients } from './gradients.js'
import { headOf } from './head.js'
import type { ModelConfig } from './model-config.js'
import { expectNoOverflow } from './overflow.js'
import { packedBatch, packedRows, type TokenBatch } from './token-batch.js'
import { backward, forward, type Trace, type Weights } from './transformer.js'

const TOKENS = 8192

/** A prompt, at least one token, and a completion of it, in tokens. */
export interface Sequence {
  readonly prompt: ArrayLike<number>
  readonly completion: ArrayLike<number>
}

/** Sequences that go through the model at once. */
interface ScoringPass {
  /** Which of the sequences given. */
  readonly indices: readonly number[]
  readonly batch: TokenBatch
  /** [tokens] for each completion token, in order: the row of the hidden states that predicts it. */
  readonly rows: Int32Array
  readonly tokens: Int32Array
}

/**
 * Splits sequences into passes of at most `tokensPerPass` tokens, padding among them; a longer one has a pass of its own.
 * Sequences are packed: as fast as padded rows where all are of one length, and up to three times as fast where they differ.
 */
function scoringPasses(sequences: readonly Sequence[], tokensPerPass: number, config: ModelConfig): ScoringPass[] {
  for (const [i, sequence] of sequences.entries()) checkSequence(sequence, i, config)
  const lengths = sequences.map(({ prompt, completion }) => prompt.length + completion.length)
  const longest = Math.max(0, ...lengths)
  // In rows of twice the length, more of what is too long for half a row finds another to go with it.
  const [once, twice] = [longest, 2 * longest].map((capacity) => gridOf(lengths, Math.min(capacity, tokensPerPass)))
  const { rows, width } = twice!.size < once!.size ? twice! : once!
  const atOnce = Math.max(1, Math.floor(tokensPerPass / width))
  const passes: ScoringPass[] = []
  for (let from = 0; from < rows.length; from += atOnce) {
    passes.push(scoringPass(rows.slice(from, from + atOnce), sequences))
  }
  return passes
}

/** Sequences packed, the tokens of the longest row, and those of all rows once they are padded to it. */
function gridOf(lengths: readonly number[], capacity: number) {
  const rows = packedRows(lengths, capacity)
  const width = Math.max(...rows.map((row) => row.reduce((sum, index) => sum + lengths[index]!, 0)))
  return { rows, width, size: rows.length * width }
}

function checkSequence({ prompt, completion }: Sequence, index: number, { vocabulary, context }: ModelConfig): void {
  if (prompt.length === 0) throw new RangeError(`sequence ${index} has no prompt to tell its first token from`)
  if (prompt.length + completion.length > context) {
    const parts = `${prompt.length} tokens of a prompt and ${completion.length} of its completion`
    const wayOut = 'Shorten them, or take a model with a longer context'
    throw new RangeError(`sequence ${index} has ${parts}, more than the context of ${context}. ${wayOut}`)
  }
  for (const tokens of [prompt, completion]) {
    for (let i = 0; i < tokens.length; i++) {
      if (tokens[i]! >= 0 && tokens[i]! < vocabulary) continue
      throw new RangeError(`sequence ${index}: token ${tokens[i]} is not in the vocabulary of ${vocabulary}`)
    }
  }
}

function scoringPass(packed: readonly (readonly number[])[], sequences: readonly Sequence[]): ScoringPass {
  const batch = packedBatch(
    packed.map((row) =>
      row.map((index) => {
        const { prompt, completion } = sequences[index]!
        return [...Array.from(prompt), ...Array.from(completion)]
      }),
    ),
  )
  const indices = packed.flat()
  const rows: number[] = []
  const tokens: number[] = []
  for (const [i, index] of indices.entries()) {
    const { prompt, completion } = sequences[index]!
    const first = batch.starts[i]! + prompt.length - 1
    for (let t = 0; t < completion.length; t++) {
      rows.push(first + t)
      tokens.push(completion[t]!)
    }
  }
  return { indices, batch, rows: Int32Array.from(rows), tokens: Int32Array.from(tokens) }
}

/** How sequences are scored. */
export interface ScoringSettings {
  /** Of the distribution that is asked about, above 0. Default 1. */
  readonly temperature?: number | undefined
  /** Tokens that go through the model at once, padding among them. Default 8192. */
  readonly tokensPerPass?: number | undefined
  /** Work every block out again in the backward pass. Default false. */
  readonly checkpointing?: boolean | undefined
}

type Loss = (outputs: PolicyOutputs) => tf.Scalar

/** The natural logarithm of the probability of every completion token, sequence by sequence: [tokens].
 *  @throws RangeError for a prompt without tokens, a sequence beyond the context, or a token outside the vocabulary */
export async function sequenceLogProbs(
  config: ModelConfig,
  weights: Weights,
  sequences: readonly Sequence[],
  { temperature = 1, tokensPerPass = TOKENS }: ScoringSettings = {},
): Promise<Float32Array> {
  const columns = new Columns(sequences)
  for (const pass of scoringPasses(sequences, tokensPerPass, config)) {
    const scored = scorePass(config, weights, pass, temperature, 'nothing')
    try {
      columns.put(pass, await finite(config, weights, pass, scored), columns.logProbs)
    } finally {
      disposeOf(scored)
    }
  }
  return columns.logProbs
}

/**
 * Runs a loss on the log-probabilities and entropies of every completion token, sequence by sequence, and gives its gradient
 * by every weight. What goes through in one pass goes through once; of several passes each is scored first, and gone
 * through again for its gradient.
 *
 * @throws RangeError for a prompt without tokens, a sequence beyond the context, or a token outside the vocabulary; and whatever the loss throws
 */
export async function differentiateSequences(
  config: ModelConfig,
  weights: Weights,
  sequences: readonly Sequence[],
  loss: Loss,
  { temperature = 1, tokensPerPass = TOKENS, checkpointing = false }: ScoringSettings = {},
): Promise<Differentiated> {
  const passes = scoringPasses(sequences, tokensPerPass, config)
  const columns = new Columns(sequences)
  const keep = checkpointing ? 'inputs' : 'all'
  let kept: Scored | undefined
  let slopes: Slopes
  try {
    for (const pass of passes) {
      kept = scorePass(config, weights, pass, temperature, passes.length === 1 ? keep : 'nothing')
      const [logProbs, entropies] = await Promise.all([finite(config, weights, pass, kept), kept.entropies.data()])
      columns.put(pass, logProbs, columns.logProbs)
      columns.put(pass, entropies as Float32Array, columns.entropies)
      if (passes.length === 1) continue
      disposeOf(kept)
      kept = undefined
    }
    slopes = await slopesOf(columns, loss)
  } catch (error) {
    if (kept) disposeOf(kept)
    throw error
  }
  const scale = config.dtype === 'float16' ? lossScale(slopes) : 1
  const gradients = new Gradients()
  try {
    for (const pass of passes) {
      const scored = kept ?? scorePass(config, weights, pass, temperature, keep)
      const of = (column: Float32Array) => tf.tensor1d(columns.take(pass, column).map((slope) => slope * scale))
      const own = { logProbs: of(slopes.logProbs), entropies: slopes.entropies && of(slopes.entropies) }
      addScoreGradients(config, weights, pass, scored, own, temperature, gradients)
      tf.dispose([own.logProbs, own.entropies ?? []])
      disposeOf(scored)
    }
  } catch (error) {
    gradients.dispose()
    slopes.loss.dispose()
    throw error
  }
  return { loss: slopes.loss, gradients: gradients.times(1 / scale) }
}

/**
 * What slopes are multiplied with where products round to half precision, in which numbers below 6e-8 are 0: a power of 2, so that nothing
 * else is rounded, that brings the steepest to between 1/2 and 1 (Micikevicius et al. 2018, "Mixed Precision Training", section 3.2). A mean over
 * a batch's tokens gives each of them slopes far smaller.
 */
function lossScale({ logProbs, entropies }: Slopes): number {
  let most = 0
  for (const slopes of [logProbs, entropies ?? []]) for (const slope of slopes) most = Math.max(most, Math.abs(slope))
  return most > 0 && Number.isFinite(most) ? 2 ** -Math.ceil(Math.log2(most)) : 1
}

/** The log-probabilities of a pass.
 *  @throws BackendError naming the layer, where half precision was too narrow for the model */
async function finite(
  config: ModelConfig,
  weights: Weights,
  pass: ScoringPass,
  { logProbs }: Scored,
): Promise<Float32Array> {
  const values = (await logProbs.data()) as Float32Array
  if (config.dtype === 'float16' && values.some((value) => !Number.isFinite(value))) {
    await expectNoOverflow(config, weights, pass.batch)
  }
  return values
}

/** What a forward pass leaves for {@link addScoreGradients}. */
interface Scored extends TokenScores {
  readonly trace: Trace
  /** [tokens, hidden] */
  readonly hidden: tf.Tensor2D
}

/** The log-probability and entropy of every completion token of a pass; the caller disposes of all of it.
 *  @param temperature  of the distribution that is asked about */
function scorePass(
  config: ModelConfig,
  weights: Weights,
  pass: ScoringPass,
  temperature: number,
  keep: 'all' | 'inputs' | 'nothing',
): Scored {
  const trace = forward(config, weights, pass.batch, keep)
  const hidden = embedding(trace.hidden, pass.rows)
  const half = config.dtype === 'float16'
  return { ...tokenScores(hidden, headOf(config, weights), pass.tokens, temperature, half), trace, hidden }
}

/** Adds the gradient of every weight, from those of a pass's scores. Disposes of nothing that it was given. */
function addScoreGradients(
  config: ModelConfig,
  weights: Weights,
  pass: ScoringPass,
  scored: Scored,
  slopes: { readonly logProbs: tf.Tensor1D; readonly entropies: tf.Tensor1D | undefined },
  temperature: number,
  gradients: Gradients,
): void {
  const { trace, hidden } = scored
  const { dHidden, dHead } = tokenScoresGradient(
    slopes.logProbs,
    slopes.entropies,
    hidden,
    headOf(config, weights),
    pass.tokens,
    temperature,
    config.dtype === 'float16',
    scored,
  )
  gradients.add(config.tiedHead ? 'model.embed_tokens.weight' : 'lm_head.weight', dHead)
  // Each row predicts one token, if any.
  const whole = embeddingGradient(dHidden, pass.rows, trace.hidden.shape[0])
  dHidden.dispose()
  backward(config, weights, trace, whole, gradients)
  whole.dispose()
}

/** Numbers of all completion tokens, sequence by sequence, which passes give and take in orders of their own. */
class Columns {
  readonly logProbs: Float32Array
  readonly entropies: Float32Array
  readonly #lengths: readonly number[]
  readonly #starts: readonly number[]

  constructor(sequences: readonly Sequence[]) {
    let sum = 0
    this.#lengths = sequences.map(({ completion }) => completion.length)
    this.#starts = this.#lengths.map((length) => {
      sum += length
      return sum - length
    })
    this.logProbs = new Float32Array(sum)
    this.entropies = new Float32Array(sum)
  }

  put({ indices }: ScoringPass, values: Float32Array, column: Float32Array): void {
    let from = 0
    for (const index of indices) {
      column.set(values.subarray(from, from + this.#lengths[index]!), this.#starts[index]!)
      from += this.#lengths[index]!
    }
  }

  take({ indices, tokens }: ScoringPass, column: Float32Array): Float32Array {
    const values = new Float32Array(tokens.length)
    let at = 0
    for (const index of indices) {
      const start = this.#starts[index]!
      values.set(column.subarray(start, start + this.#lengths[index]!), at)
      at += this.#lengths[index]!
    }
    return values
  }
}

/** A loss, and how it changes with each log-probability and each entropy; the latter nothing where it does not. */
interface Slopes {
  readonly loss: tf.Scalar
  readonly logProbs: Float32Array
  readonly entropies: Float32Array | undefined
}

async function slopesOf({ logProbs, entropies }: Columns, loss: Loss): Promise<Slopes> {
  let failure: { readonly error: unknown } | undefined
  const lossOf: Loss = (outputs) => {
    try {
      return loss(outputs)
    } catch (error) {
      // Thrown at the end: of what it has recorded tfjs lets go only behind the gradient.
      failure = { error }
      return tf.sum(outputs.logProbs)
    }
  }
  const [value, ofLogProbs, ofEntropies] = tf.tidy(() => {
    const inputs: [tf.Tensor1D, tf.Tensor1D] = [tf.tensor1d(logProbs), tf.tensor1d(entropies)]
    // Both take part in what is differentiated, which tfjs asks for.
    const joined = (...[l, e]: tf.Tensor[]) =>
      tf.addN([
        lossOf({ logProbs: l as tf.Tensor1D, entropies: e as tf.Tensor1D }),
        tf.mul(0, tf.sum(l!)),
        tf.mul(0, tf.sum(e!)),
      ]) as tf.Scalar
    const { value, grads } = tf.valueAndGrads(joined)(inputs)
    return [value, ...grads] as [tf.Scalar, tf.Tensor, tf.Tensor]
  })
  if (failure) {
    tf.dispose([value, ofLogProbs, ofEntropies])
    throw failure.error
  }
  try {
    const read = await Promise.all([ofLogProbs.data(), ofEntropies.data()])
    const [byLogProb, byEntropy] = read as [Float32Array, Float32Array]
    return {
      loss: value,
      logProbs: byLogProb,
      entropies: byEntropy.some((slope) => slope !== 0) ? byEntropy : undefined,
    }
  } catch (error) {
    value.dispose()
    throw error
  } finally {
    tf.dispose([ofLogProbs, ofEntropies])
  }
}

function disposeOf({ trace, hidden, logProbs, entropies, logSums }: Scored): void {
  trace.dispose()
  tf.dispose([hidden, logProbs, entropies, logSums ?? []])
}
