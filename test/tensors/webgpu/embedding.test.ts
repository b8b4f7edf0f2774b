import { afterAll, describe, expect, it } from 'vitest'
import { PCG64 } from '../../../envs/seeding.js'
import { useBackend } from '../../../tensors/backend.js'
import { embeddingGradient } from '../../../tensors/embedding.js'
import * as tf from '../../../tensors/tf.js'
import { embeddingInto } from '../../../tensors/webgpu/embedding.js'
import { gpuKernels, Plan } from '../../../tensors/webgpu/kernels.js'
import { expectAgreement, normal, normals, on } from '../agreement.js'

afterAll(() => useBackend('wasm'))

describe('embeddingInto', () => {
  it('takes other rows each time that other ids are in its buffer', async () => {
    const taken = await on('webgpu', () => {
      const gpu = gpuKernels()!
      const [ids, out] = [gpu.output<tf.Rank.R1>([3], 'int32'), gpu.output<tf.Rank.R2>([3, 5])]
      const plan = new Plan(gpu)
      embeddingInto(plan, normals<tf.Rank.R2>(1, [7, 5]), ids, out, 3)
      const results: Record<string, tf.Tensor> = {}
      for (const [i, names] of [
        [0, 6, 2],
        [5, 5, 1],
      ].entries()) {
        gpu.backend.flush()
        gpu.backend.device.queue.writeBuffer(gpu.backend.buffer(ids), 0, Int32Array.from(names))
        plan.encode()
        results[i] = tf.add(out, 0)
      }
      return results
    })
    const table = normal(1, 35)
    const rowsOf = (ids: number[]) => Float32Array.from(ids.flatMap((id) => [...table.subarray(id * 5, id * 5 + 5)]))
    expectAgreement(taken, { 0: rowsOf([0, 6, 2]), 1: rowsOf([5, 5, 1]) })
  })
})

describe('embeddingGradient', () => {
  const generator = new PCG64(3)
  /** Half of the ids are 4; the others rare. */
  const ids = Int32Array.from({ length: 9000 }, () =>
    generator.random() < 0.5 ? 4 : generator.random() < 0.2 ? 11 : generator.integers(0, 400),
  )
  const sums = () => on('webgpu', () => ({ sums: embeddingGradient(normals(2, [ids.length, 3]), ids, 400) }))

  it('adds the rows of an id that is frequent in parts', async () => {
    const slopes = normal(2, ids.length * 3)
    const expected = new Float64Array(400 * 3)
    for (let i = 0; i < slopes.length; i++) expected[ids[Math.floor(i / 3)]! * 3 + (i % 3)]! += slopes[i]!
    expectAgreement(await sums(), { sums: Float32Array.from(expected) })
  })

  it('gives the same bytes each time', async () => {
    expect(await sums()).toEqual(await sums())
  })

  it('puts rows with ids of their own in their places as they are', async () => {
    const places = Int32Array.of(5, 0, 3)
    const { sums } = await on('webgpu', () => ({ sums: embeddingGradient(normals(1, [3, 4]), places, 7) }))
    const rows = normal(1, 12)
    const expected = new Float32Array(28)
    for (const [row, place] of places.entries()) expected.set(rows.subarray(row * 4, row * 4 + 4), place * 4)
    expect(sums).toEqual(expected)
  })

  it('is zero without any rows', async () => {
    const { sums } = await on('webgpu', () => ({ sums: embeddingGradient(tf.zeros([0, 2]), new Int32Array(0), 3) }))
    expect(sums).toEqual(new Float32Array(6))
  })
})
