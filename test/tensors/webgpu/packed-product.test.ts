import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { useBackend } from '../../../tensors/backend.js'
import { packedGate, packedWeight } from '../../../tensors/packed-weight.js'
import { swiglu } from '../../../tensors/swiglu.js'
import * as tf from '../../../tensors/tf.js'
import { type Gpu, gpuKernels, Plan, shaderOf } from '../../../tensors/webgpu/kernels.js'
import {
  packedMatrix,
  packedProduct,
  packedProductInto,
  packedShape,
  packedSize,
  packedSwiglu,
  packedSwigluInto,
} from '../../../tensors/webgpu/packed-product.js'
import { expectAgreement, normals, on } from '../agreement.js'
import { roundedToHalf } from './half.js'
import { emulated } from './matrix-emulation.js'
import { refusals } from './null-device.js'

let gpu: Gpu
beforeAll(async () => {
  await useBackend('webgpu')
  gpu = gpuKernels()!
})
afterAll(() => useBackend('wasm'))

const inputsOf = (rows: number, outputs: number, inputs: number) => () => ({
  x: normals<tf.Rank.R2>(1, [rows, inputs]),
  weight: normals<tf.Rank.R2>(2, [outputs, inputs]),
  other: normals<tf.Rank.R2>(3, [outputs, inputs]),
  plus: normals<tf.Rank.R2>(4, [rows, outputs]),
})

/** The product plus a matrix, and the gated one, by tfjs on the processor. */
function reference(make: ReturnType<typeof inputsOf>, half: boolean) {
  return on('cpu', () => {
    const { x, weight, other, plus } = make()
    const rounded = (each: tf.Tensor2D) => (half ? roundedToHalf(each) : each)
    const times = (each: tf.Tensor2D): tf.Tensor2D => tf.matMul(rounded(x), rounded(each), false, true)
    return { y: tf.add(times(weight), plus), gated: swiglu(times(weight), times(other)) }
  })
}

describe.each([
  { variant: 'direct', half: false, rows: 5, outputs: 12, inputs: 24 },
  { variant: 'direct', half: true, rows: 9, outputs: 8, inputs: 36 },
  { variant: 'direct', half: true, rows: 3, outputs: 7, inputs: 13 },
  { variant: 'tiled', half: false, rows: 66, outputs: 20, inputs: 40 },
  { variant: 'tiled', half: true, rows: 5, outputs: 18, inputs: 70 },
] as const)('a packed product ($variant, half: $half, $rows × $outputs × $inputs)', (example) => {
  const { variant, half, rows, outputs, inputs } = example
  it("agrees with tfjs's on the processor, and so does the gated one", async () => {
    if (half && !gpu.has('shader-f16')) return
    const make = inputsOf(rows, outputs, inputs)
    const actual = await on('webgpu', () => {
      const { x, weight, other, plus } = make()
      const y = packedProduct(gpu, x, packedWeight(weight, half), plus, variant)
      return { y, gated: packedSwiglu(gpu, x, packedGate(weight, other, half).gate, variant) }
    })
    expectAgreement(actual, await reference(make, half))
  })
})

it('leaves rows alone that are not in use, as often as its plan is run', async () => {
  const kept = await on('webgpu', () => {
    const { x, weight, other, plus } = inputsOf(6, 8, 12)()
    const y = tf.zeros<tf.Rank.R2>([6, 8])
    const gated = tf.zeros<tf.Rank.R2>([6, 8])
    const plan = new Plan(gpu)
    packedProductInto(plan, x, packedWeight(weight), y, plus, 2)
    packedSwigluInto(plan, x, packedGate(weight, other).gate, gated, 2)
    plan.encode()
    plan.encode()
    return { y: tf.slice(y, [2, 0]), gated: tf.slice(gated, [2, 0]), used: tf.slice(y, 0, [2, 8]) }
  })
  expect(new Set([...kept.y!, ...kept.gated!])).toEqual(new Set([0]))
  expect(kept.used!.every((number) => number !== 0)).toBe(true)
})

it('has half precision where the adapter has it, else single', () => {
  tf.tidy(() => {
    const { form } = packedWeight(normals<tf.Rank.R2>(1, [3, 4]), true)
    expect(form).toBe(gpu.has('shader-f16') ? 'half-lines' : 'lines')
  })
})

const units = [
  { m: 16, n: 16, k: 16, subgroup: 32 },
  { m: 16, n: 8, k: 16, subgroup: 32 },
  { m: 8, n: 8, k: 8, subgroup: 64 },
] as const

describe('packed products by matrix units', () => {
  it('are WGSL that Dawn accepts, for all numbers of rows and outputs', async () => {
    const codes = units.flatMap((unit) =>
      [1, 20, 64, 128].flatMap((rows) =>
        [128, 4864, 9728, 151_936].map((outputs) => {
          const { rows: high, columns } = packedShape(unit, rows, outputs, 49_152)
          const { m, n, k, subgroup } = unit
          return shaderOf(packedMatrix(rows > 1, outputs > 128, outputs === 9728, high, columns, m, n, k, subgroup))
        }),
      ),
    )
    expect(await refusals(codes)).toEqual([])
  })

  it.each([
    [16, 16],
    [16, 32],
  ])(
    'agree with tfjs on the processor, their units emulated (%i × %i)',
    { timeout: 240_000 },
    async (high, columns) => {
      if (!gpu.has('shader-f16')) return
      const [rows, outputs, inputs] = [high + 3, 36, 150]
      const [, k] = packedSize(outputs, inputs, true)
      const gated = columns === 32
      const kernel = emulated(packedMatrix(false, true, gated, high, columns, 16, 16, 16, 32))
      const make = inputsOf(rows, gated ? outputs / 2 : outputs, inputs)
      const actual = await on('webgpu', () => {
        const { x, weight, other, plus } = make()
        const c = gpu.output<tf.Rank.R2>([rows, gated ? outputs / 2 : outputs])
        const { layout } = gated ? packedGate(weight, other, true).gate : packedWeight(weight, true)
        const params = { m: rows, n: outputs, k, inner: inputs, depth: inputs, plus: gated ? 0 : 1, scale: 1 }
        const workgroups = [Math.ceil(outputs / columns), Math.ceil(rows / high), 1] as const
        gpu.run(kernel, { a: x, b: layout, plus: gated ? x : plus, c }, params, workgroups)
        return gated ? { gated: c } : { y: c }
      })
      const { y, gated: other } = await reference(make, true)
      expectAgreement(actual, gated ? { gated: other! } : { y: y! })
    },
  )
})
