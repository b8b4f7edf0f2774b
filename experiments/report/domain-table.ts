import type { Interval } from '../../algorithms/statistics.js'
import type { DomainResults, DomainRow } from './domains.js'
import { plural } from './numbers.js'

/** What the scale of each domain is, and what is missing: lines below a table. */
export function domainNotes({ rows, aggregates, leftOut }: DomainResults): string[] {
  const algorithms = [...new Set(rows.map(({ algorithm }) => algorithm))]
  const apart = algorithms.filter((name) => !aggregates.some(({ algorithm }) => algorithm === name))
  return [
    ...new Set(rows.map(scaleOf)),
    ...apart.map((name) => `${name} has not one configuration in each domain, and no mean over all.`),
    ...leftOut.map(({ name, why }) => `Left out is ${name}: ${why}.`),
  ]
}

function scaleOf({ env, evaluated, random, reference }: DomainRow): string {
  const score = evaluated
    ? 'The score is the mean return of the last evaluation, the start that of the one before the first update.'
    : 'The score is the mean return of the last 100 episodes of training; there are no evaluations.'
  const { mean, interval, episodes, opponent } = random
  const against = opponent === undefined ? '' : ` against ${opponent}`
  const zero = `0 is ${two(mean)} (${told(interval)}), the random agent on ${plural(episodes, 'episode')}${against}`
  return `${env}: ${score} ${zero}; 1 is ${reference.score}, ${reference.what}.`
}

/** A table's cells, the header first: a line for each configuration, then for each algorithm over all domains. */
export function domainCells({ rows, aggregates }: DomainResults): string[][] {
  const domains = new Set(rows.map(({ env }) => env)).size
  const runsOf = (algorithm: string) =>
    rows.reduce((sum, row) => sum + (row.algorithm === algorithm ? row.runs.length : 0), 0)
  return [
    ['', 'algorithm', 'domain', 'starts from', 'runs', 'start', 'score', 'normalised', '95% interval'],
    ...rows.map(({ name, env, algorithm, from, start, score, normalised: { iqm, interval }, runs }) => [
      ...[name, algorithm, env, from ?? NONE, String(runs.length)],
      ...[start === undefined ? NONE : two(start), two(score), two(iqm), told(interval)],
    ]),
    ...aggregates.map(({ algorithm, iqm, interval }) => [
      ...[`all ${domains} domains`, algorithm, NONE, NONE, String(runsOf(algorithm))],
      ...[NONE, NONE, two(iqm), told(interval)],
    ]),
  ]
}

const NONE = '-'

/** In a line, what the numbers are. */
export const DOMAIN_TITLE =
  'across domains: start and score are means over runs; normalised, 0 being the random agent and 1 the reference, ' +
  'interquartile means with bootstrap 95% intervals'

function told(interval: Interval): string {
  return interval.map(two).join(' to ')
}

/** `0.32`, `−0.05` */
function two(value: number): string {
  const rounded = Math.abs(value).toFixed(2)
  return value < 0 && Number(rounded) !== 0 ? `−${rounded}` : rounded
}
