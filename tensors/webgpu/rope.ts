import type { Angles } from '../rope.js'
import type * as tf from '../tf.js'
import { ARGUMENTS, type Bound, type Encoder, type Gpu, kernel, WORKGROUP_INDEX } from './kernels.js'

const SIZE = 64

/** One invocation turns one pair. */
const turn = kernel({
  name: 'rope',
  params: { pairs: 'u32', heads: 'u32', half: 'u32', direction: 'f32' },
  buffers: { x: 'array<f32>', cosines: 'array<f32>', sines: 'array<f32>', turned: 'array<f32>' },
  writes: ['turned'],
  workgroup: [SIZE],
  code: `
fn main(${ARGUMENTS}) {
  let pair = (${WORKGROUP_INDEX}) * ${SIZE}u + local;
  if (pair >= params.pairs) { return; }
  let head = pair / params.half;
  let i = pair % params.half;
  let angle = head / params.heads * params.half + i;
  let first = head * 2u * params.half + i;
  let second = first + params.half;
  let cosine = cosines[angle];
  let sine = params.direction * sines[angle];
  let a = x[first];
  let b = x[second];
  turned[first] = a * cosine - b * sine;
  turned[second] = b * cosine + a * sine;
}`,
})

/** Where {@link ropeInto} finds the angles' cosines and sines, [rows, half a head]. */
export interface BoundAngles {
  readonly cos: Bound
  readonly sin: Bound
}

export function ropeInto(
  encoder: Encoder,
  x: Bound,
  { cos: cosines, sin: sines }: BoundAngles,
  turned: Bound,
  { rows, heads, half, inverse }: { rows: number; heads: number; half: number; inverse: boolean },
): void {
  const pairs = rows * heads * half
  const params = { pairs, heads, half, direction: inverse ? -1 : 1 }
  encoder.run(turn, { x, cosines, sines, turned }, params, [Math.ceil(pairs / SIZE)])
}

export function rope(gpu: Gpu, x: tf.Tensor2D, heads: number, angles: Angles, inverse: boolean): tf.Tensor2D {
  const [rows, features] = x.shape
  const turned = gpu.output<tf.Rank.R2>([rows, features])
  ropeInto(gpu, x, angles, turned, { rows, heads, half: features / heads / 2, inverse })
  return turned
}
