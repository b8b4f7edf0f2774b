import type { SwigluGradient } from '../swiglu.js'
import type * as tf from '../tf.js'
import { ARGUMENTS, type Bound, type Encoder, type Gpu, kernel, variants, WORKGROUP_INDEX } from './kernels.js'

const SIZE = 64

/** Numbers that an invocation works on: four are read at once where they come out even. */
const widthOf = (size: number) => (size % 4 === 0 ? 4 : 1)

/** The place of the numbers, and their sigmoid, without an overflow on either side of 0. */
const prologue = (width: number) => `
alias Numbers = ${width === 4 ? 'vec4<f32>' : 'f32'};
fn sigmoid(x: Numbers) -> Numbers {
  let e = exp(-abs(x));
  return select(e, Numbers(1.0), x >= Numbers(0.0)) / (Numbers(1.0) + e);
}
fn main(${ARGUMENTS}) {
  let at = (${WORKGROUP_INDEX}) * ${SIZE}u + local;
  if (at >= params.size) { return; }`

const typeOf = (width: number) => (width === 4 ? 'array<vec4<f32>>' : 'array<f32>')

const forward = variants((width: number) =>
  kernel({
    name: 'swiglu',
    params: { size: 'u32' },
    buffers: { gates: typeOf(width), ups: typeOf(width), y: typeOf(width) },
    writes: ['y'],
    workgroup: [SIZE],
    code: `${prologue(width)}
  let gate = gates[at];
  y[at] = gate * sigmoid(gate) * ups[at];
}`,
  }),
)

/** @param size  how many numbers each of the three has */
export function swigluInto(encoder: Encoder, gates: Bound, ups: Bound, y: Bound, size: number): void {
  const width = widthOf(size)
  encoder.run(forward(width), { gates, ups, y }, { size: size / width }, [Math.ceil(size / width / SIZE)])
}

export function swiglu(gpu: Gpu, gate: tf.Tensor2D, up: tf.Tensor2D): tf.Tensor2D {
  const y = gpu.output<tf.Rank.R2>(gate.shape)
  swigluInto(gpu, gate, up, y, gate.size)
  return y
}

const backward = variants((width: number) =>
  kernel({
    name: 'swiglu-gradient',
    params: { size: 'u32' },
    buffers: {
      slopes: typeOf(width),
      gates: typeOf(width),
      ups: typeOf(width),
      dGates: typeOf(width),
      dUps: typeOf(width),
    },
    writes: ['dGates', 'dUps'],
    workgroup: [SIZE],
    code: `${prologue(width)}
  let gate = gates[at];
  let s = sigmoid(gate);
  let slope = slopes[at];
  dGates[at] = slope * ups[at] * s * (Numbers(1.0) + gate * (Numbers(1.0) - s));
  dUps[at] = slope * gate * s;
}`,
  }),
)

export function swigluGradient(gpu: Gpu, slopes: tf.Tensor2D, gate: tf.Tensor2D, up: tf.Tensor2D): SwigluGradient {
  const dGate = gpu.output<tf.Rank.R2>(gate.shape)
  const dUp = gpu.output<tf.Rank.R2>(gate.shape)
  const width = widthOf(gate.size)
  const buffers = { slopes, gates: gate, ups: up, dGates: dGate, dUps: dUp }
  gpu.run(backward(width), buffers, { size: gate.size / width }, [Math.ceil(gate.size / width / SIZE)])
  return { dGate, dUp }
}
