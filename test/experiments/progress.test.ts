import { describe, expect, it } from 'vitest'
import type { TrainEvent } from '../../experiments/events.js'
import { duration, short, showProgress } from '../../experiments/progress.js'

const start = (episodes = 0): TrainEvent => {
  const at = { update: episodes, episodes, steps: 10 * episodes }
  return { type: 'start', env: 'CartPole-v1', algorithm: 'reinforce', seed: 1, backend: 'cpu', parameters: 2, ...at }
}

const update = (n: number): TrainEvent => {
  return { type: 'update', update: n, episodes: n, steps: 10 * n, meanReturn: 12.34, metrics: {} }
}

interface Shown {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly from?: number
  readonly budget?: object
  readonly demonstrator?: string
  readonly epoch?: number
}

/** Shows a run of 100 episodes that takes 50 ms for each. */
function shown({ isTTY = false, columns = 80, from = 0, budget = {}, epoch, ...of }: Shown = {}): string {
  let text = ''
  let now = 0
  const stream = { isTTY, columns, write: (more: string) => (text += more) }
  const progress = showProgress(
    { name: 'demo', seed: 1, budget: { episodes: 100, ...budget }, ...of },
    stream,
    () => now,
  )
  progress.next({ ...start(from), ...(epoch && { epoch }) } as TrainEvent)
  for (let n = from + 1; n <= 100; n++) {
    now += 50
    progress.next(update(n))
  }
  progress.end()
  return text
}

describe('progress', () => {
  it('is a line for every tenth of the budget where it is not a terminal', () => {
    const lines = shown().trimEnd().split('\n')
    expect(lines).toHaveLength(10)
    expect(lines[4]).toBe('demo s1   50%   50/100 episodes  mean return 12.3  200 steps/s  3 s left')
  })

  it('says where the returns are a demonstrator’s', () => {
    expect(shown({ demonstrator: 'gold' })).toContain('  demonstrator’s mean return 12.3  ')
  })

  it('is one line drawn over and over on a terminal, and gone at the end', () => {
    const text = shown({ isTTY: true })
    expect(text).not.toContain('\n')
    expect(text.split('\r')).toHaveLength(52)
    expect(text).toContain('\rdemo s1   99%   99/100 episodes  mean return 12.3  200 steps/s  0 s left\x1b[K')
    expect(text.endsWith('\r\x1b[K')).toBe(true)
  })

  it('tells each evaluation in a line that stays', () => {
    let text = ''
    const stream = { isTTY: true, columns: 80, write: (more: string) => (text += more) }
    const progress = showProgress({ name: 'demo', seed: 1, budget: { updates: 9 } }, stream)
    const at = { update: 5, episodes: 5, steps: 50 }
    const outcomes = { wins: 5, draws: 4, losses: 1 }
    progress.next(update(5))
    progress.next({
      type: 'evaluation',
      ...at,
      mean: 0.4,
      iqm: 0.5,
      interval: [-0.1, 0.85],
      opponent: 'random',
      outcomes,
    })
    expect(text).toContain('\r\x1b[Kdemo s1  after update 5: score 0.40 against random ')
    expect(text).toContain('(95% interval -0.10 to 0.85; 5 won, 4 drawn, 1 lost)\n')
    progress.next({ type: 'evaluation', ...at, mean: 120.25, iqm: 121, interval: [110, 130.06] })
    expect(text).toMatch(/after update 5: evaluated mean return 120\.3 \(95% interval 110\.0 to 130\.1\)\n$/)
    progress.next({ type: 'evaluation', ...at, mean: 0.5, iqm: 0.5, interval: [0, 1], validationLoss: 1.23456 })
    expect(text).toMatch(/evaluated mean return 0\.50 \(95% interval 0\.00 to 1\.00\), validation loss 1\.235\n$/)
    const parts = { format: 0.96, correctness: 0.123 }
    progress.next({ type: 'evaluation', ...at, mean: 2, iqm: 2, interval: [1.9, 2.1], correct: 0.123, parts })
    expect(text).toMatch(/mean return 2\.00 \(95% interval 1\.90 to 2\.10; 12\.3% right, 96\.0% in format\)\n$/)
  })

  it('fits the terminal, so that the line does not wrap', () => {
    for (const line of shown({ isTTY: true, columns: 30 }).split('\r')) {
      expect(line.replace('\x1b[K', '').length).toBeLessThan(30)
    }
  })

  it('reckons rate and time left from where the run went on', () => {
    const lines = shown({ from: 50 }).trimEnd().split('\n')
    expect(lines[0]).toBe('demo s1   60%   60/100 episodes  mean return 12.3  200 steps/s  2 s left')
  })

  it('follows the measure that ends the run first', () => {
    expect(shown({ budget: { steps: 2000, updates: 120 } })).toContain(' 50/100 episodes')
    expect(shown({ budget: { updates: 50 } })).toContain('100%  50/50 updates')
  })

  it('tells tokens a second where a policy writes', () => {
    let text = ''
    let now = 0
    const stream = { write: (more: string) => (text += more) }
    const progress = showProgress({ name: 'demo', seed: 1, budget: { updates: 4 } }, stream, () => now)
    progress.next(start())
    for (let n = 1; n <= 4; n++) {
      now += 500
      progress.next({ ...update(n), tokens: 100 * n } as TrainEvent)
    }
    expect(text).toContain(' 50%  2/4 updates  mean return 12.3  300 tokens/s  1 s left')
    expect(text).toContain('100%  4/4 updates  mean return 12.3  500 tokens/s  0 s left')
    expect(text).not.toContain('steps/s')
  })

  it('is in epochs where the budget is', () => {
    const text = shown({ epoch: 40, budget: { episodes: undefined, epochs: 2.5 } })
    expect(text).toContain(' 30%  0.8/2.5 epochs  mean return')
    expect(text).toContain('100%  2.5/2.5 epochs  mean return')
    expect(shown({ from: 40, epoch: 40, budget: { episodes: undefined, epochs: 2.5 } })).toMatch(
      /^demo s1 +50% +1\.3\/2\.5/,
    )
  })
})

it('rates and durations are short', () => {
  expect([640.4, 68_249, 1_312_000].map(short)).toEqual(['640', '68.2k', '1.3M'])
  expect([0.4, 59, 200, 7500, Number.POSITIVE_INFINITY].map(duration)).toEqual([
    '0 s',
    '59 s',
    '3 min 20 s',
    '2 h 5 min',
    '?',
  ])
})
