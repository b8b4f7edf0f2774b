import { arch, availableParallelism, cpus, loadavg, platform, totalmem } from 'node:os'
import { gatherFacts } from '../facts.js'
import { type Effort, type Figure, figureOf, type Measurement, NotMeasurable } from './measure.js'
import type { Peer, Skipped } from './peers.js'

/** Something to measure. */
export interface Row {
  /** What it is asked for by. */
  readonly name: string
  readonly what: string
  readonly unit: string
  /** Whether a larger or a smaller figure is the better one. */
  readonly better: 'more' | 'less'
  /** What the median is to reach. */
  readonly target?: number
  /** How many times as fast as a peer it is to be. */
  readonly peerTarget?: number
  /** @throws NotMeasurable where it cannot be */
  measure(effort: Effort): Promise<Measurement>
  readonly peers: readonly Peer[]
}

/** A peer beside a row. */
export type PeerResult =
  | ({ readonly name: string } & Skipped)
  | ({
      readonly name: string
      /** How many times as fast rxgym is, median by median. */
      readonly ratio: number
      /** Whether that is what it is to be, or more; absent without a target. */
      readonly reached?: boolean
    } & Figure)

/** A row, measured. */
export interface MeasuredRow extends Figure, RowHead {
  /** Whether the median is at the target or beyond; absent without one. */
  readonly reached?: boolean
  readonly peers: readonly PeerResult[]
}

/** What of a row is told with its figures. */
type RowHead = Pick<Row, 'name' | 'what' | 'unit' | 'better' | 'target' | 'peerTarget'>

/** A row, measured, or one that could not be, nor its peers then. */
export type RowResult = MeasuredRow | (RowHead & Skipped & { readonly peers: readonly [] })

/** Where and when it was measured. */
export interface Machine {
  readonly rxgym: string
  readonly node: string
  readonly tfjs: string
  readonly commit?: string
  readonly platform: string
  readonly processor: string
  readonly cores: number
  /** GiB */
  readonly memory: number
  /** ISO 8601. */
  readonly began: string
  /** Processes that wanted a core in the last minute, before the first row and after the last. More than one at the
   *  beginning: something else was running, and the figures are lower than they could be. */
  readonly load: readonly [number, number]
}

/** All that a run of the benchmarks found. */
export interface BenchResults {
  readonly effort: Effort
  readonly machine: Machine
  readonly rows: readonly RowResult[]
}

export interface BenchOptions {
  readonly effort: Effort
  /** Whether the peers are measured too. */
  readonly peers: boolean
  /** How a row is measured; in this process unless given. */
  readonly measure?: (row: Row, effort: Effort) => Promise<Measurement>
  /** Is told what is measured next. */
  readonly onBegin?: (what: string) => void
  readonly onRow?: (row: RowResult) => void
}

/** Measures some rows, one after the other, each with its peers. */
export async function bench(
  rows: readonly Row[],
  { effort, peers, measure = (row) => row.measure(effort), onBegin = () => {}, onRow = () => {} }: BenchOptions,
): Promise<BenchResults> {
  const { load, ...machine } = machineFacts()
  const results: RowResult[] = []
  const measured = new Map<Peer, Measurement | Skipped>()
  for (const row of rows) {
    onBegin(row.what)
    const { name, what, unit, better, target, peerTarget } = row
    const targets = { ...(target !== undefined && { target }), ...(peerTarget !== undefined && { peerTarget }) }
    const head: RowHead = { name, what, unit, better, ...targets }
    const own = await orSkipped(measure(row, effort))
    if ('skipped' in own) {
      results.push({ ...head, ...own, peers: [] })
      onRow(results.at(-1)!)
      continue
    }
    const figure = figureOf(own)
    const beside: PeerResult[] = []
    for (const peer of peers ? row.peers : []) {
      onBegin(peer.name)
      const found = measured.get(peer) ?? (await peer.measure(effort))
      measured.set(peer, found)
      beside.push(besideOf(peer.name, found, figure, head))
    }
    const judged = target !== undefined && figure.notJudged === undefined
    const reached = judged ? (better === 'more' ? figure.median >= target : figure.median <= target) : undefined
    const result: RowResult = {
      ...head,
      ...figure,
      ...(reached !== undefined && { reached }),
      peers: beside,
    }
    results.push(result)
    onRow(result)
  }
  return { effort, machine: { ...machine, load: [load[0], loadavg()[0]!] }, rows: results }
}

async function orSkipped(measured: Promise<Measurement>): Promise<Measurement | Skipped> {
  try {
    return await measured
  } catch (error) {
    if (error instanceof NotMeasurable) return { skipped: error.message }
    throw error
  }
}

function besideOf(
  name: string,
  found: Measurement | Skipped,
  own: Figure,
  { better, peerTarget }: RowHead,
): PeerResult {
  if ('skipped' in found) return { name, ...found }
  const figure = figureOf(found)
  const ratio = better === 'more' ? own.median / figure.median : figure.median / own.median
  const judged = peerTarget !== undefined && own.notJudged === undefined
  return { name, ratio, ...(judged && { reached: ratio >= peerTarget }), ...figure }
}

/** This machine now; `load` twice the same. */
export function machineFacts(): Machine {
  const { rxgym, node, tfjs, commit, began } = gatherFacts({ name: '', reason: '' })
  const load = loadavg()[0]!
  return {
    ...{ rxgym, node, tfjs },
    ...(commit !== undefined && { commit }),
    platform: `${platform()} ${arch()}`,
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memory: Math.round(totalmem() / 2 ** 30),
    began,
    load: [load, load],
  }
}
