import { setImmediate as nextTurn } from 'node:timers/promises'
import { PCG64 } from '../../envs/seeding.js'
import { ObservationError } from '../agent.js'
import type { Decoder, DecodeWeights } from './decoder.js'
import type { ModelConfig } from './model-config.js'
import { checkedSampling, type Draw, type Sampling } from './sampling.js'

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
  /** Goes ahead of the generator that was given, by what was drawn in vain behind an end that was not known yet; none where nothing is drawn by chance. */
  readonly chance: PCG64 | undefined
  readonly tokens: number[]
  readonly logProbs: number[]
  readonly stream: TextStream
  text: string
  /** Tokens that were asked for. */
  asked: number
  ended: Generated['ended'] | undefined
}

/** Prompts join when so many rows are free: reading each as soon as there is a place for it would read one at a time. */
const JOINING = 1 / 8
/** How long generation may keep the event loop to itself, in ms. */
const TURN = 30

/**
 * Goes on with each prompt until it ends. Rows that have ended leave the batch, so that the others are not slowed by them, and
 * prompts that were waiting take their places.
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
  const byChance = sampling.temperature > 0
  const rows = prompts.map((prompt, index): Row => {
    checkPrompt(config, prompt, index, maxLength)
    const limit = Math.min(maxNewTokens, Math.min(maxLength, config.context) - prompt.length)
    const chance = byChance ? PCG64.fromState(generators[index]!.state()) : undefined
    return {
      index,
      prompt,
      limit,
      chance,
      tokens: [],
      logProbs: [],
      stream: stream(),
      text: '',
      asked: 0,
      ended: undefined,
    }
  })
  if (rows.length === 0) return []

  const take = (row: Row, { token, logProb }: Draw) => {
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

  const capacity = Math.max(...rows.map(({ prompt, limit }) => prompt.length + limit))
  const size = Math.min(rows.length, model.mostRows)
  const decoder = model.decoder(size, capacity, sampling)
  try {
    await drawAll(decoder, rows, size, take)
  } finally {
    decoder.dispose()
  }
  if (byChance) {
    for (const { index, tokens } of rows) for (let i = 0; i < tokens.length; i++) generators[index]!.random()
  }
  return rows.map(({ tokens, logProbs, text, ended }) => ({
    tokens: Int32Array.from(tokens),
    logProbs: Float32Array.from(logProbs),
    text,
    ended: ended!,
  }))
}

/** Has a decoder of so many places draw for all rows until they have ended. */
async function drawAll(
  decoder: Decoder,
  rows: readonly Row[],
  size: number,
  take: (row: Row, draw: Draw) => void,
): Promise<void> {
  const places: (Row | undefined)[] = new Array(size).fill(undefined)
  const goesOn = (row: Row | undefined) => row !== undefined && row.ended === undefined && row.asked < row.limit
  const asked: { readonly rows: readonly Row[]; readonly draws: Promise<readonly Draw[]> }[] = []
  const ask = (at: readonly number[], draw: (uniforms: readonly number[]) => Promise<readonly Draw[]>) => {
    const who = at.map((place) => places[place]!)
    for (const row of who) row.asked++
    const draws = draw(who.map(({ chance }) => chance?.random() ?? 0))
    // Those behind one that fails are not waited for.
    draws.catch(() => {})
    asked.push({ rows: who, draws })
  }
  let joined = 0
  let turn = performance.now()
  for (;;) {
    const going: number[] = []
    const free: number[] = []
    for (const [place, row] of places.entries()) (goesOn(row) ? going : free).push(place)
    const waiting = rows.length - joined
    if (waiting > 0 && (going.length === 0 || free.length >= Math.min(waiting, Math.ceil(size * JOINING)))) {
      const at = free.slice(0, waiting)
      for (const place of at) places[place] = rows[joined++]
      const prompts = at.map((place) => places[place]!.prompt)
      ask(at, (uniforms) => decoder.join(at, prompts, uniforms))
    } else if (going.length > 0) {
      ask(going, (uniforms) => decoder.step(going, uniforms))
    } else if (asked.length === 0) return
    const ahead = going.length > 0 || waiting > 0 ? decoder.ahead : 0
    while (asked.length > ahead) {
      const { rows: who, draws } = asked.shift()!
      for (const [i, draw] of (await draws).entries()) if (!who[i]!.ended) take(who[i]!, draw)
    }
    if (performance.now() - turn > TURN) {
      await nextTurn()
      turn = performance.now()
    }
  }
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

/** The end of the first stop text, where one has been completed by what stands behind `before`. */
function stopEnd(text: string, stop: readonly string[], before: number): number {
  let end = -1
  for (const each of stop) {
    const at = text.indexOf(each, Math.max(0, before - each.length + 1))
    if (at >= 0 && (end < 0 || at + each.length < end)) end = at + each.length
  }
  return end
}
