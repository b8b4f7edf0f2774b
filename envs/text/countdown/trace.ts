import type { CountdownTask } from '../../../rewards/countdown-score.js'
import { type CountdownStep, type CountdownValue, countdownSolution } from './solver.js'

/**
 * A worked solution as a model could have written it, from behind the `<think>`: what is asked, one operation a line with
 * the numbers that are left, the whole expression, the answer. Every equation in it is true; values between are written as
 * fractions where they are no whole numbers (`8 / (1/3) = 24`). The same task always gets the same one.
 *
 * @param brief  the expression alone, worked out one operation at a time (`(44+19)+35=63+35=98`), for models so small that
 *   words are a burden; it comes first, so that the answer is a copy of it
 * @returns undefined where no expression reaches the target
 * @throws RangeError for a task that the solver refuses: more than six numbers, or too large ones
 * @example
 * countdownTrace({ numbers: [44, 19, 35], target: 98 })
 * // I need to make 98 from 44, 19 and 35.
 * // 44 + 19 = 63, which leaves 35 and 63.
 * // 35 + 63 = 98, which is the target.
 * // So the expression is 35 + (44 + 19).
 * // </think>
 * // <answer> 35 + (44 + 19) </answer>
 */
export function countdownTrace(task: CountdownTask, brief = false): string | undefined {
  const solution = countdownSolution(task)
  if (!solution) return undefined
  const { expression, steps } = solution
  if (brief) {
    return `\n${workedOut(task, steps).join('=')}\n</think>\n<answer>${expression.replaceAll(' ', '')}</answer>`
  }
  const left = task.numbers.map(String)
  const lines = [`I need to make ${task.target} from ${listed(left)}.`]
  for (const step of steps) {
    const [a, b, value] = [written(step.left), written(step.right), written(step.value)]
    left.splice(left.indexOf(a), 1)
    left.splice(left.indexOf(b), 1)
    left.push(value)
    const then = left.length > 1 ? `leaves ${listed(left)}` : 'is the target'
    lines.push(`${equation(step)}, which ${then}.`)
  }
  return `\n${lines.join('\n')}\nSo the expression is ${expression}.\n</think>\n<answer> ${expression} </answer>`
}

/** A number, or an operation on two parts. */
interface Part {
  readonly value: CountdownValue
  readonly step?: { readonly at: number; readonly operation: string; readonly parts: readonly [Part, Part] }
}

/** Without spaces the whole expression, then with each operation's value in its place, in order; last comes the value. */
function workedOut({ numbers }: CountdownTask, steps: readonly CountdownStep[]): string[] {
  const left: Part[] = numbers.map((number) => ({ value: [number, 1] }))
  const take = (value: CountdownValue) =>
    left.splice(
      left.findIndex((part) => written(part.value) === written(value)),
      1,
    )[0]!
  for (const [at, { left: a, right: b, operation, value }] of steps.entries()) {
    const parts = [take(a), take(b)] as const
    left.push({ value, step: { at, operation, parts } })
  }
  const texts = Array.from({ length: steps.length + 1 }, (_, done) => expressionOf(left[0]!, done))
  return texts.filter((text, i) => text !== texts[i - 1]) // a fraction's value is written as the operation was
}

/** Without spaces.
 *  @param done  operations whose values stand for them */
function expressionOf({ value, step }: Part, done: number): string {
  if (!step || step.at < done) return written(value)
  const [a, b] = step.parts.map((part) => {
    const text = expressionOf(part, done)
    return part.step && part.step.at >= done ? `(${text})` : bracketed(text)
  })
  return `${a}${step.operation}${b}`
}

function equation({ left, operation, right, value }: CountdownStep): string {
  return `${bracketed(written(left))} ${operation} ${bracketed(written(right))} = ${written(value)}`
}

function written([numerator, denominator]: CountdownValue): string {
  return denominator === 1 ? String(numerator) : `${numerator}/${denominator}`
}

/** Signs bind a fraction's parts: it needs brackets to be an operand. */
function bracketed(value: string): string {
  return value.includes('/') ? `(${value})` : value
}

function listed(values: readonly string[]): string {
  return values.length === 1 ? values[0]! : `${values.slice(0, -1).join(', ')} and ${values.at(-1)}`
}
