import { setImmediate as nextTurn } from 'node:timers/promises'
import type { PCG64 } from '../../envs/seeding.js'
import { ObservationError } from '../agent.js'
import { Decoder, type DecodeWeights } from './decoder.js'
import type { ModelConfig } from './model-config.js'
import { checkedSampling, drawToken, type Sampling } from './sampling.js'

/** When a completion ends, and how its tokens are drawn. */
export interface GenerateOptions extends Sampling {
  /** Tokens of a completion, at most. Default: what the context has room for. */
  readonly maxNewTokens?: number
  /** Tokens of a prompt and its completion, at most. Default: the model's context. */
  readonly maxLength?: number
  /** Tokens after which a completion ends; they belong to it. */
  readonly endTokens?: readonly number[]
  /** Texts behind the first of which a completion ends; it belongs to it. */
  readonly stop?: readonly string[]
}

/** What was generated for one prompt. */
export interface Generated {
  /** The tokens drawn, an end token among them. */
  readonly tokens: Int32Array
  /** [tokens] natural logarithm of the probability each was drawn with. */
  readonly logProbs: Float32Array
  /** The completion's text, with the stop text, without end tokens. */
  readonly text: string
  /** Why it ended: an end token, a stop text, or a limit on its length. */
  readonly ended: 'token' | 'stop' | 'length'
}

/** Turns tokens into text piece by piece: `push` gives what has become certain, `rest` what is left at the end. */
export interface TextStream {
  push(token: number): string
  rest(): string
}

/** A prompt that the model cannot read; `observation` says which of those given. */
export class PromptError extends ObservationError {
  override readonly name = 'PromptError'
}

interface Row {
  readonly index: number
  readonly prompt: ArrayLike<number>
  readonly limit: number
  readonly tokens: number[]
  readonly logProbs: number[]
  readonly stream: TextStream
  text: string
  ended: Generated['ended'] | undefined
}

/** Prompts that are generated for at once, at most: what the cache of a whole evaluation would hold is too much. */
const MOST_ROWS = 64
/** How long generation may keep the event loop to itself, in ms. */
const TURN = 30

/**
 * Goes on with each prompt until it ends. Rows that have ended leave the batch, so that the others are not slowed by them.
 * A prompt's completion depends on its generator and the model alone, not on the prompts beside it.
 *
 * @param prompts     tokens, at least one each
 * @param generators  one for each prompt
 * @param stream      makes the decoder of one completion's text
 * @throws PromptError for a prompt that is empty, has a token outside the vocabulary, or leaves no room in the context
 * @throws RangeError for options out of range, and where a logit is NaN
 */
export async function generate(
  model: DecodeWeights,
  prompts: readonly ArrayLike<number>[],
  options: GenerateOptions,
  generators: readonly PCG64[],
  stream: () => TextStream,
): Promise<Generated[]> {
  const { config } = model
  const { maxNewTokens = Number.POSITIVE_INFINITY, maxLength = config.context, endTokens = [], stop = [] } = options
  const sampling = checkedSampling(options)
  for (const [name, value] of Object.entries({ maxNewTokens, maxLength })) {
    if (Number.isSafeInteger(value) ? value >= 1 : value === Number.POSITIVE_INFINITY) continue
    throw new RangeError(`generate: ${name} ${value} is not a whole number from 1`)
  }
  if (stop.includes('')) throw new RangeError('generate: stop "" is not a text of at least a character')
  const ends = new Set(endTokens)
  const rows = prompts.map((prompt, index): Row => {
    checkPrompt(config, prompt, index, maxLength)
    const limit = Math.min(maxNewTokens, Math.min(maxLength, config.context) - prompt.length)
    return { index, prompt, limit, tokens: [], logProbs: [], stream: stream(), text: '', ended: undefined }
  })

  const draw = (row: Row, logits: Float32Array) => {
    const seen = sampling.repetitionPenalty === 1 ? [] : [...Array.from(row.prompt), ...row.tokens]
    const { token, logProb } = drawToken(logits, seen, sampling, () => generators[row.index]!.random())
    row.tokens.push(token)
    row.logProbs.push(logProb)
    if (ends.has(token)) {
      row.ended = 'token'
      row.text += row.stream.rest()
      return
    }
    const before = row.text.length
    row.text += row.stream.push(token)
    const cut = stop.length > 0 ? stopEnd(row.text, stop, before) : -1
    if (cut >= 0) {
      row.text = row.text.slice(0, cut)
      row.ended = 'stop'
    } else if (row.tokens.length >= row.limit) {
      row.text += row.stream.rest()
      row.ended = 'length'
    }
  }

  let turn = performance.now()
  for (let from = 0; from < rows.length; from += MOST_ROWS) {
    const part = rows.slice(from, from + MOST_ROWS)
    const capacity = Math.max(...part.map(({ prompt, limit }) => prompt.length + limit))
    const decoder = new Decoder(model, part.length, Math.min(capacity, config.context))
    try {
      const first = await decoder.prefill(part.map(({ prompt }) => prompt))
      for (const [i, row] of part.entries()) draw(row, logitsOf(first, i, config))
      for (;;) {
        const going = part.flatMap(({ ended }, i) => (ended ? [] : [i]))
        if (going.length === 0) break
        const next = await decoder.step(
          going,
          going.map((i) => part[i]!.tokens.at(-1)!),
        )
        for (const [at, i] of going.entries()) draw(part[i]!, logitsOf(next, at, config))
        if (performance.now() - turn > TURN) {
          await nextTurn()
          turn = performance.now()
        }
      }
    } finally {
      decoder.dispose()
    }
  }
  return rows.map(({ tokens, logProbs, text, ended }) => ({
    tokens: Int32Array.from(tokens),
    logProbs: Float32Array.from(logProbs),
    text,
    ended: ended!,
  }))
}

function checkPrompt(config: ModelConfig, prompt: ArrayLike<number>, index: number, maxLength: number): void {
  const refused = (reason: string) => new PromptError(index, `prompt ${index} ${reason}`)
  const room = Math.min(maxLength, config.context)
  if (prompt.length === 0) throw refused('has no tokens')
  if (prompt.length >= room) {
    const wayOut = room < config.context ? 'raise maxLength' : 'take a model with a longer context'
    throw refused(
      `has ${prompt.length} tokens and leaves no room: with its completion ${room} are allowed. Shorten it, or ${wayOut}`,
    )
  }
  for (let i = 0; i < prompt.length; i++) {
    if (Number.isInteger(prompt[i]) && prompt[i]! >= 0 && prompt[i]! < config.vocabulary) continue
    throw refused(`has the token ${prompt[i]}, which is not in the vocabulary of ${config.vocabulary}`)
  }
}

function logitsOf(all: Float32Array, row: number, { vocabulary }: ModelConfig): Float32Array {
  return all.slice(row * vocabulary, (row + 1) * vocabulary)
}

/** The end of the first stop text, where one has been completed by what stands behind `before`. */
function stopEnd(text: string, stop: readonly string[], before: number): number {
  let end = -1
  for (const each of stop) {
    const at = text.indexOf(each, Math.max(0, before - each.length + 1))
    if (at >= 0 && (end < 0 || at + each.length < end)) end = at + each.length
  }
  return end
}
