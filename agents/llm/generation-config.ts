import { z } from 'zod'
import { ModelFolderError } from './model-config.js'
import type { JsonObject } from './model-folder.js'
import type { Sampling } from './sampling.js'

/** The tokens at which generation begins, ends and pads, from a model's `generation_config.json` and `config.json`. */
export interface GenerationConfig {
  /** A completion ends at any of them. */
  readonly endTokens: readonly number[]
  readonly beginToken: number | undefined
  readonly padToken: number | undefined
}

const token = z.int().nonnegative()
const fields = z.looseObject({
  eos_token_id: z.union([token, z.array(token)], { error: 'expected a token id or a list of them' }).nullish(),
  bos_token_id: token.nullish(),
  pad_token_id: token.nullish(),
})

/**
 * Reads the tokens of both files. Begin and pad are those of `generation_config.json`, else those of `config.json`; end
 * tokens are all that either names: fine-tuning often adds one to the one file and forgets the other, and a model that is
 * not stopped at the end it has learnt goes on to the limit.
 *
 * @param files       what the files hold, the first that counts first, with their names for errors
 * @param vocabulary  how many tokens the model knows
 * @throws ModelFolderError naming the field that is not a token of the model
 */
export function generationConfig(
  files: readonly { readonly file: string; readonly json: unknown }[],
  vocabulary: number,
): GenerationConfig {
  const found = files.map(({ file, json }) => {
    const { success, data, error } = fields.safeParse(json)
    if (!success) {
      const { path, message } = error.issues[0]!
      throw new ModelFolderError(file, path.join('.') || undefined, message)
    }
    const { eos_token_id: end, bos_token_id: begin, pad_token_id: pad } = data
    const known = (field: string, id: number) => {
      if (id < vocabulary) return id
      throw new ModelFolderError(file, field, `${id} is not a token: config.json has a vocab_size of ${vocabulary}`)
    }
    return {
      ends: [end ?? []].flat().map((id) => known('eos_token_id', id)),
      begin: begin == null ? undefined : known('bos_token_id', begin),
      pad: pad == null ? undefined : known('pad_token_id', pad),
    }
  })
  return {
    endTokens: [...new Set(found.flatMap(({ ends }) => ends))],
    beginToken: found.find(({ begin }) => begin !== undefined)?.begin,
    padToken: found.find(({ pad }) => pad !== undefined)?.pad,
  }
}

/** How completions are drawn and end, as `generation_config.json` says it to other tools: their own defaults differ, and with that
 *  file they no longer look into `config.json` for the end tokens. */
export function drawingConfig(
  { temperature = 1, topK = 0, topP = 1, repetitionPenalty = 1 }: Sampling,
  endTokens: readonly number[],
): JsonObject {
  const draws = temperature > 0 && { temperature, top_k: topK, top_p: topP }
  return { eos_token_id: [...endTokens], do_sample: temperature > 0, ...draws, repetition_penalty: repetitionPenalty }
}
