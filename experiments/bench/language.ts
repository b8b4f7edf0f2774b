import { execFile } from 'node:child_process'
import { closeSync, fstatSync, mkdtempSync, openSync, readSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Worker } from 'node:worker_threads'
import { type LanguageModel, loadLanguageModel } from '../../agents/llm/language-model.js'
import { modelConfig, weightShapes } from '../../agents/llm/model-config.js'
import { openModelFolder, WEIGHTS } from '../../agents/llm/model-folder.js'
import { writeModelFolder } from '../../agents/llm/write-model-folder.js'
import { median } from '../../algorithms/statistics.js'
import { PCG64 } from '../../envs/seeding.js'
import { useBackend } from '../../tensors/backend.js'
import { product } from '../../tensors/product.js'
import type { HostTensor } from '../../tensors/safetensors.js'
import * as tf from '../../tensors/tf.js'
import type { Row } from './bench.js'
import { built } from './built.js'
import type { CheckpointMemory } from './checkpoint-memory.js'
import { benchTokenizer, type LanguageWorkName, LENGTH, languageWork } from './language-work.js'
import type { LanguageWorkerReport, LanguageWorkerStart } from './language-worker.js'
import { type Effort, rate, rateOfPromises, stopwatch, versus } from './measure.js'
import { pythonPeer } from './peers.js'
import { randomWeights } from './random-weights.js'

const run = promisify(execFile)
const MIB = 2 ** 20
/** Workers are measured for so many times as long as other things: what they end with is alone on the machine. */
const LONGER = 4
/** Blocks of the checkpoint that goes onto the backend, at most: its memory has an end. */
const BACKEND_LAYERS = 4
/** Of the watch on tensors: rounds, each of some steps and a generation. */
const ROUNDS = 10
const STEPS = 5

const torch = (name: string, what: LanguageWorkName) =>
  pythonPeer(name, 'torch_language.py', { needs: ['torch'] }, ({ seconds, repetitions, sequences }) => [
    ...[what, sequences, seconds, repetitions],
  ])
const torchSft = torch('PyTorch, the same model and AdamW', 'sft')
const torchGenerate = torch('PyTorch, the same model with a key-value cache', 'generate')

const step: Row = {
  name: 'language-sft',
  what: `a step of fine-tuning a model of 1.67 M weights, 32 sequences of ${LENGTH} tokens, of what its matrix products alone allow`,
  unit: '%',
  better: 'more',
  target: 70,
  peers: [],
  async measure(effort) {
    const work = await languageWork.sft(effort.sequences)
    const products = matrixProducts(work.model, effort.sequences)
    const { values, one, other, byCpuSecond } = await versus(work.once, products.multiply, effort)
    const { details: tfjs } = rate(products.multiplyByTfjs, { ...effort, repetitions: 1 })
    products.dispose()
    work.close()
    return {
      values: values.map((share) => 100 * share),
      details: {
        ...{ backend: tf.getBackend(), parameters: work.model.size, tokensPerSecond: Math.round(one) },
        ceilingTokensPerSecond: Math.round(other),
        byCpuSecond: Math.round(1000 * byCpuSecond) / 10,
        ceilingGflops: gflops(other * products.flopsPerToken),
        tfjsGflopsByCpuSecond: gflops(tfjs.perCpuSecond * products.flopsPerToken),
      },
    }
  },
}

function gflops(perSecond: number): number {
  return Math.round(perSecond / 1e8) / 10
}

/**
 * Every product of a step with a weight, at its shape, and nothing else: one forward, two backward. What a step does beyond
 * them counts against it, attention and the logits' second working out among it.
 */
function matrixProducts(model: LanguageModel, sequences: number) {
  const random = new PCG64(4)
  const matrix = (rows: number, columns: number) =>
    tf.tensor2d(
      Float32Array.from({ length: rows * columns }, () => random.normal()),
      [rows, columns],
    )
  const tokens = sequences * LENGTH
  // Inputs and slopes of one width are the same for all layers, as are weights of one shape.
  const made = new Map<string, tf.Tensor2D>()
  const matrixOf = (rows: number, columns: number) => {
    const key = `${rows} ${columns}`
    const known = made.get(key) ?? matrix(rows, columns)
    made.set(key, known)
    return known
  }
  const layers = [...weightShapes(model.config)]
    .filter(([, shape]) => shape.length === 2)
    .map(([name, shape]) => {
      const [outputs, inputs] = shape as readonly [number, number]
      // The head, which is the table of embeddings, tells nothing behind a sequence's last token.
      const rows = name === 'model.embed_tokens.weight' ? sequences * (LENGTH - 1) : tokens
      return {
        ...{ rows, outputs, inputs, weight: matrixOf(outputs, inputs), flipped: matrixOf(inputs, outputs) },
        ...{ x: matrixOf(rows, inputs), dy: matrixOf(rows, outputs), dyFlipped: matrixOf(outputs, rows) },
      }
    })
  const flops = layers.reduce((sum, { rows, outputs, inputs }) => sum + 6 * rows * outputs * inputs, 0)
  return {
    flopsPerToken: flops / tokens,
    /** By the model's own products. */
    multiply: () => {
      for (const { x, dy, weight } of layers) {
        product(x, weight, { b: true }).dispose()
        product(dy, weight).dispose()
        product(dy, x, { a: true }).dispose()
      }
      return tokens
    },
    /** By tfjs's, of matrices that lie as it multiplies them fastest. */
    multiplyByTfjs: () => {
      for (const { x, dy, dyFlipped, weight, flipped } of layers) {
        tf.matMul(x, flipped).dispose()
        tf.matMul(dy, weight).dispose()
        tf.matMul(dyFlipped, x).dispose()
      }
      return tokens
    },
    dispose: () => tf.dispose([...made.values()]),
  }
}

const stepRate: Row = {
  name: 'language-sft-rate',
  what: 'the same steps, in tokens',
  unit: 'tokens/s',
  better: 'more',
  peers: [torchSft],
  measure: (effort) => workRate('sft', effort),
}

const generation: Row = {
  name: 'language-generate',
  what: 'the same model going on with 32 prompts of 16 tokens by 64 each, drawn at temperature 1',
  unit: 'tokens/s',
  better: 'more',
  target: 6700,
  peers: [torchGenerate],
  measure: (effort) => workRate('generate', effort),
}

async function workRate(name: LanguageWorkName, effort: Effort) {
  const { once, close } = await languageWork[name](effort.sequences)
  const measured = await rateOfPromises(once, effort)
  close()
  return measured
}

const stepsOfTwo: Row = {
  name: 'language-sft-workers',
  what: 'such steps in two worker threads at once, times as many as in one',
  unit: '×',
  better: 'more',
  target: 1.7,
  peers: [],
  async measure(effort) {
    const { alone, both, byCpuSecond } = await sideBySide('sft', effort)
    return {
      values: both.map((together, i) => together / alone[i]!),
      details: { ...rounded({ aloneTokensPerSecond: median(alone), bothTokensPerSecond: median(both) }), byCpuSecond },
    }
  },
}

const generationOfTwo: Row = {
  name: 'language-generate-workers',
  what: 'such completions in two worker threads at once, both together',
  unit: 'tokens/s',
  better: 'more',
  target: 10_000,
  peers: [],
  async measure(effort) {
    const { alone, both, byCpuSecond } = await sideBySide('generate', effort)
    return { values: both, details: { ...rounded({ aloneTokensPerSecond: median(alone) }), byCpuSecond } }
  },
}

function rounded(numbers: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(numbers).map(([name, number]) => [name, Math.round(number)]))
}

/**
 * Tokens a second of one worker thread while another waits, and of both while both work, turn by turn; and how many times as
 * many both make as one by processor time: what it would be if both always had a core.
 */
async function sideBySide(work: LanguageWorkName, { sequences, seconds, repetitions }: Effort) {
  const start: LanguageWorkerStart = { work, sequences }
  const workers = [0, 1].map(() => new Worker(built('experiments/bench/language-worker.js'), { workerData: start }))
  try {
    await Promise.all(workers.map(reportOf))
    const alone: number[] = []
    const both: number[] = []
    const byCpuSecond: number[] = []
    for (let repetition = 0; repetition < repetitions; repetition++) {
      const [one, oneByCpu] = await working([workers[repetition % 2]!], LONGER * seconds)
      const [two, twoByCpu] = await working(workers, LONGER * seconds)
      alone.push(one)
      both.push(two)
      byCpuSecond.push((2 * twoByCpu) / oneByCpu)
    }
    return { alone, both, byCpuSecond: Math.round(100 * median(byCpuSecond)) / 100 }
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
}

/** Tokens that workers make in a second, all together, and in a second of processor time. */
async function working(workers: readonly Worker[], seconds: number): Promise<[perSecond: number, perCpu: number]> {
  const watch = stopwatch()
  const reports = await Promise.all(
    workers.map((worker) => {
      worker.postMessage(seconds)
      return reportOf(worker)
    }),
  )
  const cpu = watch.cpuMilliseconds()
  const sum = (of: (report: LanguageWorkerReport) => number) => reports.reduce((all, report) => all + of(report), 0)
  return [sum(({ tokens, milliseconds }) => (1000 * tokens) / milliseconds), sum(({ tokens }) => (1000 * tokens) / cpu)]
}

/** What a worker tells next. */
function reportOf(worker: Worker): Promise<LanguageWorkerReport> {
  return new Promise((resolve, reject) => {
    worker.once('message', (report: LanguageWorkerReport) => {
      worker.off('error', reject)
      resolve(report)
    })
    worker.once('error', reject)
  })
}

const loading: Row = {
  name: 'language-load',
  what: "loading a BF16 checkpoint of Qwen2.5-0.5B's shape (1 GB) as float32, times as long as reading its file into memory",
  unit: '×',
  better: 'less',
  target: 3,
  peers: [],
  async measure({ repetitions, checkpointLayers }) {
    const ontoBackend = async (folder: string, file: string) => {
      await useBackend('wasm')
      const load = async () => (await loadLanguageModel(folder)).dispose()
      const { megabytes, loadMs, loadCpuMs } = await timesToLoad(file, repetitions, load)
      return rounded({ backendMB: megabytes, backendLoadMs: loadMs, backendLoadCpuMs: loadCpuMs })
    }
    const fits = checkpointLayers <= BACKEND_LAYERS
    const { values, details } = await withCheckpoint(checkpointLayers, async (folder, file) => {
      const { ratios, megabytes, readMs, ...times } = await timesToLoad(file, repetitions, () => readWeights(folder))
      const backend = fits ? await ontoBackend(folder, file) : {}
      return { values: ratios, details: { ...rounded({ fileMB: megabytes, readMs, ...times }), ...backend } }
    })
    return { values, details: { ...details, ...(!fits && (await withCheckpoint(BACKEND_LAYERS, ontoBackend))) } }
  },
}

/** How long a checkpoint's file takes to read and to load, turn by turn, after one of each that does not count; both from the
 *  system's cache, both into fresh memory. */
async function timesToLoad(file: string, repetitions: number, load: () => Promise<void>) {
  const reads: number[] = []
  const loads: number[] = []
  const loadsByCpu: number[] = []
  for (let repetition = 0; repetition <= repetitions; repetition++) {
    collectGarbage()
    const reading = stopwatch()
    readWhole(file)
    const read = reading.milliseconds()
    collectGarbage()
    const loading = stopwatch()
    await load()
    const [own, ownByCpu] = [loading.milliseconds(), loading.cpuMilliseconds()]
    if (repetition === 0) continue
    reads.push(read)
    loads.push(own)
    loadsByCpu.push(ownByCpu)
  }
  return {
    megabytes: statSync(file).size / 1e6,
    ratios: loads.map((own, i) => own / reads[i]!),
    ...{ readMs: median(reads), loadMs: median(loads), loadCpuMs: median(loadsByCpu) },
  }
}

/** Gives what the one before left back to the system, on nobody's time: a first collection leaves that to another thread,
 *  for which the second waits. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void // the flag's
  collect()
  collect()
}

/** In pieces of 1 MiB, which stay in the processor's cache. */
function readWhole(file: string): void {
  const fd = openSync(file, 'r')
  try {
    const bytes = new Uint8Array(fstatSync(fd).size)
    for (let at = 0; at < bytes.length; ) {
      const count = readSync(fd, bytes, at, Math.min(MIB, bytes.length - at), at)
      if (count === 0) throw new Error(`${file} ends at byte ${at}`)
      at += count
    }
  } finally {
    closeSync(fd)
  }
}

/** Reads all of a folder's weights, which are there at once, and lets go of them. */
async function readWeights(folder: string): Promise<void> {
  const held: HostTensor[] = []
  for await (const [, tensor] of (await openModelFolder(folder)).weights()) held.push(tensor)
}

const loadingMemory: Row = {
  name: 'language-load-memory',
  what: 'the most memory that a process has which loads it, times as much as the float32 weights',
  unit: '×',
  better: 'less',
  target: 2.5,
  peers: [],
  measure: ({ checkpointLayers }) =>
    withCheckpoint(checkpointLayers, async (folder) => {
      const { stdout } = await run(process.execPath, [built('experiments/bench/checkpoint-memory.js'), folder])
      const { weights, highest, before } = JSON.parse(stdout) as CheckpointMemory
      const details = rounded({ weightsMiB: weights / MIB, highestMiB: highest / MIB, beforeMiB: before / MIB })
      return { values: [highest / weights], details }
    }),
}

/** A BF16 checkpoint of Qwen2.5-0.5B's shape with some of its 24 blocks, and as large a part of its vocabulary; random weights,
 *  a tokenizer, one file. Removed afterwards. */
async function withCheckpoint<T>(layers: number, body: (folder: string, file: string) => Promise<T>): Promise<T> {
  const parent = mkdtempSync(join(tmpdir(), 'rxgym-checkpoint-'))
  const folder = join(parent, 'model')
  const config = {
    ...{ architectures: ['Qwen2ForCausalLM'], model_type: 'qwen2', hidden_act: 'silu', tie_word_embeddings: true },
    ...{ vocab_size: Math.ceil((151_936 * layers) / 24), hidden_size: 896, intermediate_size: 4864 },
    ...{ num_hidden_layers: layers, num_attention_heads: 14, num_key_value_heads: 2, max_position_embeddings: 32_768 },
    ...{ rope_theta: 1e6, rms_norm_eps: 1e-6 },
  }
  try {
    await writeModelFolder(folder, {
      config,
      tokenizer: Object.fromEntries(Object.entries(benchTokenizer()).map(([name, text]) => [name, Buffer.from(text)])),
      weights: randomWeights(weightShapes(modelConfig(config))),
      dtype: 'bfloat16',
    })
    return await body(folder, join(folder, WEIGHTS))
  } finally {
    rmSync(parent, { recursive: true, force: true })
  }
}

const memory: Row = {
  name: 'language-memory',
  what: `tensors held more or fewer, at most, after any tenth of ${ROUNDS * STEPS} steps and ${ROUNDS} generations than after the first`,
  unit: 'tensors',
  better: 'less',
  target: 0,
  peers: [],
  async measure({ sequences }) {
    const learning = await languageWork.sft(sequences)
    const writing = await languageWork.generate(sequences)
    const tensors: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      for (let step = 0; step < STEPS; step++) await learning.once()
      await writing.once()
      tensors.push(tf.memory().numTensors)
    }
    learning.close()
    writing.close()
    const first = tensors[0]!
    const highestMiB = (1024 * process.resourceUsage().maxRSS) / MIB
    return {
      values: [Math.max(...tensors.map((count) => Math.abs(count - first)))],
      details: { first, last: tensors.at(-1)!, ...rounded({ highestMiB }) },
    }
  },
}

/** How fast a language model learns, writes and loads. */
export const languageRows: readonly Row[] = [
  ...[step, stepRate, stepsOfTwo, generation, generationOfTwo],
  ...[loading, loadingMemory, memory],
]
