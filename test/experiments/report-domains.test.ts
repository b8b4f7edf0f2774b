import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import '../../index.js'
import { register } from '../../envs/registry.js'
import { Discrete } from '../../envs/spaces/discrete.js'
import { domainCells, domainNotes } from '../../experiments/report/domain-table.js'
import { comparisonResults, type DomainRow, domainAggregates } from '../../experiments/report/domains.js'
import type { ComparisonResults } from '../../experiments/report/results.js'
import { readStoredComparison } from '../../experiments/report/stored-run.js'
import { writeSyntheticChessRun, writeSyntheticRun } from './synthetic-run.js'

const root = mkdtempSync(join(tmpdir(), 'rxgym-report-domains-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

register({
  id: 'Unmeasured-v0',
  create: () => ({
    observationSpace: new Discrete(2),
    actionSpace: new Discrete(2),
    reset: () => ({ observation: 0, info: {} }),
    step: () => ({ observation: 0, reward: 1, terminated: true, truncated: false, info: {} }),
  }),
})

/** A folder of made-up runs: CartPole by both algorithms, chess by one, and one without a reference. */
function folder(): string {
  const out = mkdtempSync(join(root, 'of-'))
  for (const seed of [0, 1, 2]) {
    for (const algorithm of ['reinforce', 'rloo']) {
      const run = join(out, `pole-${algorithm}`, `seed-${seed}`)
      writeSyntheticRun(run, { algorithm, seed, episodes: 150, end: 'budget' })
    }
    const plateau = 0.6
    writeSyntheticChessRun(join(out, 'chess', `seed-${seed}`), {
      ...{ name: 'chess', seed, evaluations: 3, plateau, end: 'budget' },
    })
  }
  const odd = join(out, 'odd', 'seed-0')
  writeSyntheticRun(odd, { env: 'Unmeasured-v0', seed: 0, episodes: 20, end: 'budget' })
  writeFileSync(join(odd, 'config.yaml'), 'preset: cartpole-rloo\nenv: Unmeasured-v0\n')
  return out
}

let known: Promise<ComparisonResults> | undefined
const results = () => {
  const measure = (out: string) => comparisonResults(out, readStoredComparison(out))
  known ??= measure(folder())
  return known
}

const row = (env: string, algorithm: string, scores: readonly number[]) => ({
  ...{ env, algorithm },
  runs: scores.map((score, seed) => ({ seed, score, normalised: { score } })),
})

describe('results across domains', () => {
  it('put the random agent at 0 and the reference at 1, in every domain that has one', async () => {
    const { domains, tasks } = await results()
    expect(domains!.rows.map(({ name }) => name).sort()).toEqual(['chess', 'pole-reinforce', 'pole-rloo'])
    expect(domains!.leftOut).toEqual([{ name: 'odd', why: expect.stringContaining('no reference score') }])
    for (const { name, random, reference, runs, normalised } of domains!.rows) {
      const scores = tasks.flatMap(({ configurations }) => configurations).find((one) => one.name === name)!.runs
      expect(runs.map(({ score }) => score)).toEqual(scores.map(({ score }) => score))
      const scaled = scores.map(({ score }) => (score - random.mean) / (reference.score - random.mean))
      for (const [i, run] of runs.entries()) expect(run.normalised.score).toBeCloseTo(scaled[i]!, 12)
      expect(normalised.iqm).toBeCloseTo(scaled.reduce((a, b) => a + b) / scaled.length, 12)
    }
  }, 60_000)

  it('tell where runs began where that was measured, and what is missing', async () => {
    const { domains } = await results()
    const starts = Object.fromEntries(domains!.rows.map(({ name, start }) => [name, start]))
    expect(starts['pole-rloo']).toBeUndefined()
    expect(Math.abs(starts.chess!)).toBeLessThan(0.2)
    const notes = domainNotes(domains!)
    expect(notes.find((note) => note.startsWith('Chess-v1'))).toMatch(/1 is 1, every game won\.$/)
    expect(notes).toContainEqual(expect.stringContaining('Left out is odd'))
    expect(notes).toContainEqual(expect.stringMatching(/^rloo has not one configuration in each domain/))
    const [header, ...cells] = domainCells(domains!)
    expect(cells.every(({ length }) => length === header!.length)).toBe(true)
  }, 60_000)

  it('are those of one environment alone where there is no other', async () => {
    const out = mkdtempSync(join(root, 'one-'))
    writeSyntheticRun(join(out, 'pole', 'seed-0'), { seed: 0, episodes: 20, end: 'budget' })
    expect((await comparisonResults(out, readStoredComparison(out))).domains).toBeUndefined()
  })

  it('are summed up over the runs of all domains, by the interquartile mean', () => {
    const rows: Pick<DomainRow, 'env' | 'algorithm' | 'runs'>[] = [
      row('A-v0', 'rloo', [0, 0.1]),
      row('B-v0', 'rloo', [0.5, 0.9]),
      row('A-v0', 'reinforce', [0.3, 0.3]),
      row('B-v0', 'reinforce', [0.3, 0.3]),
      row('A-v0', 'sft', [1]),
    ]
    const [rloo, reinforce, ...others] = domainAggregates(rows)
    expect(others).toEqual([])
    // of 0, 0.1, 0.5 and 0.9 the middle two
    expect(rloo).toMatchObject({ algorithm: 'rloo', iqm: 0.3 })
    // resampled within each domain, no mean is beyond those of the lowest and of the highest of both
    expect(rloo!.interval[0]).toBeCloseTo(0.25, 12)
    expect(rloo!.interval[1]).toBeCloseTo(0.5, 12)
    expect(reinforce).toMatchObject({ algorithm: 'reinforce', iqm: 0.3, interval: [0.3, 0.3] })
  })

  it('have no mean over all for an algorithm with two configurations in a domain', () => {
    const rows = [row('A-v0', 'rloo', [0]), row('A-v0', 'rloo', [1]), row('B-v0', 'rloo', [1])]
    expect(domainAggregates(rows)).toEqual([])
  })
})
