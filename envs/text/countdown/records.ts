import { z } from 'zod'
import type { CountdownTask } from '../../../rewards/countdown-score.js'
import { RecordError, readRecords } from '../records.js'
import { readCountdownQuestion } from './prompt.js'

const whole = z.int({ error: 'a whole number from 0' }).nonnegative({ error: 'a whole number from 0' })
const wholes = z
  .array(whole, { error: 'a list of whole numbers from 0' })
  .nonempty({ error: 'a list of whole numbers from 0' })
const record = z.object({ nums: wholes, target: whole })

/**
 * Reads Countdown records `{ nums, target }`, as published in Jiayi-Pan/Countdown-Tasks-3to4: `nums` a list of whole
 * numbers from 0, `target` a whole number from 0. Other fields are ignored. They need not be solvable.
 *
 * @param file  `.jsonl` with one record a line, where blank lines do not count, or `.parquet`
 * @throws RecordError with the file, and the line or row, of what is missing or wrong
 */
export async function readCountdownRecords(file: string): Promise<CountdownTask[]> {
  const records = await readRecords(file, record)
  return records.map(({ nums, target }) => ({ numbers: nums, target }))
}

/** A task with a completion that somebody wrote. */
export interface DemonstratedCountdownTask extends CountdownTask {
  /** What stands behind `<think>`; it need not be right. */
  readonly demonstration: string
}

const demonstrated = z.object({ query: z.string(), completion: z.string() })

/**
 * Reads worked-out answers `{ query, completion }`, as published for a warm start in Asap7772/cog_behav_all_strategies: a
 * `query` asks a Countdown question in the words of {@link countdownPrompt}, and a `completion` answers it, with `<think>` before
 * it or without. Other fields are ignored.
 *
 * @param file  `.jsonl` or `.parquet`, as for {@link readCountdownRecords}
 * @throws RecordError with the file, and the line or row, of what is missing or wrong
 */
export async function readCountdownDemonstrations(file: string): Promise<DemonstratedCountdownTask[]> {
  const records = await readRecords(file, demonstrated)
  return records.map(({ query, completion }, index) => {
    const task = readCountdownQuestion(query)
    if (!task) {
      const reason = 'query asks no Countdown question, "Using the numbers […], create an equation that equals …"'
      throw new RecordError(file, index + 1, reason)
    }
    return { ...task, demonstration: completion.replace(/^\s*(Let me solve this step by step\.\s*)?<think>/, '') }
  })
}
