import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mlpPolicy } from '../../../agents/mlp/mlp-policy.js'
import { make } from '../../../envs/registry.js'
import { PCG64 } from '../../../envs/seeding.js'
import '../../../index.js'
import { parseConfig } from '../../../experiments/config.js'
import type { TrainEvent } from '../../../experiments/events.js'
import { runExperiment } from '../../../experiments/run.js'
import { checkpointUpdates, createRun, openRun, type RunFolder } from '../../../experiments/run-folder.js'
import { BackendError, useBackend } from '../../../tensors/backend.js'
import * as tf from '../../../tensors/tf.js'
import type { DawnBackend } from '../../../tensors/webgpu/dawn-backend.js'

afterAll(() => useBackend('wasm'))

const newFolder = () => join(mkdtempSync(join(tmpdir(), 'rxgym-lost-')), 'run')
const logOf = (path: string) => readFileSync(join(path, 'events.jsonl'), 'utf8')
const checkpointOf = (path: string, update: number) =>
  readFileSync(join(path, 'checkpoints', `${String(update).padStart(8, '0')}.safetensors`))
// Its name is that of nothing else that is registered.
const loseDevice = () => (tf.backend() as DawnBackend).device.destroy()

/** Runs to the end, or to its error. */
function run(folder: RunFolder, onEvent: (event: TrainEvent) => void = () => {}): Promise<unknown> {
  return runExperiment(folder)
    .forEach(onEvent)
    .then(
      () => undefined,
      (error: unknown) => error,
    )
}

/** Of few operations: a new device compiles every one anew. */
const config = parseConfig({
  name: 'lost',
  env: { id: 'CartPole-v1', maxEpisodeSteps: 8 },
  agent: { type: 'mlp', hidden: [8] },
  algorithm: { type: 'reinforce', episodesPerUpdate: 2, baseline: 'none' },
  budget: { updates: 6 },
  checkpointEvery: 2,
  backend: 'webgpu',
})

describe('A device that is lost in a run', () => {
  const lostAt = (type: TrainEvent['type'], update: number) => (event: TrainEvent) => {
    const at = event.type === 'checkpoint' ? event.state.update : event.type === 'episode' ? -1 : event.update
    if (event.type === type && at === update) loseDevice()
  }
  const whole = newFolder()
  beforeAll(async () => {
    expect(await run(createRun(config, { out: whole }))).toBeUndefined()
  }, 60_000)

  const cases: [string, (event: TrainEvent) => void, number[], object][] = [
    ['between updates', lostAt('update', 3), [2], { name: 'UpdateError', update: 4 }],
    ['before a checkpoint', lostAt('update', 4), [2], { name: 'BackendError' }],
    ['behind a checkpoint', lostAt('checkpoint', 4), [2, 4], { name: 'UpdateError', update: 5 }],
  ]

  it.each(cases)(
    'is told once, with the way to go on, which is to the same bytes: %s',
    async (_, lose, kept, named) => {
      const tensors = tf.memory().numTensors
      const broken = createRun(config, { out: newFolder() })
      const error = await run(broken, lose)
      expect(String(error)).toMatch(
        /webgpu: the device was lost \(destroyed.*\), and all tensors with it\. A run goes on from its newest checkpoint \(--resume\)$/,
      )
      expect(error).toMatchObject(named)
      expect(tf.memory().numTensors).toBe(tensors)
      expect(checkpointUpdates(broken.path)).toEqual(kept)

      const again = openRun(broken.path)
      expect(again.resume?.update).toBe(kept.at(-1))
      expect(await run(again)).toBeUndefined()
      expect(logOf(again.path)).toBe(logOf(whole))
      expect(checkpointOf(again.path, 6).equals(checkpointOf(whole, 6))).toBe(true)
    },
  )
})

it('A device that is lost is told by every read after it, until the backend is asked for again', async () => {
  await useBackend('webgpu')
  const before = tf.tensor1d([1, 2, 3])
  const sum = tf.sum(before)
  loseDevice()
  await expect(sum.data()).rejects.toThrow(BackendError)
  const later = tf.sum(before)
  await expect(later.data()).rejects.toThrow('the device was lost')
  tf.dispose([before, sum, later])
  await useBackend('webgpu')
  const after = tf.tidy(() => tf.sum(tf.tensor1d([1, 2, 3])))
  expect((await after.data())[0]).toBe(6)
  after.dispose()
})

it('A perceptron that acts in tensors tells of it, and leaves nothing behind', async () => {
  await useBackend('webgpu')
  const { observationSpace, actionSpace } = make('CartPole-v1')
  const hidden = [512, 512]
  const policy = mlpPolicy({ observationSpace, actionSpace, hidden, initialisation: 'glorot', generator: new PCG64(0) })
  const frozen = policy.freeze()
  const observations = [new Float32Array(4)]
  const context = { greedy: true, generators: [new PCG64(1)], seats: [0], episodes: [0] }
  const decisions = await policy.act(observations, context)
  const tensors = tf.memory().numTensors
  loseDevice()
  await expect(policy.act(observations, context)).rejects.toThrow(BackendError)
  await expect(frozen.logProbs({ observations, decisions })).rejects.toThrow(BackendError)
  expect(tf.memory().numTensors).toBe(tensors)
  frozen.close()
  policy.close()
})
