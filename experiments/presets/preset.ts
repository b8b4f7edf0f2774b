import type { Json } from '../../envs/spec.js'

/** An experiment with a name: what it is, where it comes from, and the fields that differ from the defaults. */
export interface Preset {
  readonly description: string
  readonly source: string
  readonly config: { readonly [field: string]: Json }
}
