import { added } from '../../tensors/added.js'
import * as tf from '../../tensors/tf.js'

/** Gradients by the weights' names, each summed as it comes: of several passes there is never more than the sum and the one that is being added. */
export class Gradients {
  readonly #sums: Record<string, tf.Tensor> = {}

  /** @param next  the sum with the new gradient in it, from the sum before, if there is any: it is taken over, and the one before disposed of */
  put<R extends tf.Rank>(name: string, next: (before: tf.Tensor<R> | undefined) => tf.Tensor<R>): void {
    const before = this.#sums[name] as tf.Tensor<R> | undefined
    this.#sums[name] = tf.keep(next(before))
    before?.dispose()
  }

  /** @param gradient  taken over */
  add(name: string, gradient: tf.Tensor): void {
    const before = this.#sums[name]
    this.#sums[name] = tf.keep(before ? added(before, gradient) : gradient)
  }

  /** All of them multiplied by a number, to be disposed of by the caller. */
  times(factor: number): Record<string, tf.Tensor> {
    if (factor !== 1) for (const name in this.#sums) this.put(name, (sum) => tf.mul(sum!, factor))
    return this.#sums
  }

  dispose(): void {
    tf.dispose(this.#sums)
  }
}
