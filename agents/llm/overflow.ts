import { BackendError } from '../../tensors/backend-error.js'
import { firstNotFinite } from '../../tensors/finite.js'
import type { ModelConfig } from './model-config.js'
import type { TokenBatch } from './token-batch.js'
import { forward, tensorsOf, type Weights } from './transformer.js'

/**
 * Goes through a model once more, for what was not finite behind it in half precision, and looks where that began.
 * @throws BackendError naming the first weight or the layer with a number that is not finite, if there is one
 */
export async function expectNoOverflow(config: ModelConfig, weights: Weights, batch: TokenBatch): Promise<void> {
  const wrong = await firstNotFinite(weights)
  if (wrong !== undefined) {
    throw new BackendError(
      `dtype float16: the weight ${wrong} has numbers that are not finite. Go back to a checkpoint before; learn with a lower learningRate, or a maxGradientNorm`,
    )
  }
  const trace = forward(config, weights, batch, 'all')
  const where = await firstNotFinite(tensorsOf(trace)).finally(() => trace.dispose())
  if (where === undefined) return
  throw new BackendError(
    `dtype float16: ${where} has numbers that are not finite: what is multiplied there does not fit half precision, whose largest number is 65,504. Compute in single precision (agent.dtype: float32)`,
  )
}
