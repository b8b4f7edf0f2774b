import { lastValueFrom, toArray } from 'rxjs'
import { decodeWeights } from '../../agents/llm/decoder.js'
import { GpuDecoder } from '../../agents/llm/gpu-decoder.js'
import type { LanguageModel } from '../../agents/llm/language-model.js'
import { languagePolicy } from '../../agents/llm/language-policy.js'
import { checkedSampling } from '../../agents/llm/sampling.js'
import { descend } from '../../algorithms/descend.js'
import { episodes } from '../../algorithms/episodes.js'
import { rloo } from '../../algorithms/rloo.js'
import { median } from '../../algorithms/statistics.js'
import { PCG64 } from '../../envs/seeding.js'
import type { Message } from '../../envs/spaces/conversation.js'
import type { Json } from '../../envs/spec.js'
import { textEnv } from '../../envs/text/text-env.js'
import { Adam } from '../../tensors/adam.js'
import * as tf from '../../tensors/tf.js'
import { deviceMemory } from '../../tensors/webgpu/device-memory.js'
import type { Gpu } from '../../tensors/webgpu/kernels.js'
import { copyRate, matrixRate } from '../doctor/device-rates.js'
import type { Row } from './bench.js'
import { adapterHere, startCard, startGpu } from './gpu-adapter.js'
import { blockBytes, CARD, cacheBytes, type GpuSizes, gpuModel, numberBytes, SOFTWARE } from './gpu-model.js'
import { type Effort, type Measurement, NotMeasurable, stopwatch } from './measure.js'
import { type Peer, pythonPeer } from './peers.js'

/** What the page says first. */
export const GPU_NOTE = `A model with random weights, on a card of Qwen2.5-0.5B's shape. The targets are those of one NVIDIA H200, which was seen to copy 4.3 TB/s and to
multiply 790 TFLOP/s of bfloat16. Where there is a card and neither Node nor a network, a bundle measures all of it, beside transformers on the same
card where a Python there has torch and transformers:

\`\`\`sh
rxgym bundle --vulkan && scp rxgym-linux-x64.tar.gz node:
ssh node 'tar xzf rxgym-linux-x64.tar.gz && RXGYM_PYTHON=python3 rxgym/rxgym bench gpu --results .'
\`\`\``

const GIB = 2 ** 30
/** As in the peer's step. */
const KL = 0.05
const LEARNING_RATE = 1e-6
const ADAM = { weightDecay: 0.01, maxGradientNorm: 1 }
/** Of the device's memory what a model may take, by its shapes, to keep all that its backward pass needs. */
const FILLED = 0.7

/** What a row measures on. */
interface Bench {
  readonly gpu: Gpu
  readonly sizes: GpuSizes
  readonly effort: Effort
}

interface ModelBench extends Bench {
  readonly model: LanguageModel
}

type RowFacts = Omit<Row, 'measure'>

/** What a row is measured on, and how that is told. */
interface Started {
  readonly gpu: Gpu
  readonly adapter: string
  readonly sizes: GpuSizes
  readonly notJudged?: string
}

async function adapterFound(): Promise<Started> {
  const { gpu, adapter } = await startGpu()
  if (!gpu.inSoftware) return { gpu, adapter, sizes: CARD }
  const notJudged = `${adapter} computes on the processor, the sizes are scaled down, and no figure here is one of a graphics card: those of an H200 are still to be measured`
  return { gpu, adapter, sizes: SOFTWARE, notJudged }
}

/** For what is counted instead of timed. */
async function cardOrNothing(): Promise<Started> {
  return { ...(await startCard()), sizes: CARD }
}

/** A row of the card's own. */
function cardRow(facts: RowFacts, measure: (bench: Bench) => Promise<Measurement>, start = adapterFound): Row {
  return {
    ...facts,
    async measure(effort) {
      const { gpu, adapter, sizes, notJudged } = await start()
      const { values, details } = await measure({ gpu, sizes, effort })
      return { values, details: { adapter, ...details }, ...(notJudged !== undefined && { notJudged }) }
    },
  }
}

/** A row of a model's. */
function modelRow(facts: RowFacts, measure: (bench: ModelBench) => Promise<Measurement>, start = adapterFound): Row {
  return cardRow(
    facts,
    async (bench) => {
      const model = gpuModel(bench.sizes)
      try {
        const { values, details } = await measure({ ...bench, model })
        return { values, details: { parameters: model.size, dtype: model.config.dtype, ...details } }
      } finally {
        model.dispose()
      }
    },
    start,
  )
}

/** How long something takes until the device has done it: once for each repetition, after a warm-up. */
async function timed(once: () => Promise<unknown>, { gpu, effort }: Bench) {
  const milliseconds: number[] = []
  const cpuMilliseconds: number[] = []
  for (let repetition = 0; repetition <= effort.repetitions; repetition++) {
    const watch = stopwatch()
    await once()
    await gpu.backend.done()
    if (repetition === 0) continue
    milliseconds.push(watch.milliseconds())
    cpuMilliseconds.push(watch.cpuMilliseconds())
  }
  return { milliseconds, cpuMilliseconds }
}

function rounded(numbers: Readonly<Record<string, number>>): Record<string, Json> {
  return Object.fromEntries(Object.entries(numbers).map(([name, number]) => [name, Number(number.toPrecision(4))]))
}

/** GB/s, read and written. */
function copyGbps({ gpu, sizes, effort }: Bench): Promise<number> {
  const { maxStorageBufferBindingSize: most } = gpu.limits
  const bytes = Math.min(sizes.card.copyMib * 2 ** 20, 2 ** Math.floor(Math.log2(most)))
  return copyRate({ milliseconds: 400 * effort.seconds, rows: 0, numbers: bytes / 4 })
}

/** TFLOP/s of rxgym's own products. */
async function matrixTflops({ sizes, effort }: Bench, half: boolean): Promise<number> {
  const rate = { milliseconds: 400 * effort.seconds, rows: sizes.card.matrix, numbers: 0 }
  return (await matrixRate(half, rate)) / 1000
}

const card: Row = cardRow(
  {
    name: 'gpu-card',
    what: "products of square matrices, by rxgym's kernels and by torch: what the shares below are of",
    unit: 'TFLOP/s',
    better: 'more',
    peers: [pythonPeer('torch (bf16)', 'transformers_gpu.py', { needs: ['torch'] }, peerArguments('card'))],
  },
  async (bench) => {
    const half = bench.gpu.has('shader-f16')
    const values: number[] = []
    for (let i = 0; i < bench.effort.repetitions; i++) values.push(await matrixTflops(bench, half))
    return { values, details: { half, ...rounded({ copyGBps: await copyGbps(bench) }) } }
  },
)

/** Completions of prompts, all to the same length: how long they take, and what a step of it could take at the least. */
async function decoded(bench: ModelBench) {
  const { model, sizes } = bench
  const { batch, prompt, newTokens } = sizes.decode
  const random = new PCG64(3)
  const prompts = Array.from({ length: batch }, () => randomTokens(prompt, model, random))
  let seed = 0
  const write = async (maxNewTokens: number) => {
    for (const { tokens } of await model.generate(prompts, { maxNewTokens, endTokens: [], seed: seed++ })) {
      if (tokens.length !== maxNewTokens) throw new Error(`${tokens.length} tokens of ${maxNewTokens} were written`)
    }
  }
  // Never more than it takes, so that steps are not told shorter than they are.
  const first = Math.min(...(await timed(() => write(1), bench)).milliseconds)
  const { milliseconds, cpuMilliseconds } = await timed(() => write(newTokens), bench)
  const steps = milliseconds.map((all) => (all - first) / (newTokens - 1))
  // Once a step: all weights, and the keys and values of the tokens that are there, on the average of the steps.
  const { config } = model
  const bytes = model.size * numberBytes(config) + batch * (prompt + newTokens / 2) * cacheBytes(config)
  const copied = await copyGbps(bench)
  const limit = bytes / copied / 1e6
  const told = { msPerStep: median(steps), promptAndFirstTokenMs: first, limitMsPerStep: limit, copyGBps: copied }
  return {
    tokensPerSecond: milliseconds.map((all) => (1000 * batch * newTokens) / all),
    shares: steps.map((step) => (100 * limit) / step),
    cores: milliseconds.map((all, i) => cpuMilliseconds[i]! / all),
    details: { batch, prompt, newTokens, ...rounded(told), dispatchesPerStep: dispatches(bench) },
  }
}

/** Of a step of all rows. */
function dispatches({ model, sizes }: ModelBench): Json {
  const { batch, prompt, newTokens } = sizes.decode
  const weights = decodeWeights(model.config, model.weights)
  const decoder = weights.decoder(batch, prompt + newTokens, checkedSampling({}))
  try {
    return decoder instanceof GpuDecoder ? decoder.dispatches(batch) : null
  } finally {
    decoder.dispose()
    weights.dispose()
  }
}

const decode: Row = modelRow(
  {
    name: 'gpu-decode',
    what: "completions of prompts (on a card 64 of 256 tokens, 512 more each), beside transformers' generate",
    unit: 'tokens/s',
    better: 'more',
    peerTarget: 5,
    peers: [transformers('decode')],
  },
  async (bench) => {
    const { tokensPerSecond, details } = await decoded(bench)
    return { values: tokensPerSecond, details }
  },
)

const decodeLimit: Row = modelRow(
  {
    name: 'gpu-decode-limit',
    what: "a step of those, as a share of the speed at which the card's memory gives weights and cache once",
    unit: '%',
    better: 'more',
    target: 25,
    peers: [],
  },
  async (bench) => {
    const { shares, details } = await decoded(bench)
    return { values: shares, details }
  },
)

const decodeCpu: Row = modelRow(
  {
    name: 'gpu-decode-cpu',
    what: 'cores that the process keeps busy while it writes those',
    unit: 'cores',
    better: 'less',
    target: 1,
    peers: [],
  },
  async (bench) => {
    if (bench.gpu.inSoftware)
      throw new NotMeasurable('the adapter computes on the processor: its work is not told apart')
    const { cores, details } = await decoded(bench)
    return { values: cores, details }
  },
)

/** Whole sequences: a prompt of one token, and the rest is its completion. */
function wholeSequences({ model, sizes }: ModelBench) {
  const { rows, length } = sizes.training
  const random = new PCG64(2)
  return Array.from({ length: rows }, () => randomTokens(length - 1, model, random))
}

/** What operations of matrices come to, as rates and as a share of what the card was seen to do. */
async function matrixShare(bench: ModelBench, operations: number, milliseconds: number) {
  const [own, card] = [
    operations / milliseconds / 1e9,
    await matrixTflops(bench, bench.model.config.dtype === 'float16'),
  ]
  return rounded({ tflops: own, cardTflops: card, limitMs: operations / card / 1e9, shareOfLimit: own / card })
}

const logProbs: Row = modelRow(
  {
    name: 'gpu-log-probs',
    what: 'log-probabilities of sequences (on a card 32 of 512 tokens)',
    unit: 'ms',
    better: 'less',
    peerTarget: 0.5,
    peers: [transformers('log-probs')],
  },
  async (bench) => {
    const { model } = bench
    const completions = wholeSequences(bench)
    const prompts = completions.map(() => [0])
    const tokens = completions.reduce((sum, { length }) => sum + 1 + length, 0)
    const score = () => model.tokenLogProbs(prompts, completions, { tokensPerPass: tokens })
    const { milliseconds } = await timed(score, bench)
    const share = await matrixShare(bench, 2 * model.size * tokens, median(milliseconds))
    return { values: milliseconds, details: { tokens, ...share } }
  },
)

const trainStep: Row = modelRow(
  {
    name: 'gpu-train-step',
    what: 'a step on them: forward, backward, gradients clipped, AdamW; the limit is 6 × parameters × tokens',
    unit: 'ms',
    better: 'less',
    peerTarget: 0.5,
    peers: [transformers('train')],
  },
  async (bench) => {
    const { model, gpu } = bench
    const completions = wholeSequences(bench)
    const tokens = completions.reduce((sum, { length }) => sum + 1 + length, 0)
    const observations = completions.map((): readonly Message[] => [{ role: 'text', content: 'a' }])
    const decisions = completions.map((choices) => ({
      action: '',
      choices,
      logProbs: new Float32Array(choices.length),
    }))
    const adam = new Adam(model.variables, ADAM)
    const stepMs = async (checkpointing: boolean) => {
      const policy = languagePolicy(model, { tokensPerPass: tokens, checkpointing })
      const { milliseconds } = await timed(
        () =>
          descend(
            policy,
            adam,
            policy.differentiate({ observations, decisions }, ({ logProbs }) => tf.neg(tf.mean(logProbs))),
            LEARNING_RATE,
          ),
        bench,
      )
      return milliseconds
    }
    const checkpointed = await stepMs(true)
    const memory = deviceMemory(gpu.backend.gpu.adapter.info) ?? 0
    const wanted = 16 * model.size + tokens * model.config.layers * blockBytes(model.config)
    const fits = wanted <= FILLED * memory
    const values = fits ? await stepMs(false) : checkpointed
    const share = await matrixShare(bench, 6 * model.size * tokens, median(values))
    const kept = fits ? 'all' : "the blocks' inputs"
    return { values, details: { tokens, kept, ...rounded({ checkpointedMs: median(checkpointed) }), ...share } }
  },
)

/** RLOO itself, by the one loop, on prompts of as many tokens as asked for. */
function rlooSteps({ model, sizes, gpu }: ModelBench) {
  const { groups, group, prompt, newTokens, rows } = sizes.rloo
  const tokensPerPass = rows * (prompt + newTokens)
  const policy = languagePolicy(model, { tokensPerPass, checkpointing: true, sampling: { maxNewTokens: newTokens } })
  const algorithm = rloo({
    ...{ group, groupsPerUpdate: groups, klCoefficient: KL, klIn: 'loss', learningRate: LEARNING_RATE },
    ...ADAM,
  })
  const learner = algorithm.start(policy)
  const random = new PCG64(4)
  // The tokenizer was trained on other letters: each of these is a token.
  const letter = () => 'qrstuvwxyz'[random.integers(0, 10)]!
  const tasks = Array.from({ length: groups }, () => Array.from({ length: prompt }, letter).join(''))
  const env = () =>
    textEnv({
      tasks,
      prompt: (task) => [{ role: 'text', content: task }],
      // Any that differ do: what is measured does not depend on them.
      reward: (completion) => (completion.length % 8) / 8,
    })
  const parts = { generation: [] as number[], update: [] as number[] }
  let from = 0
  return {
    parts,
    tokensPerPass,
    async once() {
      const count = groups * group
      const watch = stopwatch()
      const played = episodes({ env, agents: policy, seed: 1, group, parallel: count, from, count })
      const batch = await lastValueFrom(played.pipe(toArray()))
      parts.generation.push(watch.milliseconds() / 1000)
      from += count
      const updating = stopwatch()
      const metrics = await learner.update(batch)
      await gpu.backend.done()
      parts.update.push(updating.milliseconds() / 1000)
      return metrics
    },
    async close() {
      learner.close()
      await policy.refresh()
    },
  }
}

const rlooStep: Row = modelRow(
  {
    name: 'gpu-rloo-step',
    what: 'a step of RLOO (on a card 8 prompts × 16 completions × 512 tokens), KL to a frozen reference, AdamW',
    unit: 's',
    better: 'less',
    peerTarget: 3,
    peers: [transformers('rloo')],
  },
  async (bench) => {
    const { groups, group, prompt, newTokens } = bench.sizes.rloo
    const { once, close, parts, tokensPerPass } = rlooSteps(bench)
    try {
      const { milliseconds } = await timed(once, bench)
      const [generation, update] = [parts.generation, parts.update].map((part) => median(part.slice(1))) as [
        number,
        number,
      ]
      const tokensPerSecond = Math.round((groups * group * newTokens) / generation)
      return {
        values: milliseconds.map((each) => each / 1000),
        details: {
          ...{ groups, group, prompt, newTokens, tokensPerPass },
          ...rounded({ generationSeconds: generation, updateSeconds: update }),
          generatedTokensPerSecond: tokensPerSecond,
        },
      }
    } finally {
      await close()
    }
  },
)

const memory: Row = modelRow(
  {
    name: 'gpu-memory',
    what: "the most memory on the device in that step, but for one block's activations, as a multiple of the weights, the reference's, AdamW's moments and the cache",
    unit: '×',
    better: 'less',
    target: 1.5,
    peers: [],
  },
  async (bench) => {
    const { model, gpu, sizes } = bench
    const { groups, group, prompt, newTokens } = sizes.rloo
    const { once, close, tokensPerPass } = rlooSteps(bench)
    const { pool } = gpu.backend
    try {
      await once()
      // What brought the weights to the device, and kept them in the processor's memory on the way, has been let go of.
      pool.resetPeak()
      await once()
      const weights = 2 * 4 * model.size
      const optimiser = 2 * 4 * model.size
      const cache = groups * group * (prompt + newTokens) * cacheBytes(model.config)
      const block = tokensPerPass * blockBytes(model.config)
      const gib = { peak: pool.peak, weights, optimiser, cache, block }
      const told = Object.entries(gib).map(([name, bytes]) => [`${name}GiB`, bytes / GIB] as const)
      const value = Math.max(0, pool.peak - block) / (weights + optimiser + cache)
      return {
        values: [value],
        details: { tokensPerPass, ...rounded(Object.fromEntries(told)), dispatchesPerStep: dispatches(bench) },
      }
    } finally {
      await close()
    }
  },
  cardOrNothing,
)

function randomTokens(count: number, { config }: LanguageModel, random: PCG64): Int32Array {
  return Int32Array.from({ length: count }, () => random.integers(0, config.vocabulary))
}

type PeerWork = 'card' | 'decode' | 'log-probs' | 'train' | 'rloo'

function transformers(work: PeerWork): Peer {
  const needs = ['torch', 'transformers']
  return pythonPeer('transformers (bf16, SDPA)', 'transformers_gpu.py', { needs }, peerArguments(work))
}

/** What the peer is to measure, in the sizes of the adapter that rxgym finds. */
function peerArguments(work: PeerWork) {
  return async ({ repetitions }: Effort): Promise<readonly (string | number)[]> => {
    const { inSoftware } = await adapterHere()
    const { model, decode, training, rloo, card } = inSoftware ? SOFTWARE : CARD
    const sizes = {
      card: { 'copy-mib': card.copyMib, matrix: card.matrix },
      decode: { batch: decode.batch, prompt: decode.prompt, 'new-tokens': decode.newTokens },
      'log-probs': training,
      train: training,
      rloo: {
        ...{ groups: rloo.groups, group: rloo.group, prompt: rloo.prompt, 'new-tokens': rloo.newTokens },
        ...{ rows: rloo.rows, kl: KL },
      },
    }[work]
    const { keyHeads, ...shape } = model
    const flags = { repetitions, ...sizes, ...shape, 'key-heads': keyHeads }
    return [work, ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value])]
  }
}

/** How fast a language model of Qwen2.5-0.5B's shape writes and learns on a graphics card, beside transformers on the same card. */
export const gpuRows: readonly Row[] = [
  ...[card, decode, decodeLimit, decodeCpu, logProbs, trainStep],
  ...[rlooStep, memory],
]
