import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Adam, type AdamOptions } from '../../tensors/adam.js'
import { useBackend } from '../../tensors/backend.js'
import * as tf from '../../tensors/tf.js'
import { backends, expectAgreement, normal, normals } from './agreement.js'

afterAll(() => useBackend('wasm'))

const rates = [0.1, 0.1, 0.05, 0.02]

/* What torch 2 gives, float32 on the CPU:
 *
 *   a = Parameter([[1, -2], [0.5, 3]]); b = Parameter([0.1, -0.2, 0.3])
 *   opt = torch.optim.AdamW([a, b], lr=1, weight_decay=wd, eps=1e-8)
 *   for t, lr in enumerate([0.1, 0.1, 0.05, 0.02]):
 *     opt.param_groups[0]['lr'] = lr
 *     a.grad = tensor([[0.3, -0.1], [2, 0]]) * (t + 1); b.grad = tensor([-1, 0.5, 1e-4]) / (t + 1)
 *     if clip: torch.nn.utils.clip_grad_norm_([a, b], clip)
 *     opt.step()
 */
const torch: [string, AdamOptions, number[], number[]][] = [
  [
    'no options',
    {},
    [0.7363735437393188, -1.7363735437393188, 0.23637355864048004, 3],
    [0.35330066084861755, -0.4533006548881531, 0.046730391681194305],
  ],
  [
    'weight decay 0.1',
    { weightDecay: 0.1 },
    [0.7120851874351501, -1.685334324836731, 0.22546060383319855, 2.9197473526000977],
    [0.3481946587562561, -0.4455195963382721, 0.04113578796386719],
  ],
  [
    'gradients clipped to norm 0.5',
    { maxGradientNorm: 0.5 },
    [0.7296662330627441, -1.7296664714813232, 0.22966621816158295, 3],
    [0.3338016867637634, -0.43380165100097656, 0.06633691489696503],
  ],
  [
    'weight decay 0.01, clipped to norm 1',
    { weightDecay: 0.01, maxGradientNorm: 1 },
    [0.727218747138977, -1.724521517753601, 0.22856751084327698, 2.9919075965881348],
    [0.33329546451568604, -0.43302568793296814, 0.06569485366344452],
  ],
]
const torchNorms = [2.313006639480591, 4.08809232711792, 6.085958480834961, 8.104204177856445]

const start = () => ({
  a: tf.variable(tf.tensor2d([1, -2, 0.5, 3], [2, 2])),
  b: tf.variable(tf.tensor1d([0.1, -0.2, 0.3])),
})

const gradients = (t: number) => ({
  a: tf.mul(tf.tensor2d([0.3, -0.1, 2, 0], [2, 2]), t + 1),
  b: tf.div(tf.tensor1d([-1, 0.5, 1e-4]), t + 1),
})

function expectClose(actual: ArrayLike<number>, expected: readonly number[]): void {
  expected.forEach((value, i) => {
    expect(actual[i]).toBeCloseTo(value, 6)
  })
}

describe.each(backends)('Adam on %s', (backend) => {
  beforeAll(() => useBackend(backend))

  it.each(torch)("with %s goes PyTorch's way", async (_, options, a, b) => {
    const parameters = start()
    const adam = new Adam(parameters, options)
    for (const [t, rate] of rates.entries()) {
      expect(await adam.step(gradients(t), rate)).toBeCloseTo(torchNorms[t]!, 5)
    }
    expectClose(await parameters.a.data(), a)
    expectClose(await parameters.b.data(), b)
    expect(parameters.a.shape).toEqual([2, 2])
  })

  it('goes on from its state as if it had not stopped', async () => {
    const whole = start()
    const adam = new Adam(whole)
    for (const t of [0, 1, 2]) await adam.step(gradients(t), 0.1)
    const again = { a: tf.variable(whole.a.clone()), b: tf.variable(whole.b.clone()) }
    const resumed = new Adam(again)
    resumed.restore(await adam.state())
    await adam.step(gradients(3), 0.1)
    await resumed.step(gradients(3), 0.1)
    expect(await again.a.data()).toEqual(await whole.a.data())
    expect(await resumed.state()).toEqual(await adam.state())
  })

  it('has a state that is of the moment it was asked for', async () => {
    const adam = new Adam(start())
    await adam.step(gradients(0), 0.1)
    const asked = adam.state()
    const before = await adam.state()
    const asking = adam.state()
    await adam.step(gradients(1), 0.1)
    expect(await asked).toEqual(before)
    expect(await asking).toEqual(before)
    expect(await adam.state()).not.toEqual(before)
  })

  it('changes nothing for a gradient that is not finite, and says its norm', async () => {
    const parameters = start()
    const adam = new Adam(parameters)
    const before = await adam.state()
    expect(await adam.step({ ...gradients(0), b: tf.tensor1d([0, Number.NaN, 0]) }, 0.1)).toBeNaN()
    expect(Array.from(await parameters.a.data())).toEqual([1, -2, 0.5, 3])
    expect(await adam.state()).toEqual(before)
  })

  it('leaves a parameter without a gradient alone', async () => {
    const parameters = start()
    await new Adam(parameters, { weightDecay: 0.1 }).step({ b: tf.tensor1d([1, 1, 1]) }, 0.1)
    expect(Array.from(await parameters.a.data())).toEqual([1, -2, 0.5, 3])
  })

  it('keeps as many tensors as there were', async () => {
    const parameters = start()
    const adam = new Adam(parameters, { maxGradientNorm: 1 })
    const before = tf.memory().numTensors
    for (let t = 0; t < 10; t++)
      await adam.step(
        tf.tidy(() => gradients(t)),
        0.1,
      )
    expect(tf.memory().numTensors).toBe(before)
  })

  it("refuses another network's state", async () => {
    const adam = new Adam(start())
    const { tensors } = await new Adam({ a: tf.variable(tf.zeros([3])) }).state()
    expect(() => adam.restore({ steps: 1, tensors })).toThrow('m/a')
  })

  it('goes the same way as in main memory', async () => {
    const options = { weightDecay: 0.1, maxGradientNorm: 2 }
    const shapes: Record<string, number[]> = { matrix: [130, 260], row: [77], scalar: [] }
    const way = async (on: typeof backend) => {
      await useBackend(on)
      const parameters = Object.fromEntries(
        Object.entries(shapes).map(([name, shape], i) => [name, tf.variable(normals(i, shape))]),
      )
      const adam = new Adam(parameters, options)
      const norms: number[] = []
      for (let t = 0; t < 5; t++) {
        const gradients = Object.entries(shapes).map(([name, shape], i) => [name, normals(10 * t + i, shape, 0.02 * t)])
        norms.push(await adam.step(Object.fromEntries(gradients), 0.01))
      }
      const numbers: Record<string, Float32Array> = { norms: Float32Array.from(norms) }
      for (const [name, variable] of Object.entries(parameters)) numbers[name] = (await variable.data()) as Float32Array
      const { tensors, steps } = await adam.state()
      expect(steps).toBe(5)
      for (const [name, { data }] of Object.entries(tensors)) numbers[name] = data
      tf.dispose(parameters)
      return numbers
    }
    const expected = await way('cpu')
    expect(expected.norms!.some((norm) => norm < 2)).toBe(true)
    expect(expected.norms!.some((norm) => norm > 2)).toBe(true)
    expectAgreement(await way(backend), expected)
    await useBackend(backend)
  })

  it('leaves clones of a parameter as they were', async () => {
    const parameters = start()
    const clone = parameters.a.clone()
    await new Adam(parameters).step(gradients(0), 0.1)
    expect(Array.from(await clone.data())).toEqual([1, -2, 0.5, 3])
    expect(Array.from(await parameters.a.data())).not.toEqual([1, -2, 0.5, 3])
  })

  it('takes the norm of all gradients, of numbers that are not of parameters too', async () => {
    const parameters = start()
    const values = normal(5, 100_000)
    const norm = await new Adam(parameters).step({ other: tf.tensor1d(values), b: tf.tensor1d([3, 0, 4]) }, 0.1)
    const squares = values.reduce((sum, value) => sum + value * value, 25)
    expect(norm / Math.sqrt(squares)).toBeCloseTo(1, 5)
  })
})
