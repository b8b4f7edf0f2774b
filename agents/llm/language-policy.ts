import type { PCG64 } from '../../envs/seeding.js'
import type { Message } from '../../envs/spaces/conversation.js'
import type { ComputeType } from '../../tensors/compute-type.js'
import * as tf from '../../tensors/tf.js'
import type { ActContext, Agent, Decision } from '../agent.js'
import type { Decisions, Differentiated, FrozenPolicy, Policy, PolicyOutputs } from '../policy.js'
import { encodeConversation } from './chat-template.js'
import { completionTokens } from './completion-tokens.js'
import { type DecodeWeights, decodeWeights } from './decoder.js'
import { type GenerateOptions, generate } from './generate.js'
import { drawingConfig } from './generation-config.js'
import type { LanguageModel } from './language-model.js'
import { Lora, type LoraConfig } from './lora.js'
import { cutBy } from './sampling.js'
import { differentiateSequences, type ScoringSettings, type Sequence, sequenceLogProbs } from './scoring.js'
import type { Weights } from './transformer.js'

/** How a language model acts and learns. */
export interface LanguagePolicyOptions {
  /** How completions are drawn, and when they end; the model's own end tokens always end them. */
  readonly sampling?: Omit<GenerateOptions, 'endTokens'>
  /** Learn adapters of these instead of all weights; needs `generator`. */
  readonly lora?: LoraConfig | undefined
  /** {@link Policy.origin}: what {@link modelDigest} gives of the folder that the model was loaded from. */
  readonly origin?: string | undefined
  /** Draws the adapters' first weights. */
  readonly generator?: PCG64
  /** Tokens that go through the model at once when it learns, padding among them. Default 8192. */
  readonly tokensPerPass?: number
  /** Work every block out again in the backward pass instead of keeping it: a third more time, far less memory. Default false. */
  readonly checkpointing?: boolean
}

type Observation = readonly Message[]
type Rows = Decisions<Observation, string>

/**
 * A language model as a policy: a decision is a completion, its choices are the tokens, an end token among them. What others
 * wrote (the prompt, a tool's results) is in the observation, so that nothing is learned of it but how to go on.
 *
 * Greedy acting takes the likeliest token each time. To learn from what was drawn, nothing may be cut off what is drawn from:
 * no top-k, top-p or penalty, since the log-probability of a recorded token is worked out again from the whole
 * distribution. What somebody else wrote ({@link LanguagePolicy.decisionFor}) is learned from in any case.
 *
 * `close` also disposes of the model.
 *
 * @throws RangeError for sampling options out of range
 */
export function languagePolicy(model: LanguageModel, options: LanguagePolicyOptions = {}): LanguagePolicy {
  return new LanguagePolicy(model, options)
}

/** A language model that acts and learns; {@link languagePolicy} makes one. */
export class LanguagePolicy implements Policy<Observation, string> {
  readonly parameters: Readonly<Record<string, tf.Variable>>
  readonly hasValues = false
  readonly origin: string | undefined
  readonly #model: LanguageModel
  readonly #options: LanguagePolicyOptions
  readonly #lora: Lora | undefined
  #actor: Actor | undefined
  #closed = false

  constructor(model: LanguageModel, options: LanguagePolicyOptions) {
    const { lora, generator } = options
    if (lora && !generator) throw new RangeError('languagePolicy: lora needs a generator for its first weights')
    this.#model = model
    this.#options = options
    this.origin = options.origin
    this.#lora = lora && new Lora(model.weights, lora, generator!)
    this.parameters = this.#lora?.parameters ?? model.variables
  }

  act(observations: readonly Observation[], context: ActContext): Promise<readonly Decision<string>[]> {
    return this.#acting().act(observations, context)
  }

  /** The policy as it acts with some of its sampling changed, to be measured: it follows the parameters, and is not to learn from. */
  sampledBy(sampling: LanguagePolicyOptions['sampling']): Agent<Observation, string> {
    return { act: (observations, context) => this.#acting().act(observations, context, sampling) }
  }

  async differentiate(rows: Rows, loss: (outputs: PolicyOutputs) => tf.Scalar): Promise<Differentiated> {
    checkWhole(this.#options.sampling, rows)
    const { loss: value, gradients } = await this.#acting().differentiate(rows, loss)
    return { loss: value, gradients: this.#lora ? this.#lora.gradients(gradients) : gradients }
  }

  decisionFor(_: Observation, action: string): Decision<string> {
    const choices = completionTokens(this.#model.tokenizer, action, this.#options.sampling?.stop)
    return { action, choices, logProbs: new Float32Array(choices.length) }
  }

  async refresh(): Promise<void> {
    this.#actor?.close()
    this.#actor = undefined
    this.#model.refresh()
  }

  freeze(): FrozenPolicy<Observation, string> {
    const own = Object.entries(this.#acting().weights)
    const weights = Object.fromEntries(own.map(([name, weight]) => [name, tf.clone(weight)]))
    return new Actor(this.#model, weights, this.#options, () => tf.dispose(weights))
  }

  /**
   * The model as it acts, adapters and all, with weights of its own: the caller disposes of it. Its `generation_config.json`
   * says how the policy draws, the temperature that its log-probabilities are of among it.
   *
   * @param dtype  what it computes products in; as this one does unless given
   *
   * @example
   * // A run closes its policy behind the last event, and what it learned outlives it so:
   * train({ agent: () => policy, … }).subscribe((event) => {
   *   if (event.type === 'end') model = policy.release()
   * })
   */
  release(dtype?: ComputeType): LanguageModel {
    const { weights } = this.#acting()
    return this.#model.withWeights(
      Object.fromEntries(Object.entries(weights).map(([name, weight]) => [name, tf.clone(weight)])),
      drawingConfig(this.#options.sampling ?? {}, this.#model.endTokens),
      dtype,
    )
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#actor?.close()
    this.#lora?.dispose()
    this.#model.dispose()
  }

  /** The model with the parameters as they are. */
  #acting(): Actor {
    if (!this.#actor) {
      const own = this.#model.weights
      const merged = this.#lora?.merged(own)
      const dispose = () => {
        for (const [name, weight] of Object.entries(merged ?? {})) if (weight !== own[name]) weight.dispose()
      }
      this.#actor = new Actor(this.#model, merged ?? own, this.#options, dispose)
    }
    return this.#actor
  }
}

/** A model with weights that stay as they are. */
class Actor implements FrozenPolicy<Observation, string> {
  readonly weights: Weights
  readonly #model: LanguageModel
  readonly #options: LanguagePolicyOptions
  readonly #dispose: () => void
  #decoding: DecodeWeights | undefined
  #closed = false

  constructor(model: LanguageModel, weights: Weights, options: LanguagePolicyOptions, dispose: () => void) {
    this.#model = model
    this.weights = weights
    this.#options = options
    this.#dispose = dispose
  }

  async act(
    observations: readonly Observation[],
    { greedy, generators }: ActContext,
    changed: LanguagePolicyOptions['sampling'] = {},
  ): Promise<readonly Decision<string>[]> {
    const { tokenizer, endTokens, config } = this.#model
    this.#decoding ??= decodeWeights(config, this.weights)
    const prompts = observations.map((messages) => encodeConversation(tokenizer, messages))
    const sampling = { ...this.#options.sampling, ...changed, endTokens, ...(greedy && { temperature: 0 }) }
    const written = await generate(this.#decoding, prompts, sampling, generators, () => tokenizer.stream())
    return written.map(({ tokens, logProbs, text, ended }) => ({
      action: text,
      choices: tokens,
      logProbs,
      ...(ended === 'length' && { truncated: true as const }),
    }))
  }

  async logProbs(rows: Rows): Promise<Float32Array> {
    checkWhole(this.#options.sampling, rows)
    return sequenceLogProbs(this.#model.config, this.weights, this.#sequences(rows), this.#settings())
  }

  differentiate(rows: Rows, loss: (outputs: PolicyOutputs) => tf.Scalar): Promise<Differentiated> {
    // What is drawn next is drawn with other weights: these would only take memory meanwhile.
    this.#decoding?.dispose()
    this.#decoding = undefined
    return differentiateSequences(this.#model.config, this.weights, this.#sequences(rows), loss, this.#settings())
  }

  #sequences({ observations, decisions }: Rows): Sequence[] {
    const { tokenizer } = this.#model
    return observations.map((messages, i) => ({
      prompt: encodeConversation(tokenizer, messages),
      completion: decisions[i]!.choices,
    }))
  }

  #settings(): ScoringSettings {
    const { sampling, tokensPerPass, checkpointing } = this.#options
    return { temperature: sampling?.temperature, tokensPerPass, checkpointing }
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#decoding?.dispose()
    this.#dispose()
  }
}

function checkWhole(sampling: LanguagePolicyOptions['sampling'] = {}, { decisions }: Rows): void {
  const { temperature = 1 } = sampling
  const wrong = cutBy(sampling)
  // What nobody drew has log-probabilities of 0: there is nothing to hold it to.
  const drawn = () => decisions.some(({ logProbs }) => Array.from(logProbs).some((logProb) => logProb !== 0))
  if (wrong && drawn()) {
    throw new RangeError(`sampling: ${wrong} cuts or bends the distribution: to learn, draw from the whole of it`)
  }
  if (temperature === 0) throw new RangeError('sampling: temperature 0 draws nothing: to learn, it must be above 0')
}
