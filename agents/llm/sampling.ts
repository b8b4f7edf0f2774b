/** How a next token is drawn. */
export interface Sampling {
  /** Logits are divided by it, above 0; 0 takes the likeliest. Default 1. */
  readonly temperature?: number
  /** Only so many of the likeliest tokens may be drawn; 0 for all. Default 0. */
  readonly topK?: number
  /** Only the likeliest tokens that together have this probability may be drawn, in (0, 1]. Default 1. */
  readonly topP?: number
  /** Logits of tokens in the prompt or the completion are divided by it where positive, else multiplied (Keskar et al. 2019,
   *  "CTRL", section 4.1). Default 1: as they are. */
  readonly repetitionPenalty?: number
}

/** A token that was drawn. */
export interface Draw {
  readonly token: number
  /** Natural logarithm of the probability with which it was drawn: of the distribution after all of {@link Sampling}. */
  readonly logProb: number
}

/** @throws RangeError naming the field that is out of range */
export function checkedSampling(sampling: Sampling): Required<Sampling> {
  const { temperature = 1, topK = 0, topP = 1, repetitionPenalty = 1 } = sampling
  const check = (name: string, value: number, holds: boolean, expected: string) => {
    if (!holds) throw new RangeError(`sampling: ${name} ${value} is not ${expected}`)
  }
  check('temperature', temperature, temperature >= 0 && temperature < Number.POSITIVE_INFINITY, 'a number from 0')
  check('topK', topK, Number.isSafeInteger(topK) && topK >= 0, 'a whole number from 0')
  check('topP', topP, topP > 0 && topP <= 1, 'above 0 and at most 1')
  const positive = repetitionPenalty > 0 && repetitionPenalty < Number.POSITIVE_INFINITY
  check('repetitionPenalty', repetitionPenalty, positive, 'a number above 0')
  return { temperature, topK, topP, repetitionPenalty }
}

/**
 * Draws a token in vLLM's order: repetition penalty, temperature, top-k, top-p, and one uniform number over the tokens left.
 * Ties of the likeliest go to the lowest number. With temperature 0 the number says nothing, and the log-probability is 0: the
 * token was certain.
 *
 * @param logits   [vocabulary]; changed
 * @param seen     the tokens of the prompt and the completion, for the penalty
 * @param uniform  in [0, 1)
 * @throws RangeError if a logit is NaN, or none is finite
 */
export function drawToken(
  logits: Float32Array,
  seen: Iterable<number>,
  sampling: Required<Sampling>,
  uniform: number,
): Draw {
  const { temperature, topK, topP, repetitionPenalty } = sampling
  if (repetitionPenalty !== 1) {
    for (const token of new Set(seen)) {
      const logit = logits[token]!
      logits[token] = logit < 0 ? logit * repetitionPenalty : logit / repetitionPenalty
    }
  }
  const best = likeliest(logits)
  if (temperature === 0) return { token: best, logProb: 0 }
  const most = logits[best]!
  const weights = new Float64Array(logits.length)
  let sum = 0
  for (let i = 0; i < logits.length; i++) {
    weights[i] = Math.exp((logits[i]! - most) / temperature)
    sum += weights[i]!
  }
  if (topK > 0 || topP < 1) sum = cutOff(weights, sum, topK, topP)
  const drawn = uniform * sum
  let token = best
  let below = 0
  for (let i = 0; i < weights.length; i++) {
    if (weights[i] === 0) continue
    below += weights[i]!
    token = i
    if (drawn < below) break
  }
  return { token, logProb: Math.log(weights[token]! / sum) }
}

function likeliest(logits: Float32Array): number {
  let best = -1
  let most = Number.NEGATIVE_INFINITY
  for (let i = 0; i < logits.length; i++) {
    if (Number.isNaN(logits[i])) throw notDrawn(`the logit of token ${i} is NaN`)
    if (logits[i]! > most) {
      most = logits[i]!
      best = i
    }
  }
  if (best < 0 || most === Number.POSITIVE_INFINITY) throw notDrawn(`the largest of ${logits.length} logits is ${most}`)
  return best
}

/** No token can be drawn, and why: what gives such logits, and what to do about it. */
export function notDrawn(what: string): RangeError {
  const cause = 'the model has weights that are no numbers, or too large ones'
  return new RangeError(
    `${what}: ${cause}. Go back to a checkpoint before; learn with a lower learningRate, or a maxGradientNorm`,
  )
}

/** Sets the weight of every token that may not be drawn to 0, and returns the sum of the others. */
function cutOff(weights: Float64Array, sum: number, topK: number, topP: number): number {
  // Equal weights in the order of their tokens, so that the same ones stay on every machine.
  const order = Uint32Array.from(weights, (_, i) => i).sort((a, b) => weights[b]! - weights[a]! || a - b)
  const most = topK > 0 ? Math.min(topK, order.length) : order.length
  let all = 0
  for (let i = 0; i < most; i++) all += weights[order[i]!]!
  let kept = 0
  let left = 0
  while (kept < most && (kept === 0 || left < topP * all)) left += weights[order[kept++]!]!
  for (let i = kept; i < order.length; i++) weights[order[i]!] = 0
  return kept === order.length ? sum : left
}

/** The option of sampling by which tokens are not drawn from the whole distribution, if one is. */
export function cutBy({
  topK = 0,
  topP = 1,
  repetitionPenalty = 1,
}: Omit<Sampling, 'temperature'>): 'topK' | 'topP' | 'repetitionPenalty' | undefined {
  if (topK !== 0) return 'topK'
  if (topP !== 1) return 'topP'
  return repetitionPenalty === 1 ? undefined : 'repetitionPenalty'
}
