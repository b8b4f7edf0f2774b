/**
 * WGSL of a function that adds (or takes the largest of) one number of every invocation of a workgroup, and tells all of them: `NAME(value, local)`.
 * Every invocation must call it.
 *
 * @param size  of the workgroup, a power of 2
 */
export function workgroupReduce(
  name: string,
  size: number,
  combine: (a: string, b: string) => string,
  type: 'f32' | 'u32' = 'f32',
): string {
  return `
var<workgroup> ${name}_parts: array<${type}, ${size}>;
fn ${name}(value: ${type}, local: u32) -> ${type} {
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

/**
 * WGSL of a function that adds the numbers of the invocations before this one: `NAME(value, local)`. Every invocation must call it.
 *
 * @param size  of the workgroup, a power of 2
 */
export function workgroupBefore(name: string, size: number, type: 'f32' | 'u32' = 'f32'): string {
  return `
var<workgroup> ${name}_sums: array<${type}, ${size}>;
fn ${name}(value: ${type}, local: u32) -> ${type} {
  var sum = value;
  for (var step = 1u; step < ${size}u; step <<= 1u) {
    ${name}_sums[local] = sum;
    workgroupBarrier();
    if (local >= step) { sum += ${name}_sums[local - step]; }
    workgroupBarrier();
  }
  ${name}_sums[local] = sum;
  workgroupBarrier();
  var before = ${type}();
  if (local > 0u) { before = ${name}_sums[local - 1u]; }
  workgroupBarrier();
  return before;
}`
}
