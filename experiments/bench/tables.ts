import type { Estimate } from '../../algorithms/evaluate.js'
import type { Json } from '../../envs/spec.js'
import { presets } from '../presets/presets.js'
import { share } from '../report/numbers.js'
import type { BenchResults, Machine, MeasuredRow, PeerResult, RowResult } from './bench.js'
import type { Skipped } from './peers.js'
import type { RowFamily } from './rows.js'

/** Figures as the terminal shows them: a line for each row, its peers below it. */
export function benchTable(rows: readonly RowResult[]): string {
  const header = ['', 'target', 'median', 'lowest', 'highest', '']
  const lines = rows.flatMap((row) => [rowLine(row), ...row.peers.map((peer) => peerLine(peer, row))])
  return aligned([header, ...lines]).join('\n')
}

function rowLine(row: RowResult): string[] {
  if ('skipped' in row) return skippedLine(row.what, row)
  return [
    row.what,
    targetOf(row),
    ...[row.median, row.min, row.max].map((value) => amount(value, row.unit)),
    verdictOf(row),
  ]
}

function skippedLine(name: string, { skipped }: Skipped): string[] {
  return [`${name}: skipped: ${skipped}`, '', '', '', '', '']
}

/** What a row's median is to be: `≥ 5 M steps/s`. */
export function targetOf({ target, better, unit }: Pick<RowResult, 'target' | 'better' | 'unit'>): string {
  return target === undefined ? '' : `${better === 'more' ? '≥' : '≤'} ${amount(target, unit)}`
}

function verdictOf({ reached, notJudged }: MeasuredRow): string {
  if (reached !== undefined) return verdict(reached)
  return notJudged === undefined ? '' : 'not judged'
}

/** Why targets are not judged, each reason once, as lines. */
export function notJudgedLines(rows: readonly RowResult[]): string[] {
  const reasons = rows.flatMap((row) => ('notJudged' in row && row.notJudged !== undefined ? [row.notJudged] : []))
  return [...new Set(reasons)].map((reason) => `targets are not judged: ${reason}`)
}

/** Whether a target is reached, in a word. */
export function verdict(reached: boolean): string {
  return reached ? 'reached' : 'MISSED'
}

function peerLine(peer: PeerResult, { unit, peerTarget }: Pick<RowResult, 'unit' | 'peerTarget'>): string[] {
  const name = `  ${peer.name}`
  if ('skipped' in peer) return skippedLine(name, peer)
  const figures = [peer.median, peer.min, peer.max].map((value) => amount(value, unit))
  return [name, ratioTarget(peerTarget), ...figures, [timesAsFast(peer.ratio), ratioVerdict(peer)].join('')]
}

/** How many times as fast as a peer a row is to be: `≥ 5×`. */
function ratioTarget(peerTarget: number | undefined): string {
  return peerTarget === undefined ? '' : `≥ ${peerTarget}×`
}

function ratioVerdict({ reached }: { readonly reached?: boolean }): string {
  return reached === undefined ? '' : `, ${verdict(reached)}`
}

/** `rxgym 45×`, also where it is the slower. */
export function timesAsFast(ratio: number): string {
  return `rxgym ${ratio >= 10 ? Math.round(ratio) : Number(ratio.toPrecision(2))}×`
}

/** A number with its unit: `5.21 M steps/s`, `2.84 s`. */
export function amount(value: number, unit: string): string {
  if (unit === 's') return `${value.toFixed(2)} s`
  if (unit.endsWith('/s')) return `${scaled(value)} ${unit}`
  return `${Number(value.toFixed(1))} ${unit}`
}

/** Three digits, in millions or thousands. */
function scaled(value: number): string {
  const three = Number(value.toPrecision(3))
  const [size, name] = three >= 1e6 ? [1e6, ' M'] : three >= 1e3 ? [1e3, ' k'] : [1, '']
  return `${Number((three / size).toPrecision(3))}${name}`
}

/** The machine in a line. */
export function machineLine({ processor, cores, memory, platform, node, tfjs, rxgym }: Machine): string {
  return `${processor}, ${cores} cores, ${memory} GiB, ${platform}; rxgym ${rxgym}, Node ${node}, tfjs ${tfjs}`
}

/** What else was running, in a line. */
export function loadLine([before, after]: Machine['load']): string {
  return `load average before the first row ${before.toFixed(2)}, after the last ${after.toFixed(2)}`
}

/** A Markdown table, the header first. */
export function markdownTable([header, ...lines]: readonly (readonly string[])[]): string {
  return [header!, header!.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/** A text in a fence that it does not contain. An untrained model writes any byte: those that are no text (control and format
 *  characters, private and unassigned ones) are shown as U+FFFD; line breaks stay. */
export function fenced(text: string): string {
  const visible = text.replace(/(?!\n)\p{C}/gu, '\u{fffd}')
  const longest = Math.max(2, ...[...visible.matchAll(/`+/g)].map(([run]) => run.length))
  const fence = '`'.repeat(longest + 1)
  return `${fence}\n${visible}\n${fence}`
}

/** A share with its interval: `41.5% (38.4% to 44.6%)`. */
export function shareWithInterval({ mean, interval: [low, high] }: Estimate): string {
  return `${share(mean)} (${share(low)} to ${share(high)})`
}

/** A difference of shares with its interval, in points of a hundred: `+12.3 (+9.8 to +14.9)`. */
export function pointsWithInterval({ mean, interval }: Estimate): string {
  return `${points(mean)} (${interval.map(points).join(' to ')})`
}

function points(value: number): string {
  const rounded = Math.abs(value * 100).toFixed(1)
  return Number(rounded) === 0 ? rounded : `${value < 0 ? '−' : '+'}${rounded}`
}

/** Minutes with a decimal; a dash where no time was kept. */
export function minutes(seconds: number | undefined): string {
  return seconds === undefined ? '–' : (seconds / 60).toFixed(1)
}

/** With a capital at its beginning. */
export function raised(text: string): string {
  return text[0]!.toUpperCase() + text.slice(1)
}

/** What a preset is and where it comes from, as an item of a Markdown list. */
export function presetLine(name: string): string {
  return `- \`${name}\`: ${presets[name]?.description}. Source: ${presets[name]?.source}.`
}

/** The page of results, as `rxgym bench --results` writes it. */
export function benchPage(
  { machine, rows, effort }: BenchResults,
  command: string,
  { page: name, title, note }: Pick<RowFamily, 'page' | 'title' | 'note'>,
): string {
  const peers = rows.flatMap((row) => row.peers.map((peer) => ({ row, peer })))
  return `# ${title}

Written by \`${command}\` on ${machine.began.slice(0, 10)}; every number here is from that run, and all of it is in \`${name}.json\`.

${[note, ...notJudgedLines(rows).map((line) => `**${raised(line)}.**`)]
  .filter(Boolean)
  .map((text) => `${text}\n\n`)
  .join('')}- Machine: ${machineLine(machine)}
- Commit: ${machine.commit ?? 'unknown'}
- ${raised(loadLine(machine.load))}
- Rates: median of ${effort.repetitions} repetitions of ${effort.seconds} s after a warm-up of ${effort.seconds} s, one after the other, each row in a process of its own, one thread

| what | target | median | lowest to highest | |
|---|---|---|---|---|
${rows.map((row) => `| ${rowCells(row).join(' | ')} |`).join('\n')}

## Beside others

Measured in the same run, on the same machine, one thread each.

| what | other | median | rxgym, times as fast | |
|---|---|---|---|---|
${peers.map(({ row, peer }) => `| ${peerCells(row, peer).join(' | ')} |`).join('\n')}

## Behind the figures

\`perCpuSecond\`, \`byCpuSecond\` and \`cpuSeconds\` are in processor time, all threads together: waiting for a core that other work has is not in them.

${rows.flatMap((row) => ('details' in row ? [`- \`${row.name}\`: ${detailsLine(row.details!)}`] : [])).join('\n')}
`
}

function rowCells(row: RowResult): string[] {
  if ('skipped' in row) return [row.what, targetOf(row), 'skipped', '', row.skipped]
  const { what, unit, median, min, max } = row
  return [what, targetOf(row), amount(median, unit), `${amount(min, unit)} to ${amount(max, unit)}`, verdictOf(row)]
}

function peerCells({ name, unit, peerTarget }: RowResult, peer: PeerResult): string[] {
  if ('skipped' in peer) return [`\`${name}\``, peer.name, 'skipped', ratioTarget(peerTarget), peer.skipped]
  const asked = peerTarget === undefined ? '' : ` (${ratioTarget(peerTarget)}${ratioVerdict(peer)})`
  const ratio = `${timesAsFast(peer.ratio).replace('rxgym ', '')}${asked}`
  return [`\`${name}\``, peer.name, amount(peer.median, unit), ratio, detailsLine(peer.details ?? {})]
}

/** `steps 196119, 191918; firstRunSeconds 1.53` */
export function detailsLine(details: { readonly [name: string]: Json }): string {
  return Object.entries(details)
    .map(([name, value]) => `${name} ${Array.isArray(value) ? value.join(', ') : value}`)
    .join('; ')
}

/** Rows of equal length as lines: the first column to the left, the others to the right; a long first cell in a line that
 *  has nothing else widens nothing. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const counted = rows.filter((row) => row.slice(1).some(Boolean))
  const widths = rows[0]!.map((_, column) => Math.max(...counted.map((row) => row[column]!.length)))
  return rows.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd(),
  )
}
