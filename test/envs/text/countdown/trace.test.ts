import fc from 'fast-check'
import { expect, it } from 'vitest'
import { countdownSolution, solveCountdown } from '../../../../envs/text/countdown/solver.js'
import { countdownTrace } from '../../../../envs/text/countdown/trace.js'
import { countdownScore } from '../../../../rewards/countdown-score.js'
import { processCompleteness } from '../../../../rewards/process-completeness.js'
import { evaluated } from './expressions.js'

it('says what is asked, each operation with what is left, the expression and the answer', () => {
  expect(countdownTrace({ numbers: [44, 19, 35], target: 98 })).toBe(
    '\nI need to make 98 from 44, 19 and 35.\n44 + 19 = 63, which leaves 35 and 63.\n35 + 63 = 98, which is the target.\n' +
      'So the expression is 35 + (44 + 19).\n</think>\n<answer> 35 + (44 + 19) </answer>',
  )
})

it('writes values that are no whole numbers as fractions, in brackets where they are operands', () => {
  const trace = countdownTrace({ numbers: [3, 3, 8, 8], target: 24 })!
  expect(trace).toContain(
    '\n8 / 3 = 8/3, which leaves 3, 8 and 8/3.\n3 - (8/3) = 1/3, which leaves 8 and 1/3.\n8 / (1/3) = 24, which is',
  )
  expect(processCompleteness(trace).parts).toMatchObject({ equations: 3, correct: 3 })
})

it('has nothing to work out for a single number, and nothing to say without a solution', () => {
  expect(countdownTrace({ numbers: [7], target: 7 })).toBe(
    '\nI need to make 7 from 7.\nSo the expression is 7.\n</think>\n<answer> 7 </answer>',
  )
  expect(countdownTrace({ numbers: [44, 19, 35], target: 99 })).toBeUndefined()
  expect(() => countdownTrace({ numbers: [1, 2, 3, 4, 5, 6, 7], target: 28 })).toThrow('the solver takes 1 to 6')
})

it('says in brief the expression, worked out one operation at a time, and the answer', () => {
  const brief = (...numbers: number[]) => countdownTrace({ numbers: numbers.slice(1), target: numbers[0]! }, true)
  expect(brief(98, 44, 19, 35)).toBe('\n35+(44+19)=35+63=98\n</think>\n<answer>35+(44+19)</answer>')
  expect(brief(24, 3, 3, 8, 8)).toBe('\n8/(3-(8/3))=8/(1/3)=24\n</think>\n<answer>8/(3-(8/3))</answer>')
  expect(brief(7, 7)).toBe('\n7\n</think>\n<answer>7</answer>')
})

const tasks = fc.record({
  numbers: fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 5 }),
  target: fc.integer({ min: 0, max: 60 }),
})

it('is right, and every equation in it true, wherever there is a solution', () => {
  fc.assert(
    fc.property(tasks, (task) => {
      const trace = countdownTrace(task)
      expect(trace === undefined).toBe(solveCountdown(task) === undefined)
      if (trace === undefined) return
      expect(countdownScore(trace, task)).toBe(1)
      const brief = countdownTrace(task, true)!
      expect(countdownScore(brief, task)).toBe(1)
      expect(processCompleteness(brief).total).toBe(task.numbers.length > 1 ? 1 : 0)
      const { equations, correct } = processCompleteness(trace).parts
      expect(correct).toBe(equations)
      expect(equations > 0).toBe(task.numbers.length > 1)
    }),
  )
})

it('takes its steps from the solution: each from what is there, the last one the target', () => {
  fc.assert(
    fc.property(tasks, (task) => {
      const solution = countdownSolution(task)
      if (!solution) return
      expect(solution.expression).toBe(solveCountdown(task))
      const left = task.numbers.map((number) => `${number}/1`)
      for (const { left: a, operation, right: b, value } of solution.steps) {
        for (const operand of [a, b]) {
          const at = left.indexOf(operand.join('/'))
          expect(at).toBeGreaterThanOrEqual(0)
          left.splice(at, 1)
        }
        const [p, q] = evaluated(`(${a.join('/')}) ${operation} (${b.join('/')})`)
        expect([p, q]).toEqual(value.map(BigInt))
        left.push(value.join('/'))
      }
      expect(left).toEqual([`${task.target}/1`])
    }),
  )
})
