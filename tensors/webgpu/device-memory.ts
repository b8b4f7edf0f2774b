import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { totalmem } from 'node:os'

/**
 * Bytes of memory that an adapter has, as far as anyone tells: WebGPU itself does not. A card of NVIDIA's is asked about by `nvidia-smi`, one of
 * AMD's by Linux; what computes on the processor, or shares its memory as Apple's does, has the machine's.
 */
export function deviceMemory({ vendor, device, description, isFallbackAdapter }: GPUAdapterInfo): number | undefined {
  if (isFallbackAdapter || vendor === 'apple') return totalmem()
  if (vendor === 'nvidia') return ofNvidia(description || device)
  return vendor === 'amd' ? ofAmd() : undefined
}

function ofNvidia(name: string): number | undefined {
  try {
    const query = ['--query-gpu=name,memory.total', '--format=csv,noheader,nounits']
    const cards = execFileSync('nvidia-smi', query, {
      encoding: 'utf8',
      timeout: 5000,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
      .trim()
      .split('\n')
      .map((line) => line.split(', ') as [string, string])
    const own = cards.filter(([card]) => name.includes(card))
    // Of several of one name the smallest is sure to be there.
    const mebibytes = (own.length > 0 ? own : cards).map(([, memory]) => Number(memory))
    const least = Math.min(...mebibytes)
    return Number.isFinite(least) ? least * 2 ** 20 : undefined
  } catch {
    return undefined
  }
}

function ofAmd(): number | undefined {
  const cards = '/sys/class/drm'
  try {
    const sizes = readdirSync(cards).flatMap((card) => {
      try {
        return [Number(readFileSync(`${cards}/${card}/device/mem_info_vram_total`, 'utf8'))]
      } catch {
        return []
      }
    })
    return sizes.length > 0 ? Math.max(...sizes) : undefined
  } catch {
    return undefined
  }
}
