import { type ExperimentConfig, MEASURES } from './config.js'
import type { TrainEvent } from './events.js'
import { share } from './report/numbers.js'

/** Where progress is shown: `process.stderr` is one. */
export interface ProgressStream {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

/** Follows a run. */
export interface Progress {
  next(event: TrainEvent): void
  /** Takes the live line away; the next thing printed starts on a clean line. */
  end(): void
}

const LIVE_MS = 100
const PLAIN_MS = 60_000
const PLAIN_SHARE = 0.1

/**
 * Shows a run as it goes: on a terminal one line, drawn again ten times a second; elsewhere a line for every tenth of the
 * budget, and for every minute of a longer run.
 */
export function showProgress(
  { name, seed, budget, demonstrator }: Pick<ExperimentConfig, 'name' | 'seed' | 'budget' | 'demonstrator'>,
  stream: ProgressStream,
  now: () => number = () => performance.now(),
): Progress {
  const live = stream.isTTY === true
  let began = now()
  let shownAt = Number.NEGATIVE_INFINITY
  let shownShare = 0
  let from = { share: 0, steps: 0 }
  let tokens: number | undefined
  let drawn = false
  let epoch = Infinity

  function line(
    { episodes, steps, update, meanReturn }: Extract<TrainEvent, { type: 'update' }>,
    share: number,
  ): string {
    const seconds = (now() - began) / 1000
    const rate = seconds > 0 ? (steps - from.steps) / seconds : 0
    const left = share > from.share ? (seconds * (1 - share)) / (share - from.share) : Number.POSITIVE_INFINITY
    return [
      `${name} s${seed}`,
      `${Math.floor(share * 100)}%`.padStart(4),
      measure({ episodes, steps, updates: update, epochs: episodes / epoch }, budget),
      `${demonstrator === undefined ? '' : 'demonstrator’s '}mean return ${returnText(meanReturn)}`,
      tokens === undefined ? `${short(rate)} steps/s` : `${short(seconds > 0 ? tokens / seconds : 0)} tokens/s`,
      `${duration(left)} left`,
    ].join('  ')
  }

  return {
    next(event) {
      if (event.type === 'start') {
        began = now()
        shownAt = live ? shownAt : began
        epoch = event.epoch ?? Infinity
        const share = shareOf({ ...event, updates: event.update, epochs: event.episodes / epoch }, budget)
        from = { share, steps: event.steps }
        shownShare = share
      }
      if (event.type === 'evaluation') {
        this.end()
        stream.write(`${name} s${seed}  after update ${event.update}: ${evaluationText(event)}\n`)
      }
      if (event.type !== 'update') return
      if (event.tokens !== undefined) tokens = (tokens ?? 0) + event.tokens
      const spent = { ...event, updates: event.update, epochs: event.episodes / epoch }
      const share = Math.min(1, shareOf(spent, budget))
      const waited = now() - shownAt
      const due = live ? waited >= LIVE_MS : waited >= PLAIN_MS || share - shownShare >= PLAIN_SHARE - 1e-9
      if (!due) return
      shownAt = now()
      shownShare = share
      const text = line(event, share)
      if (live) stream.write(`\r${text.slice(0, Math.max((stream.columns || 80) - 1, 1))}\x1b[K`)
      else stream.write(`${text.trimStart()}\n`)
      drawn = live
    },
    end() {
      if (drawn) stream.write('\r\x1b[K')
      drawn = false
    },
  }
}

/** What an evaluation found: `score 0.62 against random (95% interval 0.55 to 0.69; 125 won, 74 drawn, 1 lost)`, or in a text
 *  environment `evaluated mean return 2.08 (95% interval 2.01 to 2.15; 12.3% right, 96.0% in format)`. */
export function evaluationText({
  mean,
  interval,
  opponent,
  outcomes,
  correct,
  parts,
  validationLoss,
}: Extract<TrainEvent, { type: 'evaluation' }>): string {
  const digits = opponent ? 2 : undefined
  const [low, high] = interval.map((bound) => returnText(bound, digits))
  const what = opponent ? `score ${mean.toFixed(2)} against ${opponent}` : `evaluated mean return ${returnText(mean)}`
  const games = outcomes ? `; ${outcomes.wins} won, ${outcomes.draws} drawn, ${outcomes.losses} lost` : ''
  const loss = validationLoss === undefined ? '' : `, validation loss ${validationLoss.toFixed(3)}`
  const right = correct === undefined ? '' : `; ${share(correct)} right`
  const format = parts?.format === undefined ? '' : `, ${share(parts.format)} in format`
  return `${what} (95% interval ${low} to ${high}${games}${right}${format})${loss}`
}

/** A return in few digits: two decimals where it is small. */
export function returnText(value: number, digits = Math.abs(value) < 10 ? 2 : 1): string {
  return value.toFixed(digits)
}

type Measures = Readonly<Record<(typeof MEASURES)[number], number>>
type Budget = ExperimentConfig['budget']

/** How much of the budget is spent: of several measures, the one that ends the run first. */
function shareOf(spent: Measures, budget: Budget): number {
  return Math.max(...measures(budget).map(([name, limit]) => spent[name] / limit))
}

function measure(spent: Measures, budget: Budget): string {
  const [name, limit] = measures(budget).reduce((a, b) => (spent[a[0]] / a[1] >= spent[b[0]] / b[1] ? a : b))
  const count = name === 'epochs' ? spent[name].toFixed(1) : String(spent[name])
  return `${count.padStart(String(limit).length)}/${limit} ${name}`
}

function measures(budget: Budget): [keyof Measures, number][] {
  const all = MEASURES.map((name) => [name, budget[name] ?? Infinity] as const)
  const given = all.filter(([, limit]) => Number.isFinite(limit))
  return (given.length > 0 ? given : all.slice(0, 1)).map(([name, limit]) => [name, limit])
}

/** A rate or count in few characters: `640`, `68.2k`, `1.3M`. */
export function short(n: number): string {
  if (n >= 1e6) return `${(n / 1e6).toFixed(1)}M`
  if (n >= 1e4) return `${(n / 1e3).toFixed(1)}k`
  return Math.round(n).toString()
}

/** Seconds in words: `8 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?'
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`
}
