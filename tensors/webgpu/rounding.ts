import type * as tf from '../tf.js'
import { ARGUMENTS, type Gpu, kernel, variants, WORKGROUP_INDEX } from './kernels.js'

const SIZE = 64

const round = variants((type: 'f32' | 'vec4<f32>') =>
  kernel({
    name: 'round-to-half',
    params: { size: 'u32' },
    buffers: { x: `array<${type}>`, y: `array<${type}>` },
    writes: ['y'],
    workgroup: [SIZE],
    code: `
fn main(${ARGUMENTS}) {
  let i = (${WORKGROUP_INDEX}) * ${SIZE}u + local;
  if (i < params.size) { y[i] = quantizeToF16(x[i]); }
}`,
  }),
)

/** The numbers of a matrix rounded to half precision, in single precision. */
export function roundedToHalf(gpu: Gpu, x: tf.Tensor2D): tf.Tensor2D {
  const width = x.size % 4 === 0 ? 4 : 1
  const size = x.size / width
  const y = gpu.output<tf.Rank.R2>(x.shape)
  gpu.run(round(width === 4 ? 'vec4<f32>' : 'f32'), { x, y }, { size }, [Math.ceil(size / SIZE)])
  return y
}
