import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { checkedSampling, drawToken, type Sampling } from '../../../agents/llm/sampling.js'
import { PCG64 } from '../../../envs/seeding.js'
import { useBackend } from '../../../tensors/backend.js'
import * as tf from '../../../tensors/tf.js'
import { gpuKernels, Plan } from '../../../tensors/webgpu/kernels.js'
import {
  MOST_TOKENS,
  markSeenInto,
  NAN_LOGIT,
  NOT_FINITE,
  SAMPLING_IN_SOFTWARE,
  SAMPLING_ON_CARDS,
  sampleTokens,
  sampleTokensInto,
  samplingScratch,
  seenWords,
} from '../../../tensors/webgpu/sample-tokens.js'
import { on } from '../agreement.js'

afterAll(() => useBackend('wasm'))

/** Less than on a card, whose workgroups take their time in software; but more than the invocations that run in step here. */
const variants = [
  ['in software', SAMPLING_IN_SOFTWARE],
  ['on cards, in small', { size: 32, cutSize: 32 }],
] as const

type Rows = readonly Float32Array[]
type Variant = typeof SAMPLING_IN_SOFTWARE

/** Rows of logits on the device. */
function logitsOf(rows: Rows): tf.Tensor1D {
  const all = new Float32Array(rows.length * rows[0]!.length)
  for (const [i, row] of rows.entries()) all.set(row, i * row.length)
  return tf.tensor1d(all)
}

/** Slot 0 is nobody's; the rows' are in reverse. */
function marked(seen: readonly (readonly number[])[], vocabulary: number) {
  const rows = seen.length
  const words = seenWords(vocabulary)
  const bits = new Int32Array((rows + 1) * words)
  for (const [row, tokens] of seen.entries())
    for (const token of tokens) bits[(rows - row) * words + (token >> 5)]! |= 1 << (token & 31)
  const gpu = gpuKernels()!
  const tensor = tf.tensor1d(bits, 'int32')
  gpu.backend.buffer(tensor)
  gpu.backend.changed(tensor)
  return { bits: tensor, before: { seen: tensor, slots: gpu.integers(seen.map((_, row) => rows - row)) } }
}

async function sampled(
  logits: Rows,
  uniforms: readonly number[],
  sampling: Sampling,
  variant: Variant,
  seen: readonly (readonly number[])[] = logits.map(() => []),
) {
  const { tokens, logProbs, bits } = await on('webgpu', () => {
    const [rows, vocabulary] = [logits.length, logits[0]!.length]
    const { bits, before } = marked(seen, vocabulary)
    const draws = {
      ...{ rows, vocabulary, sampling: checkedSampling(sampling), before },
      ...{ logits: logitsOf(logits), uniforms: tf.tensor1d(Float32Array.from(uniforms)) },
    }
    return { ...sampleTokens(gpuKernels()!, draws, variant), bits }
  })
  return { tokens: Array.from(tokens!), logProbs: logProbs!, bits: bits! }
}

/** What may be drawn: the weights left, their sum, and whether rounding decides on one of them. */
function distribution(logits: Float32Array, seen: readonly number[], sampling: Required<Sampling>) {
  const { temperature, topK, topP, repetitionPenalty: penalty } = sampling
  const penalised = logits.slice()
  for (const token of new Set(seen)) {
    const logit = logits[token]!
    penalised[token] = logit < 0 ? logit * penalty : logit / penalty
  }
  const most = penalised.reduce((a, b) => Math.max(a, b))
  const weights = Float64Array.from(penalised, (logit) => Math.exp((logit - most) / temperature))
  const order = Array.from(weights.keys()).sort((a, b) => weights[b]! - weights[a]! || a - b)
  const ranked = topK > 0 ? order.slice(0, topK) : order
  const all = ranked.reduce((sum, token) => sum + weights[token]!, 0)
  let rounding = false
  let sum = 0
  const left = new Float64Array(weights.length)
  for (const token of ranked) {
    if (topP < 1 && Math.abs(sum / all - topP) < 1e-6 && weights[token]! / all > 1e-6) rounding = true
    if (sum > 0 && topP < 1 && sum >= topP * all) break
    left[token] = weights[token]!
    sum += weights[token]!
  }
  return { left, sum, rounding }
}

/** That each row's token and its probability are those of drawToken, unless rounding decided. */
async function expectDrawn(
  logits: Rows,
  uniforms: readonly number[],
  sampling: Sampling,
  variant: Variant,
  seen: readonly (readonly number[])[],
) {
  const actual = await sampled(logits, uniforms, sampling, variant, seen)
  const checked = checkedSampling(sampling)
  const words = seenWords(logits[0]!.length)
  let compared = 0
  for (const [row, own] of logits.entries()) {
    const token = actual.tokens[row]!
    const uniform = Math.fround(uniforms[row]!)
    const expected = drawToken(own.slice(), seen[row]!, checked, uniform)
    const about = `row ${row} of ${own.length} tokens, ${JSON.stringify(sampling)}, uniform ${uniform}`
    const bits = actual.bits.subarray((logits.length - row) * words, (logits.length - row + 1) * words)
    if (checked.repetitionPenalty !== 1) expect((bits[token >> 5]! >> (token & 31)) & 1, about).toBe(1)
    if (checked.temperature === 0) {
      expect(token, about).toBe(expected.token)
      expect(actual.logProbs[row], about).toBe(0)
      compared++
      continue
    }
    const { left, sum, rounding } = distribution(own, seen[row]!, checked)
    if (rounding) continue
    compared++
    const below = left.subarray(0, token).reduce((before, weight) => before + weight, 0) / sum
    if (token !== expected.token) {
      expect(left[token], about).toBeGreaterThan(0)
      expect(below, `${about}: ${token}, not ${expected.token}`).toBeLessThan(uniform + 2e-6)
      expect(below + left[token]! / sum, `${about}: ${token}, not ${expected.token}`).toBeGreaterThan(uniform - 2e-6)
    }
    const logProb = Math.log(left[token]! / sum)
    expect(Math.abs(actual.logProbs[row]! - logProb), about).toBeLessThan(2e-6 * (3 - logProb))
  }
  return compared
}

const temperature = fc.constantFrom(0, 0.6, 1, 2.5)
const topK = fc.constantFrom(0, 1, 2, 7, 40, 10_000)
const topP = fc.constantFrom(1, 0.01, 0.3, 0.7, 0.95)
const NONE = Number.NEGATIVE_INFINITY

/** Software adapters compile every set of constants, of which random settings have a dozen. */
const COMPILING = { timeout: 240_000 }

describe.each(variants)('sampleTokens as it is %s', COMPILING, (_, variant) => {
  it('draws what drawToken draws, with its probability, whatever the penalty, temperature, top-k and top-p', async () => {
    const penalty = fc.constantFrom(1, 1.3, 0.8)
    const size = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 5000 }))
    await fc.assert(
      fc.asyncProperty(size, fc.nat(), temperature, topK, topP, penalty, async (vocabulary, seed, t, k, p, r) => {
        const random = new PCG64(seed)
        const rows = Array.from({ length: 4 }, () =>
          Float32Array.from({ length: vocabulary }, () => random.normal(0, 3)),
        )
        const uniforms = rows.map(() => random.random())
        const seen = rows.map(() => Array.from({ length: 5 }, () => random.integers(0, vocabulary)))
        const sampling = { temperature: t, topK: k, topP: p, repetitionPenalty: r }
        await expectDrawn(rows, uniforms, sampling, variant, seen)
      }),
      { numRuns: 40 },
    )
  })

  it('keeps the same ones of equal tokens', async () => {
    // Multiples of a quarter, which stay what they are when they are halved or doubled.
    const logit = fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: -6, max: 6 }).map((quarters) => quarters / 4) },
      { weight: 1, arbitrary: fc.constantFrom(NONE, -0, 0) },
    )
    const logits = fc.array(logit, { minLength: 1, maxLength: 40 }).filter((some) => some.some(Number.isFinite))
    const tokens = fc.array(fc.nat(39), { maxLength: 6 })
    const penalty = fc.constantFrom(1, 2, 0.5)
    // Shares that no few of equal weights have to the digit.
    const share = fc.constantFrom(1, 0.0123, 0.3141, 0.7283, 0.9417)
    await fc.assert(
      fc.asyncProperty(logits, tokens, temperature, topK, share, penalty, async (some, before, t, k, p, r) => {
        const row = Float32Array.from(some)
        const uniforms = Array.from({ length: 8 }, (_, i) => (i + 0.5) / 8)
        const seen = uniforms.map(() => before.filter((token) => token < row.length))
        const sampling = { temperature: t, topK: k, topP: p, repetitionPenalty: r }
        await expectDrawn(
          uniforms.map(() => row),
          uniforms,
          sampling,
          variant,
          seen,
        )
      }),
      { numRuns: 40 },
    )
  })

  it.each<[string, Sampling, number]>([
    ['the first two by top-k', { topK: 2 }, 2],
    ['the first two by top-p, whose sum is the share', { topP: 0.4 }, 2],
    ['the first three by top-p', { topP: 0.41 }, 3],
    ['the fewer of top-k and top-p', { topK: 4, topP: 0.5 }, 2],
    ['the fewer of top-p and top-k', { topK: 3, topP: 0.99 }, 3],
    ['all', {}, 5],
  ])('of five equal tokens keeps %s', async (_, sampling, kept) => {
    const uniforms = Array.from({ length: 60 }, (_, i) => i / 60)
    const { tokens, logProbs } = await sampled(
      uniforms.map(() => new Float32Array(5).fill(1.5)),
      uniforms,
      sampling,
      variant,
    )
    expect([...new Set(tokens)]).toEqual([0, 1, 2, 3, 4].slice(0, kept))
    expect(logProbs[0]).toBeCloseTo(-Math.log(kept), 6)
  })

  it.each<Sampling>([
    {},
    { topK: 50 },
    { topP: 0.3, repetitionPenalty: 1.2 },
    { topK: 3000, topP: 0.5 },
    { temperature: 0 },
  ])('draws from the vocabulary of Qwen2.5: %o', async (sampling) => {
    const random = new PCG64(8)
    const rows = Array.from({ length: 2 }, () => Float32Array.from({ length: 151_936 }, () => random.normal(0, 2.5)))
    // Ties at the cut of top-k: in several parts of the vocabulary.
    const cut = rows[0]!.toSorted().at(-(sampling.topK || 50))!
    for (let i = 0; i < 4; i++) rows[0]![i * 40_000 + 11] = cut
    const seen = rows.map((row) => [row.indexOf(Math.max(...row.subarray(0, 5000)))])
    expect(await expectDrawn(rows, [0.93, 0.2], sampling, variant, seen)).toBe(2)
  })

  it('of a whole vocabulary of equal tokens keeps the first', async () => {
    const row = new Float32Array(100_000).fill(-7)
    const { tokens, logProbs } = await sampled([row, row], [0, 1], { topK: 70_001, topP: 0.5 }, variant)
    expect(tokens).toEqual([0, 35_000])
    expect(logProbs[1]).toBeCloseTo(-Math.log(35_001), 5)
  })

  it.each<Sampling>([
    {},
    { temperature: 0.5 },
    { topK: 5 },
    { topP: 0.8 },
    { temperature: 1.5, topK: 8, topP: 0.9, repetitionPenalty: 1.3 },
  ])('draws tokens as often as they are probable: %o', async (sampling) => {
    const random = new PCG64(11)
    const logits = Float32Array.from({ length: 12 }, () => random.normal(0, 1.5))
    const before = [0, 3, 3, 7]
    const uniforms = Array.from({ length: 1500 }, () => random.random())
    const { tokens } = await sampled(
      uniforms.map(() => logits),
      uniforms,
      sampling,
      variant,
      uniforms.map(() => before),
    )
    const { left, sum } = distribution(logits, before, checkedSampling(sampling))
    const counts = new Array<number>(logits.length).fill(0)
    for (const token of tokens) counts[token]! += 1
    let chiSquare = 0
    for (const [token, weight] of left.entries()) {
      const expected = (uniforms.length * weight) / sum
      if (expected === 0) expect(counts[token]).toBe(0)
      else chiSquare += (counts[token]! - expected) ** 2 / expected
    }
    // 0.999 of the chi-square distribution lies below this (Wilson and Hilferty 1931).
    const freedom = left.filter((weight) => weight > 0).length - 1
    expect(chiSquare).toBeLessThan(freedom * (1 - 2 / (9 * freedom) + 3.09 * Math.sqrt(2 / (9 * freedom))) ** 3)
  })

  it.each<Sampling>([
    { temperature: 0 },
    {},
    { topK: 2 },
    { topP: 0.5 },
    { topK: 2, topP: 0.5, repetitionPenalty: 1.1 },
  ])('tells of logits that are not finite, and draws in the rows beside them: %o', async (sampling) => {
    const [nan, infinity] = [Number.NaN, Number.POSITIVE_INFINITY]
    const negativeNan = new Float32Array(Uint32Array.of(0, 0, 0xffc00000, 0).buffer)
    const rows = [
      [0, 1, nan, 2],
      [NONE, NONE, 3, NONE],
      [nan, infinity, 0, 0],
      [0, infinity, 0, 0],
      [NONE, NONE, NONE, NONE],
      [NONE, -3e38, NONE, NONE],
      [...negativeNan],
      [1e-3, 3e38, -3e38, NONE],
    ].map((row) => Float32Array.from(row))
    rows[6] = negativeNan
    const { tokens, logProbs } = await sampled(
      rows,
      rows.map(() => 0.7),
      sampling,
      variant,
    )
    expect(tokens).toEqual([NAN_LOGIT, 2, NAN_LOGIT, NOT_FINITE, NOT_FINITE, 1, NAN_LOGIT, 1])
    expect(Array.from(logProbs, Math.abs)).toEqual(rows.map(() => 0))
  })

  it('draws the last token that may be drawn for a uniform number that rounding made 1, the first for 0', async () => {
    const row = Float32Array.of(NONE, 0, 1, 0, NONE)
    expect((await sampled([row, row], [0, 1], {}, variant)).tokens).toEqual([1, 3])
    expect((await sampled([row, row], [0, 1], { topK: 2 }, variant)).tokens).toEqual([1, 2])
  })

  it('encoded twice in a plan, marks in between what was drawn', async () => {
    const { first, second, bits } = await on('webgpu', () => {
      const gpu = gpuKernels()!
      const rows = [Float32Array.of(4, 3.9, -1, 0), Float32Array.of(-1, -3, -2, -1.5)]
      const { bits, before } = marked([[], []], 4)
      const [tokens, logProbs] = [gpu.output<tf.Rank.R1>([2], 'int32'), gpu.output<tf.Rank.R1>([2])]
      const scratch = gpu.output<tf.Rank.R1>([samplingScratch(2, 4)])
      const plan = new Plan(gpu)
      const sampling = checkedSampling({ temperature: 0, repetitionPenalty: 2 })
      const inputs = { logits: logitsOf(rows), uniforms: tf.tensor1d([0, 0]), before, scratch }
      sampleTokensInto(plan, { rows: 2, vocabulary: 4, sampling, ...inputs, tokens, logProbs }, variant)
      plan.encode()
      const first = tf.add(tokens, 0)
      plan.encode()
      return { first, second: tf.add(tokens, 0), bits }
    })
    expect(Array.from(first!)).toEqual([0, 0])
    expect(Array.from(second!)).toEqual([1, 3])
    expect(Array.from(bits!)).toEqual([0, 0b1001, 0b0011])
  })

  it('marks prompts in their slots, which forget what was there', async () => {
    const { bits } = await on('webgpu', () => {
      const gpu = gpuKernels()!
      const { bits } = marked([[69, 1], [2, 3], [40]], 70)
      const prompts = { tokens: gpu.integers([5, 64, 5, 37, 0]), starts: gpu.integers([0, 3, 5]) }
      markSeenInto(gpu, { prompts: 2, vocabulary: 70, seen: bits, slots: gpu.integers([3, 1]), ...prompts }, variant)
      return { bits }
    })
    expect(Array.from(bits!)).toEqual([0, 0, 0, 1, 1 << 5, 0, 0b1100, 0, 0, 1 << 5, 0, 1])
  })
})

describe('sampleTokens on cards', COMPILING, () => {
  it.each<Sampling>([{ temperature: 0 }, {}, { topK: 30, topP: 0.9, repetitionPenalty: 1.2 }])(
    'draws what drawToken draws: %o',
    async (sampling) => {
      await useBackend('webgpu')
      const { maxComputeInvocationsPerWorkgroup: most } = gpuKernels()!.limits
      const random = new PCG64(21)
      const row = Float32Array.from({ length: 6000 }, () => random.normal(0, 2))
      for (const cutSize of most >= 1024 ? [256, 1024] : [256])
        expect(await expectDrawn([row], [0.6], sampling, { ...SAMPLING_ON_CARDS, cutSize }, [[7, 1200]])).toBe(1)
    },
  )
})

describe('sampleTokensInto', () => {
  it.each<[string, number, Sampling, string]>([
    ['more tokens than it has parts for', MOST_TOKENS + 1, {}, 'a vocabulary of 524289 tokens; at most 524288'],
    [
      'a penalty without what was seen',
      4,
      { repetitionPenalty: 1.1 },
      'a repetitionPenalty, and no tokens that were seen',
    ],
  ])('refuses %s', async (_, vocabulary, sampling, message) => {
    await useBackend('webgpu')
    const gpu = gpuKernels()!
    const bound = tf.tensor1d([0])
    const draws = { rows: 1, vocabulary, sampling: checkedSampling(sampling), logits: bound, uniforms: bound }
    const into = { tokens: bound, logProbs: bound, scratch: bound }
    expect(() => sampleTokensInto(gpu, { ...draws, ...into })).toThrow(message)
    bound.dispose()
  })
})
