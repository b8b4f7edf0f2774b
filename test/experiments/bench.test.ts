import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import '../../index.js'
import { MOVE_FEATURES } from '../../agents/chess/move-features.js'
import { bench, machineFacts, type Row } from '../../experiments/bench/bench.js'
import { learningResult, learningTable } from '../../experiments/bench/learning.js'
import { figureOf, NotMeasurable, rate, threadMicroseconds, versus } from '../../experiments/bench/measure.js'
import { javascriptPeer, type Peer, pythonPeer } from '../../experiments/bench/peers.js'
import { rowFamilies } from '../../experiments/bench/rows.js'
import { amount, benchPage, benchTable, timesAsFast } from '../../experiments/bench/tables.js'
import { benchCommand } from '../../experiments/commands/bench.js'
import { UsageError } from '../../experiments/errors.js'
import type { RunRecord } from '../../experiments/report/run-record.js'

const effort = {
  ...{ seconds: 0.001, repetitions: 2, trainings: 1, solves: 1, updates: 10, peerTrainings: 1, games: 2 },
  ...{ sequences: 1, checkpointLayers: 1 },
}

const slower: Peer = { name: 'slower', measure: async () => ({ values: [1e6, 2e6, 3e6], details: { version: '1.0' } }) }
const absent: Peer = { name: 'absent', measure: async () => ({ skipped: 'not here' }) }
const hopping: Row = {
  name: 'hop',
  what: 'hopping',
  unit: 'hops/s',
  better: 'more',
  target: 7e6,
  measure: async () => ({ values: [6e6, 12e6, 8e6], details: { legs: [1, 2] } }),
  peers: [slower, absent],
}
const waiting: Row = {
  name: 'wait',
  what: 'waiting',
  unit: 's',
  better: 'less',
  target: 1,
  measure: async () => ({ values: [1.5] }),
  peers: [{ name: 'patient', measure: async () => ({ values: [3] }) }],
}

describe('bench', () => {
  it('a row comes back with its median, its ends, whether the target is reached, and its peers', async () => {
    const { rows } = await bench([hopping, waiting], { effort, peers: true })
    expect(rows[0]).toEqual({
      ...{ name: 'hop', what: 'hopping', unit: 'hops/s', better: 'more', target: 7e6 },
      ...{ values: [6e6, 12e6, 8e6], median: 8e6, min: 6e6, max: 12e6, details: { legs: [1, 2] }, reached: true },
      peers: [
        {
          ...{ name: 'slower', ratio: 4, values: [1e6, 2e6, 3e6], median: 2e6, min: 1e6, max: 3e6 },
          details: { version: '1.0' },
        },
        { name: 'absent', skipped: 'not here' },
      ],
    })
    expect(rows[1]).toMatchObject({ reached: false, peers: [{ name: 'patient', ratio: 2 }] })
  })

  it('a peer of two rows is measured once', async () => {
    let measured = 0
    const peer: Peer = { name: 'shared', measure: async () => ({ values: [++measured] }) }
    await bench(
      [
        { ...hopping, peers: [peer] },
        { ...waiting, peers: [peer] },
      ],
      { effort, peers: true },
    )
    expect(measured).toBe(1)
  })

  it('peers are left out when nobody wants them', async () => {
    const { rows } = await bench([hopping], { effort, peers: false })
    expect(rows[0]!.peers).toEqual([])
  })

  it('a row that cannot be measured is skipped with its peers, and the next is measured', async () => {
    const impossible: Row = {
      ...hopping,
      measure: async () => {
        throw new NotMeasurable('there is no ground')
      },
    }
    const { rows } = await bench([impossible, waiting], { effort, peers: true })
    expect(rows[0]).toEqual({
      ...{ name: 'hop', what: 'hopping', unit: 'hops/s', better: 'more', target: 7e6 },
      ...{ skipped: 'there is no ground', peers: [] },
    })
    expect(rows[1]).toMatchObject({ median: 1.5 })
    expect(benchTable(rows).split('\n')[1]).toBe('hopping: skipped: there is no ground')
    const page = benchPage({ effort, machine: machineFacts(), rows }, 'rxgym bench', rowFamilies.all)
    expect(page).toContain('| hopping | ≥ 7 M hops/s | skipped |  | there is no ground |')
  })

  it('any other error of a row ends it all', async () => {
    const broken: Row = {
      ...hopping,
      measure: async () => {
        throw new Error('fell')
      },
    }
    await expect(bench([broken, waiting], { effort, peers: true })).rejects.toThrow('fell')
  })

  it.each([
    [3, true],
    [5, false],
  ])('that it is to be %i times as fast as a peer is told beside the peer', async (peerTarget, reached) => {
    const { rows } = await bench([{ ...hopping, peerTarget, peers: [slower] }], { effort, peers: true })
    expect(rows).toMatchObject([{ peerTarget, peers: [{ ratio: 4, reached }] }])
    const asked = `${reached ? '≥ 3×' : '≥ 5×'}`
    expect(benchTable(rows)).toMatch(new RegExp(`slower +${asked} .* rxgym 4×, ${reached ? 'reached' : 'MISSED'}`))
  })

  it('a figure that no target is of is not judged, and the page says why', async () => {
    const measure = async () => ({ values: [1], notJudged: 'it hopped in water' })
    const found = await bench([{ ...hopping, measure, peerTarget: 2, peers: [slower] }], { effort, peers: true })
    expect('reached' in found.rows[0]!).toBe(false)
    expect('reached' in found.rows[0]!.peers[0]!).toBe(false)
    expect(benchTable(found.rows)).toContain('not judged')
    const page = benchPage(found, 'rxgym bench', { page: 'p', title: 'Hops', note: 'Hops of a frog.' })
    expect(page).toContain('Hops of a frog.\n\n**Targets are not judged: it hopped in water.**\n\n- Machine')
  })

  it('results can be written as JSON and read back', async () => {
    const found = await bench([hopping], { effort, peers: true })
    expect(JSON.parse(JSON.stringify(found))).toEqual(found)
    expect(found.machine).toMatchObject({ cores: expect.any(Number), node: process.versions.node })
  })

  it('every row has a name of its own', () => {
    const names = Object.values(rowFamilies).flatMap(({ rows }) => rows.map(({ name }) => name))
    expect(new Set(names).size).toBe(names.length)
  })
})

const chessRows: readonly Row[] = rowFamilies.chess.rows

describe('the rows of chess and text', () => {
  it.each([...chessRows, ...rowFamilies.text.rows].map((row) => [row.name, row] as const))(
    '%s is measured',
    async (_, row) => {
      const { values } = await row.measure(effort)
      expect(values.length).toBeGreaterThanOrEqual(effort.repetitions)
      for (const value of values) {
        expect(value).toBeGreaterThan(0)
        expect(value).toBeLessThan(Number.POSITIVE_INFINITY)
      }
    },
  )

  it('acting says what the matrix products alone would allow, and on which backend', async () => {
    const { details } = await chessRows.find(({ name }) => name === 'chess-acting')!.measure(effort)
    expect(details).toMatchObject({
      ...{ network: `832-256-128-${MOVE_FEATURES + 1}`, backend: 'wasm', decisionsPerSecond: expect.any(Number) },
      ...{ ceilingDecisionsPerSecond: expect.any(Number), ceilingGflops: expect.any(Number) },
    })
  })

  it('chess.js plays beside them', async () => {
    const beside = chessRows.find(({ name }) => name === 'chess-moves')!.peers.find(({ name }) => name.includes('.js'))
    expect(await beside!.measure(effort)).toMatchObject({ values: [expect.any(Number), expect.any(Number)] })
  })
})

describe('the rows of language models', () => {
  const languageRows: readonly Row[] = rowFamilies.language.rows
  const measured = (name: string) => languageRows.find((row) => row.name === name)!.measure(effort)

  it('learning is told beside the products alone, with the size of the model', async () => {
    const { values, details } = await measured('language-sft')
    expect(values).toHaveLength(effort.repetitions)
    for (const value of values) expect(value).toBeGreaterThan(0)
    expect(details).toMatchObject({
      ...{ backend: 'wasm', parameters: 1_669_056, tokensPerSecond: expect.any(Number) },
      ...{ ceilingTokensPerSecond: expect.any(Number), byCpuSecond: expect.any(Number) },
    })
  })

  it.each(['language-sft-rate', 'language-generate', 'language-sft-workers', 'language-generate-workers'])(
    '%s is measured',
    async (name) => {
      const { values } = await measured(name)
      expect(values).toHaveLength(effort.repetitions)
      for (const value of values) expect(value).toBeGreaterThan(0)
    },
  )

  it('loading is told beside reading, and nothing is left on the disk', async () => {
    const before = checkpointFolders()
    const { values, details } = await measured('language-load')
    expect(values).toHaveLength(effort.repetitions)
    for (const value of values) expect(value).toBeGreaterThan(0)
    // 14,912,384 weights of a block, 6331 × 896 of the table and 896 of the last norm, 2 bytes each, and the header
    expect(details).toMatchObject({ fileMB: 41, readMs: expect.any(Number), backendMB: 41 })
    expect(checkpointFolders()).toEqual(before)
  })

  it('a loaded checkpoint is all in memory, so that more is taken than its weights', async () => {
    const { values, details } = await measured('language-load-memory')
    expect(values).toEqual([expect.any(Number)])
    expect(values[0]).toBeGreaterThan(1)
    expect(details).toMatchObject({ weightsMiB: 79 })
  })

  it('steps and generations leave no tensor behind', async () => {
    expect((await measured('language-memory')).values).toEqual([0])
  })
})

function checkpointFolders(): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith('rxgym-checkpoint-'))
}

describe('rxgym bench', () => {
  const bench = (...args: string[]) => benchCommand().parseAsync(args, { from: 'user' })

  it.each([
    [['chess', 'step'], '"chess" stands alone'],
    [['chess-perf'], 'unknown row "chess-perf". Did you mean "chess-perft"?'],
  ])('%j is a mistake', async (args, message) => {
    await expect(bench(...args)).rejects.toThrow(new UsageError(message))
  })

  it('writes rows of chess to a page of their own', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rxgym-bench-test-'))
    const written = [process.stdout, process.stderr].map((out) => vi.spyOn(out, 'write').mockReturnValue(true))
    onTestFinished(() => {
      for (const spy of written) spy.mockRestore()
      rmSync(folder, { recursive: true })
    })
    await bench('chess-perft', '--quick', '--no-peers', '--results', folder)
    const { rows } = JSON.parse(readFileSync(join(folder, 'chess-bench.json'), 'utf8'))
    expect(rows).toMatchObject([{ name: 'chess-perft', unit: 'nodes/s', target: 10e6, median: expect.any(Number) }])
    expect(readFileSync(join(folder, 'chess-bench.md'), 'utf8')).toContain('perft(5) of the start position')
  })
})

describe('the figures', () => {
  it('a rate is measured as often as asked, the warm-up left out', () => {
    let chunks = 0
    const { values, details } = rate(() => ++chunks, { seconds: 1e-6, repetitions: 3 })
    expect(values).toHaveLength(3)
    expect(chunks).toBeGreaterThanOrEqual(4)
    expect(details.perCpuSecond).toBeGreaterThan(0)
  })

  it('two that take turns are compared repetition by repetition', async () => {
    const turns: string[] = []
    const chunk = (name: string, done: number) => () => {
      if (turns.at(-1) !== name) turns.push(name)
      return done
    }
    const { values, one, other, byCpuSecond } = await versus(chunk('a', 1e9), chunk('b', 1), {
      seconds: 1e-6,
      repetitions: 2,
    })
    expect(values).toHaveLength(2)
    for (const value of values) expect(value).toBeGreaterThan(1000)
    expect(one).toBeGreaterThan(other)
    expect(byCpuSecond).toBeGreaterThan(0)
    expect(turns.join('')).toBe('ab'.repeat(30))
  })

  it("a thread's time goes on while it works", () => {
    const began = threadMicroseconds()
    const start = performance.now()
    while (performance.now() - start < 100);
    expect(threadMicroseconds()).toBeGreaterThan(began)
  })

  it('a figure needs a measurement', () => {
    expect(() => figureOf({ values: [] })).toThrow(RangeError)
  })

  it.each([
    [5_210_000, 'steps/s', '5.21 M steps/s'],
    [112_345_678, 'steps/s', '112 M steps/s'],
    [61_234, 'plies/s', '61.2 k plies/s'],
    [999_700, 'plies/s', '1 M plies/s'],
    [890.5, 'plies/s', '891 plies/s'],
    [2.839, 's', '2.84 s'],
    [0.123, '%', '0.1 %'],
  ])('%f %s is shown as %s', (value, unit, text) => {
    expect(amount(value, unit)).toBe(text)
  })

  it.each([
    [45.4, 'rxgym 45×'],
    [1.74, 'rxgym 1.7×'],
    [0.567, 'rxgym 0.57×'],
  ])('a ratio of %f is shown as %s', (ratio, text) => {
    expect(timesAsFast(ratio)).toBe(text)
  })
})

describe('what is printed and written', () => {
  it('the table shows a line for each row with target, figures and verdict, and each peer or why there is none', async () => {
    const { rows } = await bench([hopping, waiting], { effort, peers: true })
    expect(benchTable(rows).split('\n')).toEqual([
      '                 target      median      lowest      highest',
      'hopping    ≥ 7 M hops/s  8 M hops/s  6 M hops/s  12 M hops/s   reached',
      '  slower                 2 M hops/s  1 M hops/s   3 M hops/s  rxgym 4×',
      '  absent: skipped: not here',
      'waiting        ≤ 1.00 s      1.50 s      1.50 s       1.50 s    MISSED',
      '  patient                    3.00 s      3.00 s       3.00 s  rxgym 2×',
    ])
  })

  it('the page says by which command, on which machine, and what the figures were', async () => {
    const found = await bench([hopping, waiting], { effort, peers: true })
    const page = benchPage(found, 'rxgym bench --results', rowFamilies.all)
    expect(page).toContain('`rxgym bench --results`')
    expect(page).toContain(found.machine.processor)
    expect(page).toContain('| hopping | ≥ 7 M hops/s | 8 M hops/s | 6 M hops/s to 12 M hops/s | reached |')
    expect(page).toContain('| `hop` | slower | 2 M hops/s | 4× | version 1.0 |')
    expect(page).toContain('| `hop` | absent | skipped |  | not here |')
    expect(page).toContain('`bench.json`')
    expect(benchPage(found, 'rxgym bench chess --results', rowFamilies.chess)).toContain('`chess-bench.json`')
  })
})

describe('Python peers', () => {
  const before = process.env.RXGYM_PYTHON
  beforeEach(() => {
    process.env.RXGYM_PYTHON = '/nonexistent'
  })
  afterEach(() => {
    if (before === undefined) delete process.env.RXGYM_PYTHON
    else process.env.RXGYM_PYTHON = before
  })

  it('are skipped where there is no Python', async () => {
    const peer = pythonPeer('NumPy', 'numpy_pcg64.py', { needs: ['numpy'] }, () => [])
    expect(await peer.measure(effort)).toEqual({ skipped: 'there is no /nonexistent' })
  })
})

describe('JavaScript peers', () => {
  afterEach(() => vi.unstubAllEnvs())

  it('are skipped where their package is not, and say how to install it', async () => {
    vi.stubEnv('RXGYM_PEERS', tmpdir())
    const peer = javascriptPeer('other', 'other.js', { needs: { 'not-there': '1.2.3', nor: '4.5.6' } }, async () => [])
    expect(await peer.measure(effort)).toEqual({
      skipped:
        'not installed: not-there, nor. npm install --ignore-scripts --prefix FOLDER not-there@1.2.3 nor@4.5.6, and RXGYM_PEERS=FOLDER',
    })
  })

  it('are looked for in the working directory if no folder is named', async () => {
    vi.stubEnv('RXGYM_PEERS', '')
    const peer = javascriptPeer('jax-js', 'onnx.js', { needs: { rxjs: '7.8.2' } }, async () => [])
    // The program is there, starts and says nothing.
    expect(await peer.measure(effort)).toEqual({ skipped: expect.not.stringContaining('not installed') })
  })
})

describe('the results of learning', () => {
  /** 120 episodes of 10 steps' return each, then 180 of 500. */
  const solving = (seed: number): RunRecord => {
    const returns = Array.from({ length: 300 }, (_, i) => (i < 120 ? 10 : 500))
    let sum = 0
    const steps = returns.map((value) => {
      sum += 10 * value
      return sum
    })
    return {
      ...{ env: 'CartPole-v1', algorithm: 'reinforce', seed, backend: 'wasm', parameters: 1, returns, steps },
      ...{ updates: [], evaluations: [], seats: 1, stages: [] },
    }
  }

  it('count the solved runs, when they solved it, and how they stood at 200,000 steps', () => {
    const result = learningResult({ preset: 'p', solved: 27 }, [solving(1), solving(2)], 3)
    // (500 k + 10 (100 - k)) / 100 is at least 475 from k = 95 on
    expect(result).toMatchObject({ preset: 'p', runs: 2, solved: 2, solvedTarget: 2, seconds: 3 })
    expect(result.solvedAt).toEqual({ median: 215, interval: [215, 215] })
    expect(result.score).toEqual({ mean: 500, iqm: 500, interval: [500, 500] })
    // 12,000 steps for the first 120 episodes, 5,000 for each later one: 37 of those fit
    expect(result.atFrames.mean).toBeCloseTo((37 * 500 + 63 * 10) / 100)
    expect(learningTable([result])).toContain('| `p` | 2 of 2 (target 2) | 215 (215 to 215) | 500.0 |')
  })

  it('say where the machine was', () => {
    expect(machineFacts().load).toHaveLength(2)
  })
})
