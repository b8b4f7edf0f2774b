/** `line` of each i below `count`: what a loop would do whose variables must be registers. */
export function each(count: number, line: (i: number) => string): string {
  return Array.from({ length: count }, (_, i) => line(i)).join('\n')
}

/** How many vectors of four hold the features of a head. */
export function unitsOf(headSize: number): number {
  return Math.ceil(headSize / 4)
}

/** The type of a buffer of heads' features: of whole vectors where a head is made of them. */
export function featuresType(headSize: number): string {
  return headSize % 4 === 0 ? 'array<vec4<f32>>' : 'array<f32>'
}

/** WGSL of `load_NAME(head, unit)`: four features of one of a buffer's heads, all tokens' counted through; zeros beyond the head's end. */
export function loading(name: string, headSize: number): string {
  const head = `fn load_${name}(head: u32, unit: u32) -> vec4<f32>`
  if (headSize % 4 === 0) return `${head} { return ${name}[head * ${headSize / 4}u + unit]; }`
  return `
${head} {
  let first = unit * 4u;
  let start = head * ${headSize}u + first;
  var four = vec4<f32>(${name}[start], 0.0, 0.0, 0.0);
  if (first + 1u < ${headSize}u) { four.y = ${name}[start + 1u]; }
  if (first + 2u < ${headSize}u) { four.z = ${name}[start + 2u]; }
  if (first + 3u < ${headSize}u) { four.w = ${name}[start + 3u]; }
  return four;
}`
}

/** WGSL of `store_NAME(head, unit, four)`: {@link loading}'s other way. */
export function storing(name: string, headSize: number): string {
  const head = `fn store_${name}(head: u32, unit: u32, four: vec4<f32>)`
  if (headSize % 4 === 0) return `${head} { ${name}[head * ${headSize / 4}u + unit] = four; }`
  return `
${head} {
  let first = unit * 4u;
  let start = head * ${headSize}u + first;
  ${name}[start] = four.x;
  if (first + 1u < ${headSize}u) { ${name}[start + 1u] = four.y; }
  if (first + 2u < ${headSize}u) { ${name}[start + 2u] = four.z; }
  if (first + 3u < ${headSize}u) { ${name}[start + 3u] = four.w; }
}`
}
