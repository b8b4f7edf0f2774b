import { describe, expect, it, vi } from 'vitest'
import { gpuOperationRows } from '../../../experiments/bench/gpu-operations.js'
import { NotMeasurable } from '../../../experiments/bench/measure.js'

const effort = {
  ...{ seconds: 0.001, repetitions: 1, trainings: 1, solves: 1, updates: 1, peerTrainings: 1, games: 1 },
  ...{ sequences: 1, checkpointLayers: 1 },
}
const rows = gpuOperationRows.map((row) => [row.name, row] as const)

describe('the rows of operations on a graphics card', () => {
  // Each project runs its own half: what cannot be here isn't a skipped test.
  const adapter = process.env.RXGYM_TEST_WEBGPU !== undefined

  it.each(adapter ? rows : [])('%s is measured, and says on which adapter', async (_, row) => {
    const { values, details } = await row.measure(effort)
    expect(values).toHaveLength(1)
    expect(values[0]).toBeGreaterThan(0)
    expect(details).toMatchObject({ adapter: expect.stringMatching(/./) })
  })

  const ofCalls = 'gpu-overhead-most'
  it.each(adapter ? [] : rows.filter(([name]) => name !== ofCalls))(
    '%s is skipped without an adapter, and says what to do',
    async (_, row) => {
      vi.stubEnv('RXGYM_ADAPTER', 'no such adapter')
      const error = await row.measure(effort).catch((error: unknown) => error)
      vi.unstubAllEnvs()
      expect(error).toBeInstanceOf(NotMeasurable)
      expect((error as NotMeasurable).message).toMatch(/^webgpu: no adapter has "no such adapter" in its name/)
    },
  )

  it('the time of calls is measured without an adapter', async () => {
    vi.stubEnv('RXGYM_ADAPTER', 'no such adapter')
    const { values, details } = await Object.fromEntries(rows)[ofCalls]!.measure(effort)
    vi.unstubAllEnvs()
    expect(values[0]).toBeGreaterThan(0)
    expect(details).toMatchObject({ adapter: expect.stringContaining('computes nothing') })
  })
})
