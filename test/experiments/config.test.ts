import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, expectTypeOf, it } from 'vitest'
import '../../index.js'
import {
  configYaml,
  type ExperimentConfig,
  envSpecOf,
  loadConfig,
  measuringSpecOf,
  parseConfig,
  placesOf,
} from '../../experiments/config.js'
import { ConfigError } from '../../experiments/errors.js'
import { presets } from '../../experiments/presets/presets.js'

function yamlFile(text: string, name = 'run.yaml'): string {
  const file = join(mkdtempSync(join(tmpdir(), 'rxgym-config-')), name)
  writeFileSync(file, text)
  return file
}

/** The message of a configuration that does not hold, without the folder of the file. */
function messageFor(source: string, overrides: readonly string[] = []): string {
  try {
    loadConfig(source, overrides)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return (error as Error).message.replaceAll(/\/\S*\/(?=\w+\.yaml)/g, '')
  }
  throw new Error('it was accepted')
}

const inFile = (text: string) => messageFor(yamlFile(text))

const whole = `
env: CartPole-v1
agent: { type: mlp, valueNetwork: true }
algorithm:
  type: reinforce
budget:
  episodes: 10
`

describe('a configuration', () => {
  it.each(Object.keys(presets))('is there for the preset %s', (name) => {
    const config = loadConfig(name)
    expect(config).toMatchObject({ name, seed: 0, env: presets[name]?.config.env })
    expectTypeOf(config).toEqualTypeOf<ExperimentConfig>()
  })

  it('has every field, the defaults too', () => {
    expect(loadConfig(yamlFile(whole))).toMatchObject({
      name: 'run',
      env: { id: 'CartPole-v1', options: {}, wrappers: [] },
      algorithm: { type: 'reinforce', gamma: 0.99 },
      budget: { episodes: 10 },
      seed: 0,
      parallel: 1,
      checkpointEvery: 100,
      backend: 'auto',
    })
  })

  it('comes back from its own YAML as it was', () => {
    const config = loadConfig('cartpole-reinforce', [
      'evaluation.every=10',
      'env.options.suttonBartoReward=true',
      'name=again',
    ])
    expect(loadConfig(yamlFile(configYaml(config)))).toEqual(config)
  })

  it('is read from a run folder', () => {
    const folder = mkdtempSync(join(tmpdir(), 'rxgym-config-'))
    mkdirSync(join(folder, 'run'))
    const config = loadConfig('cartpole-reinforce')
    writeFileSync(join(folder, 'run', 'config.yaml'), configYaml(config))
    expect(loadConfig(join(folder, 'run'))).toEqual(config)
  })

  it('takes a preset from the file, the file over it, and flags over both', () => {
    const file = yamlFile('preset: cartpole-reinforce\nseed: 3\nalgorithm: { gamma: 0.5, learningRate: 0.1 }\n')
    const config = loadConfig(file, ['algorithm.gamma=0.9'])
    expect(config).toMatchObject({
      name: 'run',
      seed: 3,
      algorithm: { gamma: 0.9, learningRate: 0.1, baseline: 'value' },
    })
  })

  it('reads flags as YAML: numbers, lists, words', () => {
    const config = loadConfig('cartpole-reinforce', [
      'agent.hidden=[8, 4]',
      'agent.hidden.1=16',
      'agent.activation=tanh',
    ])
    expect(config.agent).toMatchObject({ hidden: [8, 16], activation: 'tanh' })
  })

  it('drops what belonged to another type of algorithm', () => {
    const config = loadConfig('cartpole-reinforce', ['algorithm.type=rloo'])
    expect(config.algorithm.type).toBe('rloo')
    expect(config.algorithm).not.toHaveProperty('baseline')
  })

  it('drops the measure of the budget that another one replaces', () => {
    expect(loadConfig('cartpole-reinforce', ['budget.steps=1000']).budget).toEqual({ steps: 1000 })
    expect(loadConfig('cartpole-reinforce', ['budget.solved=true']).budget).toEqual({ episodes: 500, solved: true })
  })

  it('makes the environment with its options, limit and wrappers', () => {
    const config = loadConfig('cartpole-reinforce', [
      'env.maxEpisodeSteps=7',
      'env.options.suttonBartoReward=true',
      'env.wrappers=[{ name: RecordEpisodeStatistics }]',
    ])
    expect(envSpecOf(config)).toMatchObject({
      id: 'CartPole-v1',
      maxEpisodeSteps: 7,
      options: { suttonBartoReward: true },
      wrappers: [{ name: 'RecordEpisodeStatistics' }],
    })
  })

  it('takes chess players, opponents and evaluations against one, with what is not given', () => {
    const text = whole
      .replace('CartPole-v1', '{ id: Chess-v1, options: { planes: 13, maxPlies: 9, shaping: material } }')
      .replace('{ type: mlp, valueNetwork: true }', '{ type: chess, valueHead: true }')
    const config = loadConfig(
      yamlFile(
        `${text}opponents: { random: 0.5 }\nevaluation: { every: 5, opponent: random, options: { planes: 13 } }\n`,
      ),
    )
    expect(config).toMatchObject({
      agent: { type: 'chess', hidden: [256, 128], valueHead: true },
      opponents: { random: 0.5, past: 0, every: 20, size: 10 },
      evaluation: { every: 5, episodes: 100, greedy: true, opponent: 'random' },
    })
    expect(loadConfig(yamlFile(configYaml(config)))).toEqual(config)
    expect(envSpecOf(config).options).toEqual({ planes: 13, maxPlies: 9, shaping: 'material' })
    expect(measuringSpecOf(config)).toEqual({ ...envSpecOf(config), options: { planes: 13 } })
    const { evaluation: _, ...unmeasured } = config
    expect(measuringSpecOf(unmeasured)).toEqual(envSpecOf(config))
  })

  it('drops what belonged to another type of agent', () => {
    const config = loadConfig('chess-seed-recipe', ['agent={ type: chess, valueHead: true }'])
    expect(config.agent).toEqual({ type: 'chess', hidden: [256, 128], valueHead: true })
  })

  it('is checked in a program as well, without a file to name', () => {
    expect(() =>
      parseConfig({ name: 'x', env: 'CartPole-v1', agent: { type: 'mlp' }, budget: { episodes: 1 } }),
    ).toThrow('algorithm: expected an object, it is missing')
  })
})

describe('what is wrong in a configuration', () => {
  it('is told with file, line, column, field and the nearest key', () => {
    const file = yamlFile(
      `${whole.trimEnd()}\n\nalgorithm_: 3\n`.replace('type: reinforce', 'type: reinforce\n  gama: 0.9'),
    )
    try {
      loadConfig(file)
      expect.unreachable()
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      expect(error.message).toBe(
        `${file}:6:3  algorithm.gama: unknown key. Did you mean "gamma"?\n` +
          `${file}:10:1  algorithm_: unknown key. Did you mean "algorithm"?`,
      )
      expect(error).toMatchObject({ file, line: 6, column: 3, path: 'algorithm.gama' })
      expect(error.problems).toHaveLength(2)
    }
  })

  it.each([
    ['a wrong type', 'algorithm:\n  gamma: high', 'run.yaml:3:10  algorithm.gamma: expected a number, got "high"'],
    ['a fraction where whole numbers count', 'seed: 1.5', 'run.yaml:2:7  seed: expected a whole number, got 1.5'],
    ['a negative budget', 'budget: { episodes: -5 }', 'run.yaml:2:21  budget.episodes: must be more than 0, got -5'],
    [
      'a word that is not among the choices',
      'algorithm: { baseline: valu }',
      'run.yaml:2:24  algorithm.baseline: expected one of none, moving-average, value, got "valu". Did you mean "value"?',
    ],
    [
      'an unknown type',
      'algorithm: { type: reinforced }',
      'run.yaml:2:20  algorithm.type: expected one of reinforce, rloo, sft, got "reinforced". Did you mean "reinforce"?',
    ],
    [
      'a wrong entry of a list',
      'agent: { hidden: [8, big] }',
      'run.yaml:2:22  agent.hidden.1: expected a number, got "big"',
    ],
    ['an empty value', 'agent:', 'run.yaml:2:7  agent: expected an object, got null'],
    ['a list for an object', 'agent: [1]', 'run.yaml:2:8  agent: expected an object, got [1]'],
    [
      'an unknown key within the evaluation',
      'evaluation: { every: 1, episode: 3 }',
      'run.yaml:2:25  evaluation.episode: unknown key. Did you mean "episodes"?',
    ],
    ['a name that is no folder', 'name: ../x', 'run.yaml:2:7  name: must be letters'],
    [
      'opponents where there is one seat',
      'opponents: {}',
      'run.yaml:2:12  opponents: CartPole-v1 has one seat: leave it out',
    ],
    [
      'an opponent in evaluations where there is one seat',
      'evaluation: { every: 1, opponent: random }',
      'run.yaml:2:35  evaluation.opponent: CartPole-v1 has one seat: leave it out',
    ],
    [
      'options of evaluations that the environment does not take',
      'evaluation: { every: 1, options: { hight: 2 } }',
      'run.yaml:2:34  evaluation.options: CartPole: unknown option "hight"',
    ],
  ])('is told for %s', (_, text, message) => {
    expect(inFile(`preset: cartpole-reinforce\n${text}\n`)).toContain(message)
  })

  it.each([
    ['shares of opponents above 1', 'opponents: { random: 0.9 }', 'opponents.past: shares above 1 together'],
    ['a share above 1', 'opponents: { past: 1.5 }', 'run.yaml:2:20  opponents.past: must be at most 1, got 1.5'],
    ['a pool of no past self', 'opponents: { size: 0 }', 'run.yaml:2:20  opponents.size: must be more than 0, got 0'],
    [
      'an opponent in evaluations that nobody knows',
      'evaluation: { opponent: randm }',
      'run.yaml:2:25  evaluation.opponent: expected one of random, got "randm". Did you mean "random"?',
    ],
    [
      'evaluations that show something else than training',
      'evaluation: { options: { planes: 111 } }',
      'run.yaml:2:24  evaluation.options: show Dict',
    ],
    [
      'a learned baseline without a value head',
      'agent: { valueHead: false }',
      'run.yaml:2:21  agent.valueHead: must be true: algorithm.baseline "value" is what the policy expects',
    ],
    [
      'a field of another type of agent',
      'agent: { activation: tanh }',
      'run.yaml:2:10  agent.activation: unknown key. Known: type, hidden, valueHead.',
    ],
    [
      'a backend that it cannot compute on',
      'backend: webgpu',
      'run.yaml:2:10  backend: webgpu serves language models and perceptrons; agent "chess" needs wasm (backend: wasm)',
    ],
  ])('is told of chess for %s', (_, text, message) => {
    expect(inFile(`preset: chess-reinforce\n${text}\n`)).toContain(message)
  })

  it('is told for an unknown environment, with the nearest', () => {
    expect(inFile('preset: cartpole-reinforce\nenv: CartPol-v1\n')).toMatch(
      /^run\.yaml:2:6 {2}env\.id: unknown environment "CartPol-v1"\. Did you mean "CartPole-v1"\?/,
    )
  })

  it('is told for an unknown wrapper, with the nearest', () => {
    const text = 'preset: cartpole-reinforce\nenv:\n  wrappers:\n    - name: RecordReplay\n    - name: TimeLimits\n'
    expect(inFile(text)).toMatch(/^run\.yaml:5:13 {2}env\.wrappers\.1\.name: unknown wrapper "TimeLimits"\./)
  })

  it('is told for an option that the environment does not take', () => {
    expect(inFile('preset: cartpole-reinforce\nenv:\n  options: { hight: 2 }\n')).toMatch(
      /^run\.yaml:3:12 {2}env\.options: .*hight/,
    )
  })

  it('is told for a field that a flag goes too deep into', () => {
    expect(messageFor('cartpole-reinforce', ['seed.x=1', 'algoritm.gamma=1'])).toBe(
      '--set seed.x  seed: expected a number, got {"x":1}\n--set algoritm.gamma  algoritm: unknown key. Did you mean "algorithm"?',
    )
  })

  it('is told for settings of an algorithm that exclude each other', () => {
    expect(messageFor('cartpole-rloo', ['algorithm.epochs=2', 'algorithm.ratio=none'])).toMatch(
      /^--set algorithm\.epochs: more than one epoch needs ratio/,
    )
  })

  it('is told for an unknown preset, in a file and as an argument', () => {
    expect(inFile('seed: 1\npreset: cartpole-reinforc\n')).toMatch(
      /^run\.yaml:2:9 {2}preset: unknown preset "cartpole-reinforc"\. Did you mean "cartpole-reinforce"\? Known: /,
    )
    expect(messageFor('cartpole-rlo')).toMatch(
      /^unknown preset "cartpole-rlo"\. Did you mean "cartpole-rloo"\? Known: /,
    )
  })

  it('is told for kept checkpoints that are never written', () => {
    expect(inFile('preset: cartpole-reinforce\ncheckpointEvery: 20\nkeepEvery: 50\n')).toBe(
      'run.yaml:3:12  keepEvery: must be a multiple of checkpointEvery, 20: no checkpoint is written between; got 50',
    )
    expect(loadConfig('cartpole-reinforce', ['checkpointEvery=25', 'keepEvery=50']).keepEvery).toBe(50)
    expect(loadConfig('cartpole-reinforce')).not.toHaveProperty('keepEvery')
  })

  it('is told for a budget without an end', () => {
    expect(inFile(whole.replace('episodes: 10', 'solved: true'))).toBe(
      'run.yaml:7:3  budget: names no end: give episodes, steps, updates or, of a text environment, epochs',
    )
  })

  it('is told for a budget in epochs where there are no tasks to go through', () => {
    const problem = 'budget.epochs: CartPole-v1 has no tasks to go through: give episodes, steps or updates'
    expect(inFile(whole.replace('episodes: 10', 'epochs: 2'))).toBe(`run.yaml:7:11  ${problem}`)
    const { agent, algorithm, demonstrator } = {
      agent: { type: 'language' },
      algorithm: { type: 'sft' },
      demonstrator: 'gold',
    }
    const text = { name: 'x', env: 'Countdown-v1', agent, algorithm, demonstrator, budget: { epochs: 0.5 } }
    expect(parseConfig(text).budget).toEqual({ epochs: 0.5 })
  })

  it('is told for a learned baseline without a value network', () => {
    expect(inFile(whole.replace('valueNetwork: true', 'valueNetwork: false'))).toMatch(
      /^run\.yaml:3:35 {2}agent\.valueNetwork: .*baseline/,
    )
  })

  it('names a flag where the flag is wrong, and the file where the file is', () => {
    const file = yamlFile('preset: cartpole-reinforce\nalgorithm: { gamma: 2 }\n')
    expect(messageFor(file, ['algorithm.gama=1', 'seed=x'])).toBe(
      [
        'run.yaml:2:21  algorithm.gamma: must be at most 1, got 2',
        '--set algorithm.gama: unknown key. Did you mean "gamma"?',
        '--set seed: expected a number, got "x"',
      ].join('\n'),
    )
    expect(messageFor('cartpole-reinforce', ['algorithm={gama: 1}'])).toBe(
      '--set algorithm  algorithm.gama: unknown key. Did you mean "gamma"?',
    )
  })

  it.each([
    ['seed', '--set seed: needs a value, as in --set seed=1'],
    ['=3', 'names no field'],
    ['a..b=3', 'names no field'],
    ['seed=[1', '--set seed: not a YAML value'],
    ['__proto__.polluted=1', '--set __proto__.polluted  __proto__: unknown key'],
  ])('is told for the flag --set %s', (flag, message) => {
    expect(messageFor('cartpole-reinforce', [flag])).toContain(message)
    expect({}).not.toHaveProperty('polluted')
  })

  it.each([
    ['text that is not YAML', 'seed: [1\nname: x', /^run\.yaml:\d+:\d+: /],
    ['a key that is there twice', 'seed: 1\nseed: 2', /^run\.yaml:2:1: .*unique/],
    ['a file without fields', '3', /^run\.yaml:1:1: expected fields/],
    ['an empty file', '', /^run\.yaml:1:1: expected fields/],
  ])('is told for %s', (_, text, message) => {
    expect(inFile(text)).toMatch(message)
  })

  it('is told for a file that is not there', () => {
    expect(messageFor('/nowhere/run.yaml')).toBe('run.yaml: no such file or directory (ENOENT)')
  })
})

describe('where data lies', () => {
  it('is the same for a first stage that is in the same environment, and is not told to another', () => {
    const config = loadConfig('gsm8k-format-tiny', ['env.options.folder=/my data'])
    const [place, ...rest] = placesOf(config, 'gsm8k-format-tiny-sft')
    expect(rest).toEqual([])
    expect(loadConfig('gsm8k-format-tiny-sft', [place!]).env.options.folder).toBe('/my data')
    expect(placesOf(config, 'countdown-tiny-sft')).toEqual([])
  })
})
