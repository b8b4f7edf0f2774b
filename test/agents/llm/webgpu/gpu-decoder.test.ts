import { afterAll, expect, it } from 'vitest'
import { decodeWeights } from '../../../../agents/llm/decoder.js'
import { type Generated, type GenerateOptions, generate } from '../../../../agents/llm/generate.js'
import { type GpuDecoder, GpuDecodeWeights } from '../../../../agents/llm/gpu-decoder.js'
import { LanguageModel } from '../../../../agents/llm/language-model.js'
import { modelConfig, weightShapes } from '../../../../agents/llm/model-config.js'
import { checkedSampling } from '../../../../agents/llm/sampling.js'
import { PCG64 } from '../../../../envs/seeding.js'
import { useBackend } from '../../../../tensors/backend.js'
import * as tf from '../../../../tensors/tf.js'
import { normal } from '../../../tensors/agreement.js'
import { tinyModel, tinyTokenizer } from '../tiny-model.js'

afterAll(() => useBackend('wasm'))

const tokenizer = tinyTokenizer()
const random = new PCG64(3)
// More than an eighth of the rows, so that some join while others go on.
const prompts = Array.from({ length: 21 }, () =>
  Array.from({ length: random.integers(1, 20) }, () => random.integers(0, 256)),
)

/** What a model writes on a backend, rows at once at most, and what is left of the generators. */
async function written(backend: 'cpu' | 'webgpu', make: () => LanguageModel, options: GenerateOptions, rows: number) {
  await useBackend(backend)
  const before = tf.memory().numTensors
  const model = make()
  const decoding = decodeWeights(model.config, model.weights)
  const generators = prompts.map((_, i) => new PCG64(100 + i))
  const limited = {
    config: decoding.config,
    mostRows: rows,
    decoder: decoding.decoder.bind(decoding),
    dispose: () => decoding.dispose(),
  }
  const texts = await generate(limited, prompts, options, generators, () => tokenizer.stream())
  decoding.dispose()
  model.dispose()
  expect(tf.memory().numTensors).toBe(before)
  return { texts, left: generators.map((generator) => generator.random()) }
}

function expectSame(actual: readonly Generated[], expected: readonly Generated[]): void {
  for (const [i, { tokens, text, ended, logProbs }] of expected.entries()) {
    expect([i, actual[i]!.tokens, actual[i]!.text, actual[i]!.ended]).toEqual([i, tokens, text, ended])
    for (const [t, logProb] of logProbs.entries())
      expect(Math.abs(actual[i]!.logProbs[t]! - logProb)).toBeLessThan(1e-4)
  }
}

/** A Llama with every bias that there is: what is multiplied is then not fused with what goes past it. */
function biasedModel(): LanguageModel {
  const configJson = {
    ...{ model_type: 'llama', vocab_size: tokenizer.vocabularySize, hidden_size: 24, intermediate_size: 40 },
    ...{ num_hidden_layers: 2, num_attention_heads: 4, num_key_value_heads: 1, max_position_embeddings: 96 },
    ...{ attention_bias: true, mlp_bias: true },
  }
  const weights: Record<string, tf.Tensor> = {}
  for (const [i, [name, shape]] of [...weightShapes(modelConfig(configJson))].entries()) {
    const size = shape.reduce((product, length) => product * length, 1)
    weights[name] = tf.tensor(normal(i, size, name.endsWith('.bias') ? 0.5 : 0.2), [...shape])
  }
  return new LanguageModel({ configJson, weights, tokenizer, endTokens: [tokenizer.eos!] })
}

const model = () => tinyModel({ seed: 2, context: 40, tokenizer })

it.each<[what: string, make: () => LanguageModel, options: GenerateOptions]>([
  [
    'by chance, with ends and stop texts',
    model,
    { temperature: 0.9, endTokens: [4, 17, 30, 65, 97, 200], stop: ['e'] },
  ],
  ['greedily', model, { temperature: 0 }],
  ['with a penalty', model, { temperature: 0.7, repetitionPenalty: 1.3 }],
  ['greedily with a penalty', model, { temperature: 0, repetitionPenalty: 1.5 }],
  ['from the likeliest', model, { temperature: 1.2, topK: 20, topP: 0.8 }],
  ['with biases everywhere', biasedModel, { temperature: 0.8, endTokens: [5] }],
])('what is written on a card is what is written on a processor: %s', async (_, make, options) => {
  const settings = { maxNewTokens: 8, ...options }
  const expected = await written('cpu', make, settings, 64)
  const actual = await written('webgpu', make, settings, 8)
  expectSame(actual.texts, expected.texts)
  // What was drawn ahead, behind an end that was not known yet, is not missed by who draws next.
  expect(actual.left).toEqual(expected.left)
})

it('hands steps over before the draws of those before are read', async () => {
  await useBackend('webgpu')
  const here = model()
  const decoding = decodeWeights(here.config, here.weights)
  expect(decoding).toBeInstanceOf(GpuDecodeWeights)
  const decoder = decoding.decoder(3, 20, checkedSampling({ temperature: 0 }))
  expect(decoder.ahead).toBeGreaterThan(0)
  const joined = decoder.join([0, 2], prompts.slice(0, 2), [0, 0])
  const steps = Array.from({ length: 3 }, () => decoder.step([0, 2], [0, 0]))
  const drawn = (await Promise.all([joined, ...steps])).map((draws) => draws.map(({ token }) => token))
  decoder.dispose()
  const [first, second] = await here.generate(prompts.slice(0, 2), { temperature: 0, maxNewTokens: 4, endTokens: [] })
  expect(drawn).toEqual(Array.from(first!.tokens, (token, i) => [token, second!.tokens[i]]))
  decoding.dispose()
  here.dispose()
})

it('is a fixed number of dispatches a step, however many rows', async () => {
  await useBackend('webgpu')
  const here = model()
  const decoding = decodeWeights(here.config, here.weights)
  const decoder = decoding.decoder(30, 20, checkedSampling({})) as GpuDecoder
  expect(decoder.dispatches(1)).toBe(decoder.dispatches(30))
  decoder.dispose()
  decoding.dispose()
  here.dispose()
})

it('leaves no tensor where a logit is not a number', async () => {
  await useBackend('webgpu')
  const before = tf.memory().numTensors
  const broken = model()
  const norm = broken.variables['model.norm.weight']!
  tf.tidy(() => norm.assign(tf.fill(norm.shape, Number.NaN)))
  for (const temperature of [0, 1]) {
    await expect(broken.generate([[1, 2]], { temperature })).rejects.toThrow(
      'a logit is NaN: the model has weights that are no numbers, or too large ones. Go back to a checkpoint before',
    )
  }
  broken.dispose()
  expect(tf.memory().numTensors).toBe(before)
})
