import type * as tf from '../tf.js'
import { ARGUMENTS, type Gpu, kernel } from './kernels.js'

/** Rows that one invocation adds. */
export const ROWS_AT_ONCE = 64

const sums = kernel({
  name: 'column-sums',
  params: { rows: 'u32', columns: 'u32' },
  buffers: { x: 'array<f32>', parts: 'array<f32>' },
  writes: ['parts'],
  workgroup: [64],
  code: `
fn main(${ARGUMENTS}) {
  let column = workgroup.x * 64u + local;
  if (column >= params.columns) { return; }
  let first = workgroup.y * ${ROWS_AT_ONCE}u;
  let last = min(first + ${ROWS_AT_ONCE}u, params.rows);
  var sum = 0.0;
  for (var row = first; row < last; row++) { sum += x[row * params.columns + column]; }
  parts[workgroup.y * params.columns + column] = sum;
}`,
})

/** [rows, columns] to [columns]: {@link ROWS_AT_ONCE} rows at a time, until one is left. */
export function columnSums(gpu: Gpu, x: tf.Tensor2D): tf.Tensor1D {
  const [rows, columns] = x.shape
  const parts = Math.max(1, Math.ceil(rows / ROWS_AT_ONCE))
  const out = gpu.output(parts === 1 ? [columns] : [parts, columns])
  gpu.run(sums, { x, parts: out }, { rows, columns }, [Math.ceil(columns / 64), parts])
  if (parts === 1) return out as tf.Tensor1D
  const whole = columnSums(gpu, out as tf.Tensor2D)
  out.dispose()
  return whole
}
