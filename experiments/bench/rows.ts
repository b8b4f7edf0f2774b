import type { Row } from './bench.js'
import { chessRows } from './chess.js'
import { GPU_NOTE, gpuRows } from './gpu.js'
import { GPU_OPERATIONS_NOTE, gpuOperationRows } from './gpu-operations.js'
import { languageRows } from './language.js'
import { steppingRows } from './stepping.js'
import { textRows } from './text.js'
import { trainingRows } from './training.js'

/** Rows that are measured together, and what the page of them is called. */
export interface RowFamily {
  readonly page: string
  readonly title: string
  /** What its page says first. */
  readonly note?: string
  readonly rows: readonly Row[]
}

/** Everything that `rxgym bench` measures, in order: what it measures unless told otherwise, and what by the name of a family. */
export const rowFamilies = {
  all: { page: 'bench', title: 'Benchmarks', rows: [...steppingRows, ...trainingRows] },
  chess: { page: 'chess-bench', title: 'Benchmarks of chess', rows: chessRows },
  text: { page: 'text-bench', title: 'Benchmarks of text environments', rows: textRows },
  gpu: { page: 'gpu-bench', title: 'Benchmarks of a language model on a graphics card', note: GPU_NOTE, rows: gpuRows },
  'gpu-operations': {
    ...{ page: 'gpu-operations-bench', title: 'Benchmarks of operations on a graphics card' },
    ...{ note: GPU_OPERATIONS_NOTE, rows: gpuOperationRows },
  },
  language: { page: 'language-bench', title: 'Benchmarks of language models', rows: languageRows },
} as const satisfies Readonly<Record<string, RowFamily>>
