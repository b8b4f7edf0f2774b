import type { TopLevelSpec } from 'vega-lite'
import { colourScale, MUTED, svgOf } from './chart.js'
import type { Size } from './charts.js'
import type { DomainResults } from './domains.js'

export interface DomainChartOptions extends Size {
  /** Whether it names its colours itself; a page has a legend of its own. */
  readonly legend: boolean
  readonly title?: string
  /** Lines below the title. */
  readonly subtitle?: string[]
}

/** The name of all domains together, below them. */
export const TOGETHER = 'all together'

/** What an algorithm came to in a domain, or in all. */
interface Line {
  readonly env: string
  readonly algorithm: string
  readonly iqm: number
  readonly interval: readonly [number, number]
  readonly start?: number
}

/**
 * Normalised scores: domain by domain, and last all together, a line for each configuration. A dot is a run, the mark the
 * interquartile mean, the bar its 95% interval, the ring where it began; at 0 is the random agent, at 1 the reference.
 */
export function domainChart({ rows, aggregates }: DomainResults, options: DomainChartOptions): Promise<string> {
  const { width, height, legend, title, subtitle } = options
  const lines = [
    ...rows.map(({ env, algorithm, normalised }): Line => ({ env, algorithm, ...normalised })),
    ...aggregates.map((aggregate): Line => ({ env: TOGETHER, ...aggregate })),
  ]
  const envs = [...new Set(lines.map(({ env }) => env))]
  const algorithms = [...new Set(rows.map(({ algorithm }) => algorithm))]
  // lines of the same domain stand below each other
  const slots = lines.map(({ env }, i) => lines.slice(0, i).filter((line) => line.env === env).length)
  const placed = lines.map(({ interval: [low, high], ...line }, i) => ({ ...line, low, high, slot: slots[i]! }))
  const dots = rows.flatMap(({ env, algorithm, runs }, i) =>
    runs.map(({ normalised: { score } }) => ({ env, algorithm, score, slot: slots[i]! })),
  )
  const values = [
    ...dots.map(({ score }) => score),
    ...placed.flatMap(({ low, high, start = low }) => [low, high, start]),
  ]
  const x = (field: string) => ({
    ...{
      field,
      type: 'quantitative',
      title: 'normalised score',
      axis: { tickCount: width < 500 ? 4 : 7, format: '.1f' },
    },
    scale: { domain: [Math.min(0, ...values), Math.max(1, ...values)], nice: false, padding: 10 },
  })
  const y = {
    ...{ field: 'env', type: 'nominal', title: null, sort: envs, scale: { paddingInner: 0.35, paddingOuter: 0.15 } },
    axis: { grid: false, labelFontSize: 13, labelLimit: width * 0.4 },
  }
  const yOffset = { field: 'slot', type: 'ordinal', scale: { paddingInner: 0.15 } }
  const key = {
    orient: 'top',
    title: null,
    symbolType: 'circle',
    symbolOpacity: 1,
    labelFontSize: 13,
    labelColor: MUTED,
  }
  const color = {
    ...{ field: 'algorithm', type: 'nominal', scale: colourScale(algorithms), legend: legend ? key : null },
  }
  return svgOf({
    width,
    height,
    ...(title && { title: { text: title, ...(subtitle && { subtitle }) } }),
    layer: [
      {
        data: { values: [{ at: 0 }, { at: 1 }] },
        mark: { type: 'rule', color: MUTED, strokeDash: [4, 4] },
        encoding: { x: x('at') },
      },
      {
        data: { values: placed },
        mark: { type: 'bar', opacity: 0.25, height: { band: 0.9 } },
        encoding: { x: x('low'), x2: { field: 'high' }, y, yOffset, color },
      },
      {
        data: { values: placed.filter(({ start }) => start !== undefined) },
        mark: { type: 'point', size: 54, strokeWidth: 2, filled: false, opacity: 1 },
        encoding: { x: x('start'), y, yOffset, color },
      },
      {
        data: { values: dots },
        mark: { type: 'circle', size: 40, opacity: 0.65 },
        encoding: { x: x('score'), y, yOffset, color },
      },
      {
        data: { values: placed },
        mark: { type: 'tick', thickness: 3, height: { band: 0.9 }, opacity: 1 },
        encoding: { x: x('iqm'), y, yOffset, color },
      },
    ],
  } as TopLevelSpec)
}
