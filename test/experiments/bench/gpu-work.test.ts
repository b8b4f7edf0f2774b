import { describe, expect, it } from 'vitest'
import {
  billions,
  callTime,
  checkResult,
  expectedRow,
  type GpuWork,
  gpuInputs,
  gpuRate,
  inputShapes,
  outputShape,
} from '../../../experiments/bench/gpu-work.js'
import { attention, attentionMask } from '../../../tensors/attention.js'
import { useBackend } from '../../../tensors/backend.js'
import { product } from '../../../tensors/product.js'
import { rmsNorm } from '../../../tensors/rms-norm.js'
import { swiglu } from '../../../tensors/swiglu.js'
import * as tf from '../../../tensors/tf.js'

const works: readonly GpuWork[] = [
  { kind: 'product', m: 7, n: 5, k: 11 },
  { kind: 'product', m: 3, n: 6, k: 4, half: true },
  { kind: 'rms-norm', rows: 5, features: 12 },
  { kind: 'attention', rows: 2, length: 6, heads: 4, keyHeads: 2, headSize: 8 },
  { kind: 'mlp', rows: 4, hidden: 6, intermediate: 10 },
]

/** By rxgym's operations on the backend `cpu`. */
async function computed(work: GpuWork): Promise<Float32Array> {
  await useBackend('cpu')
  const y = tf.tidy(() => {
    const tensors = Object.fromEntries(
      Object.entries(gpuInputs(work)).map(([name, data]) => [name, tf.tensor2d(data, [...inputShapes(work)[name]!])]),
    )
    const { x } = tensors
    switch (work.kind) {
      case 'product':
        return product(x!, tensors.w!)
      case 'rms-norm':
        return rmsNorm(x!, tf.reshape(tensors.weight!, [-1]), 1e-6).y
      case 'attention': {
        const { rows, length } = work
        const segments = Array.from({ length: rows * length }, (_, token) => Math.floor(token / length))
        return attention(x!, tensors.k!, tensors.v!, attentionMask(segments, rows, length), work).out
      }
      case 'mlp':
        return product(swiglu(product(x!, tensors.gate!), product(x!, tensors.up!)), tensors.down!)
    }
  })
  const values = (await y.data()) as Float32Array
  expect(y.shape).toEqual(outputShape(work))
  y.dispose()
  return values
}

describe('what a graphics card is given to do', () => {
  it.each(works.map((work) => [JSON.stringify(work), work] as const))(
    '%s comes to what rxgym computes',
    async (_, work) => {
      const result = await computed(work)
      const inputs = gpuInputs(work)
      checkResult(work, inputs, result)
      const [rows, columns] = outputShape(work)
      for (let row = 0; row < rows; row++) {
        for (const [i, value] of expectedRow(work, inputs, row).entries()) {
          expect(result[row * columns + i]).toBeCloseTo(value, 4)
        }
      }
    },
  )

  it.each(works.map((work) => [JSON.stringify(work), work] as const))(
    '%s is told to be wrong if it is',
    async (_, work) => {
      const result = await computed(work)
      const inputs = gpuInputs(work)
      for (const value of [Number.NaN, 1e6]) {
        const wrong = result.slice()
        wrong[wrong.length - 1] = value
        expect(() => checkResult(work, inputs, wrong)).toThrow(/wrong at row/)
      }
      expect(() => checkResult(work, inputs, result.subarray(1))).toThrow(/numbers for/)
    },
  )

  it('counts a product and an addition for each term, and no masked score', () => {
    expect(billions({ kind: 'product', m: 10, n: 100, k: 1e6 })).toBe(2)
    expect(billions({ kind: 'mlp', rows: 10, hidden: 100, intermediate: 1e6 })).toBe(6)
    expect(billions({ kind: 'rms-norm', rows: 1e6, features: 125 })).toBe(1)
    // Three tokens look at 1 + 2 + 3 of them, and each time twice at headSize numbers.
    expect(billions({ kind: 'attention', rows: 1, length: 3, heads: 2, keyHeads: 1, headSize: 5 })).toBeCloseTo(
      2.4e-7,
      15,
    )
  })
})

describe('who does it', () => {
  const work = works[0]!
  const inputs = gpuInputs(work)

  it('is measured in billions a second, the device waited for', async () => {
    let [asked, waited] = [0, 0]
    const worker = {
      ask: () => {
        asked += 2
        return 2
      },
      done: async () => {
        waited++
      },
      result: () => computed(work),
    }
    const { values, details } = await gpuRate(work, inputs, worker, { seconds: 0.01, repetitions: 3 })
    expect(values).toHaveLength(3)
    for (const value of values) expect(value).toBeGreaterThan(0)
    expect(details).toMatchObject({ together: expect.any(Number), perCpuSecond: expect.any(Number) })
    expect(waited).toBeGreaterThan(3)
    expect(asked).toBeGreaterThanOrEqual(2 * waited)
  })

  it('is not measured where it is wrong', async () => {
    const worker = { ask: () => 1, done: async () => {}, result: async () => new Float32Array(35) }
    await expect(gpuRate(work, inputs, worker, { seconds: 0.01, repetitions: 1 })).rejects.toThrow('wrong at row 0')
  })

  it('is called again and again without the device being waited for', async () => {
    let waited = 0
    const { values, byClock } = await callTime(
      () => 1,
      async () => {
        waited++
      },
      { repetitions: 2 },
    )
    expect(values).toHaveLength(2)
    expect(waited).toBe(5)
    expect(byClock).toBeGreaterThanOrEqual(0)
  })
})
