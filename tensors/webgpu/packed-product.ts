import type { PackedWeight } from '../packed-weight.js'
import type * as tf from '../tf.js'
import { ARGUMENTS, type Bound, type Encoder, type Gpu, kernel, variants, WORKGROUP_INDEX } from './kernels.js'

const plainKernel = variants((plus: boolean) =>
  kernel({
    name: 'packed-product',
    params: { rows: 'u32', inputs: 'u32', outputs: 'u32', plusRow: 'u32' },
    buffers: { x: 'array<f32>', weight: 'array<f32>', ...(plus && { plus: 'array<f32>' }), y: 'array<f32>' } as Record<
      string,
      string
    >,
    writes: ['y'],
    workgroup: [64],
    code: `
fn main(${ARGUMENTS}) {
  let i = (${WORKGROUP_INDEX}) * 64u + local;
  if (i >= params.rows * params.outputs) { return; }
  let row = i / params.outputs;
  let column = i % params.outputs;
  var sum = 0.0;
  for (var k = 0u; k < params.inputs; k++) { sum += x[row * params.inputs + k] * weight[k * params.outputs + column]; }
  ${plus ? 'sum += plus[row * params.plusRow + column];' : '_ = params.plusRow;'}
  y[i] = sum;
}`,
  }),
)
export function packedProductInto(
  encoder: Encoder,
  x: Bound,
  { layout, inputs, outputs }: PackedWeight,
  y: Bound,
  plus: tf.Tensor | undefined,
  rows: number,
): void {
  const buffers = { x, weight: layout, ...(plus && { plus }), y } as Record<string, Bound>
  encoder.run(plainKernel(!!plus), buffers, { rows, inputs, outputs, plusRow: plus && plus.rank > 1 ? outputs : 0 }, [
    Math.ceil((rows * outputs) / 64),
  ])
}
export function packGateAndUp(_gpu: Gpu, gate: tf.Tensor2D, up: tf.Tensor2D, half: boolean): PackedWeight {
  throw new Error('later')
}
export function packedSwigluInto(encoder: Encoder, x: Bound, weight: PackedWeight, y: Bound, rows: number): void {
  throw new Error('later')
}
