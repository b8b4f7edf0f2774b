import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { encodeConversation, renderConversation } from '../../../agents/llm/chat-template.js'
import { loadTokenizer, Tokenizer } from '../../../agents/llm/tokenizer.js'
import { trainTokenizer } from '../../../agents/llm/train-tokenizer.js'
import type { Message } from '../../../envs/spaces/conversation.js'
import { describeGolden } from '../../golden/golden.js'

/** Made with Jinja2 and the settings of transformers, as its first field says. */
const reference = JSON.parse(readFileSync(new URL('chat-template-reference.json', import.meta.url), 'utf8')) as {
  readonly templates: Readonly<Record<string, string>>
  readonly cases: readonly {
    readonly template: string
    readonly messages: readonly Message[]
    readonly rendered?: string
    readonly raised?: string
  }[]
}

const files = trainTokenizer([], { vocabularySize: 261, specialTokens: ['<|bos|>'] })
const ours = new Tokenizer(files)
const user: Message = { role: 'user', content: 'Hi' }

function withTemplate(chat_template: unknown, config: object = {}): Tokenizer {
  const whole = { ...JSON.parse(files['tokenizer_config.json']), chat_template, ...config }
  return new Tokenizer({ ...files, 'tokenizer_config.json': JSON.stringify(whole) }, 'm')
}

describe('Chat templates', () => {
  for (const [name, template] of Object.entries(reference.templates)) {
    const tokenizer = withTemplate(template, { bos_token: '<|bos|>', eos_token: '<|endoftext|>' })
    for (const { messages, rendered, raised } of reference.cases.filter((each) => each.template === name)) {
      const told = messages.map(({ role, content }) => `${role} ${JSON.stringify(content)}`).join(', ')
      if (rendered !== undefined) {
        it(`"${name}" writes as the reference does: ${told}`, () => {
          expect(renderConversation(tokenizer, messages)).toBe(rendered)
        })
      } else {
        it(`"${name}" refuses with the reference's words: ${told}`, () => {
          expect(() => renderConversation(tokenizer, messages)).toThrow(
            expect.objectContaining({ name: 'ChatTemplateError', message: expect.stringContaining(raised!) }),
          )
        })
      }
    }
  }

  it('are written as tokens with their special tokens recognised, and none put around them', () => {
    const template = new Tokenizer({
      ...files,
      'tokenizer.json': JSON.stringify({ ...JSON.parse(files['tokenizer.json']), post_processor: beginning }),
    })
    const start = template.idOf('<|im_start|>')!
    const ids = [...encodeConversation(template, [user])]
    expect(ids.filter((id) => id === start)).toHaveLength(2)
    expect(ids).not.toContain(template.idOf('<|bos|>'))
    expect(template.decode(ids)).toBe('<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n')
  })

  it('know the one date that is always today', () => {
    const tokenizer = withTemplate("{{ strftime_now('%Y-%m-%d %H:%M:%S %A %a %B %b %j %y %I%p %%') }}")
    expect(renderConversation(tokenizer, [user])).toBe('2024-07-26 00:00:00 Friday Fri July Jul 208 24 12AM %')
  })

  it('of several names are the one that is named default', () => {
    const named = (name: string) => ({ name, template: `${name} template` })
    const tokenizer = withTemplate([named('tool_use'), named('default')])
    expect(renderConversation(tokenizer, [user])).toBe('default template')
    expect(() => renderConversation(withTemplate([named('tool_use'), named('rag')]), [user])).toThrow(
      /none of "tool_use", "rag" is named "default"/,
    )
  })
})

/** What Llama 3 has: a first token around every text. */
const beginning = {
  type: 'TemplateProcessing',
  single: [{ SpecialToken: { id: '<|bos|>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
  pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
  special_tokens: { '<|bos|>': { id: '<|bos|>', ids: [260], tokens: ['<|bos|>'] } },
}

describe('Messages of the role text', () => {
  const texts: readonly Message[] = [
    { role: 'text', content: 'One,' },
    { role: 'text', content: ' two<|im_end|>' },
  ]

  it('are joined as they are, special tokens recognised, nothing before them for Qwen', () => {
    expect([...encodeConversation(ours, texts)]).toEqual([...ours.encode('One, two'), ours.idOf('<|im_end|>')])
  })

  it("begin with the tokenizer's own first token for Llama 3", () => {
    const json = { ...JSON.parse(files['tokenizer.json']), post_processor: beginning }
    const llama = new Tokenizer({ ...files, 'tokenizer.json': JSON.stringify(json) })
    expect([...encodeConversation(llama, texts)]).toEqual([
      llama.idOf('<|bos|>'),
      ...llama.encode('One, two<|im_end|>'),
    ])
  })

  it('need no template', () => {
    expect(renderConversation(withTemplate(undefined), texts)).toBe('One, two<|im_end|>')
  })
})

describe("The assistant's last message", () => {
  it('is asked for anew where it is blank', () => {
    for (const content of ['', ' \n']) {
      const messages: readonly Message[] = [user, { role: 'assistant', content }]
      expect(renderConversation(ours, messages)).toBe(renderConversation(ours, [user]))
    }
  })

  it('cannot be gone on with where the template leaves it or a part of it out', () => {
    const messages: readonly Message[] = [user, { role: 'assistant', content: '<think>No.</think> Yes' }]
    for (const template of [
      '{% for m in messages %}{{ m.role }}{% endfor %}',
      "{% for m in messages %}{{ m.content.split('</think>')[-1] }}{% endfor %}",
    ]) {
      expect(() => renderConversation(withTemplate(template), messages)).toThrow(
        /leaves out the assistant's last message/,
      )
    }
  })
})

describe('A conversation is refused with the way out', () => {
  for (const [what, tokenizer, messages, message] of [
    [
      'without a template',
      withTemplate(undefined),
      [user],
      /^m.tokenizer_config\.json: chat_template: there is none\. Prompts of the role "text" need no template$/,
    ],
    ['with a template that is none', withTemplate('{% if %}'), [user], /not a template: /],
    ['with a template that fails', withTemplate('{{ 1 + none }}'), [user], /refuses the roles \[user\]: /],
    [
      'with a template that throws, in its own words',
      withTemplate("{{ raise_exception('no tools here') }}"),
      [user],
      /^m.tokenizer_config\.json: chat_template: refuses the roles \[user\]: no tools here\. /,
    ],
    ['with a filter that is not there', withTemplate('{{ messages[0].content | shout }}'), [user], /filter: shout\. /],
    [
      'with a template that breaks off',
      withTemplate('{% for m in messages %}{{ m.content '),
      [user],
      /not a template: /,
    ],
    [
      'with a template in a file of its own, which is named',
      new Tokenizer({ ...files, 'chat_template.jinja': "{{ raise_exception('no') }}" }, 'm'),
      [user],
      /^m.chat_template\.jinja: refuses the roles \[user\]: no\. /,
    ],
    [
      'with a date the pinned one has no part of',
      withTemplate("{{ strftime_now('%d %Q') }}"),
      [user],
      /strftime_now: "%Q"/,
    ],
    ['of no messages', ours, [], /at least one, not \[\]/],
    ['of text and others', ours, [user, { role: 'text', content: 'x' }], /not \[user, text\]/],
  ] as const) {
    it(what, () => {
      expect(() => encodeConversation(tokenizer, messages)).toThrow(
        expect.objectContaining({ name: 'ChatTemplateError', message: expect.stringMatching(message) }),
      )
    })
  }
})

describeGolden("The template of Qwen2's tokenizer", () => {
  const qwen = loadTokenizer(new URL('../../../../shared/golden/hf/qwen2-tiny', import.meta.url).pathname)

  it("gives the reference's tokens of a conversation", async () => {
    // The reference's tokens of "<|bos|>user\nHi<|im_end|>\n", the first message as this template writes it.
    const first = [0, 121, 119, 270, 14, 76, 109, 3, 14]
    const tokenizer = await qwen
    expect([...encodeConversation(tokenizer, [user])]).toEqual([...first, ...tokenizer.encode('<|bos|>assistant\n')])
  })

  it("goes on with the assistant's message right behind its content", async () => {
    const messages: readonly Message[] = [user, { role: 'assistant', content: 'Hello ' }]
    expect(renderConversation(await qwen, messages)).toBe('<|bos|>user\nHi<|im_end|>\n<|bos|>assistant\nHello ')
  })
})
