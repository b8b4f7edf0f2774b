import type { RmsNorm, RmsNormGradient } from '../rms-norm.js'
import type * as tf from '../tf.js'
import { columnSums } from './column-sums.js'
import { ARGUMENTS, type Bound, type Encoder, type Gpu, kernel, WORKGROUP_INDEX } from './kernels.js'
import { workgroupSum } from './reduce.js'

const SIZE = 64

const normalise = `${workgroupSum('sum', SIZE)}
fn main(${ARGUMENTS}) {
  let row = ${WORKGROUP_INDEX};
  if (row >= params.rows) { return; }
  let start = row * params.features;
  var squares = 0.0;
  for (var i = local; i < params.features; i += ${SIZE}u) { squares += x[start + i] * x[start + i]; }
  let inverse = inverseSqrt(sum(squares, local) / f32(params.features) + params.epsilon);
  for (var i = local; i < params.features; i += ${SIZE}u) { y[start + i] = x[start + i] * inverse * weight[i]; }`

const forward = kernel({
  name: 'rms-norm',
  params: { rows: 'u32', features: 'u32', epsilon: 'f32' },
  buffers: { x: 'array<f32>', weight: 'array<f32>', y: 'array<f32>', inverses: 'array<f32>' },
  writes: ['y', 'inverses'],
  workgroup: [SIZE],
  code: `${normalise}
  if (local == 0u) { inverses[row] = inverse; }
}`,
})

export function rmsNorm(gpu: Gpu, x: tf.Tensor2D, weight: tf.Tensor1D, epsilon: number): RmsNorm {
  const [rows, features] = x.shape
  const y = gpu.output<tf.Rank.R2>([rows, features])
  const inverse = gpu.output<tf.Rank.R2>([rows, 1])
  gpu.run(forward, { x, weight, y, inverses: inverse }, { rows, features, epsilon }, [rows])
  return { y, inverse }
}

const forwardOnly = kernel({
  name: 'rms-norm-only',
  params: { rows: 'u32', features: 'u32', epsilon: 'f32' },
  buffers: { x: 'array<f32>', weight: 'array<f32>', y: 'array<f32>' },
  writes: ['y'],
  workgroup: [SIZE],
  code: `${normalise}
}`,
})

/** The norm of `rows` rows, without what its gradient needs. */
export function rmsNormInto(
  encoder: Encoder,
  x: Bound,
  weight: tf.Tensor1D,
  y: Bound,
  epsilon: number,
  rows: number,
): void {
  encoder.run(forwardOnly, { x, weight, y }, { rows, features: weight.size, epsilon }, [rows])
}

/** Rows that one workgroup goes through, so that their part of the weight's gradient is added without others. */
const ROWS = 16

const backward = kernel({
  name: 'rms-norm-gradient',
  params: { rows: 'u32', features: 'u32', past: 'u32' },
  buffers: {
    dy: 'array<f32>',
    x: 'array<f32>',
    weight: 'array<f32>',
    inverses: 'array<f32>',
    plus: 'array<f32>',
    dx: 'array<f32>',
    dWeights: 'array<f32>',
  },
  writes: ['dx', 'dWeights'],
  workgroup: [SIZE],
  code: `${workgroupSum('sum', SIZE)}
fn main(${ARGUMENTS}) {
  let part = ${WORKGROUP_INDEX};
  let first = part * ${ROWS}u;
  if (first >= params.rows) { return; }
  let last = min(first + ${ROWS}u, params.rows);
  for (var i = local; i < params.features; i += ${SIZE}u) { dWeights[part * params.features + i] = 0.0; }
  for (var row = first; row < last; row++) {
    let start = row * params.features;
    let inverse = inverses[row];
    var product = 0.0;
    for (var i = local; i < params.features; i += ${SIZE}u) {
      let at = start + i;
      product += dy[at] * weight[i] * x[at] * inverse;
    }
    let mean = sum(product, local) / f32(params.features);
    for (var i = local; i < params.features; i += ${SIZE}u) {
      let at = start + i;
      let n = x[at] * inverse;
      var slope = inverse * (dy[at] * weight[i] - n * mean);
      if (params.past != 0u) { slope += plus[at]; }
      dx[at] = slope;
      dWeights[part * params.features + i] += dy[at] * n;
    }
  }
}`,
})

export function rmsNormGradient(
  gpu: Gpu,
  dy: tf.Tensor2D,
  x: tf.Tensor2D,
  weight: tf.Tensor1D,
  inverses: tf.Tensor2D,
  plus: tf.Tensor2D | undefined,
): RmsNormGradient {
  const [rows, features] = x.shape
  const parts = Math.ceil(rows / ROWS)
  const dx = gpu.output<tf.Rank.R2>([rows, features])
  const dWeights = gpu.output<tf.Rank.R2>([parts, features])
  const buffers = { dy, x, weight, inverses, plus: plus ?? dy, dx, dWeights }
  gpu.run(backward, buffers, { rows, features, past: plus ? 1 : 0 }, [parts])
  const dWeight = columnSums(gpu, dWeights)
  dWeights.dispose()
  return { dx, dWeight }
}
