import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { packedBatch, packedRows, paddedBatch, type TokenBatch } from '../../../agents/llm/token-batch.js'

const sequencesArbitrary = fc.array(fc.array(fc.integer({ min: 1, max: 99 }), { minLength: 1, maxLength: 9 }), {
  minLength: 1,
  maxLength: 8,
})

/** Every sequence stands whole at its start within one row, counted from 0 and of one segment; all else is padding. */
function expectWhole(batch: TokenBatch, sequences: readonly (readonly number[])[]): void {
  const { rows, length, ids, positions, segments, starts } = batch
  expect([ids.length, positions.length, segments.length]).toEqual([rows * length, rows * length, rows * length])
  const taken = new Set<number>()
  const names = new Set<string>()
  for (const [i, sequence] of sequences.entries()) {
    const start = starts[i]!
    const row = Math.floor(start / length)
    expect(Math.floor((start + sequence.length - 1) / length)).toBe(row)
    const places = sequence.map((_, t) => start + t)
    expect(places.map((place) => ids[place])).toEqual(sequence)
    expect(places.map((place) => positions[place])).toEqual(sequence.map((_, t) => t))
    const [segment, ...others] = new Set(places.map((place) => segments[place]!))
    expect(others).toEqual([])
    expect(segment).toBeGreaterThan(0)
    names.add(`${row} ${segment}`)
    for (const place of places) taken.add(place)
  }
  expect(names.size).toBe(sequences.length)
  expect(taken.size).toBe(sequences.reduce((sum, { length }) => sum + length, 0))
  for (let place = 0; place < rows * length; place++) {
    if (!taken.has(place)) expect([ids[place], positions[place], segments[place]]).toEqual([0, 0, 0])
  }
}

describe('a padded batch', () => {
  it.each(['left', 'right'] as const)('has one whole sequence a row, padded on the %s to the longest', (side) => {
    fc.assert(
      fc.property(sequencesArbitrary, (sequences) => {
        const batch = paddedBatch(sequences, side)
        const longest = Math.max(...sequences.map(({ length }) => length))
        expect([batch.rows, batch.length]).toEqual([sequences.length, longest])
        expect(batch.starts).toEqual(
          sequences.map(({ length }, row) => row * longest + (side === 'left' ? longest - length : 0)),
        )
        expectWhole(batch, sequences)
      }),
    )
  })

  it('is padded with the token that is asked for', () => {
    expect(Array.from(paddedBatch([[5], [6, 7]], 'left', 3).ids)).toEqual([3, 5, 6, 7])
    expect(Array.from(paddedBatch([[5], [6, 7]], 'right', 3).ids)).toEqual([5, 3, 6, 7])
  })

  it('needs sequences, none of them empty', () => {
    expect(() => paddedBatch([], 'left')).toThrow(new RangeError('a batch needs at least one sequence'))
    expect(() => paddedBatch([[1], []], 'left')).toThrow(new RangeError('sequence 1 of the batch is empty'))
  })
})

const rowsArbitrary = fc.array(
  fc.array(fc.array(fc.integer({ min: 1, max: 99 }), { minLength: 1, maxLength: 9 }), { minLength: 1, maxLength: 4 }),
  { minLength: 1, maxLength: 5 },
)

describe('a packed batch', () => {
  it('has the whole sequences of each row behind one another, padded to the longest row', () => {
    fc.assert(
      fc.property(rowsArbitrary, (rows) => {
        const batch = packedBatch(rows)
        expect([batch.rows, batch.length]).toEqual([rows.length, Math.max(...rows.map((row) => row.flat().length))])
        expect(batch.starts.map((start) => Math.floor(start / batch.length))).toEqual(
          rows.flatMap((row, place) => row.map(() => place)),
        )
        expectWhole(batch, rows.flat())
      }),
    )
  })

  it('needs sequences, none of them empty', () => {
    expect(() => packedBatch([])).toThrow(new RangeError('a batch needs at least one sequence'))
    expect(() => packedBatch([[[1]], [[1, 2], []]])).toThrow(new RangeError('sequence 2 of the batch is empty'))
  })
})

describe('packed rows', () => {
  const lengthsArbitrary = fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 30 })
  const capacityArbitrary = fc.integer({ min: 1, max: 20 })

  it('have each sequence once, and hold no more than they may but for one that is longer, which is alone', () => {
    fc.assert(
      fc.property(lengthsArbitrary, capacityArbitrary, (lengths, capacity) => {
        const rows = packedRows(lengths, capacity)
        expect(rows.flat().sort((a, b) => a - b)).toEqual(lengths.map((_, i) => i))
        for (const row of rows) {
          const used = row.reduce((sum, index) => sum + lengths[index]!, 0)
          if (used > capacity) expect(row).toHaveLength(1)
        }
      }),
    )
  })

  it('are no two that would go into one', () => {
    fc.assert(
      fc.property(lengthsArbitrary, capacityArbitrary, (lengths, capacity) => {
        const used = packedRows(lengths, capacity).map((row) => row.reduce((sum, index) => sum + lengths[index]!, 0))
        const [least, next] = used.sort((a, b) => a - b)
        if (least !== undefined && next !== undefined) expect(least + next).toBeGreaterThan(capacity)
      }),
    )
  })
})
