import { definitionOf, make, type ReferenceScore } from './registry.js'
import type { EnvSpec } from './spec.js'
import { TextEnv } from './text/text-env.js'
import { unwrapped } from './wrappers/wrapper.js'

/**
 * What counts as a score of 1 in an environment: what it is registered with, or a text environment's highest reward.
 * Wrappers that change rewards are not taken into account.
 *
 * @throws RangeError where nothing says so; UnknownNameError if nobody registered the id; what making the environment throws
 */
export function referenceOf(spec: EnvSpec): ReferenceScore {
  const { reference } = definitionOf(spec.id)
  if (reference) return reference(spec)
  const env = make(spec)
  env.close()
  const inner = unwrapped(env)
  if (inner instanceof TextEnv) {
    return { score: inner.maxReward, what: 'the highest reward there is, which gold answers earn' }
  }
  throw new RangeError(`${spec.id} has no reference score. Register it with "reference"`)
}
