import type { StoredEvaluation } from '../evaluation-folder.js'
import { DOMAIN_TITLE, domainCells, domainNotes } from './domain-table.js'
import type { DomainResults } from './domains.js'
import { sampleRows, scoreRows, withoutMajority } from './evaluation-rows.js'
import { decimals, percent, plural, share, shown, shownScore, signedScore } from './numbers.js'
import type { EloRecord } from './ratings.js'
import type { ComparisonResults, TaskResult } from './results.js'

/** Median seconds of a configuration's runs, by its name. They are no part of the results: no two runs take the same. */
export type Seconds = ReadonlyMap<string, number>

/** A comparison as the terminal shows it: a table for each environment, then who beats whom; last, across environments. */
export function textReport({ tasks, domains }: ComparisonResults, seconds: Seconds = new Map()): string {
  const each = tasks.map((task) => [table(task, seconds), ...improvements(task)].join('\n'))
  return [...each, ...(domains ? [domainText(domains)] : [])].join('\n\n')
}

/** Scores across domains as the terminal shows them. */
export function domainText(domains: DomainResults): string {
  return [DOMAIN_TITLE, ...aligned(domainCells(domains)), '', ...domainNotes(domains)].join('\n')
}

/** Ratings as the terminal shows them, strongest first. */
export function eloTable({ env, options, games, greedy, advantage, drawElo, ratings }: EloRecord): string {
  const rows = ratings.map(({ name, elo, interval, games, score }) => [
    name,
    signed(elo),
    interval[0] === interval[1] ? '-' : interval.map(signed).join(' to '),
    String(games),
    score.toFixed(3),
  ])
  const rules = Object.entries(options).map(
    ([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  const how = [
    `${games} games a pairing`,
    greedy ? 'the likeliest actions' : 'actions drawn from the policies',
    ...rules,
  ].join(', ')
  return [
    `${env}: Elo by ${how}`,
    ...aligned([['', 'Elo', '95% interval', 'games', 'score'], ...rows]),
    `moving first is worth ${signed(advantage)} Elo; draw width ${Math.round(drawElo)} Elo`,
  ].join('\n')
}

/** An evaluation of a text environment as the terminal shows it: its scores, then what several samples are worth. */
export function evaluationTable(stored: StoredEvaluation): string {
  const { agent, env, samples, result } = stored.evaluation
  const count = stored.completions.length
  const title = `${agent} on ${env.id}: ${plural(count, 'completion')}${result ? '' : ', not finished'}`
  if (count === 0) return title
  const rows = [...scoreRows(stored), ...sampleRows(result, samples)].map(
    ({ name, mean, interval, between, ...row }) => {
      const told = row.share ? share : decimals
      return [name, told(mean), interval?.map(told).join(' to ') ?? '-', between ? told(between.spread) : '-']
    },
  )
  const notes = [
    withoutMajority(result, samples),
    !result &&
      'interrupted, or still going on: intervals and what several samples are worth come with the last completion',
  ].filter((note) => typeof note === 'string')
  return [title, ...aligned([['', 'mean', '95% interval', 'spread'], ...rows]), ...notes].join('\n')
}

/** `+32`, `0`, `-7` */
function signed(elo: number): string {
  const whole = Math.round(elo)
  return whole > 0 ? `+${whole}` : `${whole === 0 ? 0 : whole}`
}

function table({ env, rewardThreshold, opponent, configurations }: TaskResult, seconds: Seconds): string {
  const score = opponent === undefined ? shownScore : signedScore
  const solvable = rewardThreshold !== undefined
  const evaluated = configurations.some(({ evaluation }) => evaluation !== undefined)
  const timed = configurations.some(({ name }) => seconds.has(name))
  const header = [
    '',
    'runs',
    'mean',
    'IQM',
    '95% interval',
    ...(opponent === undefined ? [] : ['wins', 'draws', 'losses']),
    ...(evaluated ? ['evaluation'] : []),
    ...(solvable ? ['solved', 'after episode'] : []),
    ...['episodes', 'steps'],
    ...(timed ? ['seconds'] : []),
  ]
  const rows = configurations.map((row) => [
    row.name,
    String(row.runs.length),
    score(row.mean),
    score(row.iqm),
    row.interval.map(score).join(' to '),
    ...(opponent === undefined
      ? []
      : (['wins', 'draws', 'losses'] as const).map((key) => shown(row.outcomes?.[key] ?? 0))),
    ...(evaluated ? [row.evaluation === undefined ? '-' : shownScore(row.evaluation)] : []),
    ...(solvable
      ? [
          `${Math.round((row.solved ?? 0) * row.runs.length)} of ${row.runs.length}`,
          row.solvedAt === undefined ? '-' : shown(row.solvedAt),
        ]
      : []),
    shown(row.episodes),
    shown(row.steps),
    ...(timed ? [seconds.get(row.name)?.toFixed(1) ?? '-'] : []),
  ])
  const what =
    opponent === undefined
      ? 'mean return of the last 100 episodes'
      : `mean score of the last evaluation against ${opponent}, win 1, draw 0, loss −1`
  const title = `${env}: ${what}${solvable ? `, solved at ${rewardThreshold}` : ''}`
  return [title, ...aligned([header, ...rows])].join('\n')
}

function improvements({ improvements }: TaskResult): string[] {
  if (improvements.length === 0) return []
  const lines = improvements.map(
    ({ x, y, probability, interval: [low, high] }) =>
      `  ${x} above ${y}: ${percent(probability)} (95% interval ${percent(low)} to ${percent(high)})`,
  )
  return ['', 'probability that a run of one scores above a run of the other, a tie counting half:', ...lines]
}

/** Rows of equal length as lines: the first column to the left, the others to the right. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '),
  )
}
