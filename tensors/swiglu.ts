import * as tf from './tf.js'
import { wasmKernels } from './wasm/kernels.js'
import { gpuKernels } from './webgpu/kernels.js'
import * as onGpu from './webgpu/swiglu.js'

/** gate · sigmoid(gate) · up (Shazeer 2020, "GLU Variants Improve Transformer", SwiGLU with β = 1). */
export function swiglu(gate: tf.Tensor2D, up: tf.Tensor2D): tf.Tensor2D {
  const gpu = gpuKernels()
  if (gpu) return onGpu.swiglu(gpu, gate, up)
  const kernels = wasmKernels()
  if (!kernels) return swigluComposed(gate, up)
  const { address } = kernels
  const y = kernels.output<tf.Rank.R2>(gate.shape)
  kernels.swiglu(gate.size, address(gate), address(up, gate.size), address(y))
  return y
}

/** {@link swiglu} of tfjs's operations. */
export function swigluComposed(gate: tf.Tensor2D, up: tf.Tensor2D): tf.Tensor2D {
  return tf.tidy(() => tf.mul(tf.mul(gate, tf.sigmoid(gate)), up))
}

/** What comes out of {@link swigluGradient}. */
export interface SwigluGradient {
  readonly dGate: tf.Tensor2D
  readonly dUp: tf.Tensor2D
}

/** The gradients of {@link swiglu}: with s = sigmoid(gate), dup = dy · gate · s and dgate = dy · up · s · (1 + gate · (1 − s)). */
export function swigluGradient(dy: tf.Tensor2D, gate: tf.Tensor2D, up: tf.Tensor2D): SwigluGradient {
  const gpu = gpuKernels()
  if (gpu) return onGpu.swigluGradient(gpu, dy, gate, up)
  const kernels = wasmKernels()
  if (!kernels) return swigluGradientComposed(dy, gate, up)
  const { address } = kernels
  const dGate = kernels.output<tf.Rank.R2>(gate.shape)
  const dUp = kernels.output<tf.Rank.R2>(gate.shape)
  const [slopes, g, u] = [address(dy, gate.size), address(gate), address(up, gate.size)]
  kernels.swigluGradient(gate.size, slopes, g, u, address(dGate), address(dUp))
  return { dGate, dUp }
}

/** {@link swigluGradient} of tfjs's operations. */
export function swigluGradientComposed(dy: tf.Tensor2D, gate: tf.Tensor2D, up: tf.Tensor2D): SwigluGradient {
  return tf.tidy(() => {
    const s = tf.sigmoid(gate)
    const silu = tf.mul(gate, s)
    const slope = tf.add(s, tf.mul(silu, tf.sub(1, s)))
    return { dGate: tf.mul(tf.mul(dy, up), slope) as tf.Tensor2D, dUp: tf.mul(dy, silu) as tf.Tensor2D }
  })
}
