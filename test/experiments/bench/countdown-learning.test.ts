import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import '../../../index.js'
import { evaluate } from '../../../algorithms/evaluate.js'
import { readCountdownPrompt } from '../../../envs/text/countdown/prompt.js'
import {
  type CountdownLearning,
  type CountdownLearningOptions,
  type CountdownSeed,
  countdownLearning,
  type GreedyScore,
} from '../../../experiments/bench/countdown-learning.js'
import type { CompareEvent } from '../../../experiments/compare.js'
import { measuringSpecOf } from '../../../experiments/config.js'
import { loadPolicy } from '../../../experiments/run.js'
import { countdownScore } from '../../../rewards/countdown-score.js'

// The training goes on in workers, which load the compiled modules: npm test builds them first
const folder = mkdtempSync(join(tmpdir(), 'rxgym-countdown-learning-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const runs = join(folder, 'runs')
const TASKS = 40

const options = (more: Partial<CountdownLearningOptions> = {}): CountdownLearningOptions => ({
  seeds: 2,
  folder: runs,
  command: 'rxgym bench countdown-learning --seeds 2',
  overrides: [
    ...['agent.fresh.hidden=16', 'agent.fresh.intermediate=32', 'agent.fresh.layers=1', 'agent.fresh.texts=40'],
    ...['agent.sampling.maxNewTokens=12', 'env.options.count=200', `evaluation.options.count=${TASKS}`],
    ...['budget.updates=2', 'evaluation.every=2', `evaluation.episodes=${TASKS}`],
  ],
  ...more,
})

/** Without what a clock says. */
const timeless = ({ seeds, bounds, samples }: Pick<CountdownLearning, 'seeds' | 'bounds' | 'samples'>) =>
  JSON.parse(
    JSON.stringify({ seeds, bounds, samples }, (key, value: unknown) => (key === 'seconds' ? undefined : value)),
  ) as unknown

describe('learning Countdown', () => {
  const results = join(folder, 'results')
  const lines: string[] = []
  let learned: CountdownLearning
  // Three presets train from two seeds each, and answer forty tasks up to nine times
  beforeAll(async () => {
    mkdirSync(results)
    learned = await countdownLearning(options({ results, onLine: (line) => lines.push(line) }))
  }, 120_000)

  it('trains the three presets from every seed', () => {
    expect(learned.seeds.map(({ seed }) => seed)).toEqual([1, 2])
    for (const { trained } of learned.seeds) {
      expect(trained.sft).toMatchObject({ updates: 2, episodes: 64 })
      expect(trained.rloo).toMatchObject({ updates: 2, episodes: 256 })
      expect(trained.givenAnswer).toMatchObject({ updates: 2, episodes: 64 })
    }
  })

  it('has each seed’s RLOO begin where its own SFT ended', async () => {
    const imitated = [1, 2].map((seed) => `${runs}/sft/countdown-tiny-sft/seed-${seed}`)
    const [one, other] = await Promise.all(imitated.map(weightsOf))
    expect(one).not.toEqual(other)
    expect(one).not.toEqual(await weightsOf(`${imitated[0]}@0`))
    expect(await weightsOf(`${runs}/rloo/countdown-tiny/seed-1@0`)).toEqual(one)
    expect(await weightsOf(`${runs}/rloo/countdown-tiny/seed-2@0`)).toEqual(other)
  })

  it('measures every stage on all of the held-out tasks, the model given the answer with it', async () => {
    expect(learned.tasks).toBe(TASKS)
    const [{ base, sft, rloo, givenAnswer }] = learned.seeds as [CountdownSeed]
    const scores: [string, GreedyScore][] = [
      [`${runs}/sft/countdown-tiny-sft/seed-1@0`, base],
      [`${runs}/sft/countdown-tiny-sft/seed-1`, sft],
      [`${runs}/rloo/countdown-tiny/seed-1`, rloo],
      [`${runs}/sft/countdown-tiny-given-answer/seed-1`, givenAnswer],
    ]
    for (const [run, score] of scores) {
      const { correct, parts, characters } = score
      expect(await evaluated(run)).toMatchObject({ correct, parts, characters })
      expect(Object.keys(score.parts)).toEqual(expect.arrayContaining(['format', 'correctness', 'process']))
    }
    expect(learned.bounds.solver.correct.mean).toBe(1)
    expect(learned.bounds.randomExpression.correct.mean).toBeLessThan(0.5)
    expect(learned.bounds.randomExpression.parts.numbers!.mean).toBe(1)
  })

  it('takes best of 8 by the environment’s own check, which is what pass@8 counts', () => {
    for (const { sft, rloo } of learned.seeds) {
      for (const { sampled } of [sft, rloo]) {
        expect(sampled.passAt.map(({ k }) => k)).toEqual([1, 2, 4, 8])
        expect(sampled.bestOf.mean).toBe(sampled.passAt[3]!.mean)
      }
    }
  })

  it('sums up over seeds, and takes SFT from RLOO task by task', () => {
    const [one, other] = learned.seeds as [CountdownSeed, CountdownSeed]
    for (const { gain, sft, rloo } of learned.seeds) {
      expect(gain.mean).toBeCloseTo(rloo.correct.mean - sft.correct.mean, 12)
    }
    expect(learned.overSeeds.gain!.mean).toBeCloseTo((one.gain.mean + other.gain.mean) / 2, 12)
    expect(learned.overSeeds.rlooPass1!.interval[0]).toBe(
      Math.min(one.rloo.sampled.passAt[0]!.mean, other.rloo.sampled.passAt[0]!.mean),
    )
  })

  it('shows completions as they came, before training and after', () => {
    expect(learned.samples.map(({ what }) => what)).toContain('Before training, the first task')
    for (const { what, prompt, completion } of learned.samples) {
      const { task } = readCountdownPrompt([{ role: 'text', content: prompt }])!
      if (what.includes('it solves')) expect(countdownScore(completion, task)).toBe(1)
      else expect(countdownScore(completion, task)).toBeLessThan(1)
    }
  })

  it('writes the page, its picture and its numbers', () => {
    expect(readdirSync(results).sort()).toEqual(['countdown.json', 'countdown.md', 'countdown.svg'])
    expect(JSON.parse(readFileSync(join(results, 'countdown.json'), 'utf8'))).toEqual(
      JSON.parse(JSON.stringify(learned)),
    )
    const page = readFileSync(join(results, 'countdown.md'), 'utf8')
    expect(page).not.toMatch(/undefined|NaN|\[object/)
    expect(page).toContain('rxgym bench countdown-learning --seeds 2')
    expect(page).toContain(`Bounds: a random expression of the right numbers solves`)
    const picture = readFileSync(join(results, 'countdown.svg'), 'utf8')
    expect(picture).toMatch(/^<svg/)
    expect(picture).toContain('>SFT<')
    expect(picture).toContain('>RLOO<')
  })

  it('keeps the runs that are there, and measures the same again', async () => {
    const events: CompareEvent[] = []
    const again = await countdownLearning(options({ seeds: 1, onEvent: (event) => events.push(event) }))
    expect(events.flatMap((event) => (event.type === 'ended' ? event.kept : []))).toEqual([true, true, true])
    const { seeds, bounds, samples } = learned
    expect(timeless(again)).toEqual(timeless({ seeds: seeds.slice(0, 1), bounds, samples }))
  }, 60_000)

  it('writes nothing when it is stopped between two measurements', async () => {
    const stop = new AbortController()
    const nowhere = join(folder, 'never-made')
    const onLine = (line: string) => line.startsWith('base') && stop.abort()
    await expect(countdownLearning(options({ results: nowhere, stop: stop.signal, onLine }))).rejects.toThrow(
      'stopped; no results were written',
    )
    expect(readdirSync(folder)).not.toContain('never-made')
  }, 60_000)

  it('refuses to go on with runs of other settings', async () => {
    const { overrides } = options()
    await expect(
      countdownLearning(options({ overrides: [...overrides!, 'algorithm.learningRate=0.5'] })),
    ).rejects.toThrow('with other settings')
  })
})

/** A run's likeliest completion of every task that it is measured on. */
async function evaluated(run: string) {
  const { policy, config } = await loadPolicy(run)
  const env = measuringSpecOf(config)
  const { correct, parts, characters } = await evaluate({ env, agent: policy, episodes: TASKS, parallel: 8 })
  policy.close()
  return { correct, parts, characters }
}

/** Some of the weights of a run. */
async function weightsOf(run: string) {
  const { policy } = await loadPolicy(run)
  const weights = await policy.parameters['model.layers.0.mlp.up_proj.weight']!.data()
  policy.close()
  return weights
}
