import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { BenchResults, Row } from './bench.js'
import { type Effort, type Measurement, NotMeasurable, QUICK } from './measure.js'

/** Measures a row in a process of its own: what one row made V8 compile, and left to collect, does not slow the next. */
export async function measureApart({ name }: Row, effort: Effort): Promise<Measurement> {
  const folder = mkdtempSync(join(tmpdir(), 'rxgym-bench-'))
  const file = join(folder, 'row.json')
  const quick = effort === QUICK ? ['--quick'] : []
  try {
    const command = [...process.execArgv, process.argv[1]!, 'bench', name, '--no-peers', '--json', file, ...quick]
    await promisify(execFile)(process.execPath, command)
    const { rows } = JSON.parse(readFileSync(file, 'utf8')) as BenchResults
    const row = rows[0]!
    if ('skipped' in row) throw new NotMeasurable(row.skipped)
    const { values, details, notJudged } = row
    return { values, ...(details && { details }), ...(notJudged !== undefined && { notJudged }) }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
