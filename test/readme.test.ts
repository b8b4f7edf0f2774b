import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const snippets = [...readme.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code!)

/** What a snippet is saved as, but for `ts` or `js` at the end: the name that its first line gives it, `// questions.mjs`. */
const nameOf = (code: string, i: number) => code.match(/^\/\/ (\S+\.m)js\n/)?.[1] ?? `snippet-${i}.`

// Inside the package, so that 'rxgym' means this one, and in dist/, which git and the linter leave alone.
const folder = mkdtempSync(join(root, 'dist', 'readme-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe("The README's snippets", () => {
  it('are there for the library, environments, chess, fine-tuning, an agent and an algorithm', () => {
    expect(snippets).toHaveLength(8)
  })

  // tsc starts once for all of them, and takes a few seconds.
  it('compile under the strict settings', { timeout: 60_000 }, () => {
    for (const [i, code] of snippets.entries()) writeFileSync(join(folder, `${nameOf(code, i)}ts`), code)
    const { compilerOptions } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8'))
    const settings = { compilerOptions: { ...compilerOptions, noEmit: false }, include: ['*.ts', '*.mts'] }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(settings))
    const tsc = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder], {
      encoding: 'utf8',
    })
    expect(tsc.stdout).toBe('')
  })

  const says = [
    /untrained: \d+/,
    /-0\.1|1/,
    /80 plies, white/,
    /gold answers: 1\.1, correct 1/,
    /^$/,
    /^sft 0 0\.00\n.*sft 375 0\.[3-9].*rloo 25 0\.[3-9]/s,
    /falling: \d{2,}/,
    /\d+ steps/,
  ]
  for (const [i, expected] of says.entries()) {
    it(`run: snippet ${i + 1}`, { timeout: 180_000 }, () => {
      const output = execFileSync(process.execPath, [join(folder, `${nameOf(snippets[i]!, i)}js`)], {
        cwd: folder,
        encoding: 'utf8',
      })
      expect(output).toMatch(expected)
    })
  }

  it('have a text environment that is JavaScript as it stands, and that the command line imports', () => {
    writeFileSync(join(folder, 'capitals.mjs'), snippets[3]!)
    const cli = join(root, 'dist/experiments/cli.js')
    const command = ['evaluate', 'Capitals-v0', '--agent', 'gold', '--import', './capitals.mjs', '--no-report']
    const run = spawnSync(process.execPath, [cli, ...command], { cwd: folder, encoding: 'utf8' })
    expect(run.stderr).toBe('')
    expect(run.stdout).toMatch(says[3]!)
    expect(run.stdout).toMatch(/right answers +100\.0%/)
  })

  it('train on data of their own from the command line, as in the library', () => {
    const cli = join(root, 'dist/experiments/cli.js')
    for (const [, yaml, name] of readme.matchAll(/```yaml\n(# (sft|rloo)\.yaml\n.*?)```/gs)) {
      writeFileSync(join(folder, `${name}.yaml`), yaml!)
    }
    writeFileSync(join(folder, 'questions.mjs'), snippets.find((code) => code.startsWith('// questions.mjs\n'))!)
    const commands = readme
      .match(/```sh\n(npx rxgym train sft\.yaml.*?)```/s)![1]!
      .trimEnd()
      .split('\n')
    const fewer = ['--set', 'budget.updates=2', '--set', 'evaluation.episodes=2', '--quiet']
    const said = commands.map((command) => {
      const words = command.split(' ').slice(2)
      const run = spawnSync(process.execPath, [cli, ...words, ...(words[0] === 'train' ? fewer : [])], {
        cwd: folder,
        encoding: 'utf8',
      })
      return { stdout: run.stdout, stderr: run.stderr }
    })
    expect(said.map(({ stderr }) => stderr)).toEqual(['', '', ''])
    expect(said[0]!.stdout).toMatch(/runs\/sft-s0: done after 2 updates, .*validation loss \d/s)
    expect(said[1]!.stdout).toMatch(/runs\/rloo-s0: done after 2 updates, /)
    expect(said[2]!.stdout).toBe('models/questions: runs/rloo-s0 after update 2, float32\n')
  })

  it("show the configuration's own error message", () => {
    const yaml = readme.match(/```yaml\n(.*?)```/s)![1]!
    const message = readme.match(/```\n(run\.yaml.*?)\n```/s)![1]!
    writeFileSync(join(folder, 'run.yaml'), yaml)
    const cli = join(root, 'dist/experiments/cli.js')
    const run = spawnSync(process.execPath, [cli, 'train', 'run.yaml'], { cwd: folder, encoding: 'utf8' })
    expect(run.stderr).toContain(message)
    expect(run.status).toBe(2)
  })
})
