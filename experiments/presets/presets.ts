import { cartpolePresets } from './cartpole.js'
import { chessPresets } from './chess.js'
import { countdownPresets } from './countdown.js'
import { gsm8kPresets } from './gsm8k.js'
import type { Preset } from './preset.js'
import { qwenCountdownPresets } from './qwen-countdown.js'

/** The experiments that a name is enough for. Every field can be overridden, by a YAML file or by `--set`. */
export const presets: Readonly<Record<string, Preset>> = {
  ...cartpolePresets,
  ...chessPresets,
  ...countdownPresets,
  ...qwenCountdownPresets,
  ...gsm8kPresets,
}
