import { lastValueFrom, toArray } from 'rxjs'
import { describe, expect, it } from 'vitest'
import type { ActContext, Decision } from '../../../agents/agent.js'
import { countdownSolver } from '../../../agents/text/countdown-solver.js'
import { episodes } from '../../../algorithms/episodes.js'
import { make } from '../../../envs/registry.js'
import { PCG64 } from '../../../envs/seeding.js'
import type { Message } from '../../../envs/spaces/conversation.js'
import { type CountdownOptions, countdownEnv } from '../../../envs/text/countdown/countdown.js'
import { countdownPrompt } from '../../../envs/text/countdown/prompt.js'
import { countdownScore } from '../../../rewards/countdown-score.js'

const context: ActContext = { greedy: true, generators: [new PCG64(1)], seats: [0], episodes: [0] }

function answers(conversations: readonly (readonly Message[])[]): readonly string[] {
  const decisions = countdownSolver().act(conversations, context) as readonly Decision<string>[]
  return decisions.map(({ action }) => action)
}

describe('The Countdown solver', () => {
  it.each(['train', 'test'] as const)('solves every task of the %s split', async (split) => {
    const env = countdownEnv({ split })
    const tasks = await env.tasks()
    const completions = answers(tasks.map((task) => env.promptOf(task)))
    for (const [i, task] of tasks.entries()) expect(countdownScore(completions[i]!, task)).toBe(1)
  })

  it.each<CountdownOptions>([{ prompt: 'chat' }, { prompt: 'messages' }, { calculator: true }, { givenAnswer: true }])(
    'answers where the completion goes on, as the gold answer does: %j',
    async (options) => {
      const env = countdownEnv({ ...options, count: 50 })
      const tasks = await env.tasks()
      expect(answers(tasks.map((task) => env.promptOf(task)))).toEqual(tasks.map((task) => env.options.gold!(task)))
    },
  )

  it('gets all the reward in the loop, in groups and in parallel', async () => {
    const env = () => make('Countdown-v1', { split: 'test', prompt: 'messages' })
    const loop = episodes({ env, agents: countdownSolver(), seed: 3, group: 2, parallel: 5, count: 30, greedy: true })
    const played = await lastValueFrom(loop.pipe(toArray()))
    expect(played.map(({ rewards, length }) => [rewards[0], length])).toEqual(played.map(() => [[1], 1]))
  })

  it('draws which solution it finds unless it is greedy: right each time, the same for the same stream', async () => {
    const env = countdownEnv({ numbers: 3, count: 30, prompt: 'brief' })
    const tasks = await env.tasks()
    const drawn = (seed: number) =>
      tasks.map((task) => {
        const generators = [new PCG64(seed)]
        const [decision] = countdownSolver().act([env.promptOf(task)], { ...context, greedy: false, generators }) as [
          Decision<string>,
        ]
        return decision.action
      })
    const all = [1, 2, 3, 4].map(drawn)
    for (const answers of all) {
      for (const [i, task] of tasks.entries()) expect(countdownScore(answers[i]!, task)).toBe(1)
    }
    expect(drawn(1)).toEqual(all[0])
    const several = tasks.filter((_, i) => new Set(all.map((answers) => answers[i])).size > 1)
    expect(several.length).toBeGreaterThan(tasks.length / 2)
    const greedy = answers(tasks.map((task) => env.promptOf(task)))
    expect(greedy).toEqual(tasks.map((task) => env.options.gold!(task)))
  })

  it('says so where there is no solution, without an answer', () => {
    const task = { numbers: [44, 19, 35], target: 99 }
    const [completion] = answers([[{ role: 'text', content: countdownPrompt(task, 'base') }]])
    expect(completion).toBe(
      'No expression of 44, 19, 35 that uses each of them once equals 99.\n</think>\nThere is no answer.',
    )
    expect(countdownScore(completion!, task)).toBe(0)
  })

  it('refuses a conversation that is no Countdown question, and a task beyond its solver', () => {
    expect(() => answers([[{ role: 'user', content: 'What is 2+3?' }]])).toThrow(
      'countdownSolver: expected a prompt of Countdown-v1, "Using the numbers […], create an equation that equals …", ' +
        'not [{"role":"user","content":"What is 2+3?"}]',
    )
    expect(() => answers([new Float32Array(4) as never])).toThrow('not Float32Array[0,0,0,0]')
    const seven = countdownPrompt({ numbers: [1, 2, 3, 4, 5, 6, 7], target: 28 }, 'base')
    expect(() => answers([[{ role: 'text', content: seven }]])).toThrow('7 of them; the solver takes 1 to 6')
  })
})
