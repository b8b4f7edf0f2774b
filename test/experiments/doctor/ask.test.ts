import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ask } from '../../../experiments/doctor/ask.js'

const folder = mkdtempSync(join(tmpdir(), 'rxgym-ask-'))

function module(code: string): string {
  const file = join(folder, `${Math.abs(code.length)}-${code.replace(/\W/g, '').slice(0, 20)}.mjs`)
  writeFileSync(file, code)
  return file
}

describe('Asking a process of its own', () => {
  it('gives what its last line says', async () => {
    const asked = module(
      'console.log("a driver\'s greeting\\n" + JSON.stringify({ found: [process.argv[2], process.env.OWN] }))',
    )
    expect(await ask(asked, ['x'], 60, { OWN: 'y' })).toEqual({ found: ['x', 'y'] })
  })

  it.each([
    [
      'process.kill(process.pid, "SIGSEGV"); setTimeout(() => {}, 1e5)',
      /ended by SIGSEGV: its driver or library crashed$/,
    ],
    ['console.error("lost"); process.exit(3)', /gave no answer, as it ended with exit code 3 \(lost\)$/],
    ['console.log("{"); process.exit()', /exit code 0$/],
  ])('survives %s', async (code, message) => {
    const answer = await ask(module(code), [], 60)
    expect(answer).toEqual({ failed: expect.stringMatching(message) })
  })

  it('ends one that hangs', async () => {
    const answer = await ask(module('for (;;);'), [], 1)
    expect(answer).toEqual({ failed: 'no answer within 1 s: its driver or library hangs, or is very slow' })
  })
})
