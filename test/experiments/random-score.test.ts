import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import '../../index.js'
import { randomAgent } from '../../agents/random-agent.js'
import { evaluate } from '../../algorithms/evaluate.js'
import { make } from '../../envs/registry.js'
import { loadConfig } from '../../experiments/config.js'
import { CorruptFileError } from '../../experiments/errors.js'
import { RANDOM_FILE, randomScore } from '../../experiments/random-score.js'

const root = mkdtempSync(join(tmpdir(), 'rxgym-random-score-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
const folder = () => mkdtempSync(join(root, 'of-'))
const cartpole = (...overrides: readonly string[]) => loadConfig('cartpole-rloo', overrides)

describe('the random agent’s score', () => {
  it('is what an evaluation of it gives, over the 100 episodes of a training score where nothing is evaluated', async () => {
    const { actionSpace } = make('CartPole-v1')
    const { mean, interval } = await evaluate({ env: 'CartPole-v1', agent: randomAgent(actionSpace), episodes: 100 })
    expect(await randomScore(cartpole(), folder())).toMatchObject({ mean, interval, episodes: 100 })
  })

  it('is measured as the runs are: the episodes, the options and the opponent of their evaluations', async () => {
    const measured = await randomScore(
      loadConfig('chess-rloo', ['evaluation.episodes=8', 'evaluation.options={planes: 13, maxPlies: 20}']),
      folder(),
    )
    expect(measured).toMatchObject({ episodes: 8, opponent: 'random', env: { options: { planes: 13, maxPlies: 20 } } })
    expect(Math.abs(measured.mean)).toBeLessThan(1)
  })

  it('is kept in the folder, one for each way of measuring, and not measured again', async () => {
    const out = folder()
    await randomScore(cartpole(), out)
    const file = join(out, RANDOM_FILE)
    const [kept] = JSON.parse(readFileSync(file, 'utf8')) as [object]
    writeFileSync(file, JSON.stringify([{ ...kept, mean: 12.5 }]))
    expect((await randomScore(cartpole(), out)).mean).toBe(12.5)
    const other = await randomScore(cartpole('evaluation={every: 10, episodes: 20}'), out)
    expect(other.mean).not.toBe(12.5)
    expect(JSON.parse(readFileSync(file, 'utf8'))).toHaveLength(2)
  })

  it('names a file of another form', async () => {
    const out = folder()
    writeFileSync(join(out, RANDOM_FILE), '{"mean": 3}')
    await expect(randomScore(cartpole(), out)).rejects.toThrow(CorruptFileError)
  })
})
