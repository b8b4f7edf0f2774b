import { spawn } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const cli = join(root, 'dist/experiments/cli.js')

/** How a process ended that computed on a graphics card: by itself, or asked to once it has said `cue`. */
function ending(args: readonly string[], cue?: RegExp): Promise<{ code: number | null; said: string }> {
  const child = spawn(process.execPath, args, { cwd: root })
  let said = ''
  let asked = false
  const listen = (text: Buffer) => {
    said += text
    if (!cue?.test(said) || asked) return
    asked = true
    child.kill('SIGINT')
  }
  child.stdout.on('data', listen)
  child.stderr.on('data', listen)
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, said })))
}

const out = () => join(mkdtempSync(join(tmpdir(), 'rxgym-exit-')), 'run')
const train = ['train', 'cartpole-reinforce', '--backend', 'webgpu', '--no-report']

it('A command ends by itself once its run has ended', async () => {
  const { code, said } = await ending([cli, ...train, '--episodes', '3', '--out', out()])
  expect(said).toContain('backend webgpu (asked for; ')
  expect(said).toContain('done after 3 updates')
  expect(code).toBe(0)
})

it('A command that is interrupted ends with a checkpoint', async () => {
  const path = out()
  const { code, said } = await ending(
    [cli, ...train, '--episodes', '100000', '--json', '--out', path],
    /"type":"update"/,
  )
  expect(said).toContain('"reason":"stopped"')
  expect(code).toBe(130)
})

it.each([
  ['has read what it computed', 'console.log(await sum.data())', 0],
  ['leaves what it computed unread', '', 0],
  ['ends at once, waiting for a number', 'sum.data(); process.exit(3)', 3],
  ['throws, waiting for a number', 'sum.data(); throw new Error("own")', 1],
])('A script ends by itself that %s', async (_, last, expected) => {
  const script = `
    import * as tf from '@tensorflow/tfjs-core'
    import { useBackend } from './dist/tensors/backend.js'
    await useBackend('webgpu')
    const sum = tf.sum(tf.matMul(tf.ones([64, 64]), tf.ones([64, 64])))
    ${last}`
  const { code } = await ending(['--input-type=module', '-e', script])
  expect(code).toBe(expected)
})
