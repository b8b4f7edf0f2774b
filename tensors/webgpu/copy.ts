import { ARGUMENTS, type Bound, type Encoder, kernel, variants, WORKGROUP_INDEX } from './kernels.js'

const SIZE = 64

const copy = variants((type: 'f32' | 'vec4<f32>') =>
  kernel({
    name: 'copy',
    params: { begin: 'u32', to: 'u32', size: 'u32' },
    buffers: { given: `array<${type}>`, taken: `array<${type}>` },
    writes: ['taken'],
    workgroup: [SIZE],
    code: `
fn main(${ARGUMENTS}) {
  let i = (${WORKGROUP_INDEX}) * ${SIZE}u + local;
  if (i < params.size) { taken[params.to + i] = given[params.begin + i]; }
}`,
  }),
)

/** Copies `size` numbers of 32 bits from a place in one buffer to a place in another. */
export function copyInto(
  encoder: Encoder,
  given: Bound,
  source: number,
  taken: Bound,
  target: number,
  size: number,
): void {
  const width = [source, target, size].every((number) => number % 4 === 0) ? 4 : 1
  const params = { begin: source / width, to: target / width, size: size / width }
  encoder.run(copy(width === 4 ? 'vec4<f32>' : 'f32'), { given, taken }, params, [Math.ceil(size / width / SIZE)])
}
