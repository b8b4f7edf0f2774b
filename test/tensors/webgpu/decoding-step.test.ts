import { afterAll, describe, it } from 'vitest'
import { useBackend } from '../../../tensors/backend.js'
import { rmsNormComposed } from '../../../tensors/rms-norm.js'
import { ropeAngles, ropeComposed, ropeFrequencies } from '../../../tensors/rope.js'
import { swigluComposed } from '../../../tensors/swiglu.js'
import type * as tf from '../../../tensors/tf.js'
import { type Encoder, gpuKernels, Plan } from '../../../tensors/webgpu/kernels.js'
import { rmsNormInto } from '../../../tensors/webgpu/rms-norm.js'
import { ropeInto } from '../../../tensors/webgpu/rope.js'
import { swigluInto } from '../../../tensors/webgpu/swiglu.js'
import { expectAgreement, normals, on } from '../agreement.js'

afterAll(() => useBackend('wasm'))

/** What a plan of one operation leaves in its output. */
const planned = (shape: [number, number], add: (plan: Encoder, out: tf.Tensor2D) => void) =>
  on('webgpu', () => {
    const gpu = gpuKernels()!
    const out = gpu.output<tf.Rank.R2>(shape)
    const plan = new Plan(gpu)
    add(plan, out)
    plan.encode()
    return { out }
  })

describe('In a plan', () => {
  it.each([
    [70, 1],
    [70, 64],
    [72, 1],
    [72, 64],
  ] as const)('rows of %i features are normalised, each by %i invocations', async (features, lanes) => {
    const inputs = () => [normals<tf.Rank.R2>(1, [5, features]), normals<tf.Rank.R1>(2, [features])] as const
    const actual = await planned([5, features], (plan, out) => rmsNormInto(plan, ...inputs(), out, 1e-6, 5, lanes))
    expectAgreement(actual, await on('cpu', () => ({ out: rmsNormComposed(...inputs(), 1e-6).y })))
  })

  it.each([7, 8])('gates of %i features are opened', async (features) => {
    const inputs = () => [normals<tf.Rank.R2>(1, [3, features]), normals<tf.Rank.R2>(2, [3, features])] as const
    const actual = await planned([3, features], (plan, out) => swigluInto(plan, ...inputs(), out, 3 * features))
    expectAgreement(actual, await on('cpu', () => ({ out: swigluComposed(...inputs()) })))
  })

  it('heads are turned', async () => {
    const x = () => normals<tf.Rank.R2>(1, [3, 24])
    const angles = () => ropeAngles([4, 0, 9], ropeFrequencies(12, 1e4))
    const actual = await planned([3, 24], (plan, out) =>
      ropeInto(plan, x(), angles(), out, { rows: 3, heads: 2, half: 6, inverse: false }),
    )
    expectAgreement(actual, await on('cpu', () => ({ out: ropeComposed(x(), 2, angles()) })))
  })
})
