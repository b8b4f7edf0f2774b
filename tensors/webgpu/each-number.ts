import { ARGUMENTS, type Bound, type Encoder, kernel, variants, WORKGROUP_INDEX } from './kernels.js'

const SIZE = 64

/**
 * A kernel that goes through numbers one by one, or four at a time where their count allows it.
 *
 * @param statement  what is done at place `i` of the buffers `x` and `y`; it writes `y`
 */
export function eachNumber(
  name: string,
  statement: string,
): (encoder: Encoder, x: Bound, y: Bound, size: number) => void {
  const kernelOf = variants((type: 'f32' | 'vec4<f32>') =>
    kernel({
      name,
      params: { size: 'u32' },
      buffers: { x: `array<${type}>`, y: `array<${type}>` },
      writes: ['y'],
      workgroup: [SIZE],
      code: `
fn main(${ARGUMENTS}) {
  let i = (${WORKGROUP_INDEX}) * ${SIZE}u + local;
  if (i < params.size) { ${statement}; }
}`,
    }),
  )
  return (encoder, x, y, size) => {
    const width = size % 4 === 0 ? 4 : 1
    const units = size / width
    encoder.run(kernelOf(width === 4 ? 'vec4<f32>' : 'f32'), { x, y }, { size: units }, [Math.ceil(units / SIZE)])
  }
}
