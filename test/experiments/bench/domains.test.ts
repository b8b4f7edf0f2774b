import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import '../../../index.js'
import { compareDomains, type DomainComparison } from '../../../experiments/bench/domains.js'
import { type CompareEvent, compare } from '../../../experiments/compare.js'
import { type ExperimentConfig, loadConfig } from '../../../experiments/config.js'
import { presetSets } from '../../../experiments/presets/presets.js'

// The first stage with next to no training: workers, which are compiled, are given its configuration
vi.mock('../../../experiments/presets/presets.js', async (original) => {
  const { presets, ...others } = await original<typeof import('../../../experiments/presets/presets.js')>()
  const stage = presets['arithmetic-tiny-sft']!
  const config = {
    ...stage.config,
    env: { id: 'Arithmetic-v1', options: { level: 1, count: 40 } },
    agent: {
      type: 'language',
      fresh: { hidden: 8, intermediate: 16, layers: 1, texts: 40 },
      sampling: { maxNewTokens: 6 },
    },
    budget: { updates: 2 },
    evaluation: { every: 2, episodes: 10, greedy: false, options: { level: 1, split: 'test', count: 10 } },
  }
  const agent = { ...config.agent, fresh: { ...config.agent.fresh, context: 8 } }
  const failing = { ...stage, config: { ...config, agent } }
  return { ...others, presets: { ...presets, 'arithmetic-tiny-sft': { ...stage, config }, failing } }
})

const folder = mkdtempSync(join(tmpdir(), 'rxgym-domains-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const runs = join(folder, 'runs')
const results = join(folder, 'results')

const small = ['budget.episodes=24', 'agent.hidden=[4]']
const words = [
  ...['budget.updates=2', 'agent.sampling.maxNewTokens=6', 'env.options.count=40', 'evaluation.options.count=10'],
  ...['evaluation.every=2', 'evaluation.episodes=10'],
]
const presets = {
  'cartpole-reinforce-tuned': small,
  'cartpole-rloo': small,
  'arithmetic-tiny-reinforce': words,
  'arithmetic-tiny': words,
}
const events: CompareEvent[] = []
const run = () =>
  compareDomains({
    ...{ presets, seeds: 2, folder: runs, results, command: 'rxgym bench domains --seeds 2' },
    onEvent: (event) => events.push(event),
  })

describe('a comparison across domains', () => {
  let found: DomainComparison
  // Four presets of two seeds, and a first stage for each seed
  beforeAll(async () => {
    mkdirSync(results)
    found = await run()
  }, 120_000)
  const row = (name: string) => found.results.rows.find((row) => row.name === name)!

  it('trains the stage that two presets start from once for each seed, and both begin where it ended', () => {
    const begun = events.flatMap((event) => (event.type === 'begin' ? [`${event.run.name} ${event.run.seed}`] : []))
    expect(begun).toHaveLength(10)
    expect(begun.filter((name) => name.startsWith('arithmetic-tiny-sft')).sort()).toEqual([
      'arithmetic-tiny-sft 1',
      'arithmetic-tiny-sft 2',
    ])
    for (const seed of [1, 2]) {
      const stage = join(runs, 'arithmetic-tiny-sft', `seed-${seed}`)
      for (const name of ['arithmetic-tiny', 'arithmetic-tiny-reinforce']) {
        const { agent } = loadConfig(join(runs, name, `seed-${seed}`))
        expect(agent.type === 'language' && agent.model).toBe(`${stage}@2`)
      }
    }
    expect(row('arithmetic-tiny').from).toBe('arithmetic-tiny-sft')
    expect(row('arithmetic-tiny').start).toBe(row('arithmetic-tiny-reinforce').start)
    expect(row('cartpole-rloo').from).toBeUndefined()
  })

  it('leaves the stage out of what is compared', () => {
    expect(found.results.rows.map(({ name }) => name)).toEqual(Object.keys(presets))
  })

  it('puts every score between the random agent’s, as it was measured, and the reference', () => {
    const kept = JSON.parse(readFileSync(join(runs, 'random.json'), 'utf8')) as { env: { id: string }; mean: number }[]
    expect(kept.map(({ env }) => env.id)).toEqual(['CartPole-v1', 'Arithmetic-v1'])
    for (const { env, random, reference, runs } of found.results.rows) {
      expect(random.mean).toBe(kept.find((one) => one.env.id === env)!.mean)
      expect(reference.score).toBe(env === 'CartPole-v1' ? 500 : 4)
      for (const { score, normalised } of runs) {
        expect(normalised.score).toBeCloseTo((score - random.mean) / (reference.score - random.mean), 12)
      }
    }
  })

  it('has one mean over all domains for each algorithm, with its interval', () => {
    expect(found.results.aggregates.map(({ algorithm }) => algorithm)).toEqual(['reinforce', 'rloo'])
    for (const { iqm, interval } of found.results.aggregates) {
      expect(interval[0]).toBeLessThanOrEqual(iqm)
      expect(interval[1]).toBeGreaterThanOrEqual(iqm)
    }
  })

  it('writes the page, its picture and its numbers, and the report beside the runs', () => {
    expect(readdirSync(results).sort()).toEqual(['domains.json', 'domains.md', 'domains.svg'])
    expect(JSON.parse(readFileSync(join(results, 'domains.json'), 'utf8'))).toEqual(JSON.parse(JSON.stringify(found)))
    const page = readFileSync(join(results, 'domains.md'), 'utf8')
    expect(page).not.toMatch(/undefined|NaN|\[object/)
    expect(page).toContain('`arithmetic-tiny` 2 of ')
    const picture = readFileSync(join(results, 'domains.svg'), 'utf8')
    for (const name of ['CartPole-v1', 'Arithmetic-v1', 'all together', 'reinforce', 'rloo']) {
      expect(picture).toContain(`>${name}<`)
    }
    const report = readFileSync(join(runs, 'report.html'), 'utf8')
    expect(report).toContain('Across domains')
    expect(report).not.toMatch(/undefined|NaN|\[object/)
    expect(JSON.parse(readFileSync(join(runs, 'results.json'), 'utf8')).domains).toEqual(
      JSON.parse(JSON.stringify(found.results)),
    )
  })

  it('keeps what is there, and finds the same', async () => {
    events.length = 0
    expect((await run()).results).toEqual(found.results)
    expect(events.filter(({ type }) => type === 'begin')).toEqual([])
  }, 60_000)
})

describe('a first stage', () => {
  const begun: string[] = []
  const both = (configs: readonly ExperimentConfig[], name: string) =>
    compare({
      ...{ configs, seeds: 1, folder: join(folder, name), report: false },
      onEvent: (event) => event.type === 'begin' && begun.push(event.run.name),
    })

  it('that is itself compared is trained once, as it is compared', async () => {
    begun.length = 0
    const stage = loadConfig('arithmetic-tiny-sft', ['budget.updates=1'])
    const { results, failures } = await both([loadConfig('arithmetic-tiny', words), stage], 'compared')
    expect(failures).toEqual([])
    expect(begun).toEqual(['arithmetic-tiny-sft', 'arithmetic-tiny'])
    expect(results.tasks[0]!.configurations.map(({ name }) => name)).toEqual(['arithmetic-tiny', 'arithmetic-tiny-sft'])
  }, 60_000)

  it('that fails is told, and nothing starts from what it left', async () => {
    begun.length = 0
    const config = loadConfig('arithmetic-tiny', [...words, 'agent.model=failing'])
    const { failures, stopped } = await both([config], 'failing')
    expect(begun).toEqual(['failing'])
    expect(stopped).toBe(false)
    expect(failures).toEqual([
      { name: 'failing', seed: 0, message: expect.stringContaining('context') },
      { name: 'arithmetic-tiny', seed: 0, message: 'failing, which it starts from, failed' },
    ])
  }, 60_000)
})

describe('the set of presets', () => {
  it('has each algorithm once in each domain', () => {
    const configs = Object.entries(presetSets.domains!).map(([preset, own]) => loadConfig(preset, own))
    const cells = configs.map(({ env, algorithm }) => `${env.id} ${algorithm.type}`)
    expect(cells.sort()).toEqual(
      ['Arithmetic-v1', 'CartPole-v1', 'Chess-v1', 'Countdown-v1'].flatMap((env) => [
        `${env} reinforce`,
        `${env} rloo`,
      ]),
    )
  })
})
