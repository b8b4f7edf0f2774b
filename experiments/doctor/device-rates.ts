import { product } from '../../tensors/product.js'
import * as tf from '../../tensors/tf.js'
import { type Gpu, gpuKernels } from '../../tensors/webgpu/kernels.js'

/** By how much a device is timed. */
export interface RateEffort {
  /** Milliseconds that a rate is measured for at least. */
  readonly milliseconds: number
  /** Rows of the largest matrices that are tried. */
  readonly rows: number
  /** Numbers of the largest vector that is tried. */
  readonly numbers: number
}

/** Enough to tell devices apart: more makes few of them faster. */
export const LOOK: RateEffort = { milliseconds: 400, rows: 4096, numbers: 2 ** 24 }

/** Billions of operations a second in products of square matrices, as large as the device multiplies in a while. */
export async function matrixRate(half: boolean, { milliseconds, rows: most }: RateEffort = LOOK): Promise<number> {
  let seconds = 0
  let rows = 32
  let enough = false
  while (!enough && rows < most) {
    rows *= 2
    const a = tf.fill([rows, rows], 0.5) as tf.Tensor2D
    const b = tf.fill([rows, rows], 0.25) as tf.Tensor2D
    const multiply = () => product(a, b, { half })
    enough = (await takesAWhile(multiply, milliseconds)) || rows >= most
    if (enough) seconds = await secondsOf(multiply, milliseconds)
    tf.dispose([a, b])
  }
  return (2 * rows ** 3) / seconds / 1e9
}

/** Billions of bytes a second that are read and written, of more numbers than a cache holds: by an operation of one number after the other, or by a
 *  graphics card's own copy where that is faster. */
export async function copyRate({ milliseconds, numbers: most }: RateEffort = LOOK): Promise<number> {
  let seconds = 0
  let numbers = 2 ** 14
  let enough = false
  while (!enough && numbers < most) {
    numbers = Math.min(most, numbers * 4)
    const x = tf.fill([numbers], 0.5)
    enough = (await takesAWhile(() => tf.neg(x), milliseconds)) || numbers >= most
    if (enough) seconds = await secondsOf(() => tf.neg(x), milliseconds)
    x.dispose()
  }
  const byOperation = (2 * 4 * numbers) / seconds / 1e9
  const gpu = gpuKernels()
  return gpu ? Math.max(byOperation, await bufferCopyRate(gpu, 4 * numbers, milliseconds)) : byOperation
}

async function bufferCopyRate({ backend }: Gpu, size: number, least: number): Promise<number> {
  const { device } = backend
  await backend.done()
  const [from, to] = [0, 1].map(() =>
    device.createBuffer({ size, usage: GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST }),
  ) as [GPUBuffer, GPUBuffer]
  try {
    for (let times = 1; ; times *= 4) {
      const began = performance.now()
      const encoder = device.createCommandEncoder()
      for (let i = 0; i < times; i++) encoder.copyBufferToBuffer(from, 0, to, 0, size)
      device.queue.submit([encoder.finish()])
      await backend.done()
      const milliseconds = performance.now() - began
      // The first brings the memory.
      if (times > 1 && milliseconds > least) return (2 * size * times) / milliseconds / 1e6
    }
  } finally {
    from.destroy()
    to.destroy()
  }
}

/** Whether something takes long enough to be measured by: not only the first time, which also brings its kernels, or by chance. */
async function takesAWhile(work: () => tf.Tensor, milliseconds: number): Promise<boolean> {
  await finished(work, 1)
  const takes = async () => (await millisecondsOf(work, 1)) > milliseconds / 8
  return (await takes()) && (await takes())
}

/** How long something takes of many, one after the other. */
async function secondsOf(work: () => tf.Tensor, least: number): Promise<number> {
  for (let times = 1; ; times *= 4) {
    const milliseconds = await millisecondsOf(work, times)
    if (milliseconds > least) return milliseconds / times / 1000
  }
}

/** Without what waiting for anything takes. */
async function millisecondsOf(work: () => tf.Tensor, times: number): Promise<number> {
  while (waits.length < 3) waits.push(await elapsed(() => tf.fill([1], 0.5), 1))
  return (await elapsed(work, times)) - Math.min(...waits)
}

const waits: number[] = []

async function elapsed(work: () => tf.Tensor, times: number): Promise<number> {
  const began = performance.now()
  await finished(work, times)
  return performance.now() - began
}

/** Done so often, and waited for: by a number of the last one, as a device works behind what is asked of it. */
async function finished(work: () => tf.Tensor, times: number): Promise<void> {
  for (let i = 1; i < times; i++) work().dispose()
  const probe = tf.tidy(() => tf.slice(tf.reshape(work(), [-1]), 0, 1))
  await probe.data()
  probe.dispose()
}
