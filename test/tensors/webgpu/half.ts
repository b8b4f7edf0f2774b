import { decodeFloats, encodeFloats } from '../../../tensors/float-formats.js'
import * as tf from '../../../tensors/tf.js'

/** The same numbers, each rounded to half precision. */
export function roundedToHalf(x: tf.Tensor2D): tf.Tensor2D {
  const values = x.dataSync<'float32'>().slice()
  const bytes = new Uint8Array(values.length * 2)
  encodeFloats('F16', values, bytes)
  decodeFloats('F16', bytes, values)
  return tf.tensor2d(values, x.shape)
}
