import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { LanguageConfig } from '../agents/llm/language-config.js'
import { type LanguageModel, loadLanguageModel, newLanguageModel } from '../agents/llm/language-model.js'
import { LanguagePolicy, languagePolicy } from '../agents/llm/language-policy.js'
import { modelDigest } from '../agents/llm/model-digest.js'
import { modelFiles } from '../agents/llm/model-files.js'
import { loadTokenizer, Tokenizer } from '../agents/llm/tokenizer.js'
import { type TokenizerTraining, trainTokenizer } from '../agents/llm/train-tokenizer.js'
import { make } from '../envs/registry.js'
import type { PCG64 } from '../envs/seeding.js'
import { Completion } from '../envs/spaces/completion.js'
import type { EnvSpec } from '../envs/spec.js'
import { textEnvOf } from '../envs/text/text-env.js'
import { writeAtomically } from './checkpoint.js'
import { UsageError } from './errors.js'
import { presets } from './presets/presets.js'
import { runAt } from './run-folder.js'

const TOKENIZER = 'tokenizer.json'

/** What a language agent is made for, and from. */
export interface LanguageAgentStart {
  readonly env: EnvSpec
  /** Draws fresh weights, and first those of adapters. */
  readonly generator: PCG64
  /** The policy of another run, as its newest checkpoint has it, or the one of `RUN@UPDATE`. */
  readonly policyOfRun: (run: string) => Promise<unknown>
  /** The folder of the run. */
  readonly folder?: string | undefined
}

/**
 * The policy that a configuration describes: a fresh model, one from a folder or the hub, or another run's. A fresh model's
 * tokenizer is trained on the environment's own texts, so that the same configuration gives the same one, and kept in the
 * run's folder: what the tokens mean must outlive the file that the texts came from.
 *
 * @throws UsageError if the run named is not there or has no language model, a preset is named, or the environment no texts to train a tokenizer on
 */
export async function languageAgent(config: LanguageConfig, start: LanguageAgentStart): Promise<LanguagePolicy> {
  const { sampling, lora, tokensPerPass, checkpointing } = config
  const { model, origin } = await modelOf(config, start)
  const stop = stopsOf(start.env)
  return languagePolicy(model, {
    sampling: { ...sampling, stop },
    lora,
    origin,
    generator: start.generator,
    tokensPerPass,
    checkpointing,
  })
}

/** A model, and the digest of its files where they are no run's: those stay as they are. */
interface FoundModel {
  readonly model: LanguageModel
  readonly origin?: string
}

async function modelOf({ model, fresh, dtype }: LanguageConfig, start: LanguageAgentStart): Promise<FoundModel> {
  if (model === undefined) {
    const { texts, vocabulary, digits, ...shape } = fresh
    const tokenizer = await keptIn(start.folder, () =>
      tokenizerFor(start.env, texts, { vocabularySize: vocabulary, digits }),
    )
    return { model: newLanguageModel(shape, tokenizer, start.generator, dtype) }
  }
  const { path, update } = runAt(model)
  if (!existsSync(join(path, 'config.yaml'))) {
    if (Object.hasOwn(presets, model)) {
      throw new UsageError(
        `agent.model: ${model} is a preset. Train it first: rxgym train ${model}; then --set agent.model=RUN, its folder`,
      )
    }
    // No revision of the hub is meant: digits alone are an update.
    if (update !== undefined) throw new UsageError(`agent.model: ${model}: no run is at ${path} any more`)
    const folder = await modelFiles(model)
    return { model: await loadLanguageModel(folder, { dtype }), origin: await modelDigest(folder) }
  }
  const policy = await start.policyOfRun(model).catch((error) => {
    throw error instanceof UsageError ? new UsageError(`agent.model: ${error.message}`, { cause: error }) : error
  })
  if (!(policy instanceof LanguagePolicy)) throw new UsageError(`agent.model: ${model} is a run of no language model`)
  const released = policy.release(dtype)
  policy.close()
  return { model: released }
}

/** Behind which texts a completion ends there. */
function stopsOf(spec: EnvSpec): readonly string[] {
  const env = make(spec)
  env.close()
  const { actionSpace } = env
  return actionSpace instanceof Completion ? actionSpace.stop : []
}

/** The tokenizer of a run's folder; the one that is made where there is none yet, which is kept there. */
async function keptIn(folder: string | undefined, made: () => Promise<Tokenizer>): Promise<Tokenizer> {
  if (folder === undefined) return made()
  if (existsSync(join(folder, TOKENIZER))) return loadTokenizer(folder)
  const tokenizer = await made()
  const { [TOKENIZER]: marker, ...others } = tokenizer.files
  // Last the file whose presence says that all are there
  for (const [name, text] of Object.entries({ ...others, [TOKENIZER]: marker })) {
    writeAtomically(join(folder, name), Buffer.from(text))
  }
  return tokenizer
}

async function tokenizerFor(spec: EnvSpec, count: number, training: TokenizerTraining): Promise<Tokenizer> {
  const made = make(spec)
  try {
    const env = textEnvOf(made)
    const tasks = (await env.tasks()).slice(0, count)
    const texts = tasks.flatMap((task, index) => [
      ...env.promptOf(task, index).map(({ content }) => content),
      env.goldOf(task, index) ?? '',
    ])
    return new Tokenizer(trainTokenizer(texts, training))
  } finally {
    made.close()
  }
}
