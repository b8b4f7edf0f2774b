import type { Kernel } from '../../../tensors/webgpu/kernels.js'

/**
 * A kernel that runs without matrix units. What is loaded becomes the place that it is loaded from, to be read when it is multiplied; of a result each
 * invocation of a subgroup has its share, one number in every `subgroup`.
 */
export function emulated<P extends string, B extends string>(kernel: Kernel<P, B>, subgroup = 32): Kernel<P, B> {
  const sizes = (type: string) =>
    new RegExp(`subgroup_matrix_${type}<f\\d+, (\\d+), (\\d+)>`).exec(kernel.code)!.slice(1).map(Number)
  const [n, m] = sizes('result') as [number, number]
  const [k] = sizes('left') as [number]
  const share = `array<f32, ${(m * n) / subgroup}>`
  const read: Record<string, string> = {}
  const code = kernel.code
    .replace(
      /subgroupMatrixLoad<subgroup_matrix_(left|right)<f16, \d+, \d+>, (row|col)_major>\(&(\w+), /g,
      (_, use: string, major: string, memory: string) => {
        const at = major === 'row' ? 'row * place.y + column' : 'column * place.y + row'
        read[use] =
          `fn ${use}_of(place: vec2<u32>, row: u32, column: u32) -> f32 { return f32(${memory}[place.x + ${at}]); }`
        return 'vec2<u32>('
      },
    )
    .replace(/subgroupMatrixStore<row_major>\(&results, /g, 'share_out(')
    .replaceAll('subgroupMatrixMultiplyAccumulate(', 'multiplied(')
    .replace(/subgroup_matrix_result<f32, \d+, \d+>/g, share)
    .replace('@diagnostic(off, chromium_experimental.subgroup_matrix_uniformity)\n', '')
    .replace(
      /,\s*@builtin\(subgroup_id\)[^{]*\{/,
      `) {\n  let subgroup = local / ${subgroup}u;\n  lane = local % ${subgroup}u;
  one = min(params.m, 1u);`,
    )
  const functions = `
var<private> lane: u32;
// A compiler that knew how often loops run would write them out.
var<private> one: u32;
${read.left}
${read.right}
fn multiplied(left: vec2<u32>, right: vec2<u32>, sums: ${share}) -> ${share} {
  var all = sums;
  for (var i = 0u; i < ${(m * n) / subgroup}u * one; i++) {
    let at = lane + i * ${subgroup}u;
    for (var j = 0u; j < ${k}u * one; j++) { all[i] += left_of(left, at / ${n}u, j) * right_of(right, j, at % ${n}u); }
  }
  return all;
}
fn share_out(offset: u32, sums: ${share}, stride: u32) {
  var all = sums;
  for (var i = 0u; i < ${(m * n) / subgroup}u * one; i++) {
    let at = lane + i * ${subgroup}u;
    results[offset + at / ${n}u * stride + at % ${n}u] = all[i];
  }
}`
  return { ...kernel, uses: ['shader-f16'], code: `${functions}\n${code}` }
}
