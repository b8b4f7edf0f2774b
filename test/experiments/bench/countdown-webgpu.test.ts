import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import '../../../index.js'
import {
  apart,
  type CountdownWebgpu,
  type CountdownWebgpuOptions,
  comparedEvaluations,
  countdownWebgpu,
  recordedShares,
  type SeedRun,
  shareApart,
} from '../../../experiments/bench/countdown-webgpu.js'
import {
  countdownWebgpuPage,
  countdownWebgpuTable,
  countdownWebgpuTargetLines,
} from '../../../experiments/bench/countdown-webgpu-page.js'
import type { CompareEvent } from '../../../experiments/compare.js'
import { loadConfig } from '../../../experiments/config.js'

// The training goes on in workers, which load the compiled modules: npm test builds them first
const folder = mkdtempSync(join(tmpdir(), 'rxgym-countdown-webgpu-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const runs = join(folder, 'runs')
/** Without an adapter, another backend whose numbers are rounded otherwise than wasm's. */
const backend = process.env.RXGYM_TEST_WEBGPU ? 'webgpu' : 'cpu'

const options = (more: Partial<CountdownWebgpuOptions> = {}): CountdownWebgpuOptions => ({
  ...{ seeds: 1, wasmSeeds: 2, folder: runs, backend, command: 'rxgym bench countdown-webgpu --seeds 1' },
  overrides: [
    ...['agent.fresh.hidden=16', 'agent.fresh.intermediate=32', 'agent.fresh.layers=1', 'agent.fresh.texts=40'],
    ...['agent.sampling.maxNewTokens=4', 'env.options.count=100', 'evaluation.options.count=10'],
    ...['budget.updates=2', 'evaluation.every=2', 'evaluation.episodes=10', 'checkpointEvery=2', 'parallel=16'],
    ...['agent.fresh.vocabulary=300', 'agent.fresh.heads=2', 'agent.fresh.keyHeads=2'],
  ],
  ...more,
})

describe('learning Countdown on webgpu and on wasm', () => {
  const results = join(folder, 'results')
  let found: CountdownWebgpu
  // Both stages, once on the one and twice on the other
  beforeAll(async () => {
    mkdirSync(results)
    found = await countdownWebgpu(options({ results }))
  }, 240_000)

  it('trains both stages on both, from more seeds on wasm', () => {
    expect(found.webgpu.map(({ seed }) => seed)).toEqual([0])
    expect(found.wasm.map(({ seed }) => seed)).toEqual([0, 1])
    for (const { sft, rloo } of [...found.webgpu, ...found.wasm]) {
      expect(sft).toMatchObject({ updates: 2, episodes: 64, ended: true })
      expect(rloo).toMatchObject({ updates: 2, episodes: 256, ended: true })
    }
    expect(readdirSync(runs).sort()).toEqual([backend, 'wasm'].sort())
  })

  it('sets every evaluation of one beside those of the other', () => {
    expect(found.evaluations.map(({ stage, update }) => [stage, update])).toEqual([
      ['sft', 0],
      ['sft', 2],
      ['rloo', 0],
      ['rloo', 2],
    ])
    for (const { wasm, webgpu } of found.evaluations) {
      expect(wasm).toHaveLength(2)
      expect(webgpu).toHaveLength(1)
    }
  })

  it('finds the same numbers on both, to rounding, before a token is drawn', () => {
    const [sft] = found.sameSeed
    expect(sft).toMatchObject({ stage: 'sft', seed: 0, updates: 2 })
    expect(sft!.beyondRounding).toBeUndefined()
    for (const { wasm, webgpu } of sft!.validationLosses) expect(shareApart(wasm, webgpu)).toBeLessThan(1e-5)
    expect(sft!.validationLosses.map(({ update }) => update)).toEqual([0, 2])
  })

  it('writes the page, its picture and its numbers', () => {
    const names = ['countdown-webgpu.json', 'countdown-webgpu.md', 'countdown-webgpu.svg']
    expect(readdirSync(results).sort()).toEqual(names)
    const [numbers, page, picture] = names.map((name) => readFileSync(join(results, name), 'utf8'))
    expect(JSON.parse(numbers!)).toEqual(JSON.parse(JSON.stringify(found)))
    expect(page).not.toMatch(/undefined|NaN|\[object/)
    expect(page).toContain('rxgym bench countdown-webgpu --seeds 1')
    expect(page).toContain('| after | wasm s0 | wasm s1 | least to greatest | webgpu s0 | within |')
    expect(picture).toMatch(/^<svg/)
    expect(picture).toContain('>webgpu<')
  })

  it('tells the adapter of a run on webgpu', () => {
    const { adapter } = found.webgpu[0]!.sft
    if (backend === 'webgpu') expect(countdownWebgpuPage(found)).toContain(adapter)
    else expect(adapter).toBeUndefined()
  })

  it('takes runs that are there already, and trains none on webgpu', async () => {
    const events: CompareEvent[] = []
    const again = await countdownWebgpu(options({ runs: join(runs, backend), onEvent: (event) => events.push(event) }))
    expect(events.flatMap((event) => (event.type === 'ended' ? [event.run.folder, event.kept] : []))).toEqual(
      [
        'countdown-tiny-sft/seed-0',
        'countdown-tiny/seed-0',
        'countdown-tiny-sft/seed-1',
        'countdown-tiny/seed-1',
      ].flatMap((run) => [join(runs, 'wasm', run), true]),
    )
    expect(again.webgpu).toEqual(found.webgpu)
    expect(again.evaluations).toEqual(found.evaluations)
  })

  it('takes a run that has not come to its end, and leaves open what it will show', async () => {
    const begun = join(folder, 'begun')
    cpSync(join(runs, backend, 'countdown-tiny-sft'), begun, { recursive: true })
    const events = join(begun, 'seed-0', 'events.jsonl')
    const lines = readFileSync(events, 'utf8').split('\n')
    const until = lines.findIndex((line) => line.includes('"update":2'))
    writeFileSync(events, `${lines.slice(0, until).join('\n')}\n`)
    const open = await countdownWebgpu(options({ runs: begun }))
    expect(open.webgpu[0]).toMatchObject({ sft: { updates: 1, ended: false } })
    expect(open.evaluations.map(({ stage, update }) => [stage, update])).toEqual([['sft', 0]])
    expect(open.sameSeed).toMatchObject([{ stage: 'sft', updates: 1 }])
    const [whole, seed] = countdownWebgpuTargetLines(open)
    expect(whole).toMatch(/spread: open$/)
    expect(seed).toContain('its run was at update 1 of 2 of SFT and update 0 of 2 of RLOO')
    expect(countdownWebgpuPage(open)).not.toMatch(/undefined|NaN|Infinity|\[object/)
  })

  it('refuses runs of other settings, a seed that is there twice, and a folder without runs', async () => {
    const { overrides } = options()
    const other = options({ runs: join(runs, backend), overrides: [...overrides!, 'algorithm.learningRate=0.5'] })
    await expect(countdownWebgpu(other)).rejects.toThrow('with other settings')
    const twice = join(folder, 'twice')
    for (const name of ['a', 'b']) {
      cpSync(join(runs, backend, 'countdown-tiny-sft'), join(twice, name), { recursive: true })
    }
    await expect(countdownWebgpu(options({ runs: twice }))).rejects.toThrow('are both seed 0 of countdown-tiny-sft')
    const nowhere = join(folder, 'nowhere')
    await expect(countdownWebgpu(options({ runs: nowhere }))).rejects.toThrow(`--runs: there is no folder ${nowhere}`)
    await expect(countdownWebgpu(options({ runs: results }))).rejects.toThrow('holds no run of countdown-tiny-sft')
  })
})

const stage = (...rewards: readonly number[]) => ({
  ...{ updates: 100 * (rewards.length - 1), ended: true, episodes: 3200, seconds: 60 },
  evaluations: rewards.map((reward, i) => ({
    ...{ update: 100 * i, reward, interval: [reward - 0.03, reward + 0.03] as const, correct: reward },
  })),
})
const seedRun = (seed: number, sft: readonly number[], rloo?: readonly number[]): SeedRun => ({
  ...{ seed, sft: stage(...sft) },
  ...(rloo && { rloo: stage(...rloo) }),
})
const wasm = [seedRun(0, [0, 0.2], [0.2, 0.4]), seedRun(1, [0, 0.3], [0.3, 0.6])]

const compared = (...webgpu: SeedRun[]): CountdownWebgpu => ({
  command: 'rxgym bench countdown-webgpu',
  machine: {
    ...{ rxgym: '0.1.0', node: 'v22.0.0', tfjs: '4.22.0', platform: 'linux x64', processor: 'a processor' },
    ...{ cores: 2, memory: 8, began: '2025-01-02T03:04:05Z', load: [0, 1] },
  },
  configs: { sft: loadConfig('countdown-tiny-sft'), rloo: loadConfig('countdown-tiny') },
  ...{ tasks: 1000, wasm, webgpu, evaluations: comparedEvaluations(wasm, webgpu), sameSeed: [] },
})

describe('whether curves lie within the spread of seeds', () => {
  it('counts the least and the greatest in, and tells how far outside others are', () => {
    const { evaluations } = compared(seedRun(0, [0, 0.3], [0.1, 0.65]))
    expect(evaluations.map(({ webgpu: [seed] }) => seed!.outside)).toEqual([
      0,
      0,
      expect.closeTo(-0.1, 12),
      expect.closeTo(0.05, 12),
    ])
  })

  it('is reached by seeds with every evaluation within, once trained', () => {
    const good = compared(seedRun(0, [0, 0.25], [0.25, 0.5]))
    expect(countdownWebgpuTargetLines(good)).toEqual([
      expect.stringMatching(/spread: reached$/),
      '  - seed 0: 2 of 2 evaluations after an update within',
    ])
    const bad = compared(seedRun(0, [0, 0.25], [0.25, 0.5]), seedRun(1, [0, 0.19], [0.19, 0.5]))
    expect(countdownWebgpuTargetLines(bad)).toEqual([
      expect.stringMatching(/spread: MISSED$/),
      '  - seed 0: 2 of 2 evaluations after an update within',
      '  - seed 1: 1 of 2 evaluations after an update within; SFT 100 is 0.0100 below',
    ])
  })

  it('is shown evaluation by evaluation, with a dash where a seed has none', () => {
    const rows = countdownWebgpuTable(compared(seedRun(0, [0, 0.25], [0.25, 0.5]), seedRun(1, [0, 0.19]))).split('\n')
    expect(rows[3]).toBe('| SFT 100 | 0.200 | 0.300 | 0.200 to 0.300 | 0.250 | yes | 0.190 | 0.0100 below |')
    expect(rows[5]).toBe('| RLOO 100 | 0.400 | 0.600 | 0.400 to 0.600 | 0.500 | yes | – | – |')
  })

  it('is told beside what was recorded before, if there is anything', () => {
    const file = join(folder, 'countdown.json')
    expect(recordedShares(file)).toBeUndefined()
    const end = (mean: number) => ({ correct: { mean, interval: [mean, mean] } })
    const machine = { began: '2024-05-06T00:00:00Z', commit: 'abc' }
    writeFileSync(file, JSON.stringify({ machine, seeds: [{ seed: 7, sft: end(0.2), rloo: end(0.45) }] }))
    const recorded = recordedShares(file)!
    expect(recorded).toEqual({ ...machine, seeds: [{ seed: 7, sft: 0.2, rloo: 0.45 }] })
    const page = countdownWebgpuPage({ ...compared(seedRun(0, [0, 0.25], [0.25, 0.5])), recorded })
    expect(page).toContain('| recorded before | 7 | 20.0% | 45.0% | +25.0 |')
    expect(page).toContain(
      '- seed 0 on `webgpu`: after SFT 25.0%, within the 20.0% to 30.0% of 3 seeds on `wasm`; after RLOO 50.0%, within',
    )
    expect(page).toContain('measured on 2024-05-06 at commit abc')
    writeFileSync(file, '{}')
    expect(() => recordedShares(file)).toThrow('not what rxgym writes there')
  })
})

describe('where the same seed gives other numbers', () => {
  const updates = (...metrics: readonly Readonly<Record<string, number>>[]) =>
    metrics.map((metrics, i) => ({ update: i + 1, episodes: i, steps: i, metrics }))

  it('is the first update beyond rounding, and the first clearly apart, by the metric that differs the most', () => {
    const one = { updates: updates({ a: 1, b: 2 }, { a: 1, b: 2 }, { a: 1, b: 2 }, { a: 1, b: 2 }), evaluations: [] }
    const other = {
      updates: updates({ a: 1.000001, b: 2 }, { a: 1.0001, b: 2.001 }, { a: 1.5, b: 2 }),
      evaluations: [],
    }
    expect(apart(one, other)).toEqual({
      updates: 3,
      beyondRounding: { update: 2, metric: 'b', wasm: 2, webgpu: 2.001 },
      clear: { update: 3, metric: 'a', wasm: 1, webgpu: 1.5 },
      validationLosses: [],
    })
    expect(apart(one, one)).toEqual({ updates: 4, validationLosses: [] })
  })

  it('is a share of the larger number, of a hundredth for those near zero, and endless where one is none', () => {
    expect(shareApart(2, 1)).toBe(0.5)
    expect(shareApart(1e-9, -1e-9)).toBeCloseTo(2e-7, 12)
    expect(shareApart(Number.NaN, Number.NaN)).toBe(0)
    expect(shareApart(Number.NaN, 1)).toBe(Number.POSITIVE_INFINITY)
  })
})
