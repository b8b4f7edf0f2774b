import type * as tf from '../tf.js'
import { ARGUMENTS, type Gpu, kernel, WORKGROUP_INDEX } from './kernels.js'

const SIZE = 64

/** Numbers that an invocation looks at. */
const NUMBERS_AT_ONCE = 64

/** By bits: of floats a compiler may take for granted that they are finite. */
const look = kernel({
  name: 'finite',
  params: { size: 'u32', tensor: 'u32' },
  buffers: { bits: 'array<u32>', flags: 'array<atomic<u32>>' },
  writes: ['flags'],
  workgroup: [SIZE],
  code: `
fn main(${ARGUMENTS}) {
  let first = (${WORKGROUP_INDEX}) * ${SIZE * NUMBERS_AT_ONCE}u + local;
  let last = min(first + ${SIZE * NUMBERS_AT_ONCE}u, params.size);
  var finite = true;
  for (var i = first; i < last; i += ${SIZE}u) { finite = finite && (bits[i] & 0x7f800000u) != 0x7f800000u; }
  if (!finite) { atomicStore(&flags[params.tensor], 1u); }
}`,
})

export async function firstNotFinite(
  gpu: Gpu,
  tensors: Readonly<Record<string, tf.Tensor>>,
): Promise<string | undefined> {
  const floats = Object.entries(tensors).filter(([, { dtype, size }]) => dtype === 'float32' && size > 0)
  if (floats.length === 0) return undefined
  const flags = gpu.integers(new Int32Array(floats.length))
  for (const [index, [, tensor]] of floats.entries()) {
    const workgroups = Math.ceil(tensor.size / (SIZE * NUMBERS_AT_ONCE))
    gpu.run(look, { bits: tensor, flags }, { size: tensor.size, tensor: index }, [workgroups])
  }
  gpu.backend.changed(flags)
  try {
    const found = (await flags.data()).indexOf(1)
    return floats[found]?.[0]
  } finally {
    flags.dispose()
  }
}
