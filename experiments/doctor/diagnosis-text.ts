import type { Adapter, Check, Diagnosis } from './doctor.js'

/** A diagnosis in words. */
export function diagnosisText({ rxgym, node, platform, processor, cores, memory, backends }: Diagnosis): string {
  const machine = [
    `rxgym ${rxgym}, Node ${node}, ${platform}`,
    `${processor}, ${cores} core${cores === 1 ? '' : 's'}, ${binary(memory.total)} of memory (${binary(memory.free)} free)`,
  ]
  return `${[...machine, ...backends.flatMap((check) => ['', ...checkLines(check)])].join('\n')}\n`
}

function checkLines(check: Check): string[] {
  if (!check.runs) return [`${check.backend}: not here. ${check.why}`]
  const { backend, choose, adapter, gigaflops, gigaflopsHalf, gigabytes, startSeconds } = check
  const half = gigaflopsHalf === undefined ? '' : `, ${rounded(gigaflopsHalf)} in half precision`
  return [
    adapter ? `${backend}: ${adapter.name}` : `${backend}: runs`,
    `  chosen by    ${choose}`,
    ...(adapter ? adapterLines(adapter) : []),
    `  starts in    ${rounded(startSeconds)} s`,
    `  products     ${rounded(gigaflops)} GFLOP/s${half}`,
    `  copies       ${rounded(gigabytes)} GB/s, read and written`,
  ]
}

function adapterLines({
  vendor,
  architecture,
  driver,
  software,
  memory,
  half,
  subgroups,
  subgroupMatrices,
  timestamps,
  limits,
}: Adapter): string[] {
  const sizes =
    subgroups && (subgroups.least === subgroups.most ? subgroups.least : `${subgroups.least} to ${subgroups.most}`)
  const of = (limit: string) => limits[limit] ?? 0
  return [
    `  driver       ${[driver, vendor, architecture].filter(Boolean).join(', ')}`,
    ...(software ? ["  in software  on the processor; a graphics card's driver for Vulkan would make it fast"] : []),
    `  memory       ${memory === undefined ? 'unknown' : binary(memory)}`,
    `  features     ${[
      half ? 'shader-f16' : 'no shader-f16',
      sizes === null ? 'no subgroups' : `subgroups of ${sizes}`,
      timestamps ? 'timestamps' : 'no timestamps',
    ].join(', ')}`,
    `  matrix units ${subgroupMatrices.join('; ') || 'none'}`,
    `  limits       buffers of ${binary(of('maxBufferSize'))}, bound ${binary(of('maxStorageBufferBindingSize'))}; ` +
      `workgroups of ${of('maxComputeInvocationsPerWorkgroup')} with ${binary(of('maxComputeWorkgroupStorageSize'))}; ` +
      `${of('maxStorageBuffersPerShaderStage')} buffers a kernel`,
  ]
}

/** Three digits. */
function rounded(x: number): string {
  return x >= 100 ? x.toFixed(0) : String(Number(x.toPrecision(3)))
}

function binary(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let unit = 0
  let size = bytes
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024
    unit++
  }
  return `${Number(size.toFixed(1))} ${units[unit]}`
}
