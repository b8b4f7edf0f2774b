/**
 * WGSL of a function that adds (or takes the largest of) one number of every invocation of a workgroup, and tells all of them: `NAME(value, local)`.
 * Every invocation must call it.
 *
 * @param size  of the workgroup, a power of 2
 */
export function workgroupReduce(name: string, size: number, combine: (a: string, b: string) => string): string {
  return `
var<workgroup> ${name}_parts: array<f32, ${size}>;
fn ${name}(value: f32, local: u32) -> f32 {
  ${name}_parts[local] = value;
  for (var half = ${size / 2}u; half > 0u; half >>= 1u) {
    workgroupBarrier();
    if (local < half) { ${name}_parts[local] = ${combine(`${name}_parts[local]`, `${name}_parts[local + half]`)}; }
  }
  workgroupBarrier();
  let whole = ${name}_parts[0];
  workgroupBarrier();
  return whole;
}`
}

export function workgroupSum(name: string, size: number): string {
  return workgroupReduce(name, size, (a, b) => `${a} + ${b}`)
}

export function workgroupMax(name: string, size: number): string {
  return workgroupReduce(name, size, (a, b) => `max(${a}, ${b})`)
}
