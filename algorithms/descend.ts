import type { Differentiated, Policy } from '../agents/policy.js'
import type { Adam } from '../tensors/adam.js'
import * as tf from '../tensors/tf.js'
import { NonFiniteError } from './algorithm.js'

/**
 * Opponents may decide everything in a short episode. Of a batch of such ones alone there is nothing to learn, and a backend
 * would make gradients of what it finds in memory.
 * @throws RangeError if there are no decisions
 */
export function expectDecisions(decisions: readonly unknown[]): void {
  if (decisions.length === 0)
    throw new RangeError('the policy decided nothing in these episodes: take more of them for each update')
}

/**
 * One step of Adam down a loss that the policy differentiates; the policy acts by its new parameters when it resolves.
 * The tensors it is given are disposed of, in every way.
 *
 * @param differentiated  what {@link Policy.differentiate} gives, still to come or there
 * @param parts  scalars to report beside the loss, which puts them there, kept out of the tidy with `tf.keep`
 * @returns `loss`, the parts by their names, and `grad_norm` before clipping
 * @throws NonFiniteError if the loss or the gradient is NaN or infinite; nothing is changed then
 */
export async function descend<O, A>(
  policy: Policy<O, A>,
  adam: Adam,
  differentiated: Differentiated | Promise<Differentiated>,
  learningRate: number,
  parts: Readonly<Record<string, tf.Tensor>> = {},
): Promise<Record<string, number>> {
  const given: tf.Tensor[] = []
  try {
    const { loss, gradients } = await differentiated
    given.push(loss, ...Object.values(gradients))
    const scalars = Object.entries({ loss, ...parts })
    const values = await Promise.all(scalars.map(([, scalar]) => scalar.data()))
    const metrics: Record<string, number> = Object.fromEntries(scalars.map(([name], i) => [name, values[i]![0]!]))
    if (!Number.isFinite(metrics.loss)) throw new NonFiniteError('the loss', metrics.loss!)
    const norm = await adam.step(gradients, learningRate)
    if (!Number.isFinite(norm)) throw new NonFiniteError('the gradient norm', norm)
    await policy.refresh()
    return { ...metrics, grad_norm: norm }
  } finally {
    tf.dispose([...given, ...Object.values(parts)])
  }
}
