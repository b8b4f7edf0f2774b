import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { lastValueFrom, toArray } from 'rxjs'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import '../../../envs/text/countdown/countdown.js'
import '../../../envs/wrappers/index.js'
import type { ActContext, Decision } from '../../../agents/agent.js'
import { PromptError } from '../../../agents/llm/generate.js'
import { loadLanguageModel, newLanguageModel } from '../../../agents/llm/language-model.js'
import { LanguagePolicy, type LanguagePolicyOptions, languagePolicy } from '../../../agents/llm/language-policy.js'
import { loraConfig } from '../../../agents/llm/lora.js'
import { weightShapes } from '../../../agents/llm/model-config.js'
import { Tokenizer } from '../../../agents/llm/tokenizer.js'
import { trainTokenizer } from '../../../agents/llm/train-tokenizer.js'
import type { Policy, PolicyOutputs } from '../../../agents/policy.js'
import { goldAnswerAgent } from '../../../agents/text/gold-answer-agent.js'
import { type Algorithm, NonFiniteError } from '../../../algorithms/algorithm.js'
import type { Episode } from '../../../algorithms/episode.js'
import { episodes } from '../../../algorithms/episodes.js'
import { reinforce } from '../../../algorithms/reinforce.js'
import { rloo } from '../../../algorithms/rloo.js'
import { sft } from '../../../algorithms/sft.js'
import { register, specOf } from '../../../envs/registry.js'
import { PCG64 } from '../../../envs/seeding.js'
import type { Message } from '../../../envs/spaces/conversation.js'
import { calculatorTool } from '../../../envs/text/calculator.js'
import { textEnv } from '../../../envs/text/text-env.js'
import type { TrainEvent, TrainState } from '../../../experiments/events.js'
import { type AgentStart, type TrainOptions, train, UpdateError } from '../../../experiments/train.js'
import { rubric } from '../../../rewards/rubric.js'
import { useBackend } from '../../../tensors/backend.js'
import * as tf from '../../../tensors/tf.js'
import { chainModel, tinyModel, tinyTokenizer } from './tiny-model.js'

type Observation = readonly Message[]
type Options = TrainOptions<Observation, string>

const lora = loraConfig.parse({ rank: 2, alpha: 8 })
const kinds: readonly (readonly [string, LanguagePolicyOptions])[] = [
  ['all weights', {}],
  ['adapters', { lora, generator: new PCG64(9) }],
]

/** Words of sums up to nine, each of one digit and one word. */
const digits = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine']
const sums = digits.flatMap((_, a) =>
  digits.slice(0, 2).map((_, b) => ({ sum: `${a}+${b}`, word: `${digits[a]} ${b}` })),
)
const sumsEnv = {
  tasks: sums,
  prompt: ({ sum }: { readonly sum: string }) => [{ role: 'text' as const, content: `${sum}=` }],
  reward: (completion: string, { word }: { readonly word: string }) => (completion === word ? 1 : 0),
  gold: ({ word }: { readonly word: string }) => word,
}
const lowercase = (text: string) => [...text].filter((character) => character >= 'a' && character <= 'z').length

let tensors: number

beforeAll(async () => {
  await useBackend('wasm')
  register({ id: 'language-policy/Sums-v0', create: () => textEnv(sumsEnv) })
  register({
    id: 'language-policy/Lowercase-v0',
    create: () =>
      textEnv({
        tasks: ['on', 'off', 'up', 'down'],
        prompt: (task) => [{ role: 'text', content: task }],
        reward: (completion) => lowercase(completion) / Math.max(1, [...completion].length),
      }),
  })
})
beforeEach(() => {
  tensors = tf.memory().numTensors
})
// Whatever a test does, it leaves no tensor.
afterEach(() => expect(tf.memory().numTensors).toBe(tensors))

function contextOf(count: number, seed: number, greedy = false): ActContext {
  const zeros = new Array<number>(count).fill(0)
  return { greedy, generators: new PCG64(seed).spawn(count), seats: zeros, episodes: zeros }
}

const played = (
  env: string | Parameters<typeof specOf>[0],
  policy: Policy<Observation, string>,
  count: number,
  seed = 1,
) => lastValueFrom(episodes<Observation, string>({ env, agents: policy, seed, count, parallel: count }).pipe(toArray()))

const rowsOf = (run: readonly Episode<Observation, string>[]) => ({
  observations: run.flatMap(({ observations }) => observations.slice(0, -1)),
  decisions: run.flatMap(({ decisions }) => decisions),
})

/** Gives every parameter other numbers, as an update would. */
async function disturb(policy: Policy<Observation, string>, seed = 5, scale = 0.2): Promise<void> {
  const generator = new PCG64(seed)
  for (const variable of Object.values(policy.parameters)) {
    const values = (variable.dataSync() as Float32Array).map((value) => value + scale * generator.normal())
    tf.tidy(() => variable.assign(tf.tensor(values, variable.shape)))
  }
  await policy.refresh()
}

const prompts: readonly Observation[] = [
  [{ role: 'text', content: 'the cat' }],
  [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Who sat?' },
  ],
  [
    { role: 'user', content: 'Who sat?' },
    { role: 'assistant', content: 'It was the' },
  ],
]

describe.each(kinds)('A language policy that learns %s', (_, options) => {
  const policyOf = (sampling: LanguagePolicyOptions['sampling'] = {}, more: LanguagePolicyOptions = {}) =>
    languagePolicy(tinyModel({ seed: 1, context: 160 }), {
      ...options,
      sampling: { maxNewTokens: 12, ...sampling },
      ...more,
    })

  it.each([1, 0.7])('plays, and says of what it drew what it drew it with, at temperature %d', async (temperature) => {
    const policy = policyOf({ temperature })
    await disturb(policy)
    const run = await played(specOf('Countdown-v1', { count: 6, prompt: 'brief' } as never), policy, 6)
    const rows = rowsOf(run)
    expect(rows.decisions).toHaveLength(6)
    const tokenizer = tinyTokenizer()
    for (const { action, choices, logProbs, truncated } of rows.decisions) {
      expect(choices.length).toBe(logProbs.length)
      const written = Array.from(choices)
      if (truncated) expect(written).toHaveLength(12)
      else expect(written.pop()).toBe(tokenizer.eos)
      expect(action).toBe(tokenizer.decode(written))
    }
    const frozen = policy.freeze()
    const again = await frozen.logProbs(rows)
    const drawn = rows.decisions.flatMap(({ logProbs }) => Array.from(logProbs))
    expect(again.length).toBe(drawn.length)
    for (const [i, logProb] of again.entries()) expect(Math.abs(logProb - drawn[i]!)).toBeLessThan(1e-4)
    frozen.close()
    policy.close()
  })

  it('has gradients that are the slopes of its parameters, at any temperature, in passes of any size', async () => {
    for (const more of [{}, { checkpointing: true, tokensPerPass: 40 }]) {
      const policy = policyOf({ temperature: 0.8 }, more)
      await disturb(policy, 5, 0.05)
      const decisions = await policy.act(prompts, contextOf(3, 4))
      const rows = { observations: prompts, decisions }
      const loss = ({ logProbs, entropies }: PolicyOutputs) =>
        tf.add(tf.mean(logProbs), tf.mul(tf.mean(entropies), 0.5)) as tf.Scalar
      const valueAt = async () => {
        const { loss: scalar, gradients } = await policy.differentiate(rows, loss)
        const value = scalar.dataSync()[0]!
        tf.dispose([scalar, gradients as Record<string, tf.Tensor>])
        return value
      }
      const { loss: scalar, gradients } = await policy.differentiate(rows, loss)
      expect(Object.keys(gradients).sort()).toEqual(Object.keys(policy.parameters).sort())
      for (const [i, [name, variable]] of Object.entries(policy.parameters).entries()) {
        if (i % 4 !== 1) continue
        const values = variable.dataSync() as Float32Array
        // Along the gradient itself the loss changes most.
        const slopes = gradients[name]!.dataSync() as Float32Array
        const norm = Math.sqrt(slopes.reduce((sum, slope) => sum + slope * slope, 0))
        const at = async (distance: number) => {
          const moved = values.map((value, j) => value + (distance * slopes[j]!) / norm)
          tf.tidy(() => variable.assign(tf.tensor(moved, variable.shape)))
          await policy.refresh()
          return valueAt()
        }
        const expected = ((await at(0.003)) - (await at(-0.003))) / 0.006
        tf.tidy(() => variable.assign(tf.tensor(values, variable.shape)))
        await policy.refresh()
        expect(Math.abs(norm - expected), `${name}: ${norm} for ${expected}`).toBeLessThan(0.02 * norm + 3e-4)
      }
      tf.dispose([scalar, gradients as Record<string, tf.Tensor>])
      policy.close()
    }
  })

  it('stays as it was where it is frozen, and goes on by its new parameters itself', async () => {
    const policy = policyOf()
    await disturb(policy)
    const decisions = await policy.act(prompts, contextOf(3, 4))
    const rows = { observations: prompts, decisions }
    const frozen = policy.freeze()
    const before = await frozen.logProbs(rows)
    await disturb(policy, 6)
    expect(await frozen.logProbs(rows)).toEqual(before)
    expect(await frozen.act(prompts, contextOf(3, 4))).toEqual(decisions)
    expect(await policy.act(prompts, contextOf(3, 4))).not.toEqual(decisions)
    const now = policy.freeze()
    const after = await now.logProbs(rows)
    expect(Math.max(...after.map((logProb, i) => Math.abs(logProb - before[i]!)))).toBeGreaterThan(0.01)
    policy.close()
    // What is frozen is there without the policy.
    expect(await frozen.logProbs(rows)).toEqual(before)
    expect(await now.logProbs(rows)).toEqual(after)
    for (const each of [frozen, frozen, now]) each.close?.()
    policy.close()
  })

  it('leaves nothing behind an update but its parameters', async () => {
    const policy = policyOf()
    await policy.act(prompts, contextOf(3, 4))
    const before = tf.memory().numTensors
    for (let i = 0; i < 3; i++) {
      const decisions = await policy.act(prompts, contextOf(3, i))
      const { loss, gradients } = await policy.differentiate({ observations: prompts, decisions }, ({ logProbs }) =>
        tf.mean(logProbs),
      )
      tf.dispose([loss, gradients as Record<string, tf.Tensor>])
      await policy.refresh()
    }
    await policy.act(prompts, contextOf(3, 4))
    expect(tf.memory().numTensors).toBe(before)
    await expect(
      policy.differentiate(
        { observations: prompts, decisions: prompts.map((seen) => policy.decisionFor(seen, 'a')) },
        () => {
          throw new Error('no loss')
        },
      ),
    ).rejects.toThrow('no loss')
    // What it draws with was let go of.
    await policy.act(prompts, contextOf(3, 4))
    expect(tf.memory().numTensors).toBe(before)
    policy.close()
  })

  it.each([
    [{ topK: 5 }, 'sampling: topK cuts or bends the distribution: to learn, draw from the whole of it'],
    [{ topP: 0.9 }, 'sampling: topP cuts or bends the distribution: to learn, draw from the whole of it'],
    [
      { repetitionPenalty: 1.1 },
      'sampling: repetitionPenalty cuts or bends the distribution: to learn, draw from the whole of it',
    ],
    [{ temperature: 0 }, 'sampling: temperature 0 draws nothing: to learn, it must be above 0'],
  ])('acts with %o, and refuses to learn of it', async (sampling, message) => {
    const policy = policyOf(sampling)
    const decisions = await policy.act(prompts, contextOf(3, 4))
    const rows = { observations: prompts, decisions }
    await expect(policy.differentiate(rows, ({ logProbs }) => tf.mean(logProbs))).rejects.toThrow(
      new RangeError(message),
    )
    const frozen = policy.freeze()
    await expect(frozen.logProbs(rows)).rejects.toThrow(new RangeError(message))
    frozen.close()
    policy.close()
  })

  it('learns from what somebody else wrote, however it draws itself', async () => {
    const lossOf = async (sampling?: LanguagePolicyOptions['sampling']) => {
      const policy = languagePolicy(tinyModel(), { sampling: { ...sampling, maxNewTokens: 8 } })
      const decisions = prompts.map((seen) => policy.decisionFor(seen, 'the cat'))
      const { loss, gradients } = await policy.differentiate({ observations: prompts, decisions }, ({ logProbs }) =>
        tf.neg(tf.mean(logProbs)),
      )
      const value = loss.dataSync()[0]!
      tf.dispose([loss, gradients as Record<string, tf.Tensor>])
      policy.close()
      return value
    }
    expect(await lossOf({ topK: 5, topP: 0.9, repetitionPenalty: 1.1 })).toBe(await lossOf())
  })

  it('takes the likeliest tokens greedily, whatever the generators', async () => {
    const policy = policyOf()
    const decisions = await policy.act(prompts, contextOf(3, 1, true))
    expect(await policy.act(prompts, contextOf(3, 2, true))).toEqual(decisions)
    expect(decisions.flatMap(({ logProbs }) => Array.from(logProbs)).every((logProb) => logProb === 0)).toBe(true)
    policy.close()
  })

  it('is told which prompt has no room', async () => {
    const policy = policyOf()
    const long = [{ role: 'text' as const, content: 'xyz'.repeat(60) }]
    await expect(policy.act([prompts[0]!, long], contextOf(2, 1))).rejects.toThrow(
      new PromptError(
        1,
        'prompt 1 has 180 tokens and leaves no room: with its completion 160 are allowed. Shorten it, or take a model with a longer context',
      ),
    )
    policy.close()
  })
})

it('A model goes on by what a policy of it has learned', async () => {
  const model = tinyModel({ seed: 1 })
  const policy = languagePolicy(model, { sampling: { maxNewTokens: 8 } })
  const greedy = { temperature: 0, maxNewTokens: 8 }
  const before = await model.generate(['the cat'], greedy)
  await disturb(policy)
  const after = await model.generate(['the cat'], greedy)
  expect(after).not.toEqual(before)
  const [decision] = await policy.act([[{ role: 'text', content: 'the cat' }]], contextOf(1, 1, true))
  expect(after[0]!.tokens).toEqual(decision!.choices)
  policy.close()
})

it.each(kinds)(
  'A model that is released acts as its policy does, of %s, goes on without it and is saved whole',
  async (_, options) => {
    const sampling = { maxNewTokens: 8 }
    const policy = languagePolicy(tinyModel({ seed: 1 }), { sampling, ...options })
    await disturb(policy)
    const decisions = await policy.act(prompts, contextOf(3, 1, true))
    const model = policy.release()
    await disturb(policy, 6)
    policy.close()
    const folder = join(mkdtempSync(join(tmpdir(), 'released-')), 'model')
    await model.save(folder)
    for (const each of [model, await loadLanguageModel(folder)]) {
      expect(Object.keys(each.variables)).toEqual([...weightShapes(each.config).keys()])
      const again = languagePolicy(each, { sampling })
      expect(await again.act(prompts, contextOf(3, 1, true))).toEqual(decisions)
      again.close()
    }
    rmSync(dirname(folder), { recursive: true })
  },
)

it('A model that is released tells other tools how its policy draws, and where it ends', async () => {
  const sampling = { temperature: 0.6, topP: 0.9 }
  const policy = languagePolicy(tinyModel({ seed: 1 }), { sampling })
  const model = policy.release()
  const folder = join(mkdtempSync(join(tmpdir(), 'released-')), 'model')
  await model.save(folder)
  expect(JSON.parse(readFileSync(join(folder, 'generation_config.json'), 'utf8'))).toMatchObject({
    eos_token_id: model.endTokens,
    ...{ do_sample: true, temperature: 0.6, top_k: 0, top_p: 0.9, repetition_penalty: 1 },
  })
  model.dispose()
  policy.close()
  rmSync(dirname(folder), { recursive: true })
})

describe('A language policy with adapters', () => {
  const ofModel = (options: LanguagePolicyOptions) =>
    languagePolicy(tinyModel({ seed: 1 }), { sampling: { maxNewTokens: 8 }, ...options })

  it('is the model itself at first, to the last bit', async () => {
    const [plain, adapted] = [ofModel({}), ofModel({ lora, generator: new PCG64(3) })]
    const decisions = await plain.act(prompts, contextOf(3, 4))
    expect(await adapted.act(prompts, contextOf(3, 4))).toEqual(decisions)
    const [first, second] = [plain.freeze(), adapted.freeze()]
    const rows = { observations: prompts, decisions }
    expect(await second.logProbs(rows)).toEqual(await first.logProbs(rows))
    for (const each of [first, second, plain, adapted]) each.close?.()
  })

  it('learns the adapters alone, of the layers that are named', () => {
    const policy = ofModel({ lora: { ...lora, projections: ['q_proj', 'v_proj'] }, generator: new PCG64(3) })
    expect(Object.keys(policy.parameters)).toEqual(
      [0, 1].flatMap((layer) =>
        ['q', 'v'].flatMap((which) =>
          ['A', 'B'].map((part) => `model.layers.${layer}.self_attn.${which}_proj.lora_${part}.weight`),
        ),
      ),
    )
    policy.close()
  })

  it('needs a generator for their first weights', () => {
    const model = tinyModel()
    expect(() => languagePolicy(model, { lora })).toThrow('lora needs a generator for its first weights')
    model.dispose()
  })
})

describe('The decision for a completion', () => {
  it('is its tokens and the end token, none of which was drawn', () => {
    const policy = languagePolicy(tinyModel())
    const tokenizer = tinyTokenizer()
    const decision = policy.decisionFor(prompts[0]!, 'the cat')
    expect(decision.action).toBe('the cat')
    expect(Array.from(decision.choices)).toEqual([...tokenizer.encode('the cat'), tokenizer.eos])
    expect(Array.from(decision.logProbs)).toEqual(new Array(decision.choices.length).fill(0))
    expect(Array.from(policy.decisionFor(prompts[0]!, '').choices)).toEqual([tokenizer.eos])
    policy.close()
  })

  it('has no end token where a stop text ends it: none is drawn behind one', () => {
    const policy = languagePolicy(tinyModel(), { sampling: { stop: ['</calc>'] } })
    const tokenizer = tinyTokenizer()
    const choicesOf = (action: string) => Array.from(policy.decisionFor(prompts[0]!, action).choices)
    expect(choicesOf('1+2</calc>')).toEqual(Array.from(tokenizer.encode('1+2</calc>')))
    expect(choicesOf('</calc>3')).toEqual([...tokenizer.encode('</calc>3'), tokenizer.eos])
    policy.close()
  })

  it('needs an end token', () => {
    const { 'tokenizer_config.json': config, ...files } = tinyTokenizer().files
    const { eos_token: _, ...rest } = JSON.parse(config)
    const tokenizer = new Tokenizer({ ...files, 'tokenizer_config.json': JSON.stringify(rest) }, 'endless')
    const model = chainModel(tokenizer)
    const policy = languagePolicy(model)
    expect(() => policy.decisionFor(prompts[0]!, 'a')).toThrow('endless: the tokenizer names no eos_token')
    policy.close()
  })
})

async function eventsOf(options: Options): Promise<TrainEvent[]> {
  return lastValueFrom(train(options).pipe(toArray()))
}

const metricsOf = (events: readonly TrainEvent[]) =>
  events.flatMap((event) => (event.type === 'update' ? [event.metrics] : []))

/** A fresh model of some 30,000 parameters. */
function learner(options: LanguagePolicyOptions, texts: readonly string[] = ['a text']) {
  const tokenizer = tinyTokenizer(texts, 300)
  const shape = { hidden: 32, intermediate: 64, layers: 2, heads: 4, keyHeads: 2, context: 32 }
  return ({ generator }: AgentStart<Observation, string>) =>
    languagePolicy(newLanguageModel(shape, tokenizer, generator), {
      ...options,
      ...(options.lora && { generator: new PCG64(1) }),
    })
}

describe('Learning from text', () => {
  it('sft: learns twenty answers by heart', async () => {
    const texts = sums.map(({ sum, word }) => `${sum}=${word}`)
    const events = await eventsOf({
      env: 'language-policy/Sums-v0',
      agent: learner({ sampling: { maxNewTokens: 12 } }, texts),
      demonstrator: goldAnswerAgent(textEnv(sumsEnv)),
      algorithm: sft({ learningRate: 0.01, episodesPerUpdate: 20 }),
      budget: { updates: 160 },
      evaluation: { every: 160, episodes: 20 },
      seed: 1,
    })
    const losses = metricsOf(events).map(({ loss }) => loss!)
    expect(losses[0]).toBeGreaterThan(4)
    expect(losses.at(-1)).toBeLessThan(0.1)
    expect(events.flatMap((event) => (event.type === 'evaluation' ? [event.mean] : []))).toEqual([0, 1])
  })

  const toLowercase = (algorithm: Algorithm, seed: number, updates: number, options: LanguagePolicyOptions = {}) =>
    eventsOf({
      env: 'language-policy/Lowercase-v0',
      agent: learner({ sampling: { maxNewTokens: 8 }, ...options }),
      algorithm,
      budget: { updates },
      parallel: 16,
      seed,
    })

  const rewards = (events: readonly TrainEvent[]) => metricsOf(events).map(({ reward }) => reward!)
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

  it.each([1, 2, 3])('rloo: writes what is rewarded more and more (seed %d)', async (seed) => {
    const found = rewards(await toLowercase(rloo({ group: 8, groupsPerUpdate: 4, learningRate: 0.01 }), seed, 40))
    expect(mean(found.slice(0, 3))).toBeLessThan(0.3)
    expect(mean(found.slice(-3))).toBeGreaterThan(0.8)
  })

  it.each(['reward', 'loss'] as const)(
    'rloo: with the KL to its first policy in the %s it goes less far from that',
    async (klIn) => {
      const kl = async (klCoefficient: number) => {
        const ratio = 'token' as const
        const algorithm = rloo({ group: 8, groupsPerUpdate: 4, learningRate: 0.005, ratio, klIn, klCoefficient })
        return metricsOf(await toLowercase(algorithm, 1, 20)).map((metrics) => metrics.kl!)
      }
      const [held, free] = [await kl(2), await kl(1e-6)]
      // The policy that sampled was the first one.
      expect(Math.abs(held[0]!)).toBeLessThan(1e-3)
      expect(mean(free.slice(-3))).toBeGreaterThan(1)
      expect(mean(held.slice(-3))).toBeLessThan(0.5 * mean(free.slice(-3)))
    },
  )

  it('rloo: with adapters of a model that is there', async () => {
    const algorithm = rloo({ group: 8, groupsPerUpdate: 4, learningRate: 0.03 })
    const agent = ({ generator }: AgentStart<Observation, string>) =>
      languagePolicy(tinyModel(), { sampling: { maxNewTokens: 8 }, lora, generator })
    const options = { env: 'language-policy/Lowercase-v0', algorithm, budget: { updates: 40 }, parallel: 16, seed: 1 }
    const found = rewards(await eventsOf({ ...options, agent }))
    expect(mean(found.slice(-3))).toBeGreaterThan(mean(found.slice(0, 3)) + 0.15)
  })

  it.each<[string, Algorithm, readonly string[]]>([
    [
      'rloo',
      rloo({ group: 4, groupsPerUpdate: 2, ratio: 'token', klCoefficient: 0.1 }),
      [
        'frac_reward_zero_std',
        'clip_ratio/low_mean',
        'clip_ratio/high_mean',
        'clip_ratio/region_mean',
        'kl',
        'entropy',
        'loss',
        'grad_norm',
        'learning_rate',
      ],
    ],
    [
      'reinforce',
      reinforce({ baseline: 'none', episodesPerUpdate: 8 }),
      ['entropy', 'loss', 'grad_norm', 'learning_rate'],
    ],
  ])('%s: tells of its completions and rewards by the names that TRL has', async (_, algorithm, more) => {
    register({
      id: 'language-policy/Parts-v0',
      create: () =>
        textEnv({
          tasks: ['on', 'off'],
          prompt: (task) => [{ role: 'text', content: task }],
          reward: rubric([
            { name: 'lower', weight: 2, reward: (completion) => lowercase(completion) },
            { name: 'long', weight: 1, reward: (completion) => Number(completion.length > 3) },
          ]),
        }),
    })
    const act = vi.spyOn(LanguagePolicy.prototype, 'act')
    const events = await eventsOf({
      env: 'language-policy/Parts-v0',
      agent: learner({ sampling: { maxNewTokens: 6 } }),
      algorithm,
      budget: { updates: 1 },
      parallel: 8,
      seed: 1,
    })
    const drawn = (await Promise.all(act.mock.results.map(({ value }) => value))).flat() as Decision<string>[]
    act.mockRestore()
    expect(drawn).toHaveLength(8)
    const [update] = events.filter((event) => event.type === 'update')
    const metrics = update!.metrics
    const lengths = drawn.map(({ choices }) => choices.length)
    const lower = drawn.map(({ action }) => lowercase(action))
    const spread = (values: readonly number[]) =>
      Math.sqrt(values.reduce((sum, value) => sum + (value - mean(values)) ** 2, 0) / (values.length - 1))
    const totals = drawn.map(({ action }) => 2 * lowercase(action) + Number(action.length > 3))
    const long = drawn.map(({ action }) => Number(action.length > 3))
    const expected = {
      reward: mean(totals),
      reward_std: spread(totals),
      'rewards/lower/mean': mean(lower),
      'rewards/lower/std': spread(lower),
      'rewards/long/mean': mean(long),
      'rewards/long/std': spread(long),
      'completions/mean_length': mean(lengths),
      'completions/min_length': Math.min(...lengths),
      'completions/max_length': Math.max(...lengths),
      'completions/clipped_ratio': mean(drawn.map(({ truncated }) => Number(truncated ?? false))),
    }
    for (const [name, value] of Object.entries(expected)) expect(metrics[name], name).toBeCloseTo(value, 10)
    expect(Object.keys(metrics)).toEqual(expect.arrayContaining([...more]))
    expect(update!.tokens).toBe(lengths.reduce((sum, length) => sum + length, 0))
  })

  it('ends with the state before where a weight is NaN', async () => {
    const agent = (start: AgentStart<Observation, string>) => {
      const policy = learner({ sampling: { maxNewTokens: 4 } })(start)
      let acted = 0
      return {
        parameters: policy.parameters,
        hasValues: policy.hasValues,
        act: policy.act.bind(policy),
        decisionFor: policy.decisionFor.bind(policy),
        freeze: policy.freeze.bind(policy),
        close: policy.close.bind(policy),
        refresh: policy.refresh.bind(policy),
        differentiate: async (...given: Parameters<typeof policy.differentiate>) => {
          const found = await policy.differentiate(...given)
          if (++acted < 2) return found
          const wrong = Object.keys(found.gradients)[3]!
          const broken = tf.tidy(() => tf.mul(found.gradients[wrong]!, Number.NaN))
          found.gradients[wrong]!.dispose()
          return { loss: found.loss, gradients: { ...found.gradients, [wrong]: broken } }
        },
      } satisfies Policy<Observation, string>
    }
    const algorithm = reinforce({ episodesPerUpdate: 4, baseline: 'moving-average' })
    const seen: TrainEvent[] = []
    const error = await new Promise((resolve) => {
      train<Observation, string>({
        env: 'language-policy/Lowercase-v0',
        agent,
        algorithm,
        budget: { updates: 3 },
        seed: 1,
      }).subscribe({ next: (event) => seen.push(event), error: resolve, complete: () => resolve(undefined) })
    })
    expect(error).toBeInstanceOf(UpdateError)
    expect((error as UpdateError).cause).toBeInstanceOf(NonFiniteError)
    expect(seen.flatMap((event) => (event.type === 'checkpoint' ? [event.state.update] : []))).toEqual([1])
  })
})

describe('A text that is longer than the context ends a run with one error, and what was learned is kept,', () => {
  const long = 'a'.repeat(40)
  const tasks = [...Array.from({ length: 7 }, (_, i) => ({ asked: `${i}`, answer: 'b' })), { asked: long, answer: 'b' }]
  const textsOf = (given: readonly { readonly asked: string; readonly answer: string }[]) => ({
    tasks: given,
    prompt: ({ asked }: { readonly asked: string }) => [{ role: 'text' as const, content: asked }],
    reward: () => 0,
    gold: ({ answer }: { readonly answer: string }) => answer,
  })
  const swapped = tasks.map(({ asked, answer }) =>
    asked === long ? { asked: answer, answer: asked } : { asked, answer },
  )
  beforeAll(() => {
    register({ id: 'language-policy/LongPrompts-v0', create: () => textEnv(textsOf(tasks)) })
    register({ id: 'language-policy/LongAnswers-v0', create: () => textEnv(textsOf(swapped)) })
  })
  const demonstrator = (given: typeof tasks) => goldAnswerAgent(textEnv(textsOf(given)))

  const room = /prompt \d has 40 tokens and leaves no room: with its completion 32 are allowed\. Shorten it/
  it.each<[string, string, Algorithm, Options['demonstrator'], RegExp]>([
    ['a prompt of rloo', 'LongPrompts-v0', rloo({ group: 2, groupsPerUpdate: 1 }), undefined, room],
    ['a prompt of reinforce', 'LongPrompts-v0', reinforce({ baseline: 'none', episodesPerUpdate: 2 }), undefined, room],
    [
      'a prompt of sft',
      'LongPrompts-v0',
      sft({ episodesPerUpdate: 2 }),
      demonstrator(tasks),
      /sequence \d has 40 tokens of a prompt and 2 of its completion, more than the context of 32\. Shorten them/,
    ],
    [
      'an answer of sft',
      'LongAnswers-v0',
      sft({ episodesPerUpdate: 2 }),
      demonstrator(swapped),
      /sequence \d has 1 tokens of a prompt and 41 of its completion, more than the context of 32\. Shorten them/,
    ],
  ])('%s', async (_, env, algorithm, demonstrator, message) => {
    const seen: TrainEvent[] = []
    const options: Options = {
      env: `language-policy/${env}`,
      agent: learner({ sampling: { maxNewTokens: 4 } }),
      algorithm,
      budget: { updates: 20 },
      parallel: 2,
      seed: 3,
      ...(demonstrator && { demonstrator }),
    }
    const error = await new Promise<unknown>((resolve) => {
      train(options).subscribe({
        next: (event) => seen.push(event),
        error: resolve,
        complete: () => resolve(undefined),
      })
    })
    expect(error).toBeInstanceOf(Error)
    expect((error as Error).message).toMatch(message)
    const updates = seen.filter(({ type }) => type === 'update').length
    expect(updates).toBeGreaterThan(0)
    expect(seen.flatMap((event) => (event.type === 'checkpoint' ? [event.state.update] : []))).toEqual([updates])
  })

  it('or before it begins, where it is what the loss is validated on', async () => {
    const events = eventsOf({
      env: 'language-policy/LongAnswers-v0',
      agent: learner({ sampling: { maxNewTokens: 4 } }),
      algorithm: sft({ episodesPerUpdate: 2 }),
      demonstrator: demonstrator(swapped),
      budget: { updates: 1 },
      evaluation: { every: 1, episodes: 8 },
      seed: 3,
    })
    const message = /^validation, from episodes 0 to 7: sequence \d has 1 tokens of a prompt and 41 of its completion/
    await expect(events).rejects.toThrow(message)
  })
})

describe('Learning goes on from any checkpoint as if it had not stopped', () => {
  const kl = { klCoefficient: 0.1, epochs: 2, ratio: 'token' as const }
  it.each<[string, Algorithm, LanguagePolicyOptions]>([
    ['sft', sft({ episodesPerUpdate: 4, weightDecay: 0.01 }), {}],
    ['rloo with the KL to its first policy', rloo({ group: 2, groupsPerUpdate: 2, ...kl }), {}],
    ['rloo with adapters', rloo({ group: 2, groupsPerUpdate: 2, ...kl, klIn: 'loss' }), { lora }],
    ['reinforce', reinforce({ episodesPerUpdate: 4, baseline: 'moving-average' }), { checkpointing: true }],
  ])('%s', async (_, algorithm, more) => {
    const options: Options = {
      env: 'language-policy/Sums-v0',
      agent: learner({ sampling: { maxNewTokens: 6 }, ...more }),
      algorithm,
      budget: { updates: 4 },
      checkpointEvery: 1,
      evaluation: { every: 2, episodes: 3 },
      parallel: 2,
      seed: 3,
      ...(algorithm.demonstrated && { demonstrator: goldAnswerAgent(textEnv(sumsEnv)) }),
    }
    const whole = await eventsOf(options)
    const states = whole.flatMap((event): TrainState[] => (event.type === 'checkpoint' ? [event.state] : []))
    expect(states).toHaveLength(4)
    expect(await eventsOf(options)).toEqual(whole)
    for (const resume of states.slice(0, -1)) {
      const rest = await eventsOf({ ...options, resume })
      const at = whole.findIndex((event) => event.type === 'checkpoint' && event.state === resume)
      expect(rest.slice(1)).toEqual(whole.slice(at + 1))
    }
  })
})

describe('A policy with a tool', () => {
  it('decides what it wrote itself, and nothing of what the tool answered', async () => {
    const files = trainTokenizer(['a text'], { vocabularySize: 280, specialTokens: ['<calc>', '</calc>'] })
    const tokenizer = new Tokenizer(files)
    const call = Array.from(tokenizer.encode('?<calc>1+2</calc>'))
    const answer = [...tokenizer.encode('>ok'), tokenizer.eos!]
    const policy = languagePolicy(chainModel(tokenizer, call, answer), {
      sampling: { stop: ['</calc>'], temperature: 0.5 },
    })
    const env = () =>
      textEnv({
        tasks: ['one and two'],
        prompt: (task) => [{ role: 'text', content: `${task}?` }],
        reward: (completion) => (completion.endsWith('ok') ? 1 : 0),
        ...calculatorTool(),
      })
    const [episode] = await lastValueFrom(
      episodes<Observation, string>({ env, agents: policy, seed: 1, count: 1 }).pipe(toArray()),
    )
    expect(episode!.info).toMatchObject({ completion: '<calc>1+2</calc><result>3</result>ok', reward: 1, turns: 2 })
    expect(episode!.observations.map((messages) => messages.map(({ content }) => content))).toEqual([
      ['one and two?'],
      ['one and two?<calc>1+2</calc><result>3</result>'],
      ['one and two?<calc>1+2</calc><result>3</result>ok'],
    ])
    expect(episode!.decisions.map(({ action }) => action)).toEqual(['<calc>1+2</calc>', 'ok'])
    expect(episode!.decisions.map(({ choices }) => Array.from(choices))).toEqual([call.slice(1), answer.slice(1)])

    // Nor does the gradient know of more.
    const rows = rowsOf([episode!])
    const { loss, gradients } = await policy.differentiate(rows, ({ logProbs }) => {
      expect(logProbs.size).toBe(call.length - 1 + answer.length - 1)
      return tf.sum(logProbs)
    })
    tf.dispose([loss, gradients as Record<string, tf.Tensor>])
    policy.close()
  })
})
