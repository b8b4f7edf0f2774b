import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { byteCharacters } from '../../../agents/llm/byte-characters.js'
import { Tokenizer } from '../../../agents/llm/tokenizer.js'
import { trainTokenizer } from '../../../agents/llm/train-tokenizer.js'

/** Made with Hugging Face's tokenizers, as its first field says. */
const reference = JSON.parse(readFileSync(new URL('tokenizers-reference.json', import.meta.url), 'utf8')) as {
  readonly texts: readonly string[]
  readonly vocabulary_size: number
  readonly merges: readonly string[]
}

interface Model {
  readonly vocab: Readonly<Record<string, number>>
  readonly merges: readonly string[]
}

function trained(texts: Iterable<string>, vocabularySize: number): Model {
  return JSON.parse(trainTokenizer(texts, { vocabularySize })['tokenizer.json']).model
}

/** Counts all pairs anew for every merge, over what Qwen2's pieces are in texts of letters and spaces. */
function naiveMerges(texts: readonly string[], merges: number): string[] {
  const pieces = texts.flatMap((text) => text.match(/ ?[a-c]+|\s+(?!\S)|\s+/g) ?? [])
  let words = pieces.map((piece) => Array.from(piece, (character) => byteCharacters[character.charCodeAt(0)]!))
  const age = new Map(byteCharacters.toSorted().map((symbol, i) => [symbol, i]))
  const learned: string[] = []
  while (learned.length < merges) {
    const counts = new Map<string, number>()
    for (const word of words) {
      for (let i = 1; i < word.length; i++) {
        const pair = `${word[i - 1]} ${word[i]}`
        counts.set(pair, (counts.get(pair) ?? 0) + 1)
      }
    }
    const ages = (pair: string) => pair.split(' ').map((symbol) => age.get(symbol)!)
    const [best] = [...counts].sort(([a, n], [b, m]) => m - n || ages(a)[0]! - ages(b)[0]! || ages(a)[1]! - ages(b)[1]!)
    if (!best) break
    const [left, right] = best[0].split(' ')
    learned.push(best[0])
    age.set(`${left}${right}`, age.size)
    words = words.map((word) => {
      const shorter: string[] = []
      for (const symbol of word) {
        if (symbol === right && shorter.at(-1) === left) shorter[shorter.length - 1] = `${left}${right}`
        else shorter.push(symbol)
      }
      return shorter
    })
  }
  return learned
}

describe('A trained tokenizer', () => {
  it("has exactly the merges of Hugging Face's trainer", () => {
    expect(trained(reference.texts, reference.vocabulary_size).merges).toEqual(reference.merges)
  })

  it('has the merges that counting everything anew for each of them gives', () => {
    const texts = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c', ' '), maxLength: 60 }), { maxLength: 4 })
    fc.assert(
      fc.property(texts, fc.integer({ min: 0, max: 30 }), (texts, merges) => {
        expect(trained(texts, 256 + 4 + merges).merges).toEqual(naiveMerges(texts, merges))
      }),
    )
  })

  it('has both parts of every merge before it', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 80 })), (texts) => {
        const { vocab, merges } = trained(texts, 300)
        for (const merge of merges) {
          const [left, right] = merge.split(' ')
          const id = vocab[`${left}${right}`]!
          expect(vocab[left!]).toBeLessThan(id)
          expect(vocab[right!]).toBeLessThan(id)
        }
      }),
      { numRuns: 30 },
    )
  })

  it('has bytes, merges and special tokens as ids without a gap', () => {
    const files = trainTokenizer(reference.texts, { vocabularySize: 300, specialTokens: ['<think>', '<|im_end|>'] })
    const { model, added_tokens } = JSON.parse(files['tokenizer.json'])
    const ids = [...Object.values(model.vocab), ...added_tokens.map(({ id }: { readonly id: number }) => id)]
    expect(ids.sort((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, id) => id))
    expect(new Tokenizer(files).idOf('<think>')).toBe(299)
  })

  it('is the same whenever it is trained on the same texts', () => {
    expect(trainTokenizer(reference.texts, { vocabularySize: 400 })).toEqual(
      trainTokenizer(reference.texts.values(), { vocabularySize: 400 }),
    )
  })

  it('learns nothing from special tokens within the texts', () => {
    const texts = ['ab<|im_end|>ab', '<|im_start|><|im_start|>xy']
    expect(trained(texts, 262).merges).toEqual(['a b', 'x y'])
  })

  it('has fewer tokens than asked for where the texts have no more pairs', () => {
    const tokenizer = new Tokenizer(trainTokenizer(['abc'], { vocabularySize: 1000 }))
    expect(tokenizer.vocabularySize).toBe(256 + 2 + 4)
  })

  it('takes text back that is not in a normal form of Unicode', () => {
    const tokenizer = new Tokenizer(trainTokenizer([], { vocabularySize: 260 }))
    expect(tokenizer.decode(tokenizer.encode('e\u0301 \u212b'))).toBe('e\u0301 \u212b')
  })
})

describe('Training a tokenizer', () => {
  for (const vocabularySize of [259, 300.5, Number.NaN]) {
    it(`refuses a vocabulary of ${vocabularySize}, telling the least there is`, () => {
      expect(() => trainTokenizer([], { vocabularySize })).toThrow(/at least 260 \(256 bytes and 4 special tokens\)/)
    })
  }

  it('refuses special tokens that are empty or ordinary tokens', () => {
    expect(() => trainTokenizer([], { vocabularySize: 300, specialTokens: [''] })).toThrow(/"" is empty/)
    expect(() => trainTokenizer([], { vocabularySize: 300, specialTokens: ['a'] })).toThrow(/"a" is an ordinary token/)
  })

  it('has numbers of one digit a token, or of as many as it is told to', () => {
    const texts = ['123 + 45 = 168', '123 - 45 = 78'].flatMap((text) => Array<string>(20).fill(text))
    const pieces = (digits: 1 | 2 | 3) => {
      const tokenizer = new Tokenizer(trainTokenizer(texts, { vocabularySize: 300, digits }))
      return Array.from(tokenizer.encode('123 + 45'), (token) => tokenizer.decode([token]))
    }
    expect(pieces(1)).toEqual(['1', '2', '3', ' +', ' ', '4', '5'])
    expect(pieces(2)).toEqual(['12', '3', ' +', ' ', '45'])
    expect(pieces(3)).toEqual(['123', ' +', ' ', '45'])
    expect(() => trainTokenizer(texts, { vocabularySize: 300, digits: 4 as 3 })).toThrow('digits 4 is neither')
  })
})
