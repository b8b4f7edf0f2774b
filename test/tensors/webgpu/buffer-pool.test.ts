import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest'
import { newLanguageModel } from '../../../agents/llm/language-model.js'
import { PCG64 } from '../../../envs/seeding.js'
import { useBackend } from '../../../tensors/backend.js'
import { BackendError } from '../../../tensors/backend-error.js'
import * as tf from '../../../tensors/tf.js'
import { BufferPool } from '../../../tensors/webgpu/buffer-pool.js'
import { type Gpu, gpuKernels } from '../../../tensors/webgpu/kernels.js'
import { tinyTokenizer } from '../../agents/llm/tiny-model.js'

const MIB = 2 ** 20
let gpu: Gpu

beforeAll(async () => {
  await useBackend('webgpu')
  gpu = gpuKernels()!
})
afterAll(() => useBackend('wasm'))
afterEach(() => vi.restoreAllMocks())

const usage = () => GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST
const poolOf = (most: number, flush = () => {}) => new BufferPool(gpu.backend.device, most, flush)

it('gives a buffer that was let go of to the next that asks for its size and use, and counts what is in use', () => {
  const pool = poolOf(MIB)
  const first = pool.acquireBuffer(1024, usage())
  const second = pool.acquireBuffer(1024, usage())
  expect([pool.numBytesUsed, pool.numBytesAllocated]).toEqual([2048, 2048])
  pool.releaseBuffer(first)
  expect([pool.numBytesUsed, pool.numBytesAllocated]).toEqual([1024, 2048])
  expect(pool.acquireBuffer(1024, usage())).toBe(first)
  expect(pool.acquireBuffer(1024, GPUBufferUsage.COPY_DST)).not.toBe(second)
  expect(pool.peak).toBe(3072)
  pool.dispose()
})

it('keeps no more of what nobody uses than twice what is used, and lets go of what was not used for longest', () => {
  const pool = poolOf(Number.POSITIVE_INFINITY)
  const sizes = Array.from({ length: 12 }, (_, i) => 32 * MIB + 1024 * i)
  for (const buffer of sizes.map((size) => pool.acquireBuffer(size, usage()))) pool.releaseBuffer(buffer)
  pool.trim()
  expect(pool.numBytesAllocated).toBeLessThanOrEqual(256 * MIB)
  const before = pool.numBytesAllocated
  const newest = pool.acquireBuffer(sizes.at(-1)!, usage())
  expect(pool.numBytesAllocated).toBe(before)
  pool.releaseBuffer(newest)
  pool.dispose()
  expect(pool.numBytesAllocated).toBe(0)
})

it('frees what nobody uses where the memory is full, once no command names it any more', () => {
  const order: string[] = []
  const pool = poolOf(3 * MIB, () => order.push('submitted'))
  pool.acquireBuffer(MIB, usage())
  const freed = pool.acquireBuffer(2 * MIB, usage())
  vi.spyOn(freed, 'destroy').mockImplementation(() => order.push('destroyed') as never)
  pool.releaseBuffer(freed)
  // Another size, for which what is free is of no use, and in the way.
  pool.acquireBuffer(MIB + 4, usage())
  expect(order).toEqual(['submitted', 'destroyed'])
  expect([pool.numBytesUsed, pool.numBytesAllocated]).toEqual([2 * MIB + 4, 2 * MIB + 4])
})

it('tells what is in use, what there is and what takes less where memory is not enough', () => {
  const pool = poolOf(4 * MIB)
  pool.acquireBuffer(3 * MIB, usage())
  expect(() => pool.acquireBuffer(2 * MIB, usage())).toThrow(
    new BackendError(
      'webgpu: out of memory: 2.00 MiB more beside the 3.00 MiB in use, and the device has 4.00 MiB. ' +
        'What takes less: agent.checkpointing, fewer tokens at once (agent.tokensPerPass), agent.lora, a smaller model',
    ),
  )
  expect(pool.numBytesUsed).toBe(3 * MIB)
})

it('tells of a buffer that is longer than the adapter allows', () => {
  const { maxBufferSize, maxStorageBufferBindingSize } = gpu.limits
  const size = Math.min(maxBufferSize, maxStorageBufferBindingSize) + 4
  expect(() => poolOf(Number.POSITIVE_INFINITY).acquireBuffer(size, usage())).toThrow(
    /^webgpu: a tensor of [\d.]+ GiB, where the adapter allows buffers of [\d.]+ GiB\. Take a smaller model/,
  )
})

it('tells what a model needs, what there is and what would fit, before any of it is loaded', () => {
  const pool = poolOf(64 * MIB)
  pool.acquireBuffer(16 * MIB, usage())
  pool.expectRoom(new Map([['embedding', (48 * MIB) / 4]]))
  expect(() =>
    pool.expectRoom(
      new Map([
        ['embedding', (40 * MIB) / 4],
        ['head', (40 * MIB) / 4],
      ]),
    ),
  ).toThrow(
    new BackendError(
      "webgpu: the model's weights need 0.08 GiB, and of the device's 0.06 GiB there are 0.05 GiB left. " +
        'A model of at most 12.6 million weights fits, to be trained of 3.15 million (gradients and AdamW take three times as much again)',
    ),
  )
})

it('a model whose table is longer than a buffer may be is refused by its name, and leaves no tensor', () => {
  const before = tf.memory().numTensors
  const { maxBufferSize, maxStorageBufferBindingSize } = gpu.limits
  const hidden = 4 * Math.ceil(Math.min(maxBufferSize, maxStorageBufferBindingSize) / 16 / 260)
  const shape = { hidden, intermediate: 4, layers: 1, heads: 1, keyHeads: 1, context: 8 }
  expect(() => newLanguageModel(shape, tinyTokenizer(), new PCG64(0))).toThrow(
    /^webgpu: model\.embed_tokens\.weight needs .* and the adapter allows buffers of .*: take a model with a smaller vocabulary/,
  )
  expect(tf.memory().numTensors).toBe(before)
})
