import { PCG64, SeedSequence } from '../seeding.js'

/** Orders kept: lanes side by side ask for the same one, or its neighbour. */
const kept = new Map<string, Uint32Array>()
const mostKept = 4

/**
 * Which of `count` tasks is the `index`-th in the order that `seed` shuffles them into. After `count` of them comes the next epoch,
 * in another order; within one no task comes twice (Fisher–Yates by NumPy's PCG64).
 *
 * @returns an integer from 0 to `count - 1`
 */
export function taskInOrder(count: number, seed: number, index: number): number {
  const epoch = Math.floor(index / count)
  const key = `${count} ${seed} ${epoch}`
  let order = kept.get(key)
  if (!order) {
    order = shuffle(
      Uint32Array.from({ length: count }, (_, i) => i),
      new PCG64(new SeedSequence(seed, [3, epoch])),
    )
    if (kept.size >= mostKept) kept.delete(kept.keys().next().value!)
    kept.set(key, order)
  }
  return order[index % count]!
}

/** Puts numbers into a random order, in place (Fisher–Yates). */
export function shuffle<T extends Uint32Array | number[]>(numbers: T, random: PCG64): T {
  for (let i = numbers.length - 1; i > 0; i--) {
    const j = random.integers(0, i + 1)
    const moved = numbers[i]!
    numbers[i] = numbers[j]!
    numbers[j] = moved
  }
  return numbers
}
