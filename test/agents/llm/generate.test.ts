import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { decodeWeights } from '../../../agents/llm/decoder.js'
import { type GenerateOptions, generate, PromptError } from '../../../agents/llm/generate.js'
import { HostDecoder } from '../../../agents/llm/host-decoder.js'
import type { LanguageModel } from '../../../agents/llm/language-model.js'
import type { Sampling } from '../../../agents/llm/sampling.js'
import { PCG64 } from '../../../envs/seeding.js'
import { useBackend } from '../../../tensors/backend.js'
import * as tf from '../../../tensors/tf.js'
import { referenceDistribution } from './reference-sampling.js'
import { chainModel, tinyModel, tinyTokenizer } from './tiny-model.js'

const tokenizer = tinyTokenizer(['hello world hello world the cat'], 272)
let tensors: number

beforeAll(async () => {
  await useBackend('wasm')
})
beforeEach(() => {
  tensors = tf.memory().numTensors
})
// Whatever a test does, it leaves no tensor.
afterEach(() => {
  vi.restoreAllMocks()
  expect(tf.memory().numTensors).toBe(tensors)
})

/** A chain of a text's tokens, the end token behind it if that is asked for. */
function chainOf(text: string, end = false): number[] {
  return [tokenizer.idOf('<|pad|>')!, ...tokenizer.encode(text), ...(end ? [tokenizer.eos!] : [])]
}

/** What a model that says the chain writes behind its first token. */
async function said(chain: readonly number[], options: GenerateOptions) {
  expect(new Set(chain).size).toBe(chain.length)
  const model = chainModel(tokenizer, chain)
  try {
    const [written] = await model.generate([chain.slice(0, 1)], { temperature: 0, ...options })
    return { ...written!, tokens: Array.from(written!.tokens) }
  } finally {
    model.dispose()
  }
}

describe('A completion', () => {
  it('ends with an end token, which belongs to its tokens and not to its text', async () => {
    const chain = chainOf('hello cat', true)
    const written = await said(chain, { maxNewTokens: 30 })
    expect(written).toMatchObject({ tokens: chain.slice(1), text: 'hello cat', ended: 'token' })
    expect(Array.from(written.logProbs)).toEqual(chain.slice(1).map(() => 0))
  })

  it('ends with any of several end tokens', async () => {
    const [, ...rest] = chainOf('abcd')
    const written = await said(chainOf('abcd'), { endTokens: [7, rest[2]!], maxNewTokens: 30 })
    expect(written).toMatchObject({ tokens: rest.slice(0, 3), text: 'ab', ended: 'token' })
  })

  it('has what is left of a character as U+FFFD where it ends within one', async () => {
    const [first, ...bytes] = chainOf('x😀')
    const written = await said([first!, ...bytes.slice(0, 3), tokenizer.eos!], {})
    expect(written).toMatchObject({ text: 'x\uFFFD', ended: 'token' })
    const cut = await said([first!, ...bytes], { maxNewTokens: 3 })
    expect(cut).toMatchObject({ text: 'x\uFFFD', ended: 'length' })
  })

  it.each<[what: string, text: string, stop: readonly string[], kept: string]>([
    ['across tokens', 'abcdef', ['cd'], 'abcd'],
    ['of one token', 'abcdef', ['d'], 'abcd'],
    ['within a token, whose rest is no text any more', 'x hello', ['hel'], 'x hel'],
    ['at the very start', 'abc', ['a'], 'a'],
    ['that ends first, of several', 'abcdef', ['def', 'bcd', 'cd'], 'abcd'],
    ['that ends first, of several within a token', 'x world', ['rld', 'o', 'wor'], 'x wo'],
    ['of a character of several bytes', 'ab😀cd', ['😀'], 'ab😀'],
    ['of several such characters', 'aé😀cd', ['é😀c'], 'aé😀c'],
  ])('ends behind a stop text %s', async (_, text, stop, kept) => {
    const chain = chainOf(text)
    const written = await said(chain, { stop, maxNewTokens: chain.length - 1 })
    expect(written).toMatchObject({ text: kept, ended: 'stop' })
    // No token is drawn behind the one that completes it.
    const needed = chain.findIndex((_, end) => tokenizer.decode(chain.slice(1, end + 1)).startsWith(kept))
    expect(written.tokens).toEqual(chain.slice(1, needed + 1))
  })

  it('does not end by a stop text that is in the prompt, or begins in it', async () => {
    const chain = chainOf('abcdef')
    const model = chainModel(tokenizer, chain)
    const [written] = await model.generate([chain.slice(0, 3)], { temperature: 0, stop: ['ab', 'bc'], maxNewTokens: 4 })
    expect(written).toMatchObject({ text: 'cdef', ended: 'length' })
    model.dispose()
  })

  it('wherever the stop texts and the tokens are, is cut behind the one that ends first', async () => {
    const letters = 'abcdefghijk'
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray(letters.split(''), { minLength: 2 }),
        fc.array(fc.string({ minLength: 1, maxLength: 3, unit: fc.constantFrom(...letters) }), { maxLength: 4 }),
        async (characters, stop) => {
          const text = characters.join('')
          const chain = chainOf(text)
          const written = await said(chain, { stop, maxNewTokens: chain.length - 1 })
          const ends = stop.flatMap((each) => (text.includes(each) ? [text.indexOf(each) + each.length] : []))
          const expected = ends.length > 0 ? text.slice(0, Math.min(...ends)) : text
          expect([written.text, written.ended]).toEqual([expected, ends.length > 0 ? 'stop' : 'length'])
        },
      ),
      { numRuns: 20 },
    )
  })

  it.each<[string, GenerateOptions, number]>([
    ['maxNewTokens', { maxNewTokens: 5 }, 5],
    ['maxLength, the prompt counted', { maxLength: 12 }, 9],
    ['the smaller of both', { maxLength: 12, maxNewTokens: 4 }, 4],
    ['the smaller of both, the other way round', { maxLength: 6, maxNewTokens: 9 }, 3],
    ['the context where neither is said', {}, 17],
    ['the context where maxLength is beyond it', { maxLength: 99, maxNewTokens: 99 }, 17],
  ])('is as long as %s allows', async (_, options, length) => {
    const model = tinyModel({ context: 20 })
    const [written] = await model.generate([[1, 2, 3]], { endTokens: [], ...options })
    expect(written).toMatchObject({ ended: 'length' })
    expect([written!.tokens.length, written!.logProbs.length]).toEqual([length, length])
    model.dispose()
  })
})

describe('The log-probability of a token', () => {
  let model: LanguageModel
  beforeAll(() => {
    model = tinyModel({ seed: 1 })
  })
  afterAll(() => model.dispose())
  afterEach(() => model.refresh())

  it.each([0.6, 1, 1.7])('is what the model gives it when it reads it, at temperature %d', async (temperature) => {
    const prompts = [[1, 2, 3], [200], [9, 8, 7, 6, 5, 4]]
    const written = await model.generate(prompts, { temperature, maxNewTokens: 12, seed: 4 })
    const again = await model.tokenLogProbs(
      prompts,
      written.map(({ tokens }) => tokens),
      { temperature },
    )
    for (const [i, { logProbs }] of written.entries()) {
      for (const [t, logProb] of logProbs.entries()) expect(Math.abs(again[i]![t]! - logProb)).toBeLessThan(1e-4)
    }
  })

  it.each<Sampling>([
    { topK: 3 },
    { topP: 0.5 },
    { repetitionPenalty: 1.4 },
    { temperature: 0.8, topK: 20, topP: 0.9, repetitionPenalty: 1.2 },
  ])('is of the distribution that was sampled, after %o', async (sampling) => {
    const prompt = [1, 2, 3, 2]
    const [written] = await model.generate([prompt], { ...sampling, maxNewTokens: 10, endTokens: [] })
    const whole = [...prompt, ...written!.tokens]
    const logits = await model.logits(whole)
    const { vocabulary } = model.config
    for (const [t, token] of written!.tokens.entries()) {
      const at = prompt.length + t
      const distribution = referenceDistribution(
        logits.slice((at - 1) * vocabulary, at * vocabulary),
        whole.slice(0, at),
        sampling,
      )
      expect(Math.abs(Math.log(distribution[token]!) - written!.logProbs[t]!)).toBeLessThan(1e-4)
    }
  })

  it('is 0 where it was taken greedily, and nothing is drawn for it', async () => {
    const decoding = decodeWeights(model.config, model.weights)
    const generators = [new PCG64(1), new PCG64(2)]
    const before = generators.map((generator) => generator.state())
    const options = { temperature: 0, maxNewTokens: 6 }
    const written = await generate(decoding, [[1, 2], [3]], options, generators, () => tokenizer.stream())
    expect(written.flatMap(({ logProbs }) => Array.from(logProbs))).toEqual(new Array(12).fill(0))
    expect(generators.map((generator) => generator.state())).toEqual(before)
    decoding.dispose()
  })
})

describe('Many prompts at once', () => {
  it.each(['wasm', 'cpu'] as const)(
    'are gone on with as each by itself is, more than fit at once too (%s)',
    async (name) => {
      await useBackend(name)
      const before = tf.memory().numTensors
      const model = tinyModel({ seed: 2, context: 40 })
      const decoding = decodeWeights(model.config, model.weights)
      const random = new PCG64(3)
      const count = name === 'wasm' ? 70 : 6
      const prompts = Array.from({ length: count }, () =>
        Array.from({ length: random.integers(1, 20) }, () => random.integers(0, 256)),
      )
      const options: GenerateOptions = {
        maxNewTokens: 8,
        temperature: 0.9,
        endTokens: [4, 17, 30, 65, 97, 200],
        stop: ['e'],
      }
      const run = (which: readonly number[]) =>
        generate(
          decoding,
          which.map((i) => prompts[i]!),
          options,
          which.map((i) => new PCG64(100 + i)),
          () => tokenizer.stream(),
        )
      const together = await run(prompts.map((_, i) => i))
      const reversed = await run(prompts.map((_, i) => count - 1 - i))
      for (const i of [0, 1, 2, 3, count - 2, count - 1]) {
        const [alone] = await run([i])
        for (const other of [together[i]!, reversed[count - 1 - i]!]) {
          expect([other.tokens, other.text, other.ended]).toEqual([alone!.tokens, alone!.text, alone!.ended])
          for (const [t, logProb] of alone!.logProbs.entries()) {
            expect(Math.abs(other.logProbs[t]! - logProb)).toBeLessThan(1e-5)
          }
        }
      }
      // They did not all end alike.
      expect(new Set(together.map(({ ended }) => ended)).size).toBeGreaterThan(1)
      decoding.dispose()
      model.dispose()
      expect(tf.memory().numTensors).toBe(before)
      await useBackend('wasm')
    },
  )

  it('leave the batch as they end', async () => {
    const step = vi.spyOn(HostDecoder.prototype, 'step')
    const chain = chainOf('abcdefgh', true)
    const model = chainModel(tokenizer, chain)
    const prompts = [1, 5, 3].map((length) => chain.slice(0, length))
    const written = await model.generate(prompts, { temperature: 0 })
    expect(written.map(({ tokens }) => tokens.length)).toEqual([9, 5, 7])
    const going = step.mock.calls.map(([rows]) => [...rows])
    // The first token of each comes of reading the prompts.
    expect(going).toEqual([...new Array(4).fill([0, 1, 2]), ...new Array(2).fill([0, 2]), ...new Array(2).fill([0])])
    model.dispose()
  })

  it('may be none', async () => {
    const model = tinyModel()
    expect(await model.generate([])).toEqual([])
    model.dispose()
  })
})

describe('Generation refuses', () => {
  let model: LanguageModel
  beforeAll(() => {
    model = tinyModel({ context: 16 })
  })
  afterAll(() => model.dispose())
  afterEach(() => model.refresh())

  const long = Array.from({ length: 16 }, (_, i) => i)
  it.each<[what: string, prompts: readonly (readonly number[])[], options: GenerateOptions, message: string]>([
    ['a prompt without tokens', [[1], []], {}, 'prompt 1 has no tokens'],
    [
      'a prompt that fills the context',
      [[1], [2], long],
      {},
      'prompt 2 has 16 tokens and leaves no room: with its completion 16 are allowed. Shorten it, or take a model with a longer context',
    ],
    [
      'a prompt that is longer than maxLength',
      [long.slice(0, 9)],
      { maxLength: 8 },
      'prompt 0 has 9 tokens and leaves no room: with its completion 8 are allowed. Shorten it, or raise maxLength',
    ],
    [
      'a token that the model does not know',
      [[1, 270]],
      {},
      'prompt 0 has the token 270, which is not in the vocabulary of 270',
    ],
    ['a token below 0', [[-1]], {}, 'prompt 0 has the token -1, which is not in the vocabulary of 270'],
    [
      'a token that is no whole number',
      [[1.5]],
      {},
      'prompt 0 has the token 1.5, which is not in the vocabulary of 270',
    ],
    [
      'a token that is no number',
      [[Number.NaN]],
      {},
      'prompt 0 has the token NaN, which is not in the vocabulary of 270',
    ],
  ])('%s', async (_, prompts, options, message) => {
    await expect(model.generate(prompts, options)).rejects.toThrow(new PromptError(Number(message.charAt(7)), message))
    await expect(model.generate(prompts, options)).rejects.toBeInstanceOf(PromptError)
  })

  it.each<[GenerateOptions, string]>([
    [{ maxNewTokens: 0 }, 'generate: maxNewTokens 0 is not a whole number from 1'],
    [{ maxNewTokens: 2.5 }, 'generate: maxNewTokens 2.5 is not a whole number from 1'],
    [{ maxLength: Number.NaN }, 'generate: maxLength NaN is not a whole number from 1'],
    [{ stop: ['a', ''] }, 'generate: stop "" is not a text of at least a character'],
    [{ topP: 2 }, 'sampling: topP 2 is not above 0 and at most 1'],
  ])('%o', async (options, message) => {
    await expect(model.generate([[1]], options)).rejects.toThrow(new RangeError(message))
  })

  it('logits that are NaN', async () => {
    const broken = tinyModel()
    const norm = broken.variables['model.norm.weight']!
    tf.tidy(() => norm.assign(tf.fill(norm.shape, Number.NaN)))
    for (const temperature of [0, 1]) {
      await expect(broken.generate([[1, 2]], { temperature })).rejects.toThrow(
        'the logit of token 0 is NaN: the model has weights that are no numbers, or too large ones. Go back to a checkpoint before',
      )
    }
    broken.dispose()
  })

  it('logits that become NaN on the way, and leaves no tensor of the tokens before', async () => {
    const chain = chainOf('abcdef')
    const model = chainModel(tokenizer, chain)
    const norm = model.variables['model.norm.weight']!
    const step = HostDecoder.prototype.step
    let steps = 0
    vi.spyOn(HostDecoder.prototype, 'step').mockImplementation(async function (this: HostDecoder, rows, uniforms) {
      if (++steps === 3) tf.tidy(() => norm.assign(tf.fill(norm.shape, Number.NaN)))
      return step.call(this, rows, uniforms)
    })
    await expect(model.generate([chain.slice(0, 1)])).rejects.toThrow('the logit of token 0 is NaN')
    model.dispose()
  })
})
