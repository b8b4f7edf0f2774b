import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lastValueFrom, toArray } from 'rxjs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import '../../index.js'
import { loadLanguageModel } from '../../agents/llm/language-model.js'
import { LanguagePolicy } from '../../agents/llm/language-policy.js'
import { register } from '../../envs/registry.js'
import { textEnv } from '../../envs/text/text-env.js'
import { exportCommand } from '../../experiments/commands/export.js'
import { trainCommand } from '../../experiments/commands/train.js'
import { type CompareEvent, compare } from '../../experiments/compare.js'
import { configYaml, type ExperimentConfig, loadConfig, parseConfig } from '../../experiments/config.js'
import { type RecordedEvent, readEvents } from '../../experiments/event-log.js'
import { writeReport } from '../../experiments/report/report.js'
import { loadPolicy, runExperiment } from '../../experiments/run.js'
import { checkpointUpdates, createRun, openRun } from '../../experiments/run-folder.js'
import { useBackend } from '../../tensors/backend.js'
import * as tf from '../../tensors/tf.js'

const folder = mkdtempSync(join(tmpdir(), 'language-run-'))
afterAll(() => rmSync(folder, { recursive: true }))
beforeAll(() => useBackend('wasm').then(() => {}))

const env = { id: 'Countdown-v1', options: { numbers: 3, count: 40, prompt: 'brief' } }
const fresh = {
  hidden: 16,
  intermediate: 32,
  layers: 1,
  heads: 2,
  keyHeads: 1,
  context: 80,
  vocabulary: 300,
  texts: 40,
}
const sampling = { maxNewTokens: 12 }
const imitate = {
  name: 'imitate',
  env,
  agent: { type: 'language', fresh, sampling },
  algorithm: { type: 'sft', episodesPerUpdate: 4 },
  demonstrator: 'gold',
  budget: { updates: 4 },
  evaluation: { every: 2, episodes: 4, options: { ...env.options, split: 'test', count: 8 } },
}
const first = join(folder, 'imitate')
const explore = {
  name: 'explore',
  env,
  agent: { type: 'language', model: first, sampling },
  algorithm: { type: 'rloo', group: 2, groupsPerUpdate: 2, klCoefficient: 0.1 },
  budget: { updates: 2 },
}

async function trained(config: object, out: string): Promise<string> {
  await lastValueFrom(runExperiment(createRun(parseConfig(config), { out })).pipe(toArray()))
  return out
}

it('says in facts.json what products were computed in, where half precision was asked for and there is none', async () => {
  const asked = { ...imitate, agent: { ...imitate.agent, dtype: 'float16' }, budget: { updates: 1 } }
  const out = await trained(asked, join(folder, 'half'))
  expect(JSON.parse(readFileSync(join(out, 'facts.json'), 'utf8')).backend).toMatchObject({ dtype: 'float32' })
})

function eventsIn(run: string): RecordedEvent[] {
  return readEvents(join(run, 'events.jsonl'))
}

/** The model of a run, as its newest checkpoint has it. */
async function logitsOf(run: string): Promise<Float32Array> {
  const { policy } = await loadPolicy(run)
  const model = (policy as unknown as LanguagePolicy).release()
  policy.close()
  const logits = await model.logits([1, 2, 3])
  model.dispose()
  return logits
}

describe('a run of a language model', () => {
  it('imitates, is gone on from by another, and is loaded again as it was', async () => {
    await trained(imitate, first)
    const events = readFileSync(join(first, 'events.jsonl'), 'utf8')
    expect(events).not.toContain('"completions/mean_length"')
    expect(events).toContain('"rewards/correctness/mean":1')
    const evaluations = eventsIn(first).flatMap((event) => (event.type === 'evaluation' ? [event] : []))
    expect(evaluations).toHaveLength(3)
    expect(evaluations.at(-1)!.validationLoss).toBeLessThan(evaluations[0]!.validationLoss!)
    for (const { written } of evaluations) {
      expect(written).toHaveLength(4)
      expect(written!.map(({ prompt }) => prompt)).toEqual(evaluations[0]!.written!.map(({ prompt }) => prompt))
    }
    const second = await trained(explore, join(folder, 'explore'))
    expect(readFileSync(join(second, 'events.jsonl'), 'utf8')).toContain('"completions/mean_length"')
    expect(await logitsOf(first)).toEqual(await logitsOf(first))
    expect(await logitsOf(second)).not.toEqual(await logitsOf(first))
    // Before its first update the second is what the first became.
    expect(await logitsOf(`${second}@0`)).toEqual(await logitsOf(first))
  })

  it('keeps its tokenizer: what it was trained on may change, and be longer, and the run is still what it was', async () => {
    const words = ['one two three', 'four five six']
    const texts = [...words]
    register({
      id: 'Changing-v0',
      create: () =>
        textEnv({
          tasks: () => texts.map((text) => ({ text })),
          prompt: '{text}',
          gold: ({ text }) => text,
          reward: () => 1,
        }),
    })
    const { evaluation: _, ...settings } = imitate
    const run = await trained({ ...settings, name: 'changing', env: { id: 'Changing-v0' } }, join(folder, 'changing'))
    const logits = await logitsOf(run)
    const files = async () => {
      const { policy } = await loadPolicy(run)
      const model = (policy as unknown as LanguagePolicy).release()
      policy.close()
      model.dispose()
      return model.tokenizer.files
    }
    const before = await files()
    texts.splice(0, 2, ...Array.from({ length: 9 }, (_, i) => `${i}: quite another text, and a longer one`))
    expect(await files()).toEqual(before)
    expect(await logitsOf(run)).toEqual(logits)
  })

  it('tells how many tokens it wrote in a second, in its timing and its report and never in its events', async () => {
    const run = await trained({ ...imitate, name: 'timed', budget: { updates: 2 } }, join(folder, 'timed'))
    const lines = (file: string) =>
      readFileSync(join(run, file), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
    const updates = lines('events.jsonl').filter(({ type }) => type === 'update')
    const tokens = updates.reduce((sum, update) => sum + update.tokens, 0)
    expect(updates.map(({ tokens }) => tokens)).toEqual(updates.map(({ metrics }) => metrics.choices))
    const last = lines('timing.jsonl').at(-1)
    expect(last).toMatchObject({ type: 'end', tokens })
    expect((last.tokensPerSecond * last.seconds) / tokens).toBeCloseTo(1, 1) // seconds are kept to the thousandth
    expect(readFileSync(join(run, 'events.jsonl'), 'utf8')).not.toContain('tokensPerSecond')
    const { html } = await writeReport(run)
    expect(readFileSync(html, 'utf8')).toMatch(/<dt>tokens per second<\/dt><dd>[\d,. ]+, of completions/)
  })

  it('stays with the checkpoint that it began from, whatever becomes of that run', async () => {
    const source = await trained({ ...imitate, name: 'source', checkpointEvery: 1 }, join(folder, 'source'))
    const run = await trained({ ...explore, agent: { ...explore.agent, model: source } }, join(folder, 'settled'))
    expect(loadConfig(run).agent).toMatchObject({ model: `${source}@4` })
    const [began, became] = [await logitsOf(`${run}@0`), await logitsOf(run)]
    const overrides = [{ flag: '--set budget.updates', path: ['budget', 'updates'], value: 8 }]
    await lastValueFrom(runExperiment(openRun(source, { overrides })).pipe(toArray()))
    expect(checkpointUpdates(source)).toEqual([4, 7, 8])
    expect(await logitsOf(source)).not.toEqual(began)
    expect(await logitsOf(`${run}@0`)).toEqual(began)
    expect(await logitsOf(run)).toEqual(became)

    const at7 = { ...explore, agent: { ...explore.agent, model: `${source}@7` } }
    const seventh = await trained(at7, join(folder, 'seventh'))
    expect(loadConfig(seventh).agent).toMatchObject({ model: `${source}@7` })
    expect(await logitsOf(`${seventh}@0`)).toEqual(await logitsOf(`${source}@7`))
    const at5 = parseConfig({ ...explore, agent: { ...explore.agent, model: `${source}@5` } })
    expect(() => createRun(at5, { out: join(folder, 'fifth') })).toThrow(
      `${source}: no checkpoint of update 5. There are 0, 4, 7, 8`,
    )
    rmSync(join(source, 'checkpoints', '00000004.safetensors'))
    await expect(loadPolicy(run)).rejects.toThrow(`agent.model: ${source}: no checkpoint of update 4`)
    rmSync(source, { recursive: true })
    await expect(loadPolicy(run)).rejects.toThrow(`agent.model: ${source}@4: no run is at ${source} any more`)
  })

  it('is kept by a comparison that names the run it began from', async () => {
    const comparison = join(folder, 'comparison')
    await trained(explore, join(comparison, 'explore', 'seed-0'))
    const kept: boolean[] = []
    const onEvent = (event: CompareEvent) => void (event.type === 'ended' && kept.push(event.kept))
    const options = { seeds: 1, folder: comparison, report: false, onEvent }
    await compare({ ...options, configs: [parseConfig(explore)] })
    expect(kept).toEqual([true])
    const other = { ...explore, agent: { ...explore.agent, model: join(folder, 'explore') } }
    await expect(compare({ ...options, configs: [parseConfig(other)] })).rejects.toThrow('with other settings')
  })

  it('stays on its own backend, whatever the run it began from had', async () => {
    const source = await trained(
      { ...imitate, name: 'slow', backend: 'cpu', budget: { updates: 1 }, evaluation: undefined },
      join(folder, 'slow'),
    )
    const config = { ...explore, agent: { ...explore.agent, model: source }, backend: 'wasm' }
    const run = await trained({ ...config, budget: { updates: 1 } }, join(folder, 'fast'))
    expect(JSON.parse(readFileSync(join(run, 'events.jsonl'), 'utf8').split('\n')[0]!)).toMatchObject({
      type: 'start',
      backend: 'wasm',
    })
    await useBackend('cpu')
    const { policy } = await loadPolicy(run)
    expect(tf.getBackend()).toBe('wasm')
    policy.close()
  })

  it.each([
    ['explores', explore],
    ['imitates', imitate],
  ])('that %s, is stopped and gone on with leaves the same bytes', async (what, config) => {
    const evaluation = { ...imitate.evaluation, every: 1 }
    const kept = { ...config, evaluation, name: what, checkpointEvery: 1, budget: { updates: 2 } }
    const whole = await trained(kept, join(folder, `whole-${what}`))
    expect(eventsIn(whole).filter(({ type }) => type === 'evaluation')).toHaveLength(3)
    const stopped = join(folder, `stopped-${what}`)
    const cut = createRun(parseConfig({ ...kept, budget: { updates: 1 } }), { out: stopped })
    await lastValueFrom(runExperiment(cut).pipe(toArray()))
    const overrides = [{ flag: '--set budget.updates', path: ['budget', 'updates'], value: 2 }]
    await lastValueFrom(runExperiment(openRun(stopped, { overrides })).pipe(toArray()))
    const without = (run: string) =>
      readFileSync(join(run, 'events.jsonl'), 'utf8')
        .split('\n')
        .filter((line) => !line.includes('"type":"start"') && !line.includes('"type":"end"'))
    expect(without(stopped)).toEqual(without(whole))
  })

  it('from a model folder goes on only with the model that it began from', async () => {
    const source = join(folder, 'source')
    const put = async (run: string) => {
      const { policy } = await loadPolicy(run)
      const model = (policy as unknown as LanguagePolicy).release()
      policy.close()
      await model.save(source)
      model.dispose()
    }
    await put(first)
    const agent = { type: 'language', model: source, sampling: { ...sampling, maxLength: 75 } }
    const kept = { ...explore, agent, checkpointEvery: 1, budget: { updates: 1 } }
    const goOn = async (run: string) => {
      const overrides = [{ flag: '--set budget.updates', path: ['budget', 'updates'], value: 2 }]
      await lastValueFrom(runExperiment(openRun(run, { overrides })).pipe(toArray()))
    }
    const whole = await trained({ ...kept, name: 'onto', budget: { updates: 2 } }, join(folder, 'onto-whole'))
    const same = await trained({ ...kept, name: 'onto' }, join(folder, 'onto'))
    const adapted = { ...agent, lora: { rank: 2 } }
    const other = await trained({ ...kept, name: 'onto-adapted', agent: adapted }, join(folder, 'onto-adapted'))
    await put(first) // the same files again
    await goOn(same)
    const updates = (run: string) => eventsIn(run).filter(({ type }) => type === 'update')
    expect(updates(same)).toEqual(updates(whole))
    expect(updates(whole)[1]).toMatchObject({ metrics: { kl: expect.any(Number) } })

    await put(`${first}@0`)
    const refusal =
      /\.safetensors: checkpoint of another model: agent\.model is not the one that the run began from\. Put the files back/
    await expect(goOn(other)).rejects.toThrow(refusal)
    await expect(loadPolicy(other)).rejects.toThrow(refusal)
    const { policy } = await loadPolicy(same) // all its weights are its own
    policy.close()
  })

  it('goes out as a folder that is loaded again', async () => {
    const out = join(folder, 'model')
    const said: string[] = []
    const write = process.stdout.write
    process.stdout.write = ((text: string) => said.push(text)) as never
    try {
      await exportCommand().parseAsync([first, out], { from: 'user' })
    } finally {
      process.stdout.write = write
    }
    expect(said.join('')).toBe(`${out}: ${first} after update 4, float32\n`)
    expect(existsSync(join(out, 'tokenizer.json'))).toBe(true)
    const model = await loadLanguageModel(out)
    expect(await model.logits([1, 2, 3])).toEqual(await logitsOf(first))
    model.dispose()
  })

  it('with adapters learns them alone, and goes out merged', async () => {
    const config = { ...explore, name: 'lora', agent: { ...explore.agent, lora: { rank: 2 } } }
    const run = await trained(config, join(folder, 'lora'))
    const { policy } = await loadPolicy(run)
    expect(Object.keys(policy.parameters).every((name) => name.includes('.lora_'))).toBe(true)
    expect(policy).toBeInstanceOf(LanguagePolicy)
    policy.close()
    expect(await logitsOf(run)).not.toEqual(await logitsOf(first))
    expect(await logitsOf(`${run}@0`)).toEqual(await logitsOf(first))
  })
})

describe('what is wrong with a language agent', () => {
  const refused = (config: object) => {
    try {
      return parseConfig(config) as ExperimentConfig & string
    } catch (error) {
      return (error as Error).message
    }
  }

  it('is told before it begins', () => {
    expect(refused({ ...imitate, demonstrator: undefined })).toContain(
      'demonstrator: is missing: sft learns from what it does',
    )
    expect(refused({ ...explore, demonstrator: 'gold' })).toContain(
      'demonstrator: leave it out: rloo learns from its own tries',
    )
    expect(refused({ ...explore, algorithm: { type: 'reinforce' } })).toContain(
      'algorithm.baseline: "value" is what a policy expects',
    )
    expect(refused({ ...imitate, budget: { updates: 4, solved: true } })).toContain('budget.solved: leave it out')
    const cut = { ...explore, agent: { ...explore.agent, sampling: { topP: 0.9 } } }
    expect(refused(cut)).toContain('agent.sampling.topP: cuts or bends the distribution')
    expect(refused({ ...imitate, agent: { ...imitate.agent, sampling: { topP: 0.9 } } })).toMatchObject({ seed: 0 })
    expect(refused({ ...imitate, agent: { type: 'language', fresh: { ...fresh, vocabulary: 100 } } })).toContain(
      'agent.fresh.vocabulary: must be at least 264, got 100',
    )
  })

  it('is a preset that only rxgym train would train first', async () => {
    const config = { ...explore, name: 'unprepared', agent: { type: 'language', model: 'countdown-tiny-sft' } }
    await expect(trained(config, join(folder, 'unprepared'))).rejects.toThrow(
      'agent.model: countdown-tiny-sft is a preset. Train it first: rxgym train countdown-tiny-sft',
    )
  })

  it('is a run in the place of a preset’s that was trained otherwise', async () => {
    const here = process.cwd()
    const place = join(folder, 'place')
    const run = 'runs/countdown-tiny-sft-s0'
    mkdirSync(join(place, run), { recursive: true })
    process.chdir(place)
    try {
      const at = { update: 1500, episodes: 1, steps: 1 }
      const start = { type: 'start', env: 'Countdown-v1', algorithm: 'sft', seed: 0, backend: 'cpu', parameters: 1 }
      const end = { type: 'end', reason: 'budget', ...at }
      writeFileSync(join(run, 'events.jsonl'), `${JSON.stringify({ ...start, ...at })}\n${JSON.stringify(end)}\n`)
      const begin = () => trainCommand().parseAsync(['countdown-tiny', '--quiet'], { from: 'user' })
      const put = (...overrides: string[]) =>
        writeFileSync(join(run, 'config.yaml'), configYaml(loadConfig('countdown-tiny-sft', overrides)))
      put('algorithm.learningRate=0.5', 'backend=cpu')
      await expect(begin()).rejects.toThrow(
        `${run}: its algorithm.learningRate is not the one of the preset countdown-tiny-sft.`,
      )
      // One that is the preset's is taken, and then has no checkpoint to start from.
      put('backend=cpu', 'checkpointEvery=7')
      await expect(begin()).rejects.toThrow(`${run}: no checkpoint there`)
    } finally {
      process.chdir(here)
    }
  })

  it('names the folder that is none, the agent that is not there, and the environment without texts', async () => {
    const run = (config: object, name: string) => trained({ ...config, name }, join(folder, name))
    await expect(run({ ...explore, agent: { type: 'language', model: './nowhere' } }, 'a')).rejects.toThrow('nowhere')
    await expect(run({ ...imitate, demonstrator: 'golden' }, 'b')).rejects.toThrow(
      'golden: no run there, and no agent is called so',
    )
    await expect(
      run({ ...imitate, env: 'CartPole-v1', demonstrator: 'random', evaluation: undefined }, 'c'),
    ).rejects.toThrow('CartPole-v1 is not a text environment')
  })
})
