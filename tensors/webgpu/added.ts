import type * as tf from '../tf.js'
import { ARGUMENTS, type Bound, type Encoder, type Gpu, kernel, variants, WORKGROUP_INDEX } from './kernels.js'

const SIZE = 64

const add = variants((type: 'f32' | 'vec4<f32>') =>
  kernel({
    name: 'add',
    params: { size: 'u32' },
    buffers: { x: `array<${type}>`, y: `array<${type}>` },
    writes: ['y'],
    workgroup: [SIZE],
    code: `
fn main(${ARGUMENTS}) {
  let i = (${WORKGROUP_INDEX}) * ${SIZE}u + local;
  if (i < params.size) { y[i] += x[i]; }
}`,
  }),
)

/** y += x, of so many numbers. */
export function addInto(encoder: Encoder, x: Bound, y: Bound, size: number): void {
  const width = size % 4 === 0 ? 4 : 1
  const units = size / width
  encoder.run(add(width === 4 ? 'vec4<f32>' : 'f32'), { x, y }, { size: units }, [Math.ceil(units / SIZE)])
}

export function added<R extends tf.Rank>(gpu: Gpu, sum: tf.Tensor<R>, x: tf.Tensor<R>): tf.Tensor<R> {
  addInto(gpu, x, sum, sum.size)
  gpu.backend.changed(sum)
  x.dispose()
  return sum
}
