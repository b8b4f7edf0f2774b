import { createHash } from 'node:crypto'
import { expect, expectTypeOf, it } from 'vitest'
import {
  type CountdownPromptForm,
  countdownMessages,
  countdownPrompt,
  readCountdownPrompt,
} from '../../../../envs/text/countdown/prompt.js'

const task = { numbers: [44, 19, 35], target: 99 }

// Of what the published make_prefix printed for this task, run under Python.
it.each([
  ['base', '38a8f2dfbdced0b5deb62c74bebfcfa2426c44310b488ddce6c6d6818c49141d'],
  ['chat', '569936285b21e38ba416609881b729c346e28d8c83fd2c0a0c46c1e5f98beac5'],
] as const)('the %s form is the published one, byte for byte', (form, sha256) => {
  expect(createHash('sha256').update(countdownPrompt(task, form)).digest('hex')).toBe(sha256)
})

it.each(['base', 'chat'] as const)(
  'the %s form names the numbers in their order and ends within the reasoning',
  (form) => {
    const prompt = countdownPrompt({ numbers: [9, 1, 5, 3], target: 12 }, form)
    expect(prompt).toContain('Using the numbers [9, 1, 5, 3], create an equation that equals 12. You can use')
    expect(prompt.endsWith('Let me solve this step by step.\n<think>')).toBe(true)
  },
)

it('the brief form is the task and nothing else', () => {
  expect(countdownPrompt(task, 'brief')).toBe('44,19,35=99\n<think>')
  expect(countdownPrompt(task, 'brief', { answer: '1 + 2', instruction: 'x' })).toBe('44,19,35=99=1+2\nx\n<think>')
})

it('refuses another form', () => {
  expectTypeOf(countdownPrompt).parameter(1).toEqualTypeOf<CountdownPromptForm>()
  expect(() => countdownPrompt(task, 'llama' as CountdownPromptForm)).toThrow(
    'form "llama" is neither "base" nor "chat" nor "brief"',
  )
})

it.each(['base', 'chat'] as const)(
  'the %s form gives an answer away behind what is asked, and tells of a tool last',
  (form) => {
    const additions = { answer: '(44 + 19) + 35', instruction: 'There is a tool.' }
    const prompt = countdownPrompt(task, form, additions)
    expect(prompt).toContain('equals 99. Here is the answer: (44 + 19) + 35. You can use basic')
    expect(prompt).toContain('<answer> (1 + 2) / 3 </answer>.\nThere is a tool.')
    const plain = prompt.replace(' Here is the answer: (44 + 19) + 35.', '').replace('\nThere is a tool.', '')
    expect(plain).toBe(countdownPrompt(task, form))
  },
)

it('is read again in every form, also when the completion has begun', () => {
  const forms = ['base', 'chat', 'brief'] as const
  const texts = forms.map((form) => [{ role: 'text' as const, content: countdownPrompt(task, form) }])
  for (const [i, told] of texts.entries()) {
    expect(readCountdownPrompt(told)).toEqual({ task, thinking: true, brief: forms[i] === 'brief' })
  }
  const [base] = texts.map(([message]) => message!.content)
  const behind = (role: 'text' | 'assistant', content: string) => [{ role, content }]
  expect(readCountdownPrompt(behind('text', `${base} 44 + 19`))).toEqual({ task, thinking: true, brief: false })
  expect(readCountdownPrompt(behind('text', `${base} </think> So`))).toEqual({ task, thinking: false, brief: false })
  const messages = countdownMessages(task, { answer: '1', instruction: 'x' })
  expect(readCountdownPrompt(messages)).toEqual({ task, thinking: false, brief: false })
  const begun = {
    role: 'assistant' as const,
    content: '<think> Using the numbers [1, 2], create an equation that equals 3. ',
  }
  expect(readCountdownPrompt([...messages, begun])).toEqual({ task, thinking: true, brief: false })
  expect(readCountdownPrompt([{ role: 'user', content: 'What is 2+3?' }])).toBeUndefined()
})
