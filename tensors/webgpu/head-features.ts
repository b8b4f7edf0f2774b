/** `line` of each i below `count`: what a loop would do whose variables must be registers. */
export function each(count: number, line: (i: number) => string): string {
  return Array.from({ length: count }, (_, i) => line(i)).join('\n')
}

/** How many vectors of four hold the features of a head. */
export function unitsOf(headSize: number): number {
  return Math.ceil(headSize / 4)
}

/** How a kernel sees buffers of heads' features. */
export interface HeadForm {
  /** Whether a head is made of whole vectors. */
  readonly whole: boolean
  /** WGSL of a head's size. */
  readonly size: string
}

/** Of heads of that size: the compiler knows it. */
export function fixedHeads(headSize: number): HeadForm {
  return { whole: headSize % 4 === 0, size: `${headSize}u` }
}

/** Of heads of any size, in `params.headSize`. */
export function anyHeads(whole: boolean): HeadForm {
  return { whole, size: 'params.headSize' }
}

export function featuresType({ whole }: HeadForm): string {
  return whole ? 'array<vec4<f32>>' : 'array<f32>'
}

/** WGSL of `load_NAME(head, unit)`, for each name: four features of one of a buffer's heads, all tokens' counted through; zeros beyond the
 *  head's end. */
export function loading({ whole, size }: HeadForm, ...names: readonly string[]): string {
  const functionOf = (name: string) => {
    const head = `fn load_${name}(head: u32, unit: u32) -> vec4<f32>`
    if (whole) return `${head} { return ${name}[head * (${size} / 4u) + unit]; }`
    return `
${head} {
  let first = unit * 4u;
  let start = head * ${size} + first;
  var four = vec4<f32>(${name}[start], 0.0, 0.0, 0.0);
  if (first + 1u < ${size}) { four.y = ${name}[start + 1u]; }
  if (first + 2u < ${size}) { four.z = ${name}[start + 2u]; }
  if (first + 3u < ${size}) { four.w = ${name}[start + 3u]; }
  return four;
}`
  }
  return names.map(functionOf).join('\n')
}

/** WGSL of `store_NAME(head, unit, four)`: {@link loading}'s other way. */
export function storing({ whole, size }: HeadForm, ...names: readonly string[]): string {
  const functionOf = (name: string) => {
    const head = `fn store_${name}(head: u32, unit: u32, four: vec4<f32>)`
    if (whole) return `${head} { ${name}[head * (${size} / 4u) + unit] = four; }`
    return `
${head} {
  let first = unit * 4u;
  let start = head * ${size} + first;
  ${name}[start] = four.x;
  if (first + 1u < ${size}) { ${name}[start + 1u] = four.y; }
  if (first + 2u < ${size}) { ${name}[start + 2u] = four.z; }
  if (first + 3u < ${size}) { ${name}[start + 3u] = four.w; }
}`
  }
  return names.map(functionOf).join('\n')
}

/** Room for a head's vectors in an invocation's own memory: one kernel serves heads of several sizes, since some drivers take seconds to
 *  compile one. */
export function roomFor(headSize: number): number {
  return 2 ** Math.max(3, Math.ceil(Math.log2(unitsOf(headSize))))
}
