import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkedSampling, drawToken, type Sampling } from '../../../agents/llm/sampling.js'
import { PCG64 } from '../../../envs/seeding.js'
import { referenceDistribution, referenceDraw } from './reference-sampling.js'

const draw = (logits: ArrayLike<number>, sampling: Sampling = {}, seed = 0, seen: readonly number[] = []) =>
  drawToken(Float32Array.from(logits), seen, checkedSampling(sampling), new PCG64(seed).random())

/** Few different values, so that there are ties; and some that are impossible. */
const logit = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -1200, max: 1200 }).map((hundredths) => hundredths / 100) },
  { weight: 3, arbitrary: fc.integer({ min: -2, max: 2 }) },
  { weight: 1, arbitrary: fc.constant(Number.NEGATIVE_INFINITY) },
)
const logitsArbitrary = fc
  .array(logit, { minLength: 1, maxLength: 24 })
  .filter((logits) => logits.some((each) => Number.isFinite(each)))
const sampled = fc.record({
  temperature: fc.constantFrom(0.05, 0.6, 1, 2.5),
  topK: fc.constantFrom(0, 1, 2, 5, 100),
  topP: fc.constantFrom(1, 0.01, 0.3, 0.7, 0.95),
  repetitionPenalty: fc.constantFrom(1, 1.1, 2, 0.5),
})

describe('drawToken', () => {
  it('draws what a plain implementation of penalty, temperature, top-k and top-p draws, with its probability', () => {
    fc.assert(
      fc.property(
        logitsArbitrary,
        fc.array(fc.nat(23), { maxLength: 8 }),
        sampled,
        fc.nat(),
        (logits, tokens, sampling, seed) => {
          const seen = tokens.filter((token) => token < logits.length)
          const expected = referenceDistribution(Float32Array.from(logits), seen, sampling)
          const { token, logProb } = draw(logits, sampling, seed, seen)
          expect(token).toBe(referenceDraw(expected, new PCG64(seed).random()))
          expect(logProb).toBeCloseTo(Math.log(expected[token]!), 9)
        },
      ),
      { numRuns: 2000 },
    )
  })

  it.each<[string, Sampling]>([
    ['as they are', {}],
    ['at a low temperature', { temperature: 0.5 }],
    ['of the likeliest five', { topK: 5 }],
    ['of those that have 0.8 together', { topP: 0.8 }],
    ['after all of it', { temperature: 1.5, topK: 8, topP: 0.9, repetitionPenalty: 1.3 }],
  ])('draws tokens as often as they are probable: %s', (_, sampling) => {
    const generator = new PCG64(11)
    const logits = Float32Array.from({ length: 12 }, () => generator.normal(0, 1.5))
    const seen = [0, 3, 3, 7]
    const expected = referenceDistribution(logits, seen, sampling)
    const draws = 20_000
    const counts = new Array<number>(logits.length).fill(0)
    const checked = checkedSampling(sampling)
    for (let i = 0; i < draws; i++) counts[drawToken(logits.slice(), seen, checked, generator.random()).token]! += 1
    let chiSquare = 0
    for (const [token, probability] of expected.entries()) {
      if (probability === 0) expect(counts[token]).toBe(0)
      else chiSquare += (counts[token]! - draws * probability) ** 2 / (draws * probability)
    }
    // 0.999 of the chi-square distribution lies below this (Wilson and Hilferty 1931).
    const freedom = expected.filter((probability) => probability > 0).length - 1
    const bound = freedom * (1 - 2 / (9 * freedom) + 3.09 * Math.sqrt(2 / (9 * freedom))) ** 3
    expect(chiSquare).toBeLessThan(bound)
  })

  it('greedily takes the likeliest after the penalty, the first of equal ones, and draws nothing', () => {
    const greedy = (logits: readonly number[], seen: readonly number[] = [], repetitionPenalty = 1) =>
      drawToken(Float32Array.from(logits), seen, checkedSampling({ temperature: 0, repetitionPenalty }), 0.999)
    expect(greedy([1, 3, 2])).toEqual({ token: 1, logProb: 0 })
    expect(greedy([1, 3, 3, 3])).toEqual({ token: 1, logProb: 0 })
    expect(greedy([1, 3, 2.9], [1], 1.1)).toEqual({ token: 2, logProb: 0 })
    expect(greedy([-1, -1.05], [0], 1.1)).toEqual({ token: 1, logProb: 0 })
  })

  it('of equal tokens keeps the first within top-k and top-p', () => {
    const drawn = (sampling: Sampling) =>
      [...new Set(Array.from({ length: 200 }, (_, seed) => draw([1, 1, 1, 1, 1], sampling, seed).token))].sort()
    expect(drawn({ topK: 2 })).toEqual([0, 1])
    expect(drawn({ topP: 0.4 })).toEqual([0, 1])
    expect(drawn({ topP: 0.41 })).toEqual([0, 1, 2])
    expect(drawn({})).toEqual([0, 1, 2, 3, 4])
  })

  it('penalises a token once, however often it was there', () => {
    const once = draw([1, 2, 0.5], { repetitionPenalty: 1.5 }, 3, [1])
    expect(draw([1, 2, 0.5], { repetitionPenalty: 1.5 }, 3, [1, 1, 1])).toEqual(once)
  })

  it('never draws what has a logit of minus infinity, and draws one token for each uniform number', () => {
    const generator = new PCG64(2)
    const expected = new PCG64(2)
    for (let i = 0; i < 500; i++) {
      const { token } = drawToken(
        Float32Array.of(Number.NEGATIVE_INFINITY, 0, Number.NEGATIVE_INFINITY, 0),
        [],
        checkedSampling({}),
        generator.random(),
      )
      expect(token).toBe(expected.random() < 0.5 ? 1 : 3)
    }
  })

  it.each([
    ['NaN, naming the token', [0, 1, Number.NaN, 2], 'the logit of token 2 is NaN'],
    ['infinite', [0, Number.POSITIVE_INFINITY], 'the largest of 2 logits is Infinity'],
    ['all impossible', [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY], 'the largest of 2 logits is -Infinity'],
  ])('refuses logits that are %s', (_, logits, message) => {
    for (const temperature of [0, 1]) {
      const wayOut = 'the model has weights that are no numbers, or too large ones. Go back to a checkpoint before'
      expect(() => draw(logits, { temperature })).toThrow(RangeError)
      expect(() => draw(logits, { temperature })).toThrow(`${message}: ${wayOut}`)
    }
  })
})

describe('checkedSampling', () => {
  it('fills in what is not given: nothing is cut off or bent', () => {
    expect(checkedSampling({})).toEqual({ temperature: 1, topK: 0, topP: 1, repetitionPenalty: 1 })
  })

  it.each<[Sampling, string]>([
    [{ temperature: -0.1 }, 'sampling: temperature -0.1 is not a number from 0'],
    [{ temperature: Number.NaN }, 'sampling: temperature NaN is not a number from 0'],
    [{ temperature: Number.POSITIVE_INFINITY }, 'sampling: temperature Infinity is not a number from 0'],
    [{ topK: 1.5 }, 'sampling: topK 1.5 is not a whole number from 0'],
    [{ topK: -1 }, 'sampling: topK -1 is not a whole number from 0'],
    [{ topP: 0 }, 'sampling: topP 0 is not above 0 and at most 1'],
    [{ topP: 1.1 }, 'sampling: topP 1.1 is not above 0 and at most 1'],
    [{ repetitionPenalty: 0 }, 'sampling: repetitionPenalty 0 is not a number above 0'],
    [{ repetitionPenalty: Number.NaN }, 'sampling: repetitionPenalty NaN is not a number above 0'],
  ])('refuses %o', (sampling, message) => {
    expect(() => checkedSampling(sampling)).toThrow(new RangeError(message))
  })
})
