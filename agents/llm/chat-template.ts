import { join } from 'node:path'
import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja'
import { Conversation, type Message } from '../../envs/spaces/conversation.js'
import type { Tokenizer } from './tokenizer.js'

/** A conversation that cannot be written as a model reads it, and the way out. */
export class ChatTemplateError extends Error {
  override readonly name = 'ChatTemplateError'
  /** Of the tokenizer. */
  readonly folder: string

  constructor({ folder, files }: Tokenizer, reason: string, options?: ErrorOptions) {
    const own = 'chat_template.jinja' in files
    const place = own ? join(folder, 'chat_template.jinja') : `${join(folder, 'tokenizer_config.json')}: chat_template`
    super(`${place}: ${reason}. ${wayOut}`, options)
    this.folder = folder
  }
}

const conversations = new Conversation()
const wayOut = 'Prompts of the role "text" need no template'

/** What is put behind a message that is gone on with, to find where it ends. Templates that trim cut the space off. */
const MARK = 'HERE_THE_COMPLETION_GOES_ON '

/**
 * What `strftime_now` tells templates: always midnight of Friday, 26 July 2024, whatever the day, so that a prompt is the
 * same tomorrow. It is the date that Llama 3's templates name where they know no clock.
 */
const pinnedDate: Readonly<Record<string, string>> = {
  '%Y': '2024',
  '%y': '24',
  '%m': '07',
  '%B': 'July',
  '%b': 'Jul',
  '%d': '26',
  '%j': '208',
  '%A': 'Friday',
  '%a': 'Fri',
  '%H': '00',
  '%I': '12',
  '%p': 'AM',
  '%M': '00',
  '%S': '00',
  '%%': '%',
}

/**
 * A conversation as the model reads it. Messages of the role `text` are joined, nothing added. Others are written by the
 * tokenizer's chat template, as transformers' `apply_chat_template` does: with `add_generation_prompt`, or, where the
 * last message is the assistant's and not blank, with `continue_final_message`, cut right behind that message's content.
 * A template that trims messages cuts white space at its end off too.
 *
 * Templates are given `messages` with `role` and `content`, `bos_token`, `eos_token` and `pad_token`, no tools and no
 * documents, and a date that is always 26 July 2024.
 *
 * @throws ChatTemplateError if there is no template, it refuses the conversation, or leaves the last message out
 */
export function renderConversation(tokenizer: Tokenizer, messages: readonly Message[]): string {
  const given: unknown = messages
  if (!conversations.contains(given)) {
    const roles = messages.map(({ role }) => role).join(', ')
    throw new ChatTemplateError(
      tokenizer,
      `expected messages of the role "text" only, or others only, and at least one, not [${roles}]`,
    )
  }
  const last = messages.at(-1)
  if (last?.role === 'text') return messages.map(({ content }) => content).join('')
  if (last?.role !== 'assistant') return rendered(tokenizer, messages, true)

  const earlier = messages.slice(0, -1)
  if (last.content.trim() === '') return rendered(tokenizer, earlier, true)
  const whole = rendered(tokenizer, [...earlier, { role: 'assistant', content: last.content + MARK }], false)
  const end = whole.lastIndexOf(MARK.trim())
  const begun = whole.slice(0, Math.max(end, 0))
  if (!begun.includes(last.content.trim())) {
    throw new ChatTemplateError(
      tokenizer,
      "leaves out the assistant's last message or parts of it, so it cannot be gone on with",
    )
  }
  return whole.startsWith(MARK, end) ? begun : begun.trimEnd()
}

/**
 * A conversation as tokens. A template writes all special tokens itself; around `text` messages stands what the
 * tokenizer puts around any text: Llama 3 begins with `<|begin_of_text|>`, Qwen with nothing, as in transformers.
 *
 * @throws ChatTemplateError as `renderConversation`
 */
export function encodeConversation(tokenizer: Tokenizer, messages: readonly Message[]): Int32Array {
  const text = renderConversation(tokenizer, messages)
  return tokenizer.encode(text, { special: messages[0]?.role === 'text' })
}

function rendered(tokenizer: Tokenizer, messages: readonly Message[], add_generation_prompt: boolean): string {
  const { bos, eos, pad } = tokenizer
  const text = (id: number | undefined) => (id === undefined ? undefined : tokenizer.tokenText(id))
  const template = templateOf(tokenizer)
  const variables = {
    ...globals,
    messages: messages.map(({ role, content }) => ({ role, content })),
    add_generation_prompt,
    tools: null,
    documents: null,
    bos_token: text(bos),
    eos_token: text(eos),
    pad_token: text(pad),
  }
  const environment = new Environment()
  for (const [name, value] of Object.entries(variables)) environment.set(name, value)
  try {
    return String(new Interpreter(environment).run(template).value)
  } catch (cause) {
    const roles = messages.map(({ role }) => role).join(', ')
    throw new ChatTemplateError(tokenizer, `refuses the roles [${roles}]: ${(cause as Error).message}`, { cause })
  }
}

type Template = ReturnType<typeof parse>

const templates = new WeakMap<Tokenizer, Template>()

function templateOf(tokenizer: Tokenizer): Template {
  const parsed = templates.get(tokenizer)
  if (parsed) return parsed
  const { chatTemplates } = tokenizer
  const source = chatTemplates.get('default')
  if (source === undefined) {
    const names = [...chatTemplates.keys()].map((name) => `"${name}"`).join(', ')
    throw new ChatTemplateError(tokenizer, names ? `none of ${names} is named "default"` : 'there is none')
  }
  try {
    // Both options as transformers sets them.
    const template = parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }))
    templates.set(tokenizer, template)
    return template
  } catch (cause) {
    throw new ChatTemplateError(tokenizer, `not a template: ${(cause as Error).message}`, { cause })
  }
}

/** What transformers gives every template; Python's spellings too. */
const globals = {
  true: true,
  false: false,
  none: null,
  True: true,
  False: false,
  None: null,
  range: (start: number, stop?: number, step = 1): number[] => {
    const [first, end] = stop === undefined ? [0, start] : [start, stop]
    return Array.from({ length: Math.max(0, Math.ceil((end - first) / step)) }, (_, i) => first + i * step)
  },
  raise_exception: (message: string): never => {
    throw new Error(message)
  },
  strftime_now: (format: string): string =>
    format.replace(/%(?:-?.|$)/gu, (directive) => {
      const part = pinnedDate[directive]
      if (part === undefined) throw new RangeError(`strftime_now: "${directive}" is not a part of a date that is here`)
      return part
    }),
}
