import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { lastValueFrom, toArray } from 'rxjs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import '../../../index.js'
import { countdownPrompt } from '../../../envs/text/countdown/prompt.js'
import { agentFor } from '../../../experiments/commands/agent-for.js'
import { evaluateCommand } from '../../../experiments/commands/evaluate.js'
import { trainCommand } from '../../../experiments/commands/train.js'
import { configYaml, type ExperimentConfig, loadConfig } from '../../../experiments/config.js'
import type { TrainEvent } from '../../../experiments/events.js'
import { gsm8kPresets } from '../../../experiments/presets/gsm8k.js'
import { presets } from '../../../experiments/presets/presets.js'
import { qwenCountdownPresets } from '../../../experiments/presets/qwen-countdown.js'
import { runExperiment } from '../../../experiments/run.js'
import { createRun } from '../../../experiments/run-folder.js'
import { describeGolden, gsm8k } from '../../golden/golden.js'

const names = Object.keys({ ...qwenCountdownPresets, ...gsm8kPresets })

it.each(names)('%s can be asked for by its name', (name) => {
  expect(presets).toHaveProperty(name)
  const { agent, budget, algorithm, evaluation } = loadConfig(name)
  expect(agent.type).toBe('language')
  if (algorithm.schedule.updates === undefined) return
  // The rate falls until the run ends, where the last measurement is made.
  const tasks = name.startsWith('countdown') ? Number(loadConfig(name).env.options.count) : 0
  const { updates = Math.ceil(((budget.epochs ?? 0) * tasks) / perUpdate(algorithm)) } = budget
  expect(algorithm.schedule.updates).toBe(updates)
  if (evaluation) expect(evaluation.every).toBe(updates)
})

/** Tasks of an update. */
function perUpdate(algorithm: ExperimentConfig['algorithm']): number {
  return algorithm.type === 'rloo' ? algorithm.groupsPerUpdate : algorithm.episodesPerUpdate
}

describeGolden('a published recipe, with a tiny checkpoint in place of the real one,', () => {
  const folder = mkdtempSync(join(tmpdir(), 'language-presets-'))
  const data = join(folder, 'gsm8k')
  const qwen = fileURLToPath(new URL('../../../../shared/golden/hf/qwen2-tiny', import.meta.url))
  const llama = join(folder, 'llama-tiny')
  afterAll(() => rmSync(folder, { recursive: true }))
  beforeAll(() => {
    mkdirSync(data)
    mkdirSync(llama)
    for (const split of ['train', 'test'] as const) {
      const lines = gsm8k(split)
        .slice(0, 6)
        .map((problem) => JSON.stringify(problem))
      writeFileSync(join(data, `${split}.jsonl`), lines.join('\n'))
    }
    // It has none of its own, and as many tokens.
    for (const file of ['tokenizer.json', 'tokenizer_config.json']) copyFileSync(join(qwen, file), join(llama, file))
    for (const file of ['config.json', 'generation_config.json', 'model.safetensors']) {
      copyFileSync(join(qwen, '../llama-tiny', file), join(llama, file))
    }
  })

  const short = ['agent.sampling.maxNewTokens=6', 'budget.updates=2', 'parallel=4']
  const measured = ['evaluation.every=2', 'evaluation.episodes=2']
  const countdown = [...short, ...measured, 'evaluation.sampling.maxNewTokens=6', 'evaluation.options.count=4']
  const problems = [...short, `env.options.folder=${data}`]
  const few = ['algorithm.group=4', 'algorithm.groupsPerUpdate=1']
  const overrides: Readonly<Record<string, readonly string[]>> = {
    'countdown-sft': [...countdown, `agent.model=${qwen}`, 'algorithm.episodesPerUpdate=3', 'env.options.count=6'],
    'countdown-rloo-qwen': [...countdown, `agent.model=${qwen}`, ...few, 'env.options.count=6'],
    'gsm8k-rloo-llama': [
      ...[...problems, ...measured, `evaluation.options.folder=${data}`, `agent.model=${llama}`],
      'algorithm.group=4',
    ],
    'gsm8k-format-tiny-sft': [...problems, 'algorithm.episodesPerUpdate=3', 'agent.fresh.layers=1'],
    'gsm8k-format-tiny': [...problems, `agent.model=${qwen}`, ...few],
  }

  it('is here, each one', () => {
    expect(Object.keys(overrides).sort()).toEqual(names.toSorted())
  })

  it.each(Object.entries(overrides))(
    '%s trains two updates, is measured, and is loaded to be measured again',
    async (name, given) => {
      const config = loadConfig(name, given)
      const out = join(folder, name)
      const events: TrainEvent[] = await lastValueFrom(runExperiment(createRun(config, { out })).pipe(toArray()))
      const updates = events.filter((event) => event.type === 'update')
      expect(updates).toHaveLength(2)
      for (const { metrics } of updates)
        for (const [name, value] of Object.entries(metrics)) expect(value, name).toSatisfy(Number.isFinite)
      expect(updates[0]!.metrics).toHaveProperty('loss')
      expect(events.at(-1)).toMatchObject({ type: 'end', update: 2 })
      const evaluations = events.filter((event) => event.type === 'evaluation')
      expect(evaluations.map(({ update }) => update)).toEqual(config.evaluation ? [0, 2] : [])
      const { agent, title } = await agentFor(out)
      expect(title).toContain('after update 2')
      agent.close?.()
    },
  )

  it('is measured with a penalty that training does without, and without it when asked', async () => {
    const out = join(folder, 'countdown-rloo-qwen')
    const completions = async (sampling?: { repetitionPenalty: number }) => {
      const { agent, title } = await agentFor(out, undefined, undefined, false, sampling)
      const asTrained = await agentFor(out)
      const env = asTrained.makeEnv()
      const { observation } = await env.reset({ options: { task: 0 } })
      const context = { greedy: true, generators: [], seats: [0], episodes: [0] }
      const [decision] = await agent.act([observation], context)
      agent.close?.()
      asTrained.agent.close?.()
      env.close()
      return { title, choices: Array.from(decision!.choices) }
    }
    const penalised = await completions()
    const plain = await completions({ repetitionPenalty: 1 })
    const strictly = await completions({ repetitionPenalty: 100 })
    expect(penalised.title).toMatch(/after update 2, repetitionPenalty 1.1, maxNewTokens 6$/)
    expect(plain.title).toMatch(/after update 2, repetitionPenalty 1, maxNewTokens 6$/)
    // A model that has learned nothing says one token over and over, unless that is dear.
    expect(new Set(plain.choices).size).toBe(1)
    expect(new Set(strictly.choices).size).toBe(6)
  })

  it('imitates published answers, and tries published tasks, where a file names them', async () => {
    const query = countdownPrompt({ numbers: [44, 19, 35], target: 98 }, 'base')
    const answer = '<think>44 + 19 = 62 </think>\n<answer> 44 + 19 </answer>'
    const [answers, tasks] = [join(folder, 'answers.jsonl'), join(folder, 'tasks.jsonl')]
    writeFileSync(answers, JSON.stringify({ query, completion: answer }))
    writeFileSync(tasks, '{"nums":[1,2,3],"target":6}\n{"nums":[2,2,3],"target":7}')
    const whole = (given: readonly string[] | undefined) => given!.filter((field) => !field.startsWith('env.'))
    const updatesOf = async (name: string, field: string) => {
      const given = [...whole(overrides[name]), field, 'evaluation.every=3', 'evaluation.episodes=1']
      const run = createRun(loadConfig(name, given), { out: join(folder, `${name}-file`) })
      const events = await lastValueFrom(runExperiment(run).pipe(toArray()))
      return events.filter((event) => event.type === 'update')
    }
    // It is imitated, though it is wrong.
    const [imitated] = await updatesOf('countdown-sft', `env.options.demonstrations=${answers}`)
    expect(imitated!.metrics).toMatchObject({ 'rewards/correctness/mean': 0, 'rewards/format/mean': 1 })
    expect(await updatesOf('countdown-rloo-qwen', `env.options.file=${tasks}`)).toHaveLength(2)
  })

  it('has its first stage read the folder that it reads itself, wherever that lies', async () => {
    const here = process.cwd()
    const place = join(folder, 'place')
    const run = 'runs/gsm8k-format-tiny-sft-s0'
    mkdirSync(place)
    process.chdir(place)
    try {
      const measured = 'evaluation={every: 20, options: {split: test}}'
      const given = [
        ...['gsm8k-format-tiny', '--quiet', '--set', 'env.options.folder=nowhere', '--set', measured],
        ...['--set', 'evaluation.options.folder=nowhere'], // the stage is not measured
      ]
      const begin = () => trainCommand().parseAsync(given, { from: 'user' })
      await expect(begin()).rejects.toThrow('nowhere: no such folder')
      expect(loadConfig(run).env.options).toMatchObject({ folder: 'nowhere' })
      // One that was trained from another folder is taken, and goes on from where it stands.
      writeFileSync(
        join(run, 'config.yaml'),
        configYaml(loadConfig('gsm8k-format-tiny-sft', ['env.options.folder=elsewhere'])),
      )
      await expect(begin()).rejects.toThrow('elsewhere: no such folder')
      writeFileSync(join(run, 'config.yaml'), configYaml(loadConfig('gsm8k-format-tiny-sft', ['parallel=2'])))
      await expect(begin()).rejects.toThrow(`${run}: its parallel is not the one of the preset gsm8k-format-tiny-sft`)
    } finally {
      process.chdir(here)
    }
  })

  it('refuses a way of sampling that there is not, and one where no model samples', async () => {
    const out = join(folder, 'countdown-rloo-qwen')
    const evaluated = (...flags: string[]) => evaluateCommand().parseAsync(flags, { from: 'user' })
    await expect(evaluated(out, '--sampling', 'repetitionPenality=1')).rejects.toThrow(
      '--sampling: unknown "repetitionPenality". Did you mean "repetitionPenalty"?',
    )
    await expect(evaluated(out, '--sampling', 'topK=-1')).rejects.toThrow('--sampling: topK: ')
    await expect(evaluated(out, '--sampling', 'temperature=0.5')).rejects.toThrow(
      '--sampling temperature: changes nothing where the likeliest tokens are taken. Add --sample, or leave it out',
    )
    await expect(evaluated('Countdown-v1', '--agent', 'solver', '--sampling', 'topK=1')).rejects.toThrow(
      '--sampling: solver is no run of a language model',
    )
  })

  it('is measured in training by the sampling of its evaluation', async () => {
    const written = async (tokens: number) => {
      const given = [...overrides['countdown-sft']!, `evaluation.sampling.maxNewTokens=${tokens}`, 'budget.updates=1']
      const out = join(folder, `measured-${tokens}`)
      const events = await lastValueFrom(
        runExperiment(createRun(loadConfig('countdown-sft', given), { out })).pipe(toArray()),
      )
      const [first] = events.filter((event) => event.type === 'evaluation')
      return first!.written![0]!.completion
    }
    const [one, five] = [await written(1), await written(5)]
    expect(five.startsWith(one)).toBe(true)
    expect(five.length).toBeGreaterThan(one.length)
  })
})

describe('evaluation.sampling', () => {
  it('is of language models alone', () => {
    const given = ['evaluation={every: 1, sampling: {topK: 5}}']
    expect(() => loadConfig('cartpole-rloo', given)).toThrow(
      'evaluation.sampling: leave it out: only a language model samples so, not agent "mlp"',
    )
    expect(() => loadConfig('countdown-sft', ['evaluation.sampling.repetitionPenality=1.1'])).toThrow(
      'Did you mean "repetitionPenalty"?',
    )
  })
})
