import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import '../../index.js'
import { register } from '../../envs/registry.js'
import { Discrete } from '../../envs/spaces/discrete.js'
import { type CompareEvent, type CompareOptions, type Comparison, compare } from '../../experiments/compare.js'
import { showCompareProgress } from '../../experiments/compare-progress.js'
import { type ExperimentConfig, loadConfig } from '../../experiments/config.js'
import { UsageError } from '../../experiments/errors.js'

// Workers load the compiled modules, as a user's do: npm test builds them first
const dist = new URL('../../dist/', import.meta.url)
const folder = mkdtempSync(join(tmpdir(), 'rxgym-compare-'))
const faulty = join(folder, 'faulty.mjs')

/** An environment that breaks at its third step; how, `way` says. */
const FAULTY = `
import { Discrete, register } from '${new URL('index.js', dist).href}'
for (const way of ['throw', 'exit']) register({
  id: 'Faulty-' + way + '-v0',
  maxEpisodeSteps: 10,
  create: () => ({
    observationSpace: new Discrete(2),
    actionSpace: new Discrete(2),
    reset() {
      this.steps = 0
      return { observation: 0, info: {} }
    },
    step() {
      if (++this.steps === 3) {
        if (way === 'exit') process.exit(7)
        throw new Error('the bearing is worn')
      }
      return { observation: 0, reward: 1, terminated: false, truncated: false, info: {} }
    },
  }),
})
`

beforeAll(() => writeFileSync(faulty, FAULTY))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const small = (name = 'small', overrides: readonly string[] = []): ExperimentConfig => ({
  ...loadConfig('cartpole-reinforce', ['budget.episodes=12', 'agent.hidden=[8]', 'backend=cpu', ...overrides]),
  name,
})
const other = small('other', ['algorithm.learningRate=0.001'])

async function run(name: string, options: Partial<CompareOptions> = {}) {
  const events: CompareEvent[] = []
  const onEvent = (event: CompareEvent) => {
    events.push(event)
    options.onEvent?.(event)
  }
  const out = join(folder, name)
  const comparison = await compare({
    ...{ configs: [small(), other], seeds: 2, folder: out, report: false },
    ...options,
    onEvent,
  })
  return { comparison, events, json: readFileSync(join(out, 'results.json'), 'utf8') }
}

const kinds = (events: readonly CompareEvent[], type: CompareEvent['type']) => events.filter((e) => e.type === type)
const runsOf = ({ results }: Comparison) =>
  results.tasks.flatMap(({ configurations }) =>
    configurations.map(({ name, runs }) => [name, runs.map(({ seed, episodes }) => [seed, episodes])]),
  )

describe('a comparison', () => {
  it('runs every configuration from every seed, and keeps the results in a file', async () => {
    const { comparison, events, json } = await run('all')
    expect(comparison).toMatchObject({ failures: [], stopped: false })
    const seeds = [
      [0, 12],
      [1, 12],
    ]
    expect(runsOf(comparison)).toEqual([
      ['small', seeds],
      ['other', seeds],
    ])
    expect(JSON.parse(json)).toEqual(comparison.results)
    expect(kinds(events, 'begin')).toHaveLength(4)
    expect(kinds(events, 'ended')).toHaveLength(4)
  })

  it('gives the same bytes however many runs go on at the same time', async () => {
    const one = await run('one-job', { jobs: 1 })
    const three = await run('three-jobs', { jobs: 3 })
    expect(three.json).toBe(one.json)
  })

  it('keeps what is there, and begins anew when told to', async () => {
    const first = await run('again')
    const second = await run('again')
    expect(kinds(second.events, 'begin')).toHaveLength(0)
    expect(kinds(second.events, 'ended')).toEqual(Array(4).fill(expect.objectContaining({ kept: true })))
    expect(second.json).toBe(first.json)
    const third = await run('again', { fresh: true })
    expect(kinds(third.events, 'begin')).toHaveLength(4)
    expect(third.json).toBe(first.json)
  })

  it('of fewer seeds leaves out what more of them left in the folder', async () => {
    const more = await run('fewer', { configs: [small()], seeds: 2 })
    const fewer = await run('fewer', { configs: [small()], seeds: 1 })
    expect(runsOf(more.comparison)[0]?.[1]).toHaveLength(2)
    expect(runsOf(fewer.comparison)[0]?.[1]).toHaveLength(1)
  })

  it('that is stopped leaves every run resumable, and goes on to the results of one that was not', async () => {
    const configs = [small('long', ['budget.episodes=120', 'checkpointEvery=5'])]
    const whole = await run('whole', { configs, seeds: 1 })
    const stop = new AbortController()
    const onEvent = ({ type }: CompareEvent) => void (type === 'progress' && stop.abort())
    const half = await run('halved', { configs, seeds: 1, stop: stop.signal, onEvent })
    expect(half.comparison.stopped).toBe(true)
    const rest = await run('halved', { configs, seeds: 1 })
    expect(rest.comparison.stopped).toBe(false)
    expect(rest.json).toBe(whole.json)
  })

  it('names the run that failed, and the others go on', async () => {
    register({ id: 'Faulty-throw-v0', create: standIn, maxEpisodeSteps: 10 })
    register({ id: 'Faulty-exit-v0', create: standIn, maxEpisodeSteps: 10 })
    const configs = [
      small('worn', ['env.id=Faulty-throw-v0']),
      small('gone', ['env.id=Faulty-exit-v0']),
      small('sound'),
    ]
    const { comparison, json } = await run('failing', { configs, imports: [faulty] })
    expect(comparison.stopped).toBe(false)
    expect(comparison.failures.map(({ name, seed }) => `${name} ${seed}`)).toEqual([
      'worn 0',
      'gone 0',
      'worn 1',
      'gone 1',
    ])
    expect(comparison.failures[0]?.message).toContain('the bearing is worn')
    expect(comparison.failures[1]?.message).toContain('ended with exit code 7')
    expect(runsOf(comparison)).toEqual([['sound', expect.any(Array)]])
    expect(JSON.parse(json).failures).toEqual(comparison.failures)
  })

  it('refuses what it cannot compare, with the way out', async () => {
    await expect(run('none', { configs: [] })).rejects.toThrow(UsageError)
    await expect(run('none', { seeds: 0 })).rejects.toThrow('seeds must be a whole number from 1, got 0')
    await expect(run('none', { configs: [small(), small()] })).rejects.toThrow('two configurations are named small')
  })

  it('has a first stage read the folder that what starts from it reads', async () => {
    const configs = [loadConfig('gsm8k-format-tiny', ['env.options.folder=nowhere'])]
    const { comparison } = await run('place', { configs, seeds: 1 })
    expect(comparison.failures).toEqual([
      { name: 'gsm8k-format-tiny-sft', seed: 0, message: expect.stringContaining('nowhere: no such folder') },
      { name: 'gsm8k-format-tiny', seed: 0, message: 'gsm8k-format-tiny-sft, which it starts from, failed' },
    ])
  })

  it('refuses a stage that has a stage itself, and says what to train before', async () => {
    const third = { ...loadConfig('countdown-tiny', ['agent.model=arithmetic-tiny', 'seed=4']), name: 'third' }
    await expect(run('third', { configs: [third] })).rejects.toThrow(
      'third starts from arithmetic-tiny, which itself starts from arithmetic-tiny-sft: one stage is trained here, not two. ' +
        'Train it first, for every seed (rxgym train arithmetic-tiny --seed 4), and name its runs: ' +
        'agent.model=runs/arithmetic-tiny-s{seed}',
    )
    const compared = { configs: [third, loadConfig('arithmetic-tiny', ['seed=4'])] }
    await expect(run('third', compared)).rejects.toThrow('third starts from arithmetic-tiny, which itself')
  })

  it('never mixes runs of other settings into its own', async () => {
    await run('settled', { configs: [small()], seeds: 1 })
    const changed = { configs: [small('small', ['algorithm.gamma=0.5'])], seeds: 1 }
    await expect(run('settled', changed)).rejects.toThrow(/other settings\. Begin anew with --fresh/)
    await expect(run('settled', { ...changed, fresh: true })).resolves.toBeDefined()
  })
})

/** Never stepped here: the runs are in the workers, which import the real one. */
function standIn() {
  return {
    observationSpace: new Discrete(2),
    actionSpace: new Discrete(2),
    reset: () => ({ observation: 0, info: {} }),
    step: () => ({ observation: 0, reward: 0, terminated: true, truncated: false, info: {} }),
  }
}

describe('progress', () => {
  const named = { name: 'a', seed: 0, folder: 'x/a/seed-0' }
  const result = { seed: 0, score: 487.25, solvedAt: 212, episodes: 300, steps: 9000 }
  const story: CompareEvent[] = [
    { type: 'plan', runs: [named, { ...named, seed: 1 }], jobs: 1 },
    { type: 'begin', run: named },
    { type: 'progress', run: named, episodes: 40, steps: 900, meanReturn: 23.5 },
    { type: 'ended', run: named, reason: 'budget', result, seconds: 2.345, kept: false },
    { type: 'failed', run: { ...named, seed: 1 }, message: 'the bearing is worn' },
  ]
  function tell(isTTY: boolean): string {
    let text = ''
    let now = 0
    const progress = showCompareProgress({ isTTY, columns: 80, write: (part) => (text += part) }, () => (now += 1000))
    for (const event of story) progress.next(event)
    progress.end()
    return text
  }

  it('is a line for every run that ended where nobody watches', () => {
    expect(tell(false)).toBe(
      '1/2  a s0  score 487.3  solved after 212 episodes  2.3 s\n2/2  a s1  failed: the bearing is worn\n',
    )
  })

  it('is also one live line on a terminal, taken away at the end', () => {
    const text = tell(true)
    expect(text).toContain('\r0/2 runs  a s0 40 episodes, mean 23.5')
    expect(text.endsWith('\n')).toBe(true)
  })
})

describe('rxgym compare', () => {
  function cli(args: readonly string[], onStderr: (text: string, kill: () => void) => void = () => {}) {
    const command = new URL('experiments/cli.js', dist).pathname
    const child = spawn(process.execPath, [command, 'compare', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    const texts = { stdout: '', stderr: '' }
    child.stdout.on('data', (part) => (texts.stdout += part))
    child.stderr.on('data', (part) => {
      texts.stderr += part
      onStderr(texts.stderr, () => child.kill('SIGINT'))
    })
    return new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) =>
      child.on('close', (code) => resolve({ code, ...texts })),
    )
  }
  const settings = ['--set', 'agent.hidden=[8]', '--set', 'backend=cpu']

  it('prints the table and where the report is', async () => {
    const out = join(folder, 'cli')
    const args = ['cartpole-reinforce', 'cartpole-rloo', '--seeds', '2', '--episodes', '8', '--out', out, ...settings]
    const { code, stdout, stderr } = await cli(args)
    expect(stderr.trimEnd().split('\n')).toHaveLength(4)
    expect(stdout).toMatch(/^cartpole-reinforce +2 /m)
    expect(stdout).toMatch(/^cartpole-rloo +2 /m)
    expect(stdout).toMatch(/^ {2}cartpole-\w+ above cartpole-\w+: \d+% /m)
    expect(stdout).toContain(`report: ${join(out, 'report.html')}`)
    expect(code).toBe(0)
    expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain(
      'rxgym compare cartpole-reinforce cartpole-rloo --seeds 2 --episodes 8',
    )
  })

  it('ends cleanly when interrupted, and says how to go on', async () => {
    const out = join(folder, 'cli-interrupted')
    const args = ['cartpole-reinforce', '--seeds', '50', '--episodes', '8', '--out', out, '--no-report', ...settings]
    let asked = false
    const { code, stdout, stderr } = await cli(args, (text, kill) => {
      if (!asked && text.includes('/50')) kill()
      asked ||= text.includes('/50')
    })
    expect(stderr).toContain('stopping after the present updates')
    expect(stdout).toContain('the same command goes on')
    expect(code).toBe(130)
  })

  it('names what it does not know', async () => {
    const { code, stderr } = await cli(['cartpole-reinforc'])
    expect(stderr).toContain('Did you mean "cartpole-reinforce"?')
    expect(code).toBe(2)
  })
})
