import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { LanguageModel, loadLanguageModel, newLanguageModel } from '../../../agents/llm/language-model.js'
import { ModelFolderError, modelConfig, weightShapes } from '../../../agents/llm/model-config.js'
import { openModelFolder } from '../../../agents/llm/model-folder.js'
import { differentiateSequences, sequenceLogProbs } from '../../../agents/llm/scoring.js'
import { Tokenizer } from '../../../agents/llm/tokenizer.js'
import { trainTokenizer } from '../../../agents/llm/train-tokenizer.js'
import { PCG64 } from '../../../envs/seeding.js'
import { useBackend } from '../../../tensors/backend.js'
import { decodeFloats, encodeFloats, type FloatFormat, floatBytes } from '../../../tensors/float-formats.js'
import * as tf from '../../../tensors/tf.js'
import { describeGolden } from '../../golden/golden.js'
import { tinyModel, tinyTokenizer } from './tiny-model.js'

const shape = { hidden: 16, intermediate: 24, layers: 1, heads: 2, keyHeads: 1, context: 32 }
const ids = [5, 100, 7, 7, 200]
let root: string
let tensors: number

beforeAll(async () => {
  await useBackend('wasm')
})
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'language-model-'))
  tensors = tf.memory().numTensors
})
// Whatever a test does, it leaves no tensor.
afterEach(() => {
  rmSync(root, { recursive: true })
  expect(tf.memory().numTensors).toBe(tensors)
})

/** As a format holds them. */
function rounded(values: Float32Array, format: FloatFormat): Float32Array {
  const stored = new Uint8Array(values.length * floatBytes[format])
  encodeFloats(format, values, stored)
  const read = new Float32Array(values.length)
  decodeFloats(format, stored, read)
  return read
}

const bytes = (values: Float32Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength)

describe('A model that is saved', () => {
  it('is the same one when it is loaded: its logits bit by bit, its tokenizer, where it ends', async () => {
    const model = tinyModel()
    const folder = join(root, 'saved')
    await model.save(folder)
    const again = await loadLanguageModel(folder)
    expect(bytes(await again.logits(ids)).equals(bytes(await model.logits(ids)))).toBe(true)
    expect(again.tokenizer.files).toEqual(model.tokenizer.files)
    expect(again.endTokens).toEqual(model.endTokens)
    expect(again.config).toEqual(model.config)
    expect(again.size).toBe(model.size)
    again.dispose()
    model.dispose()
  })

  it.each([
    ['bfloat16', 'BF16'],
    ['float16', 'F16'],
  ] as const)('in %s has its weights rounded to it', async (dtype, format) => {
    const model = tinyModel()
    const folder = join(root, dtype)
    await model.save(folder, { dtype })
    expect((await openModelFolder(folder)).dtype).toBe(dtype)
    const again = await loadLanguageModel(folder)
    for (const [name, variable] of Object.entries(model.variables)) {
      const expected = rounded(variable.dataSync() as Float32Array, format)
      expect(bytes(again.variables[name]!.dataSync() as Float32Array).equals(bytes(expected)), name).toBe(true)
    }
    // Once rounded, it is not rounded any more.
    const twice = join(root, 'twice')
    await again.save(twice, { dtype })
    expect(readFileSync(join(twice, 'model.safetensors'))).toEqual(readFileSync(join(folder, 'model.safetensors')))
    again.dispose()
    model.dispose()
  })

  it('is saved as its weights are now, and replaces the one before', async () => {
    const model = tinyModel()
    const folder = join(root, 'saved')
    await model.save(folder)
    const norm = model.variables['model.norm.weight']!
    tf.tidy(() => norm.assign(tf.mul(norm, 2)))
    await model.save(folder)
    const again = await loadLanguageModel(folder)
    expect(Array.from(again.variables['model.norm.weight']!.dataSync())).toEqual(new Array(24).fill(2))
    again.dispose()
    model.dispose()
  })
})

describe('A model whose weights were changed', () => {
  it('goes on by the new ones once it is told to', async () => {
    const model = tinyModel({ seed: 3 })
    const greedy = { temperature: 0, maxNewTokens: 8, endTokens: [] }
    const [before] = await model.generate([ids], greedy)
    const table = model.variables['model.embed_tokens.weight']!
    tf.tidy(() => table.assign(tf.reverse(table, 0)))
    model.refresh()
    const [after] = await model.generate([ids], greedy)
    expect(after!.tokens).not.toEqual(before!.tokens)
    const logits = await model.logits([...ids, ...after!.tokens])
    const { vocabulary } = model.config
    const likeliest = Array.from(after!.tokens, (_, t) => {
      const own = logits.subarray((ids.length - 1 + t) * vocabulary, (ids.length + t) * vocabulary)
      return own.indexOf(Math.max(...own))
    })
    expect(Array.from(after!.tokens)).toEqual(likeliest)
    model.dispose()
  })
})

describe('Prompts that are texts', () => {
  it('are read with their special tokens', async () => {
    const model = tinyModel()
    const options = { maxNewTokens: 5, seed: 7 }
    const text = '<|im_start|>the cat<|im_end|>'
    const tokens = model.tokenizer.encode(text)
    expect(tokens[0]).toBe(model.tokenizer.idOf('<|im_start|>'))
    expect(await model.generate([text], options)).toEqual(await model.generate([tokens], options))
    model.dispose()
  })

  it('begin with the token that the tokenizer puts before any text', async () => {
    const files = trainTokenizer(['a text'], { vocabularySize: 280, specialTokens: ['<|begin_of_text|>'] })
    const plain = new Tokenizer(files)
    const begin = plain.idOf('<|begin_of_text|>')!
    const json = JSON.parse(files['tokenizer.json'])
    const post_processor = {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<|begin_of_text|>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [],
      special_tokens: { '<|begin_of_text|>': { id: '<|begin_of_text|>', ids: [begin], tokens: ['<|begin_of_text|>'] } },
    }
    const tokenizer = new Tokenizer({ ...files, 'tokenizer.json': JSON.stringify({ ...json, post_processor }) })
    const model = tinyModel({ tokenizer })
    const options = { maxNewTokens: 5, seed: 7 }
    const tokens = [begin, ...tokenizer.encode('a text')]
    expect(await model.generate(['a text'], options)).toEqual(await model.generate([tokens], options))
    model.dispose()
  })

  it('are drawn for by the seed alone', async () => {
    const model = tinyModel()
    const prompts = ['the', 'cat', 'the']
    const draw = (seed: number) => model.generate(prompts, { maxNewTokens: 10, seed })
    expect(await draw(1)).toEqual(await draw(1))
    expect(await draw(2)).not.toEqual(await draw(1))
    const [first, , third] = await draw(1)
    expect(third!.tokens).not.toEqual(first!.tokens)
    model.dispose()
  })
})

describe('Log-probabilities', () => {
  it('are those of the logits, at any temperature, in passes of any size', async () => {
    const model = tinyModel({ seed: 5 })
    const prompts = [[1], [2, 3, 4], [9, 9], [1, 2, 3, 4, 5, 6]]
    const completions = [[5, 6, 7], [8], [], [200, 201]]
    for (const temperature of [1, 0.5]) {
      const expected: number[][] = []
      for (const [i, prompt] of prompts.entries()) {
        const logits = await model.logits([...prompt, ...completions[i]!])
        const { vocabulary } = model.config
        expected.push(
          completions[i]!.map((token, t) => {
            const at = prompt.length - 1 + t
            const own = Array.from(
              logits.subarray(at * vocabulary, (at + 1) * vocabulary),
              (each) => each / temperature,
            )
            const most = Math.max(...own)
            return own[token]! - most - Math.log(own.reduce((sum, each) => sum + Math.exp(each - most), 0))
          }),
        )
      }
      for (const tokensPerPass of [1, 12, 8192]) {
        const found = await model.tokenLogProbs(prompts, completions, { temperature, tokensPerPass })
        expect(found.map(({ length }) => length)).toEqual([3, 1, 0, 2])
        for (const [i, logProbs] of found.entries()) {
          for (const [t, logProb] of logProbs.entries()) expect(logProb).toBeCloseTo(expected[i]![t]!, 4)
        }
      }
    }
    model.dispose()
  })

  it('of nothing are nothing', async () => {
    const model = tinyModel()
    expect(await model.tokenLogProbs([], [])).toEqual([])
    model.dispose()
  })

  it.each<[string, number[][], number[][], string]>([
    ['more prompts than completions', [[1], [2]], [[3]], 'tokenLogProbs: 1 completions for 2 prompts'],
    ['a prompt without tokens', [[1], []], [[3], [4]], 'sequence 1 has no prompt to tell its first token from'],
    [
      'more tokens than the context has',
      [[1], new Array(90).fill(1)],
      [new Array(95).fill(2), new Array(7).fill(2)],
      'sequence 1 has 90 tokens of a prompt and 7 of its completion, more than the context of 96. Shorten them, or take a model with a longer context',
    ],
    ['a token that is not there', [[1]], [[3, 999]], 'sequence 0: token 999 is not in the vocabulary of 270'],
    ['a token that is not there in a prompt', [[-3]], [[3]], 'sequence 0: token -3 is not in the vocabulary of 270'],
  ])('are refused for %s', async (_, prompts, completions, message) => {
    const model = tinyModel()
    await expect(model.tokenLogProbs(prompts, completions)).rejects.toThrow(new RangeError(message))
    model.dispose()
  })

  it('and logits are refused for tokens that are not there', async () => {
    const model = tinyModel()
    await expect(model.logits([3, 270])).rejects.toThrow(new RangeError('id 270 at 1: the table has rows 0 to 269'))
    await expect(model.logits([])).rejects.toThrow(new RangeError('sequence 0 of the batch is empty'))
    model.dispose()
  })
})

describe.each(['wasm', 'cpu'] as const)('Gradients on %s', (backend) => {
  const sequences = [
    { prompt: [1, 2, 3], completion: [4, 5] },
    { prompt: [9], completion: [8, 7, 6] },
  ]
  beforeAll(async () => {
    await useBackend(backend)
    return async () => {
      await useBackend('wasm')
    }
  })

  it('are the slopes of a loss of log-probabilities and entropies, in one pass or several, at any temperature', async () => {
    const model = tinyModel({ seed: 6, spread: 6 })
    const weights = [0.3, -1, 0.5, 2, -0.7]
    const temperature = 0.8
    const loss = ({ logProbs, entropies }: { logProbs: tf.Tensor1D; entropies: tf.Tensor1D }) =>
      tf.add(tf.sum(tf.mul(logProbs, weights)), tf.mul(tf.sum(entropies), 0.4)) as tf.Scalar
    const of = (settings: object) =>
      differentiateSequences(model.config, model.weights, sequences, loss, { temperature, ...settings })
    const value = async () => {
      const { loss: scalar, gradients } = await of({})
      const number = scalar.dataSync()[0]!
      tf.dispose([scalar, gradients as Record<string, tf.Tensor>])
      return number
    }
    const all = await Promise.all([{}, { checkpointing: true }, { tokensPerPass: 1 }].map((settings) => of(settings)))
    for (const [name, variable] of Object.entries(model.variables)) {
      const slopes = all.map(({ gradients }) => gradients[name]!.dataSync() as Float32Array)
      const values = variable.dataSync() as Float32Array
      const random = new PCG64(name.length)
      const direction = values.map(() => random.normal())
      const at = (distance: number) => {
        tf.tidy(() =>
          variable.assign(
            tf.tensor(
              values.map((x, i) => x + distance * direction[i]!),
              variable.shape,
            ),
          ),
        )
        return value()
      }
      const length = Math.sqrt(direction.reduce((sum, x) => sum + x * x, 0))
      const step = 0.02 / length
      const expected = ((await at(step)) - (await at(-step))) / (2 * step)
      tf.tidy(() => variable.assign(tf.tensor(values, variable.shape)))
      for (const own of slopes) {
        const slope = own.reduce((sum, each, i) => sum + each * direction[i]!, 0)
        expect(Math.abs(slope - expected), `${name}: ${slope} for ${expected}`).toBeLessThan(
          0.02 * Math.abs(expected) + 3e-4 * length,
        )
      }
    }
    for (const { loss: value, gradients } of all) tf.dispose([value, gradients as Record<string, tf.Tensor>])
    model.dispose()
  })

  it('are those of the sequences one by one, also where several share a row, or take several passes', async () => {
    const model = tinyModel({ seed: 7, spread: 6 })
    const random = new PCG64(8)
    const tokens = (count: number) => Array.from({ length: count }, () => random.integers(1, 200))
    const mixed = [9, 2, 4, 1, 3, 5, 2, 7].map((length) => ({ prompt: tokens(2), completion: tokens(length) }))
    const weights = mixed.flatMap(({ completion }) => completion.map(() => random.normal()))
    const loss = ({ logProbs, entropies }: { logProbs: tf.Tensor1D; entropies: tf.Tensor1D }) =>
      tf.add(tf.sum(tf.mul(logProbs, weights)), tf.mul(tf.sum(entropies), 0.4)) as tf.Scalar
    const of = (tokensPerPass: number) =>
      differentiateSequences(model.config, model.weights, mixed, loss, { tokensPerPass })
    const alone = await of(1)
    for (const packed of [await of(8192), await of(24)]) {
      expect(packed.loss.dataSync()[0]).toBeCloseTo(alone.loss.dataSync()[0]!, 4)
      for (const [name, gradient] of Object.entries(alone.gradients)) {
        const expected = gradient.dataSync() as Float32Array
        const size = Math.hypot(...expected)
        const off = Math.hypot(...(packed.gradients[name]!.dataSync() as Float32Array).map((x, i) => x - expected[i]!))
        expect(off, name).toBeLessThan(1e-5 * size)
      }
      tf.dispose([packed.loss, packed.gradients as Record<string, tf.Tensor>])
    }
    tf.dispose([alone.loss, alone.gradients as Record<string, tf.Tensor>])
    model.dispose()
  })

  it.each([{}, { checkpointing: true }, { tokensPerPass: 1 }])(
    'leave no tensor where the loss throws, with %o',
    async (settings) => {
      const model = tinyModel()
      const loss = ({ logProbs }: { logProbs: tf.Tensor1D }): tf.Scalar => {
        tf.sum(logProbs)
        throw new Error('no loss')
      }
      await expect(differentiateSequences(model.config, model.weights, sequences, loss, settings)).rejects.toThrow(
        'no loss',
      )
      model.dispose()
    },
  )

  it('leave no tensor where a token is not there', async () => {
    const model = tinyModel()
    const wrong = [...sequences, { prompt: [1], completion: [2, 270] }]
    const message = 'sequence 2: token 270 is not in the vocabulary of 270'
    const sum = ({ logProbs }: { logProbs: tf.Tensor1D }) => tf.sum(logProbs) as tf.Scalar
    await expect(differentiateSequences(model.config, model.weights, wrong, sum)).rejects.toThrow(message)
    await expect(sequenceLogProbs(model.config, model.weights, wrong)).rejects.toThrow(message)
    model.dispose()
  })
})

describe('A new model', () => {
  it('has all weights of its shape, drawn as transformers draws them, and ends with the end of a turn', () => {
    const tokenizer = tinyTokenizer()
    const model = newLanguageModel({ ...shape, hidden: 64, intermediate: 128 }, tokenizer, new PCG64(1))
    expect(Object.keys(model.variables)).toEqual([...weightShapes(model.config).keys()])
    expect(model.config).toMatchObject({ family: 'qwen2', vocabulary: 270, context: 32, tiedHead: true })
    expect(model.endTokens).toEqual([tokenizer.idOf('<|im_end|>')])
    for (const [name, variable] of Object.entries(model.variables)) {
      const values = variable.dataSync() as Float32Array
      if (name.endsWith('norm.weight')) expect(values.every((x) => x === 1)).toBe(true)
      else if (name.endsWith('.bias')) expect(values.every((x) => x === 0)).toBe(true)
      else {
        const mean = values.reduce((sum, x) => sum + x, 0) / values.length
        const deviation = Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length)
        // Five standard errors of each.
        expect(Math.abs(mean), name).toBeLessThan((5 * 0.02) / Math.sqrt(values.length))
        expect(Math.abs(deviation - 0.02), name).toBeLessThan((5 * 0.02) / Math.sqrt(2 * values.length))
      }
    }
    model.dispose()
  })

  it('is decided by its generator', async () => {
    const made = (seed: number) => newLanguageModel(shape, tinyTokenizer(), new PCG64(seed))
    const models = [made(1), made(1), made(2)]
    const [first, same, other] = await Promise.all(models.map((model) => model.logits(ids)))
    expect(same).toEqual(first)
    expect(other).not.toEqual(first)
    for (const model of models) model.dispose()
  })

  it('needs heads that divide, and a tokenizer that ends completions', () => {
    const make = (change: object, tokenizer = tinyTokenizer()) =>
      newLanguageModel({ ...shape, ...change }, tokenizer, new PCG64(0))
    expect(() => make({ heads: 3 })).toThrow('hidden_size: 16 does not give 3 heads an even whole size')
    expect(() => make({ heads: 4, keyHeads: 3 })).toThrow('4 query heads do not share 3 in equal groups')
    const { 'tokenizer_config.json': config, ...files } = tinyTokenizer().files
    const { eos_token: _, ...without } = JSON.parse(config)
    const endless = new Tokenizer({ ...files, 'tokenizer_config.json': JSON.stringify(without) })
    expect(() => make({}, endless)).toThrow('the tokenizer names no eos_token')
  })
})

describe('Loading refuses a folder, and leaves no tensor,', () => {
  let folder: string
  beforeEach(async () => {
    folder = join(root, 'model')
    const model = newLanguageModel(shape, tinyTokenizer(), new PCG64(0))
    await model.save(folder)
    model.dispose()
  })

  const rewrite = (file: string, change: (json: Record<string, unknown>) => object) => {
    const path = join(folder, file)
    writeFileSync(path, JSON.stringify(change(JSON.parse(readFileSync(path, 'utf8')))))
  }

  it('whose tokenizer has more tokens than the model has rows', async () => {
    const { files } = tinyTokenizer(['many more pairs of letters than the others have, and words'], 300)
    writeFileSync(join(folder, 'tokenizer.json'), files['tokenizer.json'])
    await expect(loadLanguageModel(folder)).rejects.toThrow(ModelFolderError)
    await expect(loadLanguageModel(folder)).rejects.toThrow(
      /config\.json: vocab_size: 270 rows are fewer than the tokenizer's \d+ tokens: they do not belong together/,
    )
  })

  it('whose last weight is cut off', async () => {
    const path = join(folder, 'model.safetensors')
    writeFileSync(path, readFileSync(path).subarray(0, -8))
    await expect(loadLanguageModel(folder)).rejects.toThrow(path)
  })

  it('whose end token the model does not know', async () => {
    rewrite('config.json', (json) => ({ ...json, eos_token_id: 270 }))
    await expect(loadLanguageModel(folder)).rejects.toThrow('eos_token_id: 270 is not a token')
  })

  it('of another architecture', async () => {
    rewrite('config.json', (json) => ({ ...json, model_type: 'mamba' }))
    await expect(loadLanguageModel(folder)).rejects.toThrow('model_type: "mamba" is not an architecture that is here')
  })

  it('without a tokenizer', async () => {
    rmSync(join(folder, 'tokenizer.json'))
    await expect(loadLanguageModel(folder)).rejects.toThrow(`${join(folder, 'tokenizer.json')}: no such file`)
  })
})

describeGolden('A model of transformers', () => {
  const source = fileURLToPath(new URL('../../../../shared/golden/hf/qwen2-tiny', import.meta.url))

  it('is loaded, goes on with text, and is the same when it was saved', async () => {
    const model = await loadLanguageModel(source)
    expect(model.endTokens).toContain(1)
    const prompts = ['The capital of', 'One two three']
    const written = await model.generate(prompts, { maxNewTokens: 12, temperature: 0.7, seed: 1 })
    for (const { text, tokens, ended } of written) {
      const plain = ended === 'token' ? tokens.slice(0, -1) : tokens
      expect(text).toBe(model.tokenizer.decode(plain))
    }
    const folder = join(root, 'saved')
    await model.save(folder)
    const again = await loadLanguageModel(folder)
    expect(bytes(await again.logits(ids)).equals(bytes(await model.logits(ids)))).toBe(true)
    expect(await again.generate(prompts, { maxNewTokens: 12, temperature: 0.7, seed: 1 })).toEqual(written)
    again.dispose()
    model.dispose()
  })

  it('stops at the end tokens of its files and its tokenizer', async () => {
    const folder = join(root, 'model')
    cpSync(source, folder, { recursive: true })
    writeFileSync(join(folder, 'generation_config.json'), JSON.stringify({ eos_token_id: [7, 9] }))
    const model = await loadLanguageModel(folder)
    expect([...model.endTokens].sort((a, b) => a - b)).toEqual(
      [...new Set([1, 7, 9, model.tokenizer.eos!])].sort((a, b) => a - b),
    )
    model.dispose()
  })
})

it('A model is refused whose tokenizer does not fit, before it takes the weights over', () => {
  const config = { model_type: 'qwen2', vocab_size: 8, hidden_size: 8, intermediate_size: 8 }
  const configJson = { ...config, num_hidden_layers: 1, num_attention_heads: 2 }
  const weights = Object.fromEntries(
    Array.from(weightShapes(modelConfig(configJson)), ([name, dimensions]) => [name, tf.zeros([...dimensions])]),
  )
  const tokenizer = tinyTokenizer()
  expect(() => new LanguageModel({ configJson, weights, tokenizer, endTokens: [] })).toThrow(ModelFolderError)
  tf.dispose(weights)
})
