import { beforeAll, expect, it } from 'vitest'
import { leaveOneOut } from '../../algorithms/advantages.js'
import { k3Loss, klPerSequence, policyGradientLoss } from '../../algorithms/rloo.js'
import { useBackend } from '../../tensors/backend.js'
import * as tf from '../../tensors/tf.js'
import { describeGolden, golden } from '../golden/golden.js'

interface Expected {
  readonly cases: {
    readonly rloo: {
      readonly rewards: readonly number[]
      readonly advantages: readonly number[]
      readonly sequence_logps: readonly number[]
      readonly loss: number
    }
    readonly rloo_clipped: {
      readonly rewards: readonly number[]
      readonly advantages: readonly number[]
      readonly epsilon: number
      readonly beta: number
      readonly old_token_logps: readonly (readonly number[])[]
      readonly new_token_logps: readonly (readonly number[])[]
      readonly sequence_ratio: { readonly loss: number; readonly ratios: readonly number[] }
      readonly token_ratio_k3: { readonly loss: number; readonly kl_per_sequence: readonly number[] }
      readonly k1_in_reward: {
        readonly kl_per_sequence: readonly number[]
        readonly rewards_after_kl: readonly number[]
        readonly advantages: readonly number[]
      }
    }
  }
}

/** 1e-5 relative, or absolute where the record's seven digits leave no more of a small difference of large numbers. */
function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(actual.length).toBe(expected.length)
  for (let i = 0; i < expected.length; i++) {
    expect(Math.abs(actual[i]! - expected[i]!)).toBeLessThan(1e-5 * Math.max(1, Math.abs(expected[i]!)))
  }
}

// torch computed these on language models' token log-probabilities; its README says how.
describeGolden('RLOO on recorded log-probabilities equals the reference', () => {
  beforeAll(() => useBackend('cpu'))

  it.each(['qwen2-tiny', 'llama-tiny'])('the plain loss (%s)', (model) => {
    const { rewards, advantages, sequence_logps, loss } = golden<Expected>(`hf/${model}/expected.json`).cases.rloo
    const A = leaveOneOut(rewards, rewards.length)
    expectClose(A, advantages)
    // A sequence's log-probability in one piece: the plain loss is a sum over choices.
    const logProbs = tf.tensor1d([...sequence_logps])
    const counts = rewards.map(() => 1)
    const { policyLoss } = policyGradientLoss({ ratio: 'none', clip: 0.2 }, logProbs, new Float32Array(), A, counts)
    expectClose(policyLoss.dataSync(), [loss])
  })

  describeLosses('qwen2-tiny')
  describeLosses('llama-tiny')
})

function describeLosses(model: string): void {
  const read = () => {
    const recorded = golden<Expected>(`hf/${model}/expected.json`).cases.rloo_clipped
    return {
      ...recorded,
      counts: recorded.new_token_logps.map((tokens) => tokens.length),
      now: recorded.new_token_logps.flat(),
      old: Float32Array.from(recorded.old_token_logps.flat()),
    }
  }

  it(`the loss of clipped sequence ratios, and the ratios (${model})`, () => {
    const { rewards, advantages, epsilon: clip, counts, now, old, sequence_ratio } = read()
    const A = leaveOneOut(rewards, rewards.length)
    expectClose(A, advantages)
    const { policyLoss, clipped } = policyGradientLoss({ ratio: 'sequence', clip }, tf.tensor1d(now), old, A, counts)
    expectClose(policyLoss.dataSync(), [sequence_ratio.loss])
    const ratios = klPerSequence(
      counts.map((choices) => ({ choices })),
      Float32Array.from(now),
      old,
    ).map(Math.exp)
    expectClose(ratios, sequence_ratio.ratios)
    const low = Array.from(ratios, (ratio, i) => Number(A[i]! < 0 && ratio < 1 - clip))
    const high = Array.from(ratios, (ratio, i) => Number(A[i]! > 0 && ratio > 1 + clip))
    expect(Array.from(clipped!.low.dataSync())).toEqual(low)
    expect(Array.from(clipped!.high.dataSync())).toEqual(high)
    expect(Array.from(clipped!.region.dataSync())).toEqual(low.map((share, i) => share + high[i]!))
  })

  it(`the loss of clipped token ratios with k3 (${model})`, () => {
    const { rewards, epsilon: clip, beta, counts, now, old, token_ratio_k3 } = read()
    const A = leaveOneOut(rewards, rewards.length)
    const logProbs = tf.tensor1d(now)
    const { policyLoss } = policyGradientLoss({ ratio: 'token', clip }, logProbs, old, A, counts)
    const kl = k3Loss(logProbs, old, counts)
    const mean = token_ratio_k3.kl_per_sequence.reduce((sum, each) => sum + each, 0) / counts.length
    expectClose(kl.dataSync(), [mean])
    expectClose(tf.add(policyLoss, tf.mul(kl, beta)).dataSync(), [token_ratio_k3.loss])
    let at = 0
    for (const [i, count] of counts.entries()) {
      const one = k3Loss(tf.tensor1d(now.slice(at, at + count)), old.slice(at, at + count), [count])
      expectClose(one.dataSync(), [token_ratio_k3.kl_per_sequence[i]!])
      at += count
    }
  })

  it(`k1 in the reward (${model})`, () => {
    const { rewards, beta, counts, now, old, k1_in_reward } = read()
    const sequences = counts.map((choices) => ({ choices }))
    const kl = klPerSequence(sequences, Float32Array.from(now), old)
    expectClose(kl, k1_in_reward.kl_per_sequence)
    const after = rewards.map((reward, i) => reward - beta * kl[i]!)
    expectClose(after, k1_in_reward.rewards_after_kl)
    expectClose(leaveOneOut(after, after.length), k1_in_reward.advantages)
  })
}
