import { describe, expect, it, vi } from 'vitest'
import { type BackendError, useBackend } from '../../tensors/backend.js'
import * as tf from '../../tensors/tf.js'

describe('useBackend', () => {
  it.each(['cpu', 'wasm', 'cpu', 'wasm'] as const)('takes %s when asked for it, however often', async (name) => {
    expect(await useBackend(name)).toEqual({ name, reason: 'asked for' })
    expect(tf.getBackend()).toBe(name)
    expect(Array.from(await tf.add(tf.tensor1d([1, 2]), 1).data())).toEqual([2, 3])
  })

  it('by itself takes one that runs, and says why', async () => {
    const { name, reason } = await useBackend()
    expect(tf.getBackend()).toBe(name)
    expect(reason).toContain('@tensorflow/tfjs-node-gpu')
  })

  it('names the command that installs a backend that is missing', async () => {
    const asked = useBackend('tensorflow').then(
      ({ name }) => name,
      (error: BackendError) => error.message,
    )
    // Where the optional package is installed it is taken.
    expect(await asked).toMatch(/^tensorflow$|npm install @tensorflow\/tfjs-node-gpu/)
    await useBackend('wasm')
  })

  it('names those that there are where it has none of a name', async () => {
    await expect(useBackend('webgpuu' as 'webgpu')).rejects.toThrow(
      'backend webgpuu: there is none of that name; there are auto, wasm, cpu, webgpu, tensorflow',
    )
  })

  it('prints nothing', async () => {
    const written = (['log', 'info', 'warn', 'error'] as const).map((method) => vi.spyOn(console, method))
    await useBackend('cpu')
    await tf.matMul(tf.ones([2, 2]), tf.ones([2, 2])).data()
    for (const spy of written) {
      expect(spy).not.toHaveBeenCalled()
      spy.mockRestore()
    }
    await useBackend('wasm')
  })
})
