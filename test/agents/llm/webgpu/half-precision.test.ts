import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { LanguageModel } from '../../../../agents/llm/language-model.js'
import { differentiateSequences, type Sequence } from '../../../../agents/llm/scoring.js'
import type { PolicyOutputs } from '../../../../agents/policy.js'
import { Adam } from '../../../../tensors/adam.js'
import { useBackend } from '../../../../tensors/backend.js'
import * as tf from '../../../../tensors/tf.js'
import { gpuKernels } from '../../../../tensors/webgpu/kernels.js'
import { describeGolden, golden } from '../../../golden/golden.js'
import { goldenModel } from '../golden-model.js'

interface Cases {
  readonly logits: { readonly input_ids: readonly number[]; readonly last_logits: readonly number[] }
  readonly greedy: { readonly prompt: readonly number[]; readonly plain: readonly number[] }
  readonly sft: { readonly examples: readonly Sequence[]; readonly loss: number; readonly global_grad_norm: number }
  readonly adamw: {
    readonly lr: number
    readonly betas: readonly [number, number]
    readonly eps: number
    readonly weight_decay: number
    readonly clip_global_norm: number
    readonly losses_before_each_of_5_steps: readonly number[]
  }
}

const crossEntropy = ({ logProbs }: PolicyOutputs): tf.Scalar => tf.neg(tf.mean(logProbs))

/** The share of the second by which the first differs. */
const off = (actual: number, expected: number) => Math.abs(actual - expected) / Math.abs(expected)

async function normOf(gradients: Readonly<Record<string, tf.Tensor>>): Promise<number> {
  let squares = 0
  for (const gradient of Object.values(gradients)) {
    for (const x of (await gradient.data()) as Float32Array) squares += x * x
  }
  return Math.sqrt(squares)
}

beforeAll(async () => {
  await useBackend('webgpu')
})

for (const name of ['qwen2-tiny', 'llama-tiny']) {
  describeGolden(`${name} in half precision`, () => {
    const { cases } = golden<{ readonly cases: Cases }>(`hf/${name}/expected.json`)
    let model: LanguageModel
    const halfIsHere = () => gpuKernels()!.has('shader-f16')

    afterEach(() => {
      model.dispose()
      vi.restoreAllMocks()
    })

    it('says so where the adapter has none, and computes in single precision', async () => {
      const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
      model = await goldenModel(name, 'float16')
      const warnings = warned.mock.calls.map(([warning]) => String(warning))
      if (halfIsHere()) {
        expect([model.config.dtype, warnings]).toEqual(['float16', []])
      } else {
        expect(model.config.dtype).toBe('float32')
        expect(warnings).toEqual([
          'dtype float16: the adapter has no shader-f16 (rxgym doctor lists what there is). The model computes in float32.',
        ])
      }
    })

    // 11 bits of each factor, and sums in single precision: a thousandth or so of what is summed.
    it('gives the logits, to a hundredth of the largest', async () => {
      model = await goldenModel(name, 'float16')
      const { input_ids, last_logits } = cases.logits
      const logits = (await model.logits(input_ids)).slice(-last_logits.length)
      const largest = Math.max(...last_logits.map(Math.abs))
      const worst = Math.max(...last_logits.map((expected, i) => Math.abs(logits[i]! - expected)))
      expect(worst).toBeLessThan(0.01 * largest)
    })

    it('writes greedily what transformers writes', async () => {
      model = await goldenModel(name, 'float16')
      const { prompt, plain } = cases.greedy
      const [written] = await model.generate([prompt], { temperature: 0, maxNewTokens: plain.length, endTokens: [] })
      expect(Array.from(written!.tokens)).toEqual(plain)
    })

    it('gives the loss and the norm of its gradients, to a hundredth', async () => {
      model = await goldenModel(name, 'float16')
      const { examples, loss: expected, global_grad_norm } = cases.sft
      const { loss, gradients } = await differentiateSequences(model.config, model.weights, examples, crossEntropy)
      expect(off((await loss.data())[0]!, expected)).toBeLessThan(1e-3)
      expect(off(await normOf(gradients), global_grad_norm)).toBeLessThan(0.01)
      tf.dispose([loss, gradients as Record<string, tf.Tensor>])
    })

    it('learns as single precision does, five steps of AdamW', async () => {
      model = await goldenModel(name, 'float16')
      const { lr, betas, eps, weight_decay, clip_global_norm, losses_before_each_of_5_steps } = cases.adamw
      const adam = new Adam(model.variables, {
        ...{ beta1: betas[0], beta2: betas[1], epsilon: eps },
        ...{ weightDecay: weight_decay, maxGradientNorm: clip_global_norm },
      })
      for (const expected of losses_before_each_of_5_steps) {
        const { loss, gradients } = await differentiateSequences(
          model.config,
          model.weights,
          cases.sft.examples,
          crossEntropy,
        )
        expect(off((await loss.data())[0]!, expected)).toBeLessThan(2e-3)
        loss.dispose()
        await adam.step(gradients, lr)
      }
    })

    it('loses nothing of a loss whose slopes are smaller than half precision has numbers for', async () => {
      model = await goldenModel(name, 'float16')
      const tiny = 1e-7
      const gradientsOf = async (scale: number) => {
        const scaled = (outputs: PolicyOutputs) => tf.mul(crossEntropy(outputs), scale) as tf.Scalar
        const { loss, gradients } = await differentiateSequences(
          model.config,
          model.weights,
          cases.sft.examples,
          scaled,
        )
        const norm = await normOf(gradients)
        tf.dispose([loss, gradients as Record<string, tf.Tensor>])
        return norm
      }
      expect(off((await gradientsOf(tiny)) / tiny, await gradientsOf(1))).toBeLessThan(1e-3)
    })

    it('names the layer where its numbers are too large, which they are not for single precision', async () => {
      model = await goldenModel(name, 'float16')
      const up = model.variables['model.layers.1.mlp.up_proj.weight']!
      tf.tidy(() => up.assign(tf.mul(up, 1e7)))
      model.refresh()
      const { input_ids } = cases.logits
      const score = () => model.tokenLogProbs([input_ids.slice(0, 4)], [input_ids.slice(4)])
      if (!halfIsHere()) {
        expect((await score())[0]!.every(Number.isFinite)).toBe(true)
        return
      }
      const message =
        /^dtype float16: model\.layers\.1\.mlp\.\w+ has numbers that are not finite.*agent\.dtype: float32/
      await expect(score()).rejects.toThrow(message)
      await expect(model.generate([input_ids], { maxNewTokens: 2 })).rejects.toThrow(message)
    })

    it('names the weight that is not finite, of which single precision gives what comes of it', async () => {
      model = await goldenModel(name, 'float16')
      const norm = model.variables['model.norm.weight']!
      tf.tidy(() => norm.assign(tf.fill(norm.shape, Number.NaN)))
      model.refresh()
      const { input_ids } = cases.logits
      const score = () => model.tokenLogProbs([input_ids.slice(0, 4)], [input_ids.slice(4)])
      if (!halfIsHere()) {
        expect((await score())[0]!.every(Number.isNaN)).toBe(true)
        return
      }
      await expect(score()).rejects.toThrow(
        'dtype float16: the weight model.norm.weight has numbers that are not finite',
      )
    })
  })
}

describe('half precision', () => {
  it('is refused by a backend without it', async () => {
    await useBackend('cpu')
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const { noHalf } = await import('../../../../tensors/compute-type.js')
    expect(noHalf()).toBe('backend cpu has none; webgpu has')
    expect(warned).not.toHaveBeenCalled()
    warned.mockRestore()
    await useBackend('webgpu')
  })
})
