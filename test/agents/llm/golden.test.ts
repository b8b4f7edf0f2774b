import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { LanguageModel } from '../../../agents/llm/language-model.js'
import {
  differentiateSequences,
  type ScoringSettings,
  type Sequence,
  sequenceLogProbs,
} from '../../../agents/llm/scoring.js'
import { paddedBatch } from '../../../agents/llm/token-batch.js'
import { forward } from '../../../agents/llm/transformer.js'
import type { Differentiated, PolicyOutputs } from '../../../agents/policy.js'
import { leaveOneOut } from '../../../algorithms/advantages.js'
import { k3Loss, klPerSequence, policyGradientLoss } from '../../../algorithms/rloo.js'
import { Adam } from '../../../tensors/adam.js'
import { type BackendName, useBackend } from '../../../tensors/backend.js'
import * as tf from '../../../tensors/tf.js'
import { tokenScores } from '../../../tensors/token-scores.js'
import { describeGolden, golden } from '../../golden/golden.js'
import { goldenModel } from './golden-model.js'

// Whether the kernels are used where they could be: without them tfjs's own operations compute the same.
const kernels = vi.hoisted(() => ({ wanted: true }))
vi.mock('../../../tensors/wasm/kernels.js', async (original) => {
  const real = await original<typeof import('../../../tensors/wasm/kernels.js')>()
  return { ...real, wasmKernels: () => (kernels.wanted ? real.wasmKernels() : undefined) }
})

interface Expected {
  readonly cases: {
    readonly logits: {
      readonly input_ids: readonly number[]
      readonly last_logits: readonly number[]
      readonly all_positions_first_8: readonly (readonly number[])[]
    }
    readonly left_padded: {
      readonly input_ids: readonly (readonly number[])[]
      readonly attention_mask: readonly (readonly number[])[]
      readonly token_logprobs: readonly (readonly number[])[]
    }
    readonly greedy: {
      readonly prompt: readonly number[]
      readonly plain: readonly number[]
      readonly 'repetition_penalty_1.1': readonly number[]
    }
    readonly sft: {
      readonly examples: readonly { readonly prompt: readonly number[]; readonly completion: readonly number[] }[]
      readonly loss: number
      readonly grad_norms: Readonly<Record<string, number>>
      readonly global_grad_norm: number
      readonly grad_first_4: Readonly<Record<string, readonly number[]>>
    }
    readonly adamw: {
      readonly lr: number
      readonly betas: readonly [number, number]
      readonly eps: number
      readonly weight_decay: number
      readonly clip_global_norm: number
      readonly losses_before_each_of_5_steps: readonly number[]
      readonly loss_after: number
    }
    readonly dpo: {
      readonly prompt: readonly number[]
      readonly chosen: readonly number[]
      readonly rejected: readonly number[]
      readonly beta: number
      readonly policy_logps: readonly [number, number]
      readonly reference_logps: readonly [number, number]
      readonly loss: number
      readonly rewards: readonly [number, number]
    }
    readonly rloo: Rloo & {
      readonly sequence_logps: readonly number[]
      readonly loss: number
      readonly global_grad_norm: number
    }
    readonly rloo_clipped: Rloo & {
      readonly epsilon: number
      readonly beta: number
      readonly old_token_logps: readonly (readonly number[])[]
      readonly new_token_logps: readonly (readonly number[])[]
      readonly sequence_ratio: {
        readonly loss: number
        readonly global_grad_norm: number
        readonly ratios: readonly number[]
      }
      readonly token_ratio_k3: {
        readonly loss: number
        readonly global_grad_norm: number
        readonly kl_per_sequence: readonly number[]
      }
      readonly k1_in_reward: {
        readonly kl_per_sequence: readonly number[]
        readonly rewards_after_kl: readonly number[]
        readonly advantages: readonly number[]
      }
    }
  }
}

interface Rloo {
  readonly prompt: readonly number[]
  readonly completions: readonly (readonly number[])[]
  readonly rewards: readonly number[]
  readonly advantages: readonly number[]
}

/** No number is further from the expected one than `absolute`, and this share of it. */
function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, absolute: number, relative = 0): void {
  expect(actual.length).toBe(expected.length)
  for (let i = 0; i < expected.length; i++) {
    const off = Math.abs(actual[i]! - expected[i]!)
    const allowed = absolute + relative * Math.abs(expected[i]!)
    if (!(off <= allowed)) expect.fail(`number ${i} is ${actual[i]}, expected ${expected[i]} to ${allowed}`)
  }
}

const expectLoss = (loss: number, expected: number) => expectClose([loss], [expected], 0, 1e-5)
const expectNorm = (norm: number, expected: number) => expectClose([norm], [expected], 0, 1e-3)
const sum = (numbers: Iterable<number>) => Array.from(numbers).reduce((total, each) => total + each, 0)

async function normOf(tensors: Iterable<tf.Tensor>): Promise<number> {
  const numbers = (await Promise.all(Array.from(tensors, (tensor) => tensor.data()))) as Float32Array[]
  return Math.sqrt(sum(numbers.map((own) => sum(own.map((x) => x * x)))))
}

/** The mean over all completion tokens. */
const crossEntropy = ({ logProbs }: PolicyOutputs): tf.Scalar => tf.neg(tf.mean(logProbs))

interface Computing {
  readonly computes: string
  readonly backend: BackendName
  readonly wanted: boolean
}

const here: readonly Computing[] = process.env.RXGYM_TEST_WEBGPU
  ? [{ computes: 'webgpu', backend: 'webgpu', wanted: false }]
  : [
      { computes: 'wasm with kernels', backend: 'wasm', wanted: true },
      { computes: "wasm with tfjs's operations", backend: 'wasm', wanted: false },
      { computes: 'cpu', backend: 'cpu', wanted: false },
    ]

describe.each(here)('on $computes', ({ backend, wanted }) => {
  beforeAll(async () => {
    kernels.wanted = wanted
    await useBackend(backend)
  })
  afterAll(() => {
    kernels.wanted = true
  })

  for (const name of ['qwen2-tiny', 'llama-tiny']) describeGolden(`${name} equals transformers`, () => suite(name))
})

function suite(name: string): void {
  let model: LanguageModel
  let cases: Expected['cases']
  let tensors: number

  beforeAll(() => {
    cases = golden<Expected>(`hf/${name}/expected.json`).cases
  })
  beforeEach(async () => {
    tensors = tf.memory().numTensors
    model = await goldenModel(name)
  })
  afterEach(() => {
    model.dispose()
    expect(tf.memory().numTensors).toBe(tensors)
  })

  const differentiated = (
    sequences: readonly Sequence[],
    loss: (outputs: PolicyOutputs) => tf.Scalar,
    settings: ScoringSettings = {},
  ) => differentiateSequences(model.config, model.weights, sequences, loss, settings)

  /** The loss and the norm of all gradients, which are disposed of. */
  const read = async (differentiated: Promise<Differentiated>) => {
    const { loss, gradients } = await differentiated
    const found = { loss: (await loss.data())[0]!, norm: await normOf(Object.values(gradients)) }
    tf.dispose([loss, gradients as Record<string, tf.Tensor>])
    return found
  }

  /** Five steps of AdamW on the examples of the cross-entropy; the losses before each. */
  const fiveSteps = async (): Promise<number[]> => {
    const { lr, betas, eps, weight_decay, clip_global_norm } = cases.adamw
    const adam = new Adam(model.variables, {
      beta1: betas[0],
      beta2: betas[1],
      epsilon: eps,
      weightDecay: weight_decay,
      maxGradientNorm: clip_global_norm,
    })
    const losses: number[] = []
    for (let step = 0; step < 5; step++) {
      const { loss, gradients } = await differentiated(cases.sft.examples, crossEntropy)
      losses.push((await loss.data())[0]!)
      loss.dispose()
      await adam.step(gradients, lr)
    }
    return losses
  }

  it('in the logits', async () => {
    const { input_ids, last_logits, all_positions_first_8 } = cases.logits
    const logits = await model.logits(input_ids)
    const { vocabulary } = model.config
    expect(logits.length).toBe(input_ids.length * vocabulary)
    expectClose(logits.subarray(-vocabulary), last_logits, 1e-4)
    for (const [i, first8] of all_positions_first_8.entries()) {
      expectClose(logits.subarray(i * vocabulary, i * vocabulary + 8), first8, 1e-4)
    }
  })

  it('in the log-probabilities of sequences that are padded on the left, and on the right', async () => {
    const { input_ids, attention_mask, token_logprobs } = cases.left_padded
    const sequences = input_ids.map((ids, row) => ids.filter((_, i) => attention_mask[row]![i] === 1))
    const batch = paddedBatch(sequences, 'left', 2)
    expect(Array.from(batch.ids)).toEqual(input_ids.flat())
    const trace = forward(model.config, model.weights, batch)
    const head = model.weights[model.config.tiedHead ? 'model.embed_tokens.weight' : 'lm_head.weight'] as tf.Tensor2D
    const rows = sequences.flatMap(({ length }, row) =>
      Array.from({ length: length - 1 }, (_, t) => batch.starts[row]! + t),
    )
    const next = Int32Array.from(sequences.flatMap((ids) => ids.slice(1)))
    const hidden = tf.tidy(() => tf.gather(trace.hidden, tf.tensor1d(rows, 'int32')) as tf.Tensor2D)
    const scored = tokenScores(hidden, head, next)
    expectClose(await scored.logProbs.data(), token_logprobs.flat(), 1e-4)
    tf.dispose([hidden, scored.logProbs, scored.entropies, scored.logSums ?? []])
    trace.dispose()

    const right = await model.tokenLogProbs(
      sequences.map((ids) => ids.slice(0, 1)),
      sequences.map((ids) => ids.slice(1)),
    )
    for (const [row, expected] of token_logprobs.entries()) expectClose(right[row]!, expected, 1e-4)
  })

  it('in what it writes greedily, alone and beside others', async () => {
    const { prompt, plain, 'repetition_penalty_1.1': penalised } = cases.greedy
    const others = [[5], cases.logits.input_ids, prompt.slice(2)]
    for (const [repetitionPenalty, expected] of [
      [1, plain],
      [1.1, penalised],
    ] as const) {
      const sampling = { temperature: 0, maxNewTokens: expected.length, repetitionPenalty }
      const [alone] = await model.generate([prompt], sampling)
      expect(Array.from(alone!.tokens)).toEqual(expected)
      const beside = await model.generate([...others.slice(0, 2), prompt, ...others.slice(2)], sampling)
      expect(Array.from(beside[2]!.tokens)).toEqual(expected)
    }
  })

  it.each<[string, ScoringSettings]>([
    ['with everything kept', {}],
    ['with every block worked out again', { checkpointing: true }],
    ['sequence by sequence', { tokensPerPass: 1 }],
    ['sequence by sequence, every block worked out again', { tokensPerPass: 1, checkpointing: true }],
  ])('in the cross-entropy and its gradients, %s', async (_, settings) => {
    const { examples, loss: expected, grad_norms, grad_first_4, global_grad_norm } = cases.sft
    const { loss, gradients } = await differentiated(examples, crossEntropy, settings)
    expectLoss((await loss.data())[0]!, expected)
    expect(Object.keys(gradients).sort()).toEqual(Object.keys(grad_norms).sort())
    for (const [name, norm] of Object.entries(grad_norms)) expectNorm(await normOf([gradients[name]!]), norm)
    for (const [name, first4] of Object.entries(grad_first_4)) {
      // Single numbers are as exact as the gradient they stand in: float32 has 1e-7 of its sums.
      expectClose((await gradients[name]!.data()).slice(0, 4), first4, 1e-6, 1e-3)
    }
    expectNorm(await normOf(Object.values(gradients)), global_grad_norm)
    tf.dispose([loss, gradients as Record<string, tf.Tensor>])
  })

  it('in the losses of five steps of AdamW', async () => {
    const { losses_before_each_of_5_steps, loss_after } = cases.adamw
    expectClose(await fiveSteps(), losses_before_each_of_5_steps, 0, 1e-5)
    expectLoss((await read(differentiated(cases.sft.examples, crossEntropy))).loss, loss_after)
  })

  it('in the log-probabilities that DPO compares, and its loss', async () => {
    const { prompt, chosen, rejected, beta, ...expected } = cases.dpo
    const sequences = async () =>
      (await model.tokenLogProbs([prompt, prompt], [chosen, rejected])).map((logProbs) => sum(logProbs))
    const reference = await sequences()
    await fiveSteps()
    const policy = await sequences()
    // Sums of up to 11 log-probabilities, each to 1e-4.
    expectClose(reference, expected.reference_logps, 1e-4 * rejected.length)
    expectClose(policy, expected.policy_logps, 1e-4 * rejected.length)
    const rewards = policy.map((logProb, i) => beta * (logProb - reference[i]!))
    expectClose(rewards, expected.rewards, 1e-4)
    expectLoss(Math.log1p(Math.exp(rewards[1]! - rewards[0]!)), expected.loss)
  })

  const sequencesOf = ({ prompt, completions }: Rloo): Sequence[] =>
    completions.map((completion) => ({ prompt, completion }))
  const lengths = ({ completions }: Rloo) => completions.map(({ length }) => length)

  it("in RLOO's plain loss and its gradient", async () => {
    const { rloo } = cases
    const counts = lengths(rloo)
    const advantages = leaveOneOut(rloo.rewards, rloo.rewards.length)
    expectClose(advantages, rloo.advantages, 1e-6)
    const logProbs = await sequenceLogProbs(model.config, model.weights, sequencesOf(rloo))
    const none = new Float32Array(logProbs.length)
    const ofSequences = klPerSequence(
      counts.map((choices) => ({ choices })),
      logProbs,
      none,
    )
    expectClose(ofSequences, rloo.sequence_logps, 1e-4 * Math.max(...counts))
    const { loss, norm } = await read(
      differentiated(
        sequencesOf(rloo),
        (outputs) =>
          policyGradientLoss({ ratio: 'none', clip: 0.2 }, outputs.logProbs, none, advantages, counts).policyLoss,
      ),
    )
    expectLoss(loss, rloo.loss)
    expectNorm(norm, rloo.global_grad_norm)
  })

  it('in the losses of clipped ratios, their gradients, ratios and KL', async () => {
    const { rloo_clipped: expected } = cases
    const { epsilon: clip, beta, sequence_ratio, token_ratio_k3, k1_in_reward } = expected
    const counts = lengths(expected)
    const choices = counts.map((count) => ({ choices: count }))
    const advantages = leaveOneOut(expected.rewards, expected.rewards.length)
    const sequences = sequencesOf(expected)
    const scores = () => sequenceLogProbs(model.config, model.weights, sequences)
    const old = await scores()
    expectClose(old, expected.old_token_logps.flat(), 1e-4)
    await fiveSteps()
    const now = await scores()
    expectClose(now, expected.new_token_logps.flat(), 1e-4)

    expectClose(klPerSequence(choices, now, old).map(Math.exp), sequence_ratio.ratios, 0, 1e-4 * Math.max(...counts))
    const whole = await read(
      differentiated(
        sequences,
        ({ logProbs }) => policyGradientLoss({ ratio: 'sequence', clip }, logProbs, old, advantages, counts).policyLoss,
      ),
    )
    // A small difference of numbers around 1, which the weights after five steps are not exact enough for.
    expectClose([whole.loss], [sequence_ratio.loss], 1e-5)
    expectNorm(whole.norm, sequence_ratio.global_grad_norm)

    const single = await read(
      differentiated(sequences, ({ logProbs }) => {
        const { policyLoss } = policyGradientLoss({ ratio: 'token', clip }, logProbs, old, advantages, counts)
        return tf.add(policyLoss, tf.mul(k3Loss(logProbs, old, counts), beta))
      }),
    )
    expectLoss(single.loss, token_ratio_k3.loss)
    expectNorm(single.norm, token_ratio_k3.global_grad_norm)
    const k3: number[] = []
    for (const [i, count] of counts.entries()) {
      const from = sum(counts.slice(0, i))
      const [own, before] = [now, old].map((column) => column.slice(from, from + count)) as [Float32Array, Float32Array]
      const scalar = tf.tidy(() => k3Loss(tf.tensor1d(own), before, [count]))
      k3.push((await scalar.data())[0]!)
      scalar.dispose()
    }
    expectClose(k3, token_ratio_k3.kl_per_sequence, 1e-4)

    const kl = klPerSequence(choices, now, old)
    expectClose(kl, k1_in_reward.kl_per_sequence, 1e-4 * Math.max(...counts))
    const after = expected.rewards.map((reward, i) => reward - beta * kl[i]!)
    expectClose(after, k1_in_reward.rewards_after_kl, 1e-4)
    expectClose(leaveOneOut(after, after.length), k1_in_reward.advantages, 1e-4)
  })
}
