import type { RmsNorm, RmsNormGradient } from '../rms-norm.js'
import type * as tf from '../tf.js'
import { columnSums } from './column-sums.js'
import { ARGUMENTS, type Bound, type Encoder, type Gpu, kernel, variants, WORKGROUP_INDEX } from './kernels.js'
import { workgroupSum } from './reduce.js'

const SIZE = 64

/** Invocations that go through a row together. */
export type Lanes = 1 | typeof SIZE

const params = { rows: 'u32', features: 'u32', epsilon: 'f32' } as const

/**
 * @param lanes   invocations that go through a row: a workgroup's, or one, for adapters in software, where barriers are dear
 * @param byFour  rows are of a multiple of 4 numbers, and are read four at a time
 * @param keep    code behind it, of `row` and `inverse`
 */
function normaliseCode(lanes: Lanes, byFour: boolean, keep = ''): string {
  const alone = lanes === 1
  const square = byFour ? 'dot(x[start + i], x[start + i])' : 'x[start + i] * x[start + i]'
  const over = `for (var i = ${alone ? '0u' : 'local'}; i < length; i += ${lanes}u)`
  return `${alone ? '' : workgroupSum('sum', SIZE)}
fn main(${ARGUMENTS}) {
  let row = ${alone ? `(${WORKGROUP_INDEX}) * ${SIZE}u + local` : WORKGROUP_INDEX};
  if (row >= params.rows) { return; }
  let length = params.features${byFour ? ' / 4u' : ''};
  let start = row * length;
  var squares = 0.0;
  ${over} { squares += ${square}; }
  let inverse = inverseSqrt(${alone ? 'squares' : 'sum(squares, local)'} / f32(params.features) + params.epsilon);
  ${over} { y[start + i] = x[start + i] * inverse * weight[i]; }
  ${keep}
}`
}

const typeOf = (byFour: boolean) => (byFour ? 'array<vec4<f32>>' : 'array<f32>')
const lanesOf = ({ inSoftware }: Encoder): Lanes => (inSoftware ? 1 : SIZE)
const workgroupsOf = (rows: number, lanes: Lanes): [number] => [Math.ceil((rows * lanes) / SIZE)]

const normalise = variants((lanes: Lanes, byFour: boolean) => {
  const type = typeOf(byFour)
  return kernel({
    name: 'rms-norm',
    params,
    buffers: { x: type, weight: type, y: type, inverses: 'array<f32>' },
    writes: ['y', 'inverses'],
    workgroup: [SIZE],
    code: normaliseCode(lanes, byFour, `if (${lanes === 1} || local == 0u) { inverses[row] = inverse; }`),
  })
})

const normaliseOnly = variants((lanes: Lanes, byFour: boolean) => {
  const type = typeOf(byFour)
  return kernel({
    name: 'rms-norm-only',
    params,
    buffers: { x: type, weight: type, y: type },
    writes: ['y'],
    workgroup: [SIZE],
    code: normaliseCode(lanes, byFour),
  })
})

export function rmsNorm(gpu: Gpu, x: tf.Tensor2D, weight: tf.Tensor1D, epsilon: number, lanes = lanesOf(gpu)): RmsNorm {
  const [rows, features] = x.shape
  const y = gpu.output<tf.Rank.R2>([rows, features])
  const inverse = gpu.output<tf.Rank.R2>([rows, 1])
  const buffers = { x, weight, y, inverses: inverse }
  const sizes = { rows, features, epsilon }
  gpu.run(normalise(lanes, features % 4 === 0), buffers, sizes, workgroupsOf(rows, lanes))
  return { y, inverse }
}

/** The norm of `rows` rows, without what its gradient needs. */
export function rmsNormInto(
  encoder: Encoder,
  x: Bound,
  weight: tf.Tensor1D,
  y: Bound,
  epsilon: number,
  rows: number,
  lanes = lanesOf(encoder),
): void {
  const features = weight.size
  const sizes = { rows, features, epsilon }
  encoder.run(normaliseOnly(lanes, features % 4 === 0), { x, weight, y }, sizes, workgroupsOf(rows, lanes))
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
  const dWeights = gpu.output(parts === 1 ? [features] : [parts, features])
  const buffers = { dy, x, weight, inverses, plus: plus ?? dy, dx, dWeights }
  gpu.run(backward, buffers, { rows, features, past: plus ? 1 : 0 }, [parts])
  if (parts === 1) return { dx, dWeight: dWeights as tf.Tensor1D }
  const dWeight = columnSums(gpu, dWeights as tf.Tensor2D)
  dWeights.dispose()
  return { dx, dWeight }
}
