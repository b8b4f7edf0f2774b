import { createHash } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { join } from 'node:path'
import { CONFIG, GENERATION, INDEX, shardFiles, TOKENIZER_FILES, WEIGHTS } from './model-folder.js'

/**
 * The SHA-256 of a model's folder: of the names and contents of the files that {@link loadLanguageModel} reads, and of no
 * others. Two folders with the same one hold the same model, tokenizer and all.
 *
 * @returns in hexadecimal
 * @throws ModelFolderError if there is an index of the weights that cannot be read
 */
export async function modelDigest(folder: string): Promise<string> {
  const weights = existsSync(join(folder, WEIGHTS)) ? [WEIGHTS] : [INDEX, ...(await shardFiles(join(folder, INDEX)))]
  const whole = createHash('sha256')
  for (const name of [CONFIG, GENERATION, ...TOKENIZER_FILES, ...weights]) {
    const file = join(folder, name)
    if (!existsSync(file)) continue
    const hash = createHash('sha256')
    for await (const bytes of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(bytes)
    whole.update(`${name}\n${hash.digest('hex')}\n`)
  }
  return whole.digest('hex')
}
