/**
 * Sequences of tokens in rows of one length. A row holds one sequence, padded on either side, or several behind one
 * another (packed); no token looks beyond its own sequence.
 */
export interface TokenBatch {
  readonly rows: number
  readonly length: number
  /** [rows · length] */
  readonly ids: Int32Array
  /** [rows · length] each token's place in its sequence, from 0. */
  readonly positions: Int32Array
  /** [rows · length] which sequence of its row a token belongs to, from 1; 0 for padding. */
  readonly segments: Int32Array
  /** For each sequence, in the order given: where its first token stands among rows · length. */
  readonly starts: readonly number[]
}

/** One sequence a row, padded to the longest.
 *  @param side  where the padding stands
 *  @throws RangeError if there are none, or one is empty */
export function paddedBatch(sequences: readonly ArrayLike<number>[], side: 'left' | 'right', padding = 0): TokenBatch {
  checkSequences(sequences)
  const length = Math.max(...sequences.map((sequence) => sequence.length))
  return batchOf(
    sequences.map((sequence, row) => row * length + (side === 'left' ? length - sequence.length : 0)),
    sequences,
    { rows: sequences.length, length, padding },
  )
}

/**
 * Which sequences share a row: first fit, longest first. Rows hold at most `capacity` tokens, but for a longer sequence, which
 * has one to itself.
 *
 * @returns for each row the places of its sequences among `lengths`
 */
export function packedRows(lengths: readonly number[], capacity: number): number[][] {
  const rows: number[][] = []
  const used: number[] = []
  const order = lengths.map((_, i) => i).sort((a, b) => lengths[b]! - lengths[a]! || a - b)
  for (const index of order) {
    const fitting = used.findIndex((taken) => taken + lengths[index]! <= capacity)
    const row = fitting < 0 ? rows.push([]) - 1 : fitting
    rows[row]!.push(index)
    used[row] = (used[row] ?? 0) + lengths[index]!
  }
  return rows
}

/** Rows of sequences behind one another, padded on the right to the longest row. `starts` goes row by row.
 *  @throws RangeError if there are none, or one is empty */
export function packedBatch(rows: readonly (readonly ArrayLike<number>[])[]): TokenBatch {
  const sequences = rows.flat()
  checkSequences(sequences)
  const length = Math.max(...rows.map((row) => row.reduce((sum, sequence) => sum + sequence.length, 0)))
  const starts = rows.flatMap((row, place) => {
    let next = place * length
    return row.map((sequence) => {
      next += sequence.length
      return next - sequence.length
    })
  })
  return batchOf(starts, sequences, { rows: rows.length, length, padding: 0 })
}

function checkSequences(sequences: readonly ArrayLike<number>[]): void {
  if (sequences.length === 0) throw new RangeError('a batch needs at least one sequence')
  const empty = sequences.findIndex((sequence) => sequence.length === 0)
  if (empty >= 0) throw new RangeError(`sequence ${empty} of the batch is empty`)
}

function batchOf(
  starts: readonly number[],
  sequences: readonly ArrayLike<number>[],
  { rows, length, padding }: { readonly rows: number; readonly length: number; readonly padding: number },
): TokenBatch {
  const ids = new Int32Array(rows * length).fill(padding)
  const positions = new Int32Array(rows * length)
  const segments = new Int32Array(rows * length)
  const inRow = new Int32Array(rows)
  for (const [index, start] of starts.entries()) {
    const sequence = sequences[index]!
    const segment = ++inRow[Math.floor(start / length)]!
    for (let i = 0; i < sequence.length; i++) {
      ids[start + i] = sequence[i]!
      positions[start + i] = i
      segments[start + i] = segment
    }
  }
  return { rows, length, ids, positions, segments, starts }
}
