import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import '../../index.js'
import { loadConfig, parseOverride } from '../../experiments/config.js'
import { ConfigError, CorruptFileError, LockedError, UsageError, WriteError } from '../../experiments/errors.js'
import { readEvents } from '../../experiments/event-log.js'
import type { TrainEvent } from '../../experiments/events.js'
import {
  checkpointAt,
  checkpointUpdates,
  createRun,
  latestCheckpoint,
  openRun,
  type RunFolder,
} from '../../experiments/run-folder.js'

const root = () => mkdtempSync(join(tmpdir(), 'rxgym-runs-'))
const config = loadConfig('cartpole-reinforce', ['seed=1'])

const open: RunFolder[] = []
afterEach(() => {
  for (const folder of open.splice(0)) folder.close()
})

function create(options: Parameters<typeof createRun>[1]): RunFolder {
  const folder = createRun(config, options)
  open.push(folder)
  return folder
}

function resume(path: string, options: Parameters<typeof openRun>[1] = {}): RunFolder {
  const folder = openRun(path, options)
  open.push(folder)
  return folder
}

/** What a run tells: one episode of 10 steps an update, and a checkpoint after every fifth. */
function* story(from: number, to: number): Generator<TrainEvent> {
  const at = (update: number) => ({ update, episodes: update, steps: 10 * update })
  yield {
    type: 'start',
    env: 'CartPole-v1',
    algorithm: 'reinforce',
    seed: 1,
    backend: 'cpu',
    parameters: 2,
    ...at(from),
  }
  for (let update = from + 1; update <= to; update++) {
    yield episode(update - 1)
    yield { type: 'update', ...at(update), meanReturn: 10, metrics: { loss: 1 / update } }
    if (update % 5 === 0 || update === to) yield checkpoint(update)
  }
}

function episode(index: number): TrainEvent {
  const ending = { terminated: true, truncated: false, steps: 10 * index + 10 }
  return { type: 'episode', index, seed: index, returns: [10], length: 10, ...ending, actions: [0, 1] }
}

function checkpoint(update: number): TrainEvent {
  const tensors = { 'policy/w': { shape: [2], data: Float32Array.of(update, -update) } }
  return { type: 'checkpoint', state: { update, episodes: update, steps: 10 * update, tensors, values: {} } }
}

const end = (update: number, reason: 'budget' | 'stopped' = 'budget'): TrainEvent => {
  return { type: 'end', reason, update, episodes: update, steps: 10 * update }
}

function tell(folder: RunFolder, events: Iterable<TrainEvent>): void {
  for (const event of events) folder.record(event)
}

/** A run told from beginning to end, in a folder of its own. */
function wholeRun(to: number): { path: string; log: string } {
  const folder = create({ root: root() })
  tell(folder, story(0, to))
  folder.record(end(to))
  folder.close()
  return { path: folder.path, log: logOf(folder.path) }
}

const logOf = (path: string) => readFileSync(join(path, 'events.jsonl'), 'utf8')
const checkpointsOf = (path: string) => readdirSync(join(path, 'checkpoints')).sort()
const newest = (path: string) => join(path, 'checkpoints', checkpointsOf(path).at(-1) ?? '')

describe('a new run folder', () => {
  it('is named after the run and its seed, with a number where that is taken', () => {
    const runs = root()
    expect(create({ root: runs }).path).toBe(join(runs, 'cartpole-reinforce-s1'))
    expect(create({ root: runs }).path).toBe(join(runs, 'cartpole-reinforce-s1-2'))
    expect(create({ root: runs }).path).toBe(join(runs, 'cartpole-reinforce-s1-3'))
  })

  it('holds the configuration, the events, the newest two checkpoints, times and facts', () => {
    const folder = create({ root: root() })
    folder.writeFacts({ name: 'cpu', reason: 'asked for' })
    const told = [...story(0, 17), end(17)]
    tell(folder, told)
    folder.close()
    expect(readdirSync(folder.path).sort()).toEqual([
      'checkpoints',
      'config.yaml',
      'events.jsonl',
      'facts.json',
      'timing.jsonl',
    ])
    expect(loadConfig(folder.path)).toEqual(config)
    expect(readEvents(join(folder.path, 'events.jsonl'))).toEqual(told.filter(({ type }) => type !== 'checkpoint'))
    expect(checkpointsOf(folder.path)).toEqual(['00000015.safetensors', '00000017.safetensors'])
    expect(JSON.parse(readFileSync(join(folder.path, 'facts.json'), 'utf8'))).toMatchObject({
      node: process.versions.node,
      tfjs: '4.22.0',
      backend: { name: 'cpu', reason: 'asked for' },
    })
  })

  it('keeps the checkpoints of keepEvery for good, beside the newest two', () => {
    const folder = createRun({ ...config, checkpointEvery: 5, keepEvery: 10 }, { root: root() })
    open.push(folder)
    tell(folder, [...story(0, 33), end(33)])
    folder.close()
    expect(checkpointUpdates(folder.path)).toEqual([10, 20, 30, 33])
    expect(checkpointAt(folder.path, 20).checkpoint.state.update).toBe(20)
    expect(() => checkpointAt(folder.path, 25)).toThrow(UsageError)
    expect(() => checkpointAt(folder.path, 25)).toThrow('no checkpoint of update 25. There are 0, 10, 20, 30, 33;')
    resume(folder.path)
    expect(checkpointUpdates(folder.path)).toEqual([10, 20, 30, 33])
  })

  it('has nothing of the clock in its events: the same story is the same bytes', () => {
    expect(wholeRun(12).log).toBe(wholeRun(12).log)
  })

  it('is not made where a run is already', () => {
    const { path } = wholeRun(3)
    expect(() => createRun(config, { out: path })).toThrow(UsageError)
    expect(() => createRun(config, { out: path })).toThrow(`Go on with --resume ${path}`)
    expect(existsSync(join(path, 'lock'))).toBe(false)
  })

  it('is refused to a second process while the first is at work', () => {
    const folder = create({ root: root() })
    expect(() => openRun(folder.path)).toThrow(LockedError)
    expect(() => createRun(config, { out: folder.path })).toThrow(`process ${process.pid} writes to this run`)
    folder.writeFacts({ name: 'wasm', reason: 'asked for' })
    folder.close()
    resume(folder.path)
  })

  it('is gone again where the run failed before it began, and what else is in it stays', () => {
    const folder = create({ root: root() })
    folder.close()
    expect(existsSync(folder.path)).toBe(false)
    const out = join(root(), 'mine')
    mkdirSync(out)
    writeFileSync(join(out, 'notes.txt'), 'of mine')
    createRun(config, { out }).close()
    expect(readdirSync(out)).toEqual(['notes.txt'])
    const wholly = createRun(config, { out })
    wholly.writeFacts({ name: 'wasm', reason: 'asked for' })
    wholly.close()
    expect(readdirSync(out)).toContain('config.yaml')
  })

  it('cannot be made below a file, and says so', () => {
    const runs = join(root(), 'file')
    writeFileSync(runs, '')
    expect(() => createRun(config, { root: runs })).toThrow(WriteError)
    expect(() => createRun(config, { out: join(runs, 'x') })).toThrow('not a directory')
  })
})

describe('going on with a run', () => {
  it.each([1, 3, 4, 5, 6, 9, 10, 11, 12])('gives the same bytes after it was killed behind update %i', (killed) => {
    const { log, path } = wholeRun(12)
    const folder = create({ root: root() })
    let updates = 0
    for (const event of story(0, 12)) {
      folder.record(event)
      if (event.type === 'update' && ++updates === killed) break
    }
    folder.record(episode(killed)) // of an update that never came to its end
    folder.close()
    appendFileSync(join(folder.path, 'events.jsonl'), '{"type":"upd')

    const again = resume(folder.path)
    tell(again, story(again.resume?.update ?? 0, 12))
    again.record(end(12))
    again.close()
    expect(again.resume?.update ?? 0).toBe(killed - 1 - ((killed - 1) % 5))
    expect(logOf(again.path)).toBe(log)
    expect(checkpointsOf(again.path)).toEqual(checkpointsOf(path))
    expect(readFileSync(newest(again.path))).toEqual(readFileSync(newest(path)))
  })

  it('gives the same bytes after a stop, which leaves a checkpoint and an end of its own', () => {
    const folder = create({ root: root() })
    tell(folder, story(0, 7))
    folder.record(end(7, 'stopped'))
    folder.close()
    const again = resume(folder.path)
    expect(again.resume).toMatchObject({ update: 7 })
    tell(again, story(7, 12))
    again.record(end(12))
    again.close()
    expect(logOf(again.path)).toBe(wholeRun(12).log)
  })

  it('gives the same bytes after an update failed, whose episodes were told already', () => {
    const folder = create({ root: root() })
    tell(folder, story(0, 6))
    folder.record(episode(6))
    folder.record(checkpoint(6))
    folder.close()
    const again = resume(folder.path)
    tell(again, story(6, 12))
    again.record(end(12))
    again.close()
    expect(logOf(again.path)).toBe(wholeRun(12).log)
  })

  it('may have a longer budget, and nothing else that its past depends on', () => {
    const { path } = wholeRun(5)
    const again = resume(path, { overrides: [parseOverride('budget.episodes=900')] })
    again.close()
    expect(loadConfig(path).budget).toEqual({ episodes: 900 })
    const changed = () => openRun(path, { overrides: [parseOverride('algorithm.gamma=0.5')] })
    expect(changed).toThrow(ConfigError)
    expect(changed).toThrow('--set algorithm.gamma: cannot change in a run that has begun')
  })

  it('tells in facts.json that it went on, and warns where the backend is another', () => {
    const folder = create({ root: root() })
    folder.writeFacts({ name: 'cpu', reason: 'asked for' })
    tell(folder, story(0, 5))
    folder.close()
    const again = resume(folder.path)
    expect(again.writeFacts({ name: 'wasm', reason: 'asked for' })).toEqual([
      'backend was cpu when the run began and is wasm: numbers may differ',
    ])
    const facts = JSON.parse(readFileSync(join(folder.path, 'facts.json'), 'utf8'))
    expect(facts).toMatchObject({ backend: { name: 'cpu' }, resumed: [{ update: 5, backend: { name: 'wasm' } }] })
  })

  it('warns where the graphics card is another, or its driver', () => {
    const on = (adapter: string) => ({ name: 'webgpu', reason: `asked for; ${adapter}`, adapter })
    const folder = create({ root: root() })
    folder.writeFacts(on('card, driver 1'))
    tell(folder, story(0, 5))
    folder.close()
    const again = resume(folder.path)
    expect(again.writeFacts(on('card, driver 1'))).toEqual([])
    expect(again.writeFacts(on('card, driver 2'))).toEqual([
      'backend was webgpu on card, driver 1 when the run began and is webgpu on card, driver 2: numbers may differ',
    ])
    expect(again.writeFacts({ name: 'wasm', reason: 'asked for' })).toEqual([
      'backend was webgpu on card, driver 1 when the run began and is wasm: numbers may differ',
    ])
    const facts = JSON.parse(readFileSync(join(folder.path, 'facts.json'), 'utf8'))
    expect(facts).toMatchObject({
      backend: on('card, driver 1'),
      resumed: [{ backend: on('card, driver 1') }, { backend: on('card, driver 2') }, { backend: { name: 'wasm' } }],
    })
  })

  it('takes away what a killed process had begun to write', () => {
    const { path } = wholeRun(5)
    writeFileSync(join(path, 'checkpoints', '00000006.safetensors.123.tmp'), 'half')
    writeFileSync(join(path, 'facts.json.123.tmp'), '{')
    resume(path)
    expect(checkpointsOf(path)).toEqual(['00000005.safetensors'])
    expect(readdirSync(path).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })

  it('needs a run to go on with', () => {
    expect(() => openRun(root())).toThrow(UsageError)
    expect(() => openRun('/nowhere')).toThrow('/nowhere: no run there')
  })
})

describe('a damaged run folder', () => {
  it.each([
    ['is cut short', (file: string) => truncateSync(file, 100)],
    ['is empty', (file: string) => truncateSync(file, 0)],
    ['has a changed byte', (file: string) => flip(file, -2)],
  ])('falls back to the older checkpoint when the newest %s, and says so', (_, damage) => {
    const { path, log } = wholeRun(12)
    const file = newest(path)
    damage(file)
    const again = resume(path)
    expect(again.resume).toMatchObject({ update: 10 })
    expect(again.notices).toHaveLength(1)
    expect(again.notices[0]).toContain(`${file}: not a valid checkpoint`)
    expect(again.notices[0]).toContain('going on from update 10')
    expect(existsSync(`${file}.corrupt`)).toBe(true)
    tell(again, story(10, 12))
    again.record(end(12))
    again.close()
    expect(logOf(path)).toBe(log)
    expect(latestCheckpoint(path).checkpoint.state.update).toBe(12)
  })

  it('falls back as well when the events end before the newest checkpoint', () => {
    const { path } = wholeRun(12)
    truncateSync(join(path, 'events.jsonl'), latestCheckpoint(path).checkpoint.eventBytes - 1)
    const again = resume(path)
    expect(again.resume).toMatchObject({ update: 10 })
    expect(again.notices[0]).toMatch(/needs \d+ bytes of events\.jsonl, which has \d+/)
  })

  it('is an error when no checkpoint can be read, and it is left as it is', () => {
    const { path, log } = wholeRun(12)
    for (const name of checkpointsOf(path)) flip(join(path, 'checkpoints', name), -2)
    expect(() => openRun(path)).toThrow(CorruptFileError)
    expect(() => openRun(path)).toThrow('no checkpoint can be read, start the run again in another folder')
    expect(() => latestCheckpoint(path)).toThrow(CorruptFileError)
    expect(logOf(path)).toBe(log)
    expect(existsSync(join(path, 'lock'))).toBe(false)
  })

  it('is an error when a line of the events is damaged, with file and line', () => {
    const { path } = wholeRun(12)
    const file = join(path, 'events.jsonl')
    const lines = logOf(path).split('\n')
    lines[3] = (lines[3] ?? '').replace('{', '(')
    writeFileSync(file, lines.join('\n'))
    expect(() => openRun(path)).toThrow(CorruptFileError)
    expect(() => openRun(path)).toThrow(`${file}:4: not an event`)
  })

  it('is evaluated by the older checkpoint when the newest is damaged', () => {
    const { path } = wholeRun(12)
    flip(newest(path), -2)
    expect(latestCheckpoint(path).checkpoint.state.update).toBe(10)
  })
})

describe('a disk that is full', () => {
  /** A disk with room for so many bytes. */
  function disk(room: number) {
    let left = room
    return (fd: number, bytes: Uint8Array, at: number) => {
      const length = Math.min(bytes.length - at, left)
      if (length === 0) {
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' })
      }
      left -= length
      return writeSync(fd, bytes, at, length)
    }
  }

  it('stops the run with a clear error at whatever byte it fills up; what was written before goes on to the same bytes', () => {
    const { log, path: undisturbed } = wholeRun(12)
    const runs = root()
    let failures = 0
    for (let room = 0; room < 12_000; room += 211) {
      const out = join(runs, String(room))
      try {
        const folder = create({ out, write: disk(room) })
        tell(folder, story(0, 12))
        folder.record(end(12))
        folder.close()
      } catch (error) {
        failures++
        expect(error).toBeInstanceOf(WriteError)
        expect((error as Error).message).toMatch(/cannot write, no space left on device \(ENOSPC\)/)
      }
      for (const folder of open.splice(0)) folder.close()
      if (!existsSync(join(out, 'config.yaml'))) continue
      const again = resume(out)
      expect(again.notices).toEqual([])
      tell(again, story(again.resume?.update ?? 0, 12))
      again.record(end(12))
      again.close()
      expect(logOf(out)).toBe(log)
      expect(checkpointsOf(out)).toEqual(checkpointsOf(undisturbed))
    }
    expect(failures).toBeGreaterThan(10)
  })
})

function flip(file: string, at: number): void {
  const bytes = readFileSync(file)
  bytes[bytes.length + at]! ^= 1
  writeFileSync(file, bytes)
}
