import type { Gpu } from './kernels.js'

/** Matrices that a card's matrix units multiply at once: [m, k] · [k, n], in half precision, with sums in single. */
export interface MatrixUnit {
  readonly m: number
  readonly n: number
  readonly k: number
  /** Invocations of a subgroup, which share a matrix. */
  readonly subgroup: number
}

/** What Dawn tells of an adapter beyond the specification. */
interface MatrixInfo {
  readonly subgroupMinSize: number
  readonly subgroupMaxSize: number
  readonly subgroupMatrixConfigs?: Iterable<{
    readonly componentType: string
    readonly resultComponentType: string
    readonly M: number
    readonly N: number
    readonly K: number
  }>
}

/** The card's matrix units, if it has such and kernels may use them. Where the size of subgroups varies they are not used: how many matrices a
 *  workgroup holds would vary with it. */
export function matrixUnit(gpu: Gpu): MatrixUnit | undefined {
  if (!gpu.has('chromium-experimental-subgroup-matrix') || !gpu.has('shader-f16') || !gpu.has('subgroups'))
    return undefined
  const info = gpu.backend.gpu.adapter.info as unknown as MatrixInfo
  const subgroup = info.subgroupMaxSize
  if (info.subgroupMinSize !== subgroup || subgroup > 64) return undefined
  for (const { componentType, resultComponentType, M: m, N: n, K: k } of info.subgroupMatrixConfigs ?? []) {
    const fits = [m, n, k].every((size) => size === 8 || size === 16)
    if (componentType === 'f16' && resultComponentType === 'f32' && fits) return { m, n, k, subgroup }
  }
  return undefined
}
