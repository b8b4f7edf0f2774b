import type { CountdownTask } from '../../../rewards/countdown-score.js'
import type { Message } from '../../spaces/conversation.js'

/** The published forms: `base` for a model that only goes on with text, `chat` for one trained on ChatML, as Qwen's; and
 *  `brief`, our own, for models so small that they cannot be told anything. */
export type CountdownPromptForm = 'base' | 'chat' | 'brief'

/** What a prompt may say beyond the published words. */
export interface CountdownPromptAdditions {
  /** A solution that is given away, in the words of the variant with a tool. */
  readonly answer?: string | undefined
  /** How to call a tool: lines of their own behind the question. */
  readonly instruction?: string | undefined
}

const system =
  'You are a helpful assistant. You first thinks about the reasoning process in the mind and then provides the user with ' +
  'the answer.'

/**
 * TinyZero's prompt for a Countdown task, to the character; a completion goes on behind its `<think>`.
 *
 * The texts are those of `make_prefix` in examples/data_preprocess/countdown.py of github.com/Jiayi-Pan/TinyZero at 95df88f
 * (Apache 2.0), where the chat form is called `qwen-instruct`; its special tokens stand in the text. The sentence that
 * gives an answer away is that of eval/eval_leaderboard_countdown_ext.py of github.com/tonyzstt/Finetune_LLM_RL at 15fb316,
 * where what a solver found is the output of an "external tool". The brief form is not published: `44,19,35=98`.
 *
 * @example
 * countdownPrompt({ numbers: [44, 19, 35], target: 99 }, 'base')
 */
export function countdownPrompt(
  task: CountdownTask,
  form: CountdownPromptForm,
  additions: CountdownPromptAdditions = {},
): string {
  if (form === 'brief') return `${briefly(task, additions)}\n<think>`
  const question = questionOf(task, additions)
  if (form === 'base') {
    return (
      'A conversation between User and Assistant. The user asks a question, and the Assistant solves it. The assistant ' +
      'first thinks about the reasoning process in the mind and then provides the user with the answer.\n' +
      `User: ${question}\nAssistant: Let me solve this step by step.\n<think>`
    )
  }
  if (form === 'chat') {
    return (
      `<|im_start|>system\n${system}<|im_end|>\n<|im_start|>user\n ${question}<|im_end|>\n` +
      '<|im_start|>assistant\nLet me solve this step by step.\n<think>'
    )
  }
  throw new RangeError(`countdownPrompt: form ${JSON.stringify(form)} is neither "base" nor "chat" nor "brief"`)
}

/** The words of the chat form for any chat template: a system message and the question. A completion begins with `<think>`. */
export function countdownMessages(task: CountdownTask, additions: CountdownPromptAdditions = {}): readonly Message[] {
  return [
    { role: 'system', content: system },
    { role: 'user', content: questionOf(task, additions) },
  ]
}

/**
 * The task that a conversation's first Countdown question is about, whatever form it has, whether that is the brief one, and
 * whether a `<think>` stands open at its end, in which a completion goes on; undefined where there is no such question.
 */
export function readCountdownPrompt(
  conversation: readonly Message[],
): { readonly task: CountdownTask; readonly thinking: boolean; readonly brief: boolean } | undefined {
  for (const { content } of conversation) {
    const task = readCountdownQuestion(content)
    if (task) return { task, thinking: isThinking(conversation.at(-1)!), brief: briefQuestion.test(content) }
  }
  return undefined
}

const briefQuestion = /^(\d+(?:,\d+)*)=(-?\d+)(?==|\n)/

/** The task that a text asks about, in any form. */
export function readCountdownQuestion(text: string): CountdownTask | undefined {
  const [, numbers, target] =
    /Using the numbers \[(\d+(?:, \d+)*)\], create an equation that equals (-?\d+)\. /.exec(text) ??
    briefQuestion.exec(text) ??
    []
  return numbers === undefined ? undefined : { numbers: numbers.split(/, ?/).map(Number), target: Number(target) }
}

/** The question itself names both tags. */
function isThinking({ role, content }: Message): boolean {
  if (role !== 'text' && role !== 'assistant') return false
  return content.lastIndexOf('<think>') > content.lastIndexOf('</think>')
}

function briefly({ numbers, target }: CountdownTask, { answer, instruction }: CountdownPromptAdditions): string {
  const given = answer === undefined ? '' : `=${answer.replaceAll(' ', '')}`
  return `${numbers.join(',')}=${target}${given}${instruction === undefined ? '' : `\n${instruction}`}`
}

function questionOf({ numbers, target }: CountdownTask, { answer, instruction }: CountdownPromptAdditions): string {
  const given = answer === undefined ? '' : ` Here is the answer: ${answer}.`
  return (
    `Using the numbers [${numbers.join(', ')}], create an equation that equals ${target}.${given} You can use basic ` +
    'arithmetic operations (+, -, *, /) and each number can only be used once. Show your work in <think> </think> tags. ' +
    'And return the final answer in <answer> </answer> tags, for example <answer> (1 + 2) / 3 </answer>.' +
    (instruction === undefined ? '' : `\n${instruction}`)
  )
}
