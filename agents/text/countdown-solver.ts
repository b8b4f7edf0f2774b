import { show } from '../../envs/env.js'
import type { Message } from '../../envs/spaces/conversation.js'
import { readCountdownPrompt } from '../../envs/text/countdown/prompt.js'
import { countdownTrace } from '../../envs/text/countdown/trace.js'
import { shuffle } from '../../envs/text/task-order.js'
import type { Agent } from '../agent.js'

/**
 * Solves Countdown: reads the task out of the prompt, in any form, and answers with a {@link countdownTrace}, a brief one to a
 * brief prompt. Where no expression reaches the target it says so, without an answer.
 *
 * Greedy, the same prompt is always answered the same. Otherwise the solver meets the numbers in an order that is drawn, and so
 * finds one solution or another: whoever imitates it learns that there are several.
 *
 * @throws from `act`, TypeError for a conversation that asks no Countdown question, RangeError for a task beyond the
 * solver's six numbers
 */
export function countdownSolver(): Agent<readonly Message[], string> {
  return {
    act: (observations, { greedy, generators }) =>
      observations.map((conversation, i) => {
        const { task, thinking, brief } = expectCountdown('countdownSolver', conversation)
        const { numbers, target } = task
        const met = greedy ? task : { numbers: shuffle([...numbers], generators[i]!), target }
        const trace =
          countdownTrace(met, brief) ??
          `No expression of ${numbers.join(', ')} that uses each of them once equals ${target}.\n</think>\n` +
            'There is no answer.'
        return { action: thinking ? trace : `<think>${trace}`, choices: [], logProbs: [] }
      }),
  }
}

/** The task of a Countdown prompt.
 *  @throws TypeError for another conversation */
export function expectCountdown(agent: string, conversation: readonly Message[]) {
  const read = Array.isArray(conversation) ? readCountdownPrompt(conversation) : undefined
  if (read) return read
  throw new TypeError(
    `${agent}: expected a prompt of Countdown-v1, "Using the numbers […], create an equation that equals …", not ` +
      show(conversation),
  )
}
