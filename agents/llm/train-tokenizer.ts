import * as library from '@huggingface/tokenizers'
import { byteCharacters } from './byte-characters.js'
import type { TokenizerFiles } from './tokenizer.js'

// Its declarations do not resolve under Node's rules for modules.
const { SplitPreTokenizer } = library as unknown as {
  readonly SplitPreTokenizer: new (config: object) => { pre_tokenize_text(text: string): readonly string[] }
}

export interface TokenizerTraining {
  /** Tokens in all: 256 bytes, then merges, then special tokens. Fewer if the texts have no more pairs to merge. */
  readonly vocabularySize: number
  /** Digits that a token may have: 1, as Qwen2's tokens, or up to 3, as Llama 3's. Default 1. */
  readonly digits?: 1 | 2 | 3
  /** Special tokens beside `<|endoftext|>`, `<|im_start|>`, `<|im_end|>` and `<|pad|>`. */
  readonly specialTokens?: readonly string[]
}

/** A pair of symbols as one number: the left one's id times this and the right one's; in order of age. */
const BASE = 2 ** 26

const chatTokens = ['<|endoftext|>', '<|im_start|>', '<|im_end|>', '<|pad|>']

/** ChatML. */
const chatTemplate = `{%- for message in messages %}
  {{- '<|im_start|>' ~ message.role ~ '\\n' ~ message.content ~ '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
  {{- '<|im_start|>assistant\\n' }}
{%- endif %}`

/** Where Qwen2's tokenizer cuts text before merging: words with the space before them, digits, punctuation, space. Llama 3's
 *  differs in the digits alone. */
const splitBy = (digits: number) => ({
  type: 'Split',
  pattern: {
    Regex: `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}${digits === 1 ? '' : `{1,${digits}}`}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
  },
  behavior: 'Isolated',
  invert: false,
})
const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false }

/**
 * Trains a byte-level BPE tokenizer (Sennrich et al. 2016, over bytes as GPT-2) on texts: the pair of neighbouring
 * symbols that is most frequent within Qwen2's pieces becomes a symbol, again and again; of equally frequent pairs the
 * one whose left, then right symbol is older, as Hugging Face's trainer decides. Special tokens within the texts are
 * not learned from. Unlike Qwen2's, the tokenizer does not normalise: every text comes back as it was.
 *
 * A step looks at every pair there is, and recounts only the pieces that have the pair it merges.
 *
 * @returns files that load with `new Tokenizer(files)`, and with other tools once written: ids of bytes in GPT-2's order
 * from 0, then merges, then special tokens; a turn of the ChatML template ends with `<|im_end|>`, which is `eos_token`
 * @throws RangeError for other digits, if the vocabulary has no room for the bytes and the special tokens, or a special token is a token already
 */
export function trainTokenizer(
  texts: Iterable<string>,
  { vocabularySize, digits = 1, specialTokens = [] }: TokenizerTraining,
): TokenizerFiles {
  if (![1, 2, 3].includes(digits)) throw new RangeError(`trainTokenizer: digits ${digits} is neither 1 nor 2 nor 3`)
  const split = splitBy(digits)
  const special = [...new Set([...chatTokens, ...specialTokens])]
  const least = byteCharacters.length + special.length
  if (!Number.isInteger(vocabularySize) || vocabularySize < least) {
    const parts = `${byteCharacters.length} bytes and ${special.length} special tokens`
    throw new RangeError(
      `trainTokenizer: expected a vocabularySize of at least ${least} (${parts}), not ${vocabularySize}`,
    )
  }
  const { vocabulary, merges } = learnedMerges(piecesOf(texts, special, split), vocabularySize - special.length)
  const unusable = special.find((token) => token === '' || vocabulary.has(token))
  if (unusable !== undefined) {
    const reason = unusable === '' ? 'is empty' : 'is an ordinary token already'
    throw new RangeError(`trainTokenizer: the special token "${unusable}" ${reason}`)
  }
  const added = special.map((content, i) => ({
    id: vocabulary.size + i,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }))
  const tokenizer = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: null,
    pre_tokenizer: { type: 'Sequence', pretokenizers: [split, byteLevel] },
    post_processor: byteLevel,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(vocabulary),
      merges,
    },
  }
  const config = {
    add_prefix_space: false,
    added_tokens_decoder: Object.fromEntries(added.map(({ id, ...rest }) => [id, rest])),
    additional_special_tokens: special.filter((token) => token !== '<|pad|>' && token !== '<|im_end|>'),
    bos_token: null,
    chat_template: chatTemplate,
    clean_up_tokenization_spaces: false,
    eos_token: '<|im_end|>',
    pad_token: '<|pad|>',
    tokenizer_class: 'PreTrainedTokenizerFast',
  }
  return {
    'tokenizer.json': `${JSON.stringify(tokenizer, null, 2)}\n`,
    'tokenizer_config.json': `${JSON.stringify(config, null, 2)}\n`,
  }
}

/** How often each piece stands in the texts, special tokens apart. */
function piecesOf(texts: Iterable<string>, special: readonly string[], split: object): ReadonlyMap<string, number> {
  const splitter = new SplitPreTokenizer(split)
  const longestFirst = special.filter(Boolean).sort((a, b) => b.length - a.length)
  const counts = new Map<string, number>()
  for (const text of texts) {
    const parts = longestFirst.reduce<string[]>((all, token) => all.flatMap((part) => part.split(token)), [text])
    for (const piece of parts.flatMap((part) => splitter.pre_tokenize_text(part))) {
      counts.set(piece, (counts.get(piece) ?? 0) + 1)
    }
  }
  return counts
}

interface Pair {
  count: number
  /** Where the pair is or was. */
  readonly words: Set<number>
}

/** @param size  where to stop: bytes and merges together */
function learnedMerges(
  pieces: ReadonlyMap<string, number>,
  size: number,
): { readonly vocabulary: ReadonlyMap<string, number>; readonly merges: readonly string[] } {
  const symbols = byteCharacters.toSorted()
  const vocabulary = new Map(symbols.map((symbol, id) => [symbol, id]))
  const idOfByte = byteCharacters.map((character) => vocabulary.get(character)!)
  const utf8 = new TextEncoder()
  const words = Array.from(pieces.keys(), (piece) => Array.from(utf8.encode(piece), (byte) => idOfByte[byte]!))
  const counts = [...pieces.values()]
  const pairs = new Map<number, Pair>()
  const count = (index: number, sign: 1 | -1) => {
    const word = words[index]!
    for (let i = 1; i < word.length; i++) {
      const key = word[i - 1]! * BASE + word[i]!
      let pair = pairs.get(key)
      if (!pair) {
        pair = { count: 0, words: new Set() }
        pairs.set(key, pair)
      }
      pair.count += sign * counts[index]!
      if (pair.count === 0) pairs.delete(key)
      else if (sign > 0) pair.words.add(index)
    }
  }
  for (const index of words.keys()) count(index, 1)

  const merges: string[] = []
  while (vocabulary.size < size && pairs.size > 0) {
    const [key, pair] = mostFrequent(pairs)
    const [left, right] = [Math.floor(key / BASE), key % BASE]
    const symbol = symbols[left]! + symbols[right]!
    merges.push(`${symbols[left]} ${symbols[right]}`)
    const id = vocabulary.get(symbol) ?? symbols.push(symbol) - 1
    vocabulary.set(symbol, id)
    for (const index of pair.words) {
      count(index, -1)
      words[index] = merged(words[index]!, left, right, id)
      count(index, 1)
    }
  }
  return { vocabulary, merges }
}

function mostFrequent(pairs: ReadonlyMap<number, Pair>): readonly [number, Pair] {
  let best = -1
  let bestPair: Pair = { count: 0, words: new Set() }
  for (const [key, pair] of pairs) {
    if (pair.count > bestPair.count || (pair.count === bestPair.count && key < best)) {
      best = key
      bestPair = pair
    }
  }
  return [best, bestPair]
}

function merged(word: readonly number[], left: number, right: number, id: number): number[] {
  const shorter: number[] = []
  for (let i = 0; i < word.length; i++) {
    const isPair = word[i] === left && word[i + 1] === right
    shorter.push(isPair ? id : word[i]!)
    if (isPair) i++
  }
  return shorter
}
