import type { TopLevelSpec } from 'vega-lite'
import type { Outcomes } from '../../algorithms/evaluate.js'
import { type Interval, performanceProfile, stratifiedBootstrapBand } from '../../algorithms/statistics.js'
import { PCG64 } from '../../envs/seeding.js'
import { colourScale, DRAWN, MUTED, PALETTE, svgOf } from './chart.js'
import type { Axis, Curve } from './curves.js'
import type { TaskResult } from './results.js'
import { type RunRecord, runningMeans } from './run-record.js'

/** The whole of a chart, in px. */
export interface Size {
  readonly width: number
  readonly height: number
}

export interface LearningCurveOptions extends Size {
  /** What the points' `x` counts. */
  readonly axis: Counted
  /** Drawn as a dashed line. */
  readonly threshold?: number | undefined
  readonly title?: string
  /** Lines; one too long for the chart would squeeze it. */
  readonly subtitle?: readonly string[]
  /** The values' range, where it is known; otherwise from 0, or the least, to above the greatest. */
  readonly limits?: readonly [number, number]
  /** Whether each line carries its name at its end; without it the page's own legend names them. */
  readonly labels: boolean
}

/** `0`, `50k`, `1.5M`. */
const COUNT_LABEL = "datum.value === 0 ? '0' : format(datum.value, '~s')"

type Counted = Axis | 'updates'

const AXIS_TITLES = {
  episodes: 'episodes',
  steps: 'environment steps',
  updates: 'updates',
} as const satisfies Readonly<Record<Counted, string>>

/** The mean return of the last 100 episodes over episodes or steps: a line and an interval band for each configuration. */
export function learningCurveChart(curves: readonly Curve[], options: LearningCurveOptions): Promise<string> {
  const { axis, threshold, title, subtitle, labels, width, height } = options
  const drawn = curves.filter(({ points }) => points.length > 0)
  const rows = drawn.flatMap(({ name, points }) => points.map((point) => ({ name, ...point })))
  const limits = options.limits ?? yLimits(rows, threshold)
  const xMax = Math.max(1, ...rows.map(({ x }) => x))
  const ends = spread(
    drawn.map(({ name, points }) => ({ name, y: points.at(-1)!.y })),
    (limits[1] - limits[0]) * (20 / (height - 110)),
    limits,
  )
  const stretched = options.limits ? stretchOf(drawn) : undefined
  const scale = { domain: [0, xMax], nice: false, ...(stretched && { type: 'symlog', constant: stretched }) }
  const along = stretched ? `${AXIS_TITLES[axis]}, on a logarithmic axis` : AXIS_TITLES[axis]
  const x = { field: 'x', type: 'quantitative', title: along, scale }
  const ticks =
    stretched === undefined
      ? undefined
      : [0, ...[1, 2, 3, 4, 5, 6].map((k) => 10 ** k).filter((n) => n >= stretched && n <= xMax)]
  const colour = { field: 'name', type: 'nominal', scale: colourScale(curves.map(({ name }) => name)), legend: null }
  const y = (field: string) => ({
    field,
    type: 'quantitative',
    scale: { domain: limits, nice: false, zero: false },
    axis: { tickCount: 6 },
  })
  return svgOf({
    width,
    height,
    ...(title && { title: { text: title, ...(subtitle && { subtitle: [...subtitle] }) } }),
    layer: [
      ...thresholdLayers(threshold, limits),
      {
        data: { values: rows },
        mark: { type: 'area', opacity: 0.2 },
        encoding: {
          x: xAxis(x, axis, width, ticks),
          y: { ...y('low'), title: null },
          y2: { field: 'high' },
          color: colour,
        },
      },
      {
        data: { values: rows },
        mark: { type: 'line', strokeWidth: 2.5, strokeCap: 'round' },
        encoding: { x: xAxis(x, axis, width, ticks), y: { ...y('y'), title: null }, color: colour },
      },
      ...(labels
        ? [
            {
              data: { values: ends },
              mark: { type: 'text', align: 'left', dx: 8, fontSize: 13, fontWeight: 600, x: 'width' },
              encoding: { y: { ...y('label'), title: null }, text: { field: 'name' }, color: colour },
            },
          ]
        : []),
    ],
  } as TopLevelSpec)
}

/** How the games of an evaluation ended, and when it was. */
export interface OutcomePoint extends Outcomes {
  readonly x: number
}

/** What games end in, from the bottom of the chart up, with their colours. */
export const OUTCOMES = [
  { key: 'wins', colour: PALETTE[2] },
  { key: 'draws', colour: DRAWN },
  { key: 'losses', colour: PALETTE[3] },
] as const

/** The share of games won, drawn and lost over episodes, one on top of the other. */
export function outcomeChart(points: readonly OutcomePoint[], { width, height }: Size): Promise<string> {
  const rows = points.flatMap(({ x, ...outcomes }) => {
    const games = outcomes.wins + outcomes.draws + outcomes.losses
    let below = 0
    return OUTCOMES.map(({ key }) => {
      const low = below
      below += outcomes[key] / games
      return { key, x, low, high: below }
    })
  })
  const scale = { domain: OUTCOMES.map(({ key }) => key), range: OUTCOMES.map(({ colour }) => colour) }
  const domain = [Math.min(...points.map(({ x }) => x)), Math.max(1, ...points.map(({ x }) => x))]
  const x = { field: 'x', type: 'quantitative', title: 'episodes', scale: { domain, nice: false } }
  return svgOf({
    width,
    height,
    data: { values: rows },
    mark: { type: 'area', opacity: 1 },
    encoding: {
      x: xAxis(x, 'episodes', width),
      y: {
        field: 'low',
        type: 'quantitative',
        title: null,
        scale: { domain: [0, 1] },
        axis: { format: '%', tickCount: 4 },
      },
      y2: { field: 'high' },
      color: { field: 'key', type: 'nominal', scale, legend: null },
    },
  } as TopLevelSpec)
}

/** The Elo of one run's checkpoints. */
export interface EloLine {
  readonly name: string
  /** Whose colour it has. */
  readonly configuration: string
  readonly points: readonly { readonly update: number; readonly elo: number; readonly interval: Interval }[]
}

export interface EloChartOptions extends Size {
  /** In the order of their colours. */
  readonly configurations: readonly string[]
  /** Drawn as dashed lines with their names. */
  readonly yardsticks: readonly { readonly name: string; readonly elo: number }[]
}

/** Elo over updates: a line for each run, a bar for each checkpoint's 95% interval, and the yardsticks. */
export function eloChart(lines: readonly EloLine[], options: EloChartOptions): Promise<string> {
  const { configurations, yardsticks, width, height } = options
  const rows = lines.flatMap(({ name, configuration, points }) =>
    points.map(({ update, elo, interval: [low, high] }) => ({ name, configuration, update, elo, low, high })),
  )
  const all = [...rows.flatMap(({ low, high }) => [low, high]), ...yardsticks.map(({ elo }) => elo)]
  const room = Math.max(20, (Math.max(...all) - Math.min(...all)) * 0.08)
  const limits: [number, number] = [Math.min(...all) - room, Math.max(...all) + room]
  const marks = spread(
    yardsticks.map(({ name, elo }) => ({ name, y: elo })),
    (limits[1] - limits[0]) * (18 / (height - 70)),
    limits,
  )
  const last = Math.max(1, ...rows.map(({ update }) => update))
  const x = {
    field: 'update',
    type: 'quantitative',
    title: 'updates',
    scale: { domain: [0, last], nice: false, padding: 10 },
    axis: { tickCount: width < 500 ? 4 : 6, format: ',d' },
  }
  const y = (field: string) => ({
    ...{ field, type: 'quantitative', title: 'Elo', axis: { tickCount: 6, format: 'd' } },
    scale: { domain: limits, nice: false, zero: false },
  })
  const color = { field: 'configuration', type: 'nominal', scale: colourScale(configurations), legend: null }
  return svgOf({
    width,
    height,
    layer: [
      {
        data: { values: marks },
        mark: { type: 'rule', color: MUTED, strokeDash: [4, 4] },
        encoding: { y: y('y') },
      },
      {
        data: { values: marks },
        mark: { type: 'text', align: 'right', baseline: 'bottom', dy: -3, fontSize: 12, color: MUTED, x: 'width' },
        encoding: { y: y('label'), text: { field: 'name' } },
      },
      {
        data: { values: rows },
        mark: { type: 'rule', strokeWidth: 2, opacity: 0.55 },
        encoding: { x, y: y('low'), y2: { field: 'high' }, color },
      },
      {
        data: { values: rows },
        mark: { type: 'line', strokeWidth: 2.5 },
        encoding: { x, y: y('elo'), color, detail: { field: 'name' } },
      },
      {
        data: { values: rows },
        mark: { type: 'circle', size: 46, opacity: 1 },
        encoding: { x, y: y('elo'), color },
      },
    ],
  } as TopLevelSpec)
}

/** Where lines of very different lengths share a chart, its axis is a logarithm from the shortest line's first step on,
 *  so that the short ones can be read; undefined where they do not. */
function stretchOf(curves: readonly Curve[]): number | undefined {
  const ends = curves.map(({ points }) => points.at(-1)!.x)
  if (Math.max(...ends) < 8 * Math.min(...ends)) return undefined
  const firsts = curves.flatMap(({ points }) => points.find(({ x }) => x > 0)?.x ?? [])
  return firsts.length > 0 ? Math.min(...firsts) : undefined
}

/** One run: every episode's return as a dot, the mean of the last 100 as a line. */
export function runChart(run: RunRecord, { threshold, ...size }: Size & { readonly threshold?: number | undefined }) {
  const means = runningMeans(run.returns)
  const keep = thin(run.returns.length, 1200)
  const dots = keep.map((i) => ({ x: i + 1, y: run.returns[i]! }))
  const line = thin(run.returns.length, 300).map((i) => ({ x: i + 1, y: means[i]! }))
  const limits = yLimits(
    [...dots, ...line].map(({ y }) => ({ low: y, high: y })),
    threshold,
  )
  const x = {
    field: 'x',
    type: 'quantitative',
    title: 'episodes',
    scale: { domain: [0, Math.max(1, run.returns.length)], nice: false },
  }
  const y = { field: 'y', type: 'quantitative', title: null, scale: { domain: limits, nice: false, zero: false } }
  return svgOf({
    ...size,
    layer: [
      ...thresholdLayers(threshold, limits),
      {
        data: { values: dots },
        mark: { type: 'circle', size: 14, opacity: 0.35, color: PALETTE[0] },
        encoding: { x: xAxis(x, 'episodes', size.width), y },
      },
      {
        data: { values: line },
        mark: { type: 'line', strokeWidth: 2.5, color: PALETTE[1] },
        encoding: { x: xAxis(x, 'episodes', size.width), y },
      },
    ],
  } as TopLevelSpec)
}

/** One number of a run's updates over episodes. */
export function metricChart(
  points: readonly { readonly x: number; readonly y: number }[],
  { width, height }: Size,
): Promise<string> {
  const kept = thin(points.length, 250).map((i) => points[i]!)
  return svgOf({
    width,
    height,
    data: { values: kept },
    mark: { type: 'line', strokeWidth: 1.5, color: PALETTE[0] },
    encoding: {
      x: {
        field: 'x',
        type: 'quantitative',
        title: null,
        scale: { domain: [0, Math.max(1, points.at(-1)?.x ?? 1)], nice: false },
        axis: { tickCount: 3, labelExpr: COUNT_LABEL },
      },
      y: {
        field: 'y',
        type: 'quantitative',
        title: null,
        scale: { zero: false },
        axis: { tickCount: 4, format: '.4~g' },
      },
    },
  } as TopLevelSpec)
}

/** The share of runs whose score is above each threshold, with bootstrap 95% bands. */
export function profileChart(task: TaskResult, size: Size): Promise<string> {
  const all = task.configurations.flatMap(({ runs }) => runs.map(({ score }) => score))
  const [low, high] = [Math.min(0, ...all), Math.max(task.rewardThreshold ?? 0, ...all)]
  const taus = Array.from({ length: 121 }, (_, i) => low + ((high - low) * i) / 120)
  const rows = task.configurations.flatMap(({ name, runs }) => {
    const scores = runs.map(({ score }) => score)
    const profile = performanceProfile(scores, taus)
    const band = stratifiedBootstrapBand([scores], ([drawn]) => performanceProfile(drawn!, taus), {
      generator: new PCG64(0),
      resamples: 1000,
    })
    return taus.map((x, i) => ({ name, x, y: profile[i]!, low: band[i]![0], high: band[i]![1] }))
  })
  const colour = {
    field: 'name',
    type: 'nominal',
    scale: colourScale(task.configurations.map(({ name }) => name)),
    legend: null,
  }
  const x = {
    field: 'x',
    type: 'quantitative',
    title: 'score τ',
    scale: { domain: [low, high], nice: false },
    axis: { tickCount: 5 },
  }
  const y = { type: 'quantitative', title: null, scale: { domain: [0, 1] }, axis: { format: '%', tickCount: 4 } }
  return svgOf({
    ...size,
    data: { values: rows },
    layer: [
      ...(task.rewardThreshold === undefined
        ? []
        : [
            {
              data: { values: [{ x: task.rewardThreshold }] },
              mark: { type: 'rule', color: MUTED, strokeDash: [4, 4] },
              encoding: { x: { field: 'x', type: 'quantitative' } },
            },
          ]),
      {
        mark: { type: 'area', opacity: 0.2, interpolate: 'step-before' },
        encoding: { x, y: { field: 'low', ...y }, y2: { field: 'high' }, color: colour },
      },
      {
        mark: { type: 'line', strokeWidth: 2.5, interpolate: 'step-before' },
        encoding: { x, y: { field: 'y', ...y }, color: colour },
      },
    ],
  } as TopLevelSpec)
}

/** Each run's score as a dot, each configuration's interquartile mean as a line with its 95% interval. */
export function scoreChart(task: TaskResult, { width, height }: Size): Promise<string> {
  const dots = task.configurations.flatMap(({ name, runs }) => runs.map(({ score }) => ({ name, score })))
  const bars = task.configurations.map(({ name, iqm, interval: [low, high] }) => ({ name, iqm, low, high }))
  const names = task.configurations.map(({ name }) => name)
  const colour = { field: 'name', type: 'nominal', scale: colourScale(names), legend: null }
  const y = { field: 'name', type: 'nominal', title: null, sort: names, axis: null, scale: { padding: 0.3 } }
  const x = (field: string) => ({
    field,
    type: 'quantitative',
    title: 'score',
    scale: { zero: false, padding: 12 },
    axis: { tickCount: 5 },
  })
  return svgOf({
    width,
    height,
    layer: [
      ...(task.rewardThreshold === undefined
        ? []
        : [
            {
              data: { values: [{ x: task.rewardThreshold }] },
              mark: { type: 'rule', color: MUTED, strokeDash: [4, 4] },
              encoding: { x: { field: 'x', type: 'quantitative' } },
            },
          ]),
      {
        data: { values: bars },
        mark: { type: 'bar', opacity: 0.22, height: { band: 0.8 } },
        encoding: { x: x('low'), x2: { field: 'high' }, y, color: colour },
      },
      {
        data: { values: dots },
        mark: { type: 'circle', size: 44, opacity: 0.65 },
        encoding: { x: x('score'), y, color: colour },
      },
      {
        data: { values: bars },
        mark: { type: 'tick', thickness: 3, height: { band: 0.8 } },
        encoding: { x: x('iqm'), y, color: colour },
      },
    ],
  } as TopLevelSpec)
}

function thresholdLayers(threshold: number | undefined, limits: readonly [number, number]): object[] {
  if (threshold === undefined) return []
  const y = { field: 'y', type: 'quantitative', scale: { domain: limits, nice: false, zero: false }, title: null }
  const data = { values: [{ y: threshold, text: `solved at ${threshold}` }] }
  return [
    { data, mark: { type: 'rule', color: MUTED, strokeDash: [4, 4] }, encoding: { y } },
    {
      data,
      mark: { type: 'text', align: 'left', baseline: 'bottom', dx: 4, dy: -4, fontSize: 12, color: MUTED, x: 0 },
      encoding: { y, text: { field: 'text' } },
    },
  ]
}

/** From 0, or below where values are, to a little above the highest. */
function yLimits(
  rows: readonly { readonly low: number; readonly high: number }[],
  threshold: number | undefined,
): [number, number] {
  let [low, high] = [Math.min(0, threshold ?? 0), Math.max(threshold ?? 0)]
  for (const row of rows) {
    low = Math.min(low, row.low)
    high = Math.max(high, row.high)
  }
  if (high === low) return [low - 1, high + 1]
  return [low < 0 ? low - (high - low) * 0.05 : 0, high + (high - low) * 0.09]
}

/** Moves labels apart until any two are at least `gap` from each other, inside the limits. */
function spread<T extends { readonly y: number }>(
  ends: readonly T[],
  gap: number,
  limits: readonly [number, number],
): (T & { readonly label: number })[] {
  const sorted = ends.map((end) => ({ ...end, label: end.y })).sort((a, b) => b.y - a.y)
  for (let i = 1; i < sorted.length; i++) {
    sorted[i]!.label = Math.min(sorted[i]!.label, sorted[i - 1]!.label - gap)
  }
  const below = sorted.length > 0 ? Math.max(0, limits[0] - sorted.at(-1)!.label) : 0
  return sorted.map((end) => ({ ...end, label: end.label + below }))
}

function xAxis(x: object, axis: Counted, width: number, values?: readonly number[]): object {
  const labels = axis === 'steps' ? { labelExpr: COUNT_LABEL } : { format: ',d' }
  return { ...x, axis: { tickCount: width < 500 ? 4 : 6, ...(values && { values }), ...labels } }
}

/** `count` indices thinned out evenly to `most` at most, the last always among them. */
function thin(count: number, most: number): number[] {
  if (count <= most) return Array.from({ length: count }, (_, i) => i)
  return Array.from({ length: most }, (_, i) => Math.round((i * (count - 1)) / (most - 1)))
}
