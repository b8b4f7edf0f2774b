import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { readEvents } from '../../experiments/event-log.js'

const dist = new URL('../../dist/', import.meta.url)
const cli = fileURLToPath(new URL('experiments/cli.js', dist))
const folder = () => mkdtempSync(join(tmpdir(), 'rxgym-cli-'))

interface Result {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

function start(args: readonly string[], env: Record<string, string> = {}, node: readonly string[] = []): ChildProcess {
  return spawn(process.execPath, [...node, cli, ...args], { stdio: 'pipe', env: { ...process.env, ...env } })
}

async function resultOf(child: ChildProcess): Promise<Result> {
  const text = { out: '', err: '' }
  child.stdin?.end()
  child.stdout?.on('data', (data) => {
    text.out += data
  })
  child.stderr?.on('data', (data) => {
    text.err += data
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, ...text }
}

const rxgym = (...args: readonly string[]) => resultOf(start(args))

/** A run of a few hundredths of a second. */
const short = ['cartpole-reinforce', '--seed', '3', '--episodes', '12', '--set', 'agent.hidden=[8]', '--no-report']

async function shortRun(...more: readonly string[]): Promise<string> {
  const out = join(folder(), 'run')
  expect(await rxgym('train', ...short, '--out', out, '--quiet', ...more)).toMatchObject({ code: 0, err: '' })
  return out
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await wait(5)
}

/** An environment of a user's own, which breaks after so many steps in the way that BREAK names. */
function ownEnv(): string {
  const file = join(folder(), 'own.js')
  writeFileSync(
    file,
    `import { Discrete, InvalidActionError, register } from ${JSON.stringify(new URL('index.js', dist).href)}
    let steps = 0
    let t = 0
    register({
      id: 'Own-v0',
      create: () => ({
        observationSpace: new Discrete(2),
        actionSpace: new Discrete(2),
        reset: () => ({ observation: (t = 0), info: {} }),
        step(action) {
          if (action !== 0 && action !== 1) throw new InvalidActionError(action, new Discrete(2))
          const broken = ++steps > 43 && process.env.BREAK
          if (broken === 'throw') throw new Error('the wheel came off')
          return { observation: action, reward: broken === 'nan' ? NaN : action, terminated: ++t === 5, truncated: false, info: {} }
        },
      }),
    })`,
  )
  return file
}

const commands = ['train', 'evaluate', 'compare', 'elo', 'report', 'runs', 'play', 'check-env']

describe('help', () => {
  it('lists every command, and loads nothing heavy to do so', async () => {
    const hook =
      'export async function resolve(s, c, next) { const r = await next(s, c); process._rawDebug(r.url); return r }'
    const setup = `import { register } from 'node:module'; register('data:text/javascript,${encodeURIComponent(hook)}')`
    const loader = ['--import', `data:text/javascript,${encodeURIComponent(setup)}`]
    const { code, out, err } = await resultOf(start(['--help'], {}, loader))
    expect(code).toBe(0)
    for (const name of commands) expect(out).toMatch(new RegExp(`^ {2}${name} `, 'm'))
    expect(out).toContain('Exit codes: 0 done, 1 the run failed, 2 bad input or usage, 130 interrupted')
    expect(err).toContain('commander')
    expect(err).not.toMatch(/tensorflow|vega|rxjs|zod/)
  })

  it.each(commands)('of %s shows an example', async (name) => {
    const { code, out } = await rxgym(name, '--help')
    expect(code).toBe(0)
    expect(out).toMatch(new RegExp(`Examples?:\n {2}rxgym ${name}`))
  })
})

describe('bad input ends with 2 and one message that tells the way out', () => {
  it.each([
    [['trian'], "unknown command 'trian'\n(Did you mean train?)"],
    [['train', '--sed', '1'], "unknown option '--sed'\n(Did you mean one of --seed, --set?)"],
    [['train', 'cartpole-reinforce', '--seed', 'x'], "argument 'x' is invalid. It must be a whole number from 0."],
    [['train'], 'train what? Name a preset or a .yaml file'],
    [['train', 'cartpole-reinforc'], 'unknown preset "cartpole-reinforc". Did you mean "cartpole-reinforce"?'],
    [['train', 'no.yaml'], 'no.yaml: no such file or directory (ENOENT)'],
    [['train', ...short, '--set', 'algorithm.gama=1'], '--set algorithm.gama: unknown key. Did you mean "gamma"?'],
    [
      ['train', ...short, '--backend', 'wasn'],
      '--backend: expected one of auto, wasm, cpu, webgpu, tensorflow, got "wasn"',
    ],
    [
      ['train', 'cartpole-reinforce', '--set', 'budget.episodes=-1'],
      '--set budget.episodes: must be more than 0, got -1',
    ],
    [['train', ...short, '--import', './none.js'], '--import ./none.js: '],
    [['train', '--resume', '/nowhere'], '/nowhere: no run there'],
    [['train', 'cartpole-reinforce', '--resume', 'x'], '--resume takes its experiment from the run folder'],
    [['evaluate', '/nowhere'], '/nowhere: no run there'],
    [['evaluate', '--agent', 'random', 'CartPol-v1'], 'unknown environment "CartPol-v1". Did you mean "CartPole-v1"?'],
    [['elo', '/nowhere'], '/nowhere: no run there'],
    [['check-env', 'CartPol-v1'], 'unknown environment "CartPol-v1". Did you mean "CartPole-v1"?'],
    [['play', 'CartPole-v1'], 'there is no terminal to play in: watch with --agent random'],
    [['runs', '/nowhere'], '/nowhere: no such folder'],
  ])('rxgym %j', async (args, message) => {
    const { code, out, err } = await rxgym(...args)
    expect(err).toContain(message)
    expect(err).not.toMatch(/^ {4}at /m)
    expect({ code, out }).toEqual({ code: 2, out: '' })
  })

  it('shows where an error came from when asked to', async () => {
    const { code, err } = await resultOf(start(['runs', '/nowhere'], { RXGYM_DEBUG: '1' }))
    expect(err).toMatch(/\/nowhere: no such folder\n {4}at .*run-list/)
    expect(code).toBe(2)
  })
})

describe('rxgym train', () => {
  it('tells in plain lines how it goes, where nobody looks at a terminal, and ends with the result', async () => {
    const out = join(folder(), 'run')
    const { code, out: printed, err } = await rxgym('train', ...short, '--out', out)
    expect(code).toBe(0)
    expect(err).toContain(`${out}: reinforce on CartPole-v1, seed 3, backend `)
    expect(
      err.match(/cartpole-reinforce s3 +\d+% +\d+\/12 episodes +mean return [\d.]+ +\S+ steps\/s/g)?.length,
    ).toBeGreaterThan(3)
    expect(err).not.toContain('\r')
    expect(printed).toMatch(
      /: done after 12 updates, 12 episodes, \d+ steps, in .*; mean return of the last 12 episodes [\d.]+\n$/,
    )
  })

  it('prints the events as JSON lines, the same that the folder keeps', async () => {
    const out = join(folder(), 'run')
    const { code, out: printed, err } = await rxgym('train', ...short, '--out', out, '--json')
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(printed).toBe(readFileSync(join(out, 'events.jsonl'), 'utf8'))
    expect(readEvents(join(out, 'events.jsonl')).at(-1)).toMatchObject({ type: 'end', reason: 'budget', episodes: 12 })
  })

  it('leaves a report', async () => {
    const out = join(folder(), 'run')
    const { code, out: printed } = await rxgym('train', ...short.filter((arg) => arg !== '--no-report'), '--out', out)
    expect(code).toBe(0)
    expect(printed).toContain(`report: ${out}/report.html`)
    expect(existsSync(join(out, 'report.html'))).toBe(true)
  })

  it('gives the same bytes for the same seed, and others for another', async () => {
    const events = async (...more: string[]) => readFileSync(join(await shortRun(...more), 'events.jsonl'), 'utf8')
    const once = await events()
    expect(await events()).toBe(once)
    expect(await events('--set', 'seed=4')).toBe(once) // --seed stands over --set
    expect(await events('--set', 'algorithm.gamma=0.5')).not.toBe(once)
  })

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'ends on %s with a checkpoint and 130, and goes on where it stopped',
    async (signal) => {
      const out = join(folder(), 'run')
      const long = [
        'cartpole-reinforce',
        '--episodes',
        '100000',
        '--set',
        'agent.hidden=[8]',
        '--out',
        out,
        '--no-report',
      ]
      const child = start(['train', ...long])
      const ended = resultOf(child)
      await until(() => existsSync(join(out, 'checkpoints', '00000100.safetensors')))
      child.kill(signal)
      const { code, out: printed, err } = await ended
      expect({ code, err }).toMatchObject({ code: 130, err: expect.stringContaining('stopping after this update') })
      expect(printed).toMatch(
        new RegExp(`: stopped after \\d+ updates, [^\\n]+\\ngo on with: rxgym train --resume ${out}\n$`),
      )
      const end = readEvents(join(out, 'events.jsonl')).at(-1)
      expect(end).toMatchObject({ type: 'end', reason: 'stopped' })
      const more = String((end?.type === 'end' ? end.episodes : 0) + 5)
      const again = await rxgym('train', '--resume', out, '--episodes', more, '--no-report')
      expect(again).toMatchObject({ code: 0, out: expect.stringContaining(`done after ${more} updates`) })
    },
  )

  it('ends with a checkpoint when nobody reads what it prints any more', async () => {
    const out = join(folder(), 'run')
    const child = start(['train', 'cartpole-reinforce', '--episodes', '100000', '--out', out, '--json', '--no-report'])
    child.stdout?.once('data', () => child.stdout?.destroy())
    const [code] = await once(child, 'close')
    expect(code).toBe(130)
    expect(readdirSync(join(out, 'checkpoints'))).not.toEqual([])
  })

  it('refuses a folder that another process writes to', async () => {
    const out = join(folder(), 'run')
    const first = start(['train', 'cartpole-reinforce', '--episodes', '100000', '--out', out, '--no-report'])
    const ended = resultOf(first)
    await until(() => existsSync(join(out, 'events.jsonl')))
    const second = await rxgym('train', '--resume', out)
    first.kill('SIGKILL')
    await ended
    expect(second).toMatchObject({
      code: 2,
      err: expect.stringContaining(`${out}: process ${first.pid} writes to this run`),
    })
    expect((await rxgym('runs', out)).out).toMatch(/interrupted\n$/)
  })

  it.each([
    ['throw', 'the wheel came off'],
    ['nan', 'reward NaN is not finite'],
  ])(
    'stops with 1, the episode and a checkpoint from before it when an environment breaks: %s',
    async (BREAK, message) => {
      const out = join(folder(), 'run')
      const file = ownEnv()
      const own = ['--set', 'env=Own-v0', '--import', file]
      const failed = await resultOf(start(['train', ...short, ...own, '--out', out], { BREAK }))
      expect(failed.err).toMatch(/^episode 8 \(seed \d+\), step 3: /m)
      expect(failed.err).toContain(message)
      expect(failed.err).toContain(
        `go on from the last checkpoint with: rxgym train --resume ${out} --import ${file}\n`,
      )
      expect(failed.code).toBe(1)
      expect(readdirSync(join(out, 'checkpoints'))).toEqual(['00000008.safetensors'])

      const repaired = await rxgym('train', '--resume', out, ...own.slice(2), '--no-report')
      expect(repaired.code).toBe(0)
      const undisturbed = join(folder(), 'run')
      await rxgym('train', ...short, ...own, '--out', undisturbed)
      expect(readFileSync(join(out, 'events.jsonl'), 'utf8')).toBe(
        readFileSync(join(undisturbed, 'events.jsonl'), 'utf8'),
      )
    },
  )

  it('stops with 1 when the system takes no more bytes; the earlier checkpoint is intact and the run goes on', async () => {
    const out = join(folder(), 'run')
    const args = ['train', ...short, '--episodes', '200', '--set', 'checkpointEvery=10', '--out', out]
    const limited = spawn('bash', ['-c', 'ulimit -f 20; exec "$0" "$@"', process.execPath, cli, ...args])
    const { code, err } = await resultOf(limited)
    expect(err).toContain(
      `${out}/events.jsonl: cannot write, file too large (EFBIG). What was written before is intact`,
    )
    expect(code).toBe(1)
    expect((await rxgym('train', '--resume', out, '--no-report')).code).toBe(0)
    expect((await rxgym('evaluate', out, '--episodes', '2')).code).toBe(0)
  })

  it('goes on from the older checkpoint when the newest is damaged, and says so', async () => {
    const out = await shortRun('--set', 'checkpointEvery=5')
    const newest = join(out, 'checkpoints', '00000012.safetensors')
    truncateSync(newest, 200)
    const { code, err } = await rxgym('train', '--resume', out, '--no-report')
    expect(err).toContain(`${newest}: not a valid checkpoint`)
    expect(err).toContain('going on from update 10')
    expect(code).toBe(0)
  })

  it('names the tensor when the checkpoint is of another network', async () => {
    const out = await shortRun()
    const config = join(out, 'config.yaml')
    writeFileSync(config, readFileSync(config, 'utf8').replace('- 8\n', '- 9\n'))
    const { code, err } = await rxgym('train', '--resume', out, '--no-report')
    expect(err).toMatch(/00000012\.safetensors: checkpoint of another network: policy\/0\/kernel: \[4,8\] .*\[4,9\]/)
    expect(code).toBe(1)
    expect(await rxgym('evaluate', out)).toMatchObject({ code: 1, err: expect.stringContaining('policy/0/kernel') })
  })
})

describe('the other commands', () => {
  it('evaluate measures a run, and prints the same as JSON', async () => {
    const out = await shortRun()
    const { code, out: printed } = await rxgym('evaluate', out, '--episodes', '10', '--sample')
    expect(code).toBe(0)
    expect(printed).toMatch(
      / after update 12 on CartPole-v1: 10 episodes, sampled, seed 0\nmean return [\d.]+ \(95% interval /,
    )
    const json = JSON.parse((await rxgym('evaluate', out, '--episodes', '10', '--sample', '--json')).out)
    expect(json.returns).toHaveLength(10)
    expect(printed).toContain(`mean return ${json.mean.toFixed(2)} `)
  })

  // Five processes one after the other
  it('elo rates the checkpoints of a run, and prints the same as JSON and as a table', async () => {
    const out = join(folder(), 'chess')
    const config = join(folder(), 'chess.yaml')
    writeFileSync(
      config,
      `env: { id: Chess-v1, options: { planes: 13, maxPlies: 20 } }
agent: { type: mlp, hidden: [2] }
algorithm: { type: reinforce, baseline: none, episodesPerUpdate: 1 }
budget: { updates: 2 }
checkpointEvery: 1
keepEvery: 1
`,
    )
    expect((await rxgym('train', config, '--out', out, '--no-report')).code).toBe(0)
    const { code, out: table, err } = await rxgym('elo', out, '--games', '2')
    expect(code).toBe(0)
    expect(err).toContain(`1/6  ${out}@0 against ${out}@1: `)
    const json = JSON.parse((await rxgym('elo', out, '--games', '2', '--json')).out)
    expect(json).toEqual(JSON.parse(readFileSync(join(out, 'elo.json'), 'utf8')))
    const names = json.ratings.map(({ name }: { readonly name: string }) => name)
    expect([...names].sort()).toEqual([`${out}@0`, `${out}@1`, `${out}@2`, 'random'])
    for (const name of names) expect(table).toContain(name)
    expect((await rxgym('evaluate', `${out}@1`, '--episodes', '1')).out).toContain(`${out} after update 1 on Chess-v1`)
    expect(await rxgym('evaluate', `${out}@9`)).toMatchObject({
      code: 2,
      err: expect.stringContaining('There are 0, 1, 2;'),
    })
  }, 30_000)

  it('evaluate measures the random agent', async () => {
    const { code, out } = await rxgym('evaluate', '--agent', 'random', 'CartPole-v1', '--episodes', '200')
    expect(code).toBe(0)
    expect(Number(/mean return ([\d.]+)/.exec(out)?.[1])).toBeCloseTo(22, -1)
  })

  it('runs lists runs with their state, as a table and as JSON', async () => {
    const out = await shortRun()
    const { code, out: table } = await rxgym('runs', join(out, '..'))
    expect(code).toBe(0)
    expect(table).toMatch(/^run +environment +algorithm +seed +episodes +steps +mean of 100 +state\n/)
    expect(table).toMatch(/run +CartPole-v1 +reinforce +3 +12 +\d+ +[\d.]+ +done\n$/)
    expect(JSON.parse((await rxgym('runs', out, '--json')).out)).toMatchObject({
      folder: out,
      seed: 3,
      state: 'budget',
    })
  })

  it('says how a TypeScript module of one’s own can be imported, where Node does not run it', async () => {
    const file = join(folder(), 'own.ts')
    writeFileSync(file, 'const answer: number = 42\nconsole.error("it is", answer)\n')
    const { code, err } = await rxgym('check-env', 'CartPole-v1', '--import', file)
    const runs = Boolean(Reflect.get(process.features, 'typescript'))
    expect(err).toContain(
      runs ? 'it is 42' : 'does not run TypeScript: compile it, use Node 22.18 or later, or install tsx',
    )
    expect(code).toBe(runs ? 0 : 2)
  })

  it('check-env passes an environment that keeps the rules', async () => {
    expect(await rxgym('check-env', 'CartPole-v1')).toMatchObject({
      code: 0,
      out: expect.stringContaining('keeps the rules'),
    })
    expect(await rxgym('check-env', 'Own-v0', '--import', ownEnv())).toMatchObject({ code: 0, err: '' })
  })

  it('check-env lists what is wrong and ends with 1', async () => {
    const { code, err } = await resultOf(start(['check-env', 'Own-v0', '--import', ownEnv()], { BREAK: 'nan' }))
    expect(err).toContain('Own-v0')
    expect(err).toContain('NaN')
    expect(code).toBe(1)
  })

  it('play prints the frames of an agent’s episode below each other, where there is no terminal', async () => {
    const { code, out } = await rxgym('play', 'CartPole-v1', '--agent', 'random', '--seed', '1')
    expect(code).toBe(0)
    expect(out).not.toContain('\x1b')
    expect(out).toMatch(/step 0 [\s\S]*step 1 [\s\S]*ended[\s\S]*\n(\d+) steps, return \1\n$/)
  })
})
