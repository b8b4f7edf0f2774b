import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import '../../../index.js'
import { evaluate } from '../../../algorithms/evaluate.js'
import {
  type Gsm8kFormat,
  type Gsm8kFormatOptions,
  gsm8kFormat,
  MODES,
  STAGES,
} from '../../../experiments/bench/gsm8k-format.js'
import { gsm8kFormatTable, gsm8kFormatTargetLines } from '../../../experiments/bench/gsm8k-format-page.js'
import { benchCommand } from '../../../experiments/commands/bench.js'
import { loadPolicy } from '../../../experiments/run.js'
import { describeGolden, gsm8k } from '../../golden/golden.js'

it('data from a folder is of this one alone', async () => {
  const typed = benchCommand().parseAsync(['step', '--folder', 'data'], { from: 'user' })
  await expect(typed).rejects.toThrow('--folder: only gsm8k-format reads data from one')
})

// The training goes on in workers, which load the compiled modules: npm test builds them first
describeGolden('the form of answers on GSM8K', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rxgym-gsm8k-format-'))
  const [runs, data, results] = ['runs', 'data', 'results'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const PROBLEMS = 20
  const options = (more: Partial<Gsm8kFormatOptions> = {}): Gsm8kFormatOptions => ({
    ...{ seeds: 2, folder: runs, data, command: 'rxgym bench gsm8k-format --folder FOLDER --seeds 2' },
    overrides: [
      ...['agent.fresh.hidden=16', 'agent.fresh.intermediate=32', 'agent.fresh.layers=1'],
      ...['agent.sampling.maxNewTokens=12', 'budget.updates=2', 'algorithm.schedule.updates=2'],
    ],
    ...more,
  })
  /** Without what a clock says. */
  const timeless = ({ seeds, samples }: Gsm8kFormat) =>
    JSON.parse(JSON.stringify({ seeds, samples }, (key, value: unknown) => (key === 'seconds' ? undefined : value)))
  const lines: string[] = []
  let found: Gsm8kFormat
  // Two presets train from two seeds each, and answer the problems six times
  beforeAll(async () => {
    mkdirSync(data)
    mkdirSync(results)
    for (const split of ['train', 'test'] as const) {
      const few = gsm8k(split).slice(0, PROBLEMS)
      writeFileSync(join(data, `${split}.jsonl`), few.map((problem) => JSON.stringify(problem)).join('\n'))
    }
    found = await gsm8kFormat(options({ results, onLine: (line) => lines.push(line) }))
  }, 120_000)

  it('trains both presets from every seed, the second from what the first left', async () => {
    expect(found.seeds.map(({ seed }) => seed)).toEqual([1, 2])
    for (const { trained } of found.seeds) {
      expect(trained).toMatchObject({ sft: { updates: 2, episodes: 32 }, rloo: { updates: 2, episodes: 128 } })
    }
    const [left, began] = [`${runs}/sft/gsm8k-format-tiny-sft/seed-2`, `${runs}/rloo/gsm8k-format-tiny/seed-2@0`]
    expect(await weightsOf(began)).toEqual(await weightsOf(left))
    expect(await weightsOf(began)).not.toEqual(await weightsOf(`${left}@0`))
  })

  it('measures every stage on every test problem, by the likeliest tokens and by drawn ones', async () => {
    expect(found.problems).toBe(PROBLEMS)
    const folders = { base: 'sft/gsm8k-format-tiny-sft/seed-1@0', rloo: 'rloo/gsm8k-format-tiny/seed-1' }
    for (const stage of ['base', 'rloo'] as const) {
      const { policy, config } = await loadPolicy(join(runs, folders[stage]))
      const env = { id: 'GSM8K-v1', options: { ...config.env.options, split: 'test' }, wrappers: [] }
      for (const mode of MODES) {
        const measured = await evaluate({ env, agent: policy, episodes: PROBLEMS, greedy: mode === 'greedy', seed: 0 })
        const { format, correct, strict, characters, reward } = found.seeds[0]!.scores[stage][mode]
        expect({ format, correct, characters }).toEqual({
          ...{ format: measured.parts!.format, correct: measured.correct, characters: measured.characters },
        })
        expect(strict.mean).toBe(2 * measured.parts!['xml.strict']!.mean)
        expect(reward).toEqual({ mean: measured.mean, interval: measured.interval })
      }
      policy.close()
    }
    expect(lines).toHaveLength(2 * STAGES.length * MODES.length)
  })

  it('takes SFT from RLOO problem by problem', () => {
    for (const { gain, scores } of found.seeds) {
      for (const mode of MODES) {
        expect(gain[mode].format.mean).toBeCloseTo(scores.rloo[mode].format.mean - scores.sft[mode].format.mean, 12)
        expect(gain[mode].correct.mean).toBeCloseTo(scores.rloo[mode].correct.mean - scores.sft[mode].correct.mean, 12)
      }
    }
  })

  it('writes the page, its picture and its numbers, and nothing of where the data lies', () => {
    const read = (ending: string) => readFileSync(join(results, `gsm8k-format.${ending}`), 'utf8')
    expect(JSON.parse(read('json'))).toEqual(JSON.parse(JSON.stringify(found)))
    const page = read('md')
    expect(page).toContain(gsm8kFormatTable(found))
    expect(page).toContain(gsm8kFormatTargetLines(found).join('\n'))
    expect(page).toContain('One completion of each of the 20 test problems')
    expect(read('svg')).toMatch(/^<svg[\s\S]*right answer/)
    for (const text of [page, read('json')]) expect(text).not.toContain(folder)
  })

  it('keeps the runs that are there, and finds the same again', async () => {
    const kept: boolean[] = []
    const again = await gsm8kFormat(options({ onEvent: (event) => event.type === 'ended' && kept.push(event.kept) }))
    expect(kept).toEqual([true, true, true, true])
    expect(timeless(again)).toEqual(timeless(found))
  }, 60_000)

  async function weightsOf(run: string): Promise<readonly (readonly number[])[]> {
    const { policy } = await loadPolicy(run)
    const weights = Object.values(policy.parameters).map((variable) => Array.from(variable.dataSync()))
    policy.close()
    return weights
  }
})

it.each([
  [0.951, 'on 1 of 1 seed: reached', 'reached'],
  [0.95, 'on 0 of 1 seed: MISSED', 'MISSED'],
])('the target is missed at 95%%: %d', (format, all, each) => {
  const score = (mean: number) => ({
    ...{ format: at(mean), strict: at(mean), correct: at(0.02), reward: at(2), characters: 60, seconds: 1 },
  })
  const modes = (mean: number) => ({ greedy: score(mean), sampled: score(mean) })
  const gain = { format: at(0), correct: at(0) }
  const trained = { updates: 1, episodes: 1 }
  const seed = {
    ...{ seed: 1, trained: { sft: trained, rloo: trained }, seconds: 1, gain: { greedy: gain, sampled: gain } },
    scores: { base: modes(0), sft: modes(0.5), rloo: modes(format) },
  }
  const [first, second] = gsm8kFormatTargetLines({ seeds: [seed] })
  expect(first).toContain(`greedy ${all}, sampled ${all}`)
  expect(second).toContain(`: ${each}`)
})

function at(mean: number) {
  return { mean, interval: [mean, mean] as const }
}
