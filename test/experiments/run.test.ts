import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lastValueFrom, toArray } from 'rxjs'
import { beforeAll, describe, expect, it } from 'vitest'
import '../../index.js'
import type { ActContext } from '../../agents/agent.js'
import { chessPolicy } from '../../agents/chess/chess-policy.js'
import { Chess } from '../../envs/chess/chess.js'
import { PCG64 } from '../../envs/seeding.js'
import { loadConfig, measuringSpecOf } from '../../experiments/config.js'
import { CorruptFileError } from '../../experiments/errors.js'
import type { TrainEvent } from '../../experiments/events.js'
import { presets } from '../../experiments/presets/presets.js'
import { loadPolicy, runExperiment, trainingOf } from '../../experiments/run.js'
import { configFile, createRun, latestCheckpoint, openRun } from '../../experiments/run-folder.js'
import { CheckpointMismatchError, restorePolicy, train } from '../../experiments/train.js'
import { useBackend } from '../../tensors/backend.js'
import * as tf from '../../tensors/tf.js'

beforeAll(() => useBackend('wasm'))

/** What makes a chess preset small: few, short games, of small networks. */
const small = [
  ...['env.options.maxPlies=12', 'agent.hidden=[8]', 'budget.updates=1', 'parallel=4'],
  ...['evaluation.episodes=4', 'evaluation.options.maxPlies=12'],
]
const batches: Readonly<Record<string, readonly string[]>> = {
  'chess-reinforce': ['algorithm.episodesPerUpdate=4'],
  'chess-rloo': ['algorithm.group=2', 'algorithm.groupsPerUpdate=2'],
  'chess-seed-recipe': ['algorithm.episodesPerUpdate=4'],
}

describe('a chess preset', () => {
  it('is tried here, each of them', () => {
    expect(Object.keys(batches)).toEqual(Object.keys(presets).filter((name) => name.startsWith('chess')))
  })

  it.each(Object.keys(batches))(
    '%s: an update of its own algorithm, with its own opponents and evaluation',
    async (name) => {
      const before = tf.memory().numTensors
      const config = loadConfig(name, [...small, ...(batches[name] ?? [])])
      const events: TrainEvent[] = await lastValueFrom(train(trainingOf(config)).pipe(toArray()))
      expect(events.map(({ type }) => type)).toEqual([
        ...['start', 'evaluation', 'episode', 'episode', 'episode', 'episode', 'update', 'checkpoint', 'end'],
      ])
      expect(events[1]).toMatchObject({ opponent: 'random', update: 0 })
      const update = events.find((event) => event.type === 'update')!
      expect(update.metrics.grad_norm).toBeGreaterThan(0)
      for (const value of Object.values(update.metrics)) expect(Number.isFinite(value)).toBe(true)
      const episode = events.find((event) => event.type === 'episode')!
      expect(episode.length).toBeLessThanOrEqual(12)
      expect(episode.players !== undefined).toBe(config.opponents !== undefined)
      expect(tf.memory().numTensors).toBe(before)
    },
  )

  it.each(Object.keys(batches))('%s: is measured by the rules and not by what shapes it', (name) => {
    const config = loadConfig(name)
    expect(config.evaluation?.opponent).toBe('random')
    expect(measuringSpecOf(config)).toMatchObject({ id: 'Chess-v1', options: { planes: 13 } })
    expect(measuringSpecOf(config).options).not.toHaveProperty('shaping')
  })
})

it('a run stopped with past selves about and resumed from its folder leaves the same bytes as one left alone', async () => {
  const root = mkdtempSync(join(tmpdir(), 'rxgym-run-'))
  const [alone, stopped] = [join(root, 'alone'), join(root, 'stopped')]
  const config = loadConfig('chess-rloo', [
    ...[...small, ...(batches['chess-rloo'] ?? []), 'budget.updates=7', 'checkpointEvery=1', 'keepEvery=2'],
    ...['opponents={ random: 0.2, past: 0.7, every: 2, size: 2 }', 'evaluation.every=3', 'algorithm.klCoefficient=0.1'],
  ])
  await lastValueFrom(runExperiment(createRun(config, { out: alone })))
  const stop = new AbortController()
  await runExperiment(createRun(config, { out: stopped }), { stop: stop.signal }).forEach((event) => {
    if (event.type === 'update' && event.update === 5) stop.abort()
  })
  await lastValueFrom(runExperiment(openRun(stopped)))
  for (const file of ['events.jsonl', 'checkpoints/00000006.safetensors', 'checkpoints/00000007.safetensors']) {
    expect(readFileSync(join(stopped, file)).equals(readFileSync(join(alone, file))), file).toBe(true)
  }
  expect(readFileSync(join(alone, 'events.jsonl'), 'utf8')).toContain('past@4')
  const { state } = latestCheckpoint(alone).checkpoint
  expect(Object.keys(state.tensors).filter((name) => name.startsWith('pool/6/'))).toHaveLength(4)
})

describe('a checkpoint for another observation', () => {
  const policyOf = (planes: 13 | 111) => chessPolicy({ ...new Chess({ planes }), generator: new PCG64(0), hidden: [8] })

  it('is refused by a policy, with the tensor and both shapes, and nothing is changed', async () => {
    const [small, large] = [policyOf(13), policyOf(111)]
    const tensors = Object.fromEntries(
      Object.entries(small.parameters).map(([name, variable]) => [
        `policy/${name}`,
        { shape: variable.shape, data: variable.dataSync() as Float32Array },
      ]),
    )
    const first = large.parameters['policy/0/kernel']!
    const values = Float32Array.from(first.dataSync() as Float32Array)
    const error = await restorePolicy(large as never, { tensors }).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(CheckpointMismatchError)
    expect(error).toMatchObject({
      tensor: 'policy/0/kernel',
      message: 'checkpoint of another network: policy/0/kernel: [832,8] in the checkpoint, [7104,8] here',
    })
    expect(first.dataSync()).toEqual(values)
    small.close()
    large.close()
  })

  it('is refused when a run is loaded, with the file', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'rxgym-run-')), 'chess')
    const config = loadConfig('chess-reinforce', [...small, 'algorithm.episodesPerUpdate=4', 'evaluation.episodes=1'])
    await lastValueFrom(runExperiment(createRun(config, { out: path })))
    const { policy, update } = await loadPolicy(path)
    expect(update).toBe(1)
    const { observation } = new Chess({ planes: 13 }).reset()
    const context: ActContext = { greedy: true, generators: [new PCG64(0)], seats: [0], episodes: [0] }
    expect(await policy.act([observation], context)).toHaveLength(1)
    policy.close()

    const before = tf.memory().numTensors
    const file = configFile(path)
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll('planes: 13', 'planes: 111'))
    const error = await loadPolicy(path).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(CorruptFileError)
    expect((error as Error).message).toBe(
      `${latestCheckpoint(path).file}: checkpoint of another network: policy/0/kernel: ` +
        '[832,8] in the checkpoint, [7104,8] here',
    )
    expect(tf.memory().numTensors).toBe(before)
  })
})
