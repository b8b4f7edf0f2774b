import {
  type Env,
  InvalidActionError,
  NO_INFO,
  type Reset,
  ResetNeededError,
  type ResetOptions,
  type Step,
  show,
} from '../env.js'
import { register } from '../registry.js'
import { PCG64, type PCG64State } from '../seeding.js'
import { Discrete } from '../spaces/discrete.js'
import type { EnvSpec } from '../spec.js'
import type { Words } from '../wrappers/text-view.js'
import { advance } from './cart-pole-dynamics.js'
import { cartPoleSvg, cartPoleText } from './cart-pole-render.js'
import { type CartPoleOptions, cartPoleObservations, checkedOptions, startBounds } from './cart-pole-setup.js'
import { CartPoleVector } from './cart-pole-vector.js'
import { cartPoleWords } from './cart-pole-words.js'

declare module '../registry.js' {
  interface EnvTypes {
    'CartPole-v0': Env<Float32Array, number>
    'CartPole-v1': Env<Float32Array, number>
  }
}

/** A {@link CartPole}'s whole state, as JSON. */
export interface CartPoleSnapshot {
  /** x, ẋ, θ, θ̇; null before the first reset. */
  readonly state: readonly number[] | null
  readonly steps: number
  readonly terminated: boolean
  readonly random: PCG64State | null
}

/**
 * A pole stands on a cart, on a joint without friction; pushes to the left and right keep it upright.
 *
 * ## Observation   `Box(4)`, float32
 * | index | meaning | unit | the space's bound | ends the episode beyond |
 * |---|---|---|---|---|
 * | 0 | cart position | m | ±4.8 | ±2.4 |
 * | 1 | cart velocity | m/s | ±∞ | – |
 * | 2 | pole angle, 0 upright, positive to the right | rad | ±0.418 (24°) | ±0.2095 (12°) |
 * | 3 | pole angular velocity | rad/s | ±∞ | – |
 *
 * The state behind it is float64; the observation is a copy, the caller's to keep.
 *
 * ## Action   `Discrete(2)`
 * 0 pushes left, 1 right, with 10 N for 0.02 s.
 *
 * ## Reward
 * 1 for every step, also the one that ends the episode. With `suttonBartoReward` −1 for that one and 0 for the others.
 *
 * ## Start
 * Four values uniform in ±0.05, or between the reset options `low` and `high`:
 * `env.reset({ seed: 1, options: { low: -0.1, high: 0.1 } })`.
 *
 * ## End
 * Terminated beyond the limits above. `make` truncates after 500 steps (`CartPole-v1`) or 200 (`CartPole-v0`).
 * The class by itself has no limit and can be stepped on past the end; it then pays 0 (−1 with `suttonBartoReward`).
 *
 * ## Options
 * | name | type | default | meaning |
 * |---|---|---|---|
 * | `suttonBartoReward` | boolean | false | see Reward |
 * | `render` | `'text'`, `'svg'` | `'text'` | what `render()` gives |
 *
 * ## Many at once
 * `makeVec('CartPole-v1', 1024)` steps a true batch: {@link CartPoleVector}. Same seeds, same bits.
 *
 * ## In words
 * `textView` tells the state with its units and takes `left` or `right`: {@link cartPoleWords}.
 *
 * ## Versions
 * - `CartPole-v1`: 500 steps, solved at a mean return of 475.
 * - `CartPole-v0`: 200 steps, solved at 195.
 *
 * ## Source
 * Barto, Sutton and Anderson (1983), "Neuronlike adaptive elements that can solve difficult learning control
 * problems"; constants, order of updates and semantics as Gymnasium's `CartPole-v1`.
 *
 * @example
 * const env = make('CartPole-v1')
 * let { observation } = env.reset({ seed: 42 })
 * for (let done = false; !done; ) {
 *   const step = env.step(observation[2] > 0 ? 1 : 0)
 *   observation = step.observation
 *   done = step.terminated || step.truncated
 * }
 */
export class CartPole implements Env<Float32Array, number> {
  readonly observationSpace = cartPoleObservations()
  readonly actionSpace = new Discrete(2)
  readonly seats = 1
  readonly spec: EnvSpec | undefined = undefined
  /** How `textView` tells it to a language agent. */
  readonly words: Words<Float32Array, number>

  readonly #suttonBartoReward: boolean
  readonly #render: 'text' | 'svg'
  readonly #state = new Float64Array(4)
  readonly #action = new Uint8Array(1)
  readonly #ends = new Int32Array(1)
  #random: PCG64 | undefined
  #started = false
  #terminated = false
  #steps = 0

  /** @throws RangeError for an option that is not in the manual, TypeError for one of another type */
  constructor(options: CartPoleOptions = {}) {
    const { suttonBartoReward = false, render = 'text' } = checkedOptions(options)
    this.#suttonBartoReward = suttonBartoReward
    this.words = cartPoleWords(suttonBartoReward ? -1 : 0)
    this.#render = render
  }

  /** @throws TypeError or RangeError if `low` and `high` are not two finite numbers in that order */
  reset({ seed, options }: ResetOptions = {}): Reset<Float32Array> {
    const { low, high } = startBounds(options)
    if (seed !== undefined || this.#random === undefined) this.#random = new PCG64(seed)
    for (let k = 0; k < 4; k++) this.#state[k] = this.#random.uniform(low, high)
    this.#started = true
    this.#terminated = false
    this.#steps = 0
    return { observation: new Float32Array(this.#state), info: NO_INFO }
  }

  /** @throws InvalidActionError if the action is neither 0 nor 1; the state is then as before */
  step(action: number): Step<Float32Array> {
    if (action !== 0 && action !== 1) throw new InvalidActionError(action, this.actionSpace)
    if (!this.#started) throw new ResetNeededError('CartPole: step before the first reset; call reset first')
    const observation = new Float32Array(4)
    this.#action[0] = action
    const terminated = advance(this.#state, this.#action, observation, this.#ends) > 0
    const reward = this.#suttonBartoReward ? (terminated ? -1 : 0) : terminated && this.#terminated ? 0 : 1
    this.#terminated ||= terminated
    this.#steps++
    return { observation, reward, terminated, truncated: false, info: NO_INFO }
  }

  /** The present state as text or SVG, as the `render` option says. */
  render(): string {
    if (!this.#started) throw new ResetNeededError('CartPole: render before the first reset; call reset first')
    const picture = { state: this.#state, steps: this.#steps, terminated: this.#terminated }
    return this.#render === 'svg' ? cartPoleSvg(picture) : cartPoleText(picture)
  }

  snapshot(): CartPoleSnapshot {
    return {
      state: this.#started ? Array.from(this.#state) : null,
      steps: this.#steps,
      terminated: this.#terminated,
      random: this.#random?.state() ?? null,
    }
  }

  /** @throws TypeError if `snapshot` did not come from a CartPole */
  restore(snapshot: unknown): void {
    if (!isSnapshot(snapshot)) throw new TypeError(`CartPole: ${show(snapshot)} is not a snapshot of this environment`)
    const { state, steps, terminated, random } = snapshot
    this.#random = random === null ? undefined : PCG64.fromState(random)
    if (state) this.#state.set(state)
    this.#started = state !== null
    this.#steps = steps
    this.#terminated = terminated
  }

  close(): void {}
}

function isSnapshot(value: unknown): value is CartPoleSnapshot {
  const { state, steps, terminated, random } = (value ?? {}) as Partial<CartPoleSnapshot>
  return (
    (state === null || (Array.isArray(state) && state.length === 4 && state.every((x) => typeof x === 'number'))) &&
    Number.isInteger(steps) &&
    typeof terminated === 'boolean' &&
    typeof random === 'object'
  )
}

for (const [id, maxEpisodeSteps, rewardThreshold] of [
  ['CartPole-v0', 200, 195],
  ['CartPole-v1', 500, 475],
] as const) {
  register({
    id,
    maxEpisodeSteps,
    rewardThreshold,
    reference: ({ maxEpisodeSteps: limit = maxEpisodeSteps }) => ({
      score: limit,
      what: `a pole that stands until the time limit; Gymnasium counts ${rewardThreshold} of ${maxEpisodeSteps} as solved`,
    }),
    create: (options: CartPoleOptions) => new CartPole(options),
    createVector: (n, options, vector) => new CartPoleVector(n, options as CartPoleOptions, vector),
  })
}
