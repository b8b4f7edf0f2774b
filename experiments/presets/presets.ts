import { arithmeticPresets } from './arithmetic.js'
import { cartpolePresets } from './cartpole.js'
import { chessPresets } from './chess.js'
import { countdownPresets } from './countdown.js'
import { gsm8kPresets } from './gsm8k.js'
import type { Preset } from './preset.js'
import { qwenCountdownPresets } from './qwen-countdown.js'

/** The experiments that a name is enough for. Every field can be overridden, by a YAML file or by `--set`. */
export const presets: Readonly<Record<string, Preset>> = {
  ...arithmeticPresets,
  ...cartpolePresets,
  ...chessPresets,
  ...countdownPresets,
  ...qwenCountdownPresets,
  ...gsm8kPresets,
}

/** A fifth of the training. */
const shortChess = ['budget.updates=160', 'algorithm.schedule.updates=160', 'evaluation.every=40']

/** Half of it. */
const shortCountdown = ['budget.updates=150', 'algorithm.schedule.updates=150', 'evaluation.every=50']

/** Presets that one name stands for in `rxgym compare`, each with the fields that differ there, as `--set` takes them. */
export const presetSets: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  /** REINFORCE and RLOO in every kind of environment. */
  domains: {
    'cartpole-reinforce-tuned': [],
    'cartpole-rloo': [],
    'chess-reinforce': shortChess,
    'chess-rloo': shortChess,
    'countdown-tiny-reinforce': shortCountdown,
    'countdown-tiny': shortCountdown,
    'arithmetic-tiny-reinforce': [],
    'arithmetic-tiny': [],
  },
}
