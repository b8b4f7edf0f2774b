import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { attentionComposed, attentionMask } from '../../tensors/attention.js'
import { useBackend } from '../../tensors/backend.js'
import { type CacheShape, KeyValueCache } from '../../tensors/key-value-cache.js'
import { ropeComposed } from '../../tensors/rope.js'
import * as tf from '../../tensors/tf.js'
import {
  type DecodeVariant,
  decodeAttentionInto,
  decodeScratch,
  ropeAndKeepInto,
} from '../../tensors/webgpu/decode-attention.js'
import { gpuKernels, Plan } from '../../tensors/webgpu/kernels.js'
import { backends, expectAgreement, normal, normals, on } from './agreement.js'

afterAll(() => useBackend('wasm'))

const adapter = process.env.RXGYM_TEST_WEBGPU

const shapes = fc.record({
  rows: fc.integer({ min: 1, max: 4 }),
  length: fc.integer({ min: 1, max: 20 }),
  keyHeads: fc.integer({ min: 1, max: 2 }),
  group: fc.integer({ min: 1, max: 3 }),
  headSize: fc.integer({ min: 1, max: 37 }),
})

describe.each(backends)('KeyValueCache on %s', (backend) => {
  it('gives the last token of each row what attention over the whole row gives it', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, async ({ group, ...rest }) => {
        const shape = { ...rest, heads: rest.keyHeads * group }
        const { rows, length, heads, keyHeads, headSize } = shape
        const tokens = rows * length
        const inputs = () =>
          [
            normals(1, [tokens, heads * headSize]),
            normals(2, [tokens, keyHeads * headSize]),
            normals(3, [tokens, keyHeads * headSize]),
          ] as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D]
        // Rows of different lengths, the last first.
        const asked = Array.from({ length: rows }, (_, i) => rows - 1 - i)
        const lengths = asked.map((row) => 1 + ((row * 7) % length))
        const lasts = asked.map((row, i) => row * length + lengths[i]! - 1)
        const expected = await on('cpu', () => {
          const { out } = attentionComposed(...inputs(), attentionMask(new Int32Array(tokens), rows, length), shape)
          return { out: tf.gather(out, lasts) }
        })
        const actual = await on(backend, () => {
          const cache = new KeyValueCache({ rows, capacity: length + 2, heads, keyHeads, headSize })
          const [q, k, v] = inputs()
          const owners = Array.from({ length: tokens }, (_, i) => Math.floor(i / length))
          const places = owners.map((row, i) => i - row * length)
          // The second half of each row comes later, and one token is nobody's.
          const first = owners.map((row, i) => (places[i]! < length / 2 ? row : -1))
          const later = owners.map((row, i) => (places[i]! < length / 2 ? -1 : row))
          cache.write(k, v, first, places)
          cache.write(k, v, later, places)
          const out = cache.attend(tf.gather(q, lasts) as tf.Tensor2D, asked, lengths)
          cache.dispose()
          return { out }
        })
        expectAgreement(actual, expected)
      }),
    )
  })

  it('takes as much from many tokens in large groups of heads', async () => {
    const shape = { rows: 3, capacity: 330, heads: 14, keyHeads: 2, headSize: 64 }
    const lengths = [330, 65, 1]
    const inputs = () => ({
      q: normals<tf.Rank.R2>(1, [3, 14 * 64], 2),
      k: normals<tf.Rank.R2>(2, [3 * 330, 2 * 64], 2),
      v: normals<tf.Rank.R2>(3, [3 * 330, 2 * 64]),
    })
    const owners = Array.from({ length: 3 * 330 }, (_, i) => Math.floor(i / 330))
    const places = owners.map((row, i) => i - row * 330)
    const attended = () => {
      const { q, k, v } = inputs()
      const cache = new KeyValueCache(shape)
      cache.write(k, v, owners, places)
      const out = cache.attend(q, [0, 1, 2], lengths)
      cache.dispose()
      return { out }
    }
    expectAgreement(await on(backend, attended), await on('cpu', attended))
  })

  it('refuses places beyond its own', async () => {
    await useBackend(backend)
    tf.tidy(() => {
      const cache = new KeyValueCache({ rows: 2, capacity: 3, heads: 1, keyHeads: 1, headSize: 2 })
      const one = tf.zeros<tf.Rank.R2>([1, 2])
      expect(() => cache.write(one, one, [2], [0])).toThrow(RangeError)
      expect(() => cache.write(one, one, [1], [3])).toThrow(RangeError)
      expect(() => cache.attend(one, [1], [4])).toThrow(RangeError)
      expect(() => cache.attend(one, [1], [0])).toThrow(RangeError)
      cache.dispose()
    })
  })
})

/** Numbers that half precision has too, and products with cosines and sines of 0 and ±1. */
const exact = (seed: number, size: number) => normal(seed, size).map((x) => Math.round(x * 64) / 64)

const CAPACITY = 160
const STEPS = 3

/** Rows of several lengths, and what comes after them. */
interface Steps {
  readonly shape: CacheShape
  /** [rows] tokens that each row of the cache has before. */
  readonly lengths: readonly number[]
  /** Which row each new token goes on with. */
  readonly slots: readonly number[]
}

/** Heads that share a key head, and their size. Each is compiled: in software for seconds, those of 64 features on lavapipe for many. */
const sizes: fc.Arbitrary<readonly [number, number]> =
  adapter === 'lavapipe'
    ? fc.constant([3, 6])
    : adapter === 'swiftshader'
      ? fc.constantFrom([3, 6], [7, 64])
      : fc.tuple(fc.constantFrom(1, 3, 7), fc.constantFrom(2, 6, 64, 128))

const steps = fc
  .record({
    keyHeads: fc.integer({ min: 1, max: 2 }),
    sizes,
    half: fc.boolean(),
    lengths: fc.array(fc.integer({ min: 0, max: CAPACITY - STEPS }), { minLength: 1, maxLength: 4 }),
  })
  .map(({ keyHeads, sizes: [group, headSize], half, lengths }): Steps => {
    const rows = lengths.length
    return {
      shape: { rows, capacity: CAPACITY, heads: keyHeads * group, keyHeads, headSize, half },
      lengths,
      slots: lengths.map((_, i) => rows - 1 - i),
    }
  })

/** [capacity, headSize / 2] cosines and sines. */
function tables({ headSize, half }: CacheShape): readonly [Float32Array, Float32Array] {
  const turns = Float32Array.from({ length: (CAPACITY * headSize) / 2 }, (_, i) => i % 7)
  return half
    ? [turns.map((turn) => [1, 0, -1, 0][turn % 4]!), turns.map((turn) => [0, 1, 0, -1][turn % 4]!)]
    : [turns.map(Math.cos), turns.map(Math.sin)]
}

/** What is there before the steps, in a new cache. */
function filled({ shape, lengths }: Steps): KeyValueCache {
  const cache = new KeyValueCache(shape)
  const owners = lengths.flatMap((length, row) => new Array<number>(length).fill(row))
  const places = lengths.flatMap((length) => Array.from({ length }, (_, place) => place))
  const width = shape.keyHeads * shape.headSize
  const of = (seed: number) => tf.tensor2d(exact(seed, owners.length * width), [owners.length, width])
  cache.write(of(1), of(2), owners, places)
  return cache
}

const newTokens = ({ shape: { heads, keyHeads, headSize }, slots }: Steps, step: number) =>
  exact(10 + step, slots.length * (heads + 2 * keyHeads) * headSize)

/** The steps, one operation after the other. */
function composed(given: Steps): Record<string, tf.Tensor> {
  const { shape, lengths, slots } = given
  const [cos, sin] = tables(shape)
  const { heads, keyHeads, headSize } = shape
  const cache = filled(given)
  const outs: Record<string, tf.Tensor> = {}
  for (let step = 0; step < STEPS; step++) {
    const places = slots.map((slot) => lengths[slot]! + step)
    const rowsOf = (table: Float32Array) =>
      tf.reshape<tf.Rank.R3>(tf.gather(tf.tensor2d(table, [CAPACITY, headSize / 2]), places), [slots.length, 1, -1])
    const angles = { cos: rowsOf(cos), sin: rowsOf(sin) }
    const qkv = tf.tensor2d(newTokens(given, step), [slots.length, (heads + 2 * keyHeads) * headSize])
    const [q, k, v] = tf.split(
      qkv,
      [heads, keyHeads, keyHeads].map((count) => count * headSize),
      1,
    ) as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D]
    cache.write(ropeComposed(k, keyHeads, angles), v, slots, places)
    const lengthsNow = places.map((place) => place + 1)
    outs[step] = cache.attend(ropeComposed(q, heads, angles), slots, lengthsNow)
  }
  cache.dispose()
  return outs
}

/** The steps, prepared once; one more token is nobody's. */
function prepared(given: Steps, variant: DecodeVariant): Record<string, tf.Tensor> {
  const { shape, lengths, slots } = given
  const [cos, sin] = tables(shape)
  const { heads, keyHeads, headSize, capacity } = shape
  const gpu = gpuKernels()!
  const cache = filled(given)
  const tokens = slots.length + 1
  const table = (values: Float32Array) => tf.tensor2d(values, [capacity, headSize / 2])
  const qkv = gpu.output<tf.Rank.R2>([tokens, (heads + 2 * keyHeads) * headSize])
  const [q, out] = [tf.zeros([tokens, heads * headSize]), tf.zeros([tokens, heads * headSize])]
  const [slotsNow, places] = [gpu.integers([...slots, -1]), gpu.integers(new Int32Array(tokens))]
  const plan = new Plan(gpu)
  const onDevice = cache.onDevice!
  const where = { slots: slotsNow, places, q }
  ropeAndKeepInto(plan, onDevice, tokens, { qkv, cos: table(cos), sin: table(sin), ...where })
  decodeAttentionInto(plan, onDevice, tokens, { ...where, out }, decodeScratch(gpu, shape, tokens, variant))
  const outs: Record<string, tf.Tensor> = {}
  const { queue } = gpu.backend.device
  for (let step = 0; step < STEPS; step++) {
    gpu.backend.flush()
    queue.writeBuffer(gpu.backend.buffer(qkv), 0, newTokens(given, step))
    queue.writeBuffer(
      gpu.backend.buffer(places),
      0,
      Uint32Array.from(slots, (slot) => lengths[slot]! + step),
    )
    plan.encode()
    gpu.backend.changed(out)
    outs[step] = tf.slice(out, [0, 0], [slots.length, heads * headSize])
  }
  cache.dispose()
  return outs
}

describe.each<DecodeVariant>(backends.includes('webgpu') ? ['split', 'plain'] : [])(
  'a decode step that is prepared (%s)',
  (variant) => {
    it('gives what the cache gives, while its rows grow, in half precision where the numbers have it', {
      timeout: 300_000,
    }, async () => {
      await fc.assert(
        fc.asyncProperty(steps, async (given) => {
          expectAgreement(await on('webgpu', () => prepared(given, variant)), await on('cpu', () => composed(given)))
        }),
        { numRuns: 15 },
      )
    })
  },
)
