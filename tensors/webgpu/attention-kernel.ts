import type { Kernel } from './kernels.js'

/** The numbers that each kernel of attention's is given; `tokens` are those of all rows. */
export const attentionParams = {
  length: 'u32',
  tokens: 'u32',
  heads: 'u32',
  keyHeads: 'u32',
  headSize: 'u32',
  scale: 'f32',
} as const

/** A kernel of attention's, and how many queries or keys of a head one of its workgroups takes. Workgroups are blocks in x, heads in y, rows
 *  in z. */
export interface AttentionKernel<B extends string> {
  readonly kernel: Kernel<keyof typeof attentionParams, B>
  readonly block: number
}

/** The score of what may not be looked at: lower than any, and finite, so that the difference of two is a number. */
export const NEVER = '-1e38'

/** WGSL of `start`: before it no query of the block looks; the blocks with the most keys come first. */
export function queryBlock(block: number): string {
  return `
  let head = workgroup.y;
  let keyHead = head / (params.heads / params.keyHeads);
  let base = workgroup.z * params.length;
  let first = (workgroups.x - 1u - workgroup.x) * ${block}u;
  let end = min(first + ${block}u, params.length);
  var start = first;
  for (var i = first; i < end; i++) { start = min(start, u32(segments[params.tokens + base + i])); }`
}

/** WGSL of `end`: from it on no query looks at a key of the block. */
export function keyBlock(block: number): string {
  return `
  let keyHead = workgroup.y;
  let group = params.heads / params.keyHeads;
  let base = workgroup.z * params.length;
  let first = workgroup.x * ${block}u;
  var end = first;
  for (var i = first; i < min(first + ${block}u, params.length); i++) {
    end = max(end, u32(segments[2u * params.tokens + base + i]) + 1u);
  }`
}
