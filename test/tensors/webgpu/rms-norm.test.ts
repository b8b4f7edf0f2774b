import { afterAll, describe, it } from 'vitest'
import { useBackend } from '../../../tensors/backend.js'
import { rmsNormComposed } from '../../../tensors/rms-norm.js'
import type * as tf from '../../../tensors/tf.js'
import { gpuKernels } from '../../../tensors/webgpu/kernels.js'
import { rmsNorm } from '../../../tensors/webgpu/rms-norm.js'
import { expectAgreement, normals, on } from '../agreement.js'

afterAll(() => useBackend('wasm'))

describe.each([1, 64] as const)('RMSNorm, a row by %i invocations,', (lanes) => {
  it.each([
    [1, 3],
    [7, 64],
    [70, 66],
    [130, 260],
  ])('agrees with its composition for %i rows of %i features', async (rows, features) => {
    const inputs = () =>
      [normals<tf.Rank.R2>(1, [rows, features], 3), normals<tf.Rank.R1>(2, [features]), 1e-5] as const
    const actual = await on('webgpu', () => ({ ...rmsNorm(gpuKernels()!, ...inputs(), lanes) }))
    expectAgreement(actual, await on('cpu', () => ({ ...rmsNormComposed(...inputs()) })))
  })
})
