import type * as tf from '../tf.js'
import { ARGUMENTS, type Gpu, kernel, variants, WORKGROUP_INDEX } from './kernels.js'

const SIZE = 64

const add = variants((type: 'f32' | 'vec4<f32>') =>
  kernel({
    name: 'add',
    params: { size: 'u32' },
    buffers: { x: `array<${type}>`, sum: `array<${type}>` },
    writes: ['sum'],
    workgroup: [SIZE],
    code: `
fn main(${ARGUMENTS}) {
  let i = (${WORKGROUP_INDEX}) * ${SIZE}u + local;
  if (i < params.size) { sum[i] += x[i]; }
}`,
  }),
)

export function added<R extends tf.Rank>(gpu: Gpu, sum: tf.Tensor<R>, x: tf.Tensor<R>): tf.Tensor<R> {
  const width = sum.size % 4 === 0 ? 4 : 1
  const size = sum.size / width
  gpu.run(add(width === 4 ? 'vec4<f32>' : 'f32'), { x, sum }, { size }, [Math.ceil(size / SIZE)])
  gpu.backend.changed(sum)
  x.dispose()
  return sum
}
