import { Command } from 'commander'
import type { BenchResults } from '../bench/bench.js'
import type { LearningOptions } from '../bench/learning.js'
import type { RowFamily } from '../bench/rows.js'
import { positiveNumber } from './arguments.js'

interface BenchFlags {
  readonly json?: string
  readonly results?: string | true
  readonly peers: boolean
  readonly quick?: boolean
  readonly seeds?: number
  readonly wasmSeeds?: number
  readonly out?: string
  readonly runs?: string
  readonly folder?: string
}

const LEARNING = 'learning'
const CHESS = 'chess'
const TEXT = 'text'
const LANGUAGE = 'language'
const GPU = 'gpu'
const GPU_OPERATIONS = 'gpu-operations'
/** Rows that are measured only when they are asked for. */
const FAMILIES = [CHESS, TEXT, LANGUAGE, GPU, GPU_OPERATIONS] as const
const CHESS_LEARNING = 'chess-learning'
const COUNTDOWN_LEARNING = 'countdown-learning'
const COUNTDOWN_WEBGPU = 'countdown-webgpu'
const GSM8K_FORMAT = 'gsm8k-format'
const DOMAINS = 'domains'
/** What trains presets from several seeds instead of measuring rows. */
const TRAININGS = {
  [LEARNING]: { seeds: 30, out: 'runs/learning' },
  [CHESS_LEARNING]: { seeds: 3, out: 'runs/chess-learning' },
  [COUNTDOWN_LEARNING]: { seeds: 3, out: 'runs/countdown-learning' },
  [COUNTDOWN_WEBGPU]: { seeds: 1, out: 'runs/countdown-webgpu' },
  [GSM8K_FORMAT]: { seeds: 3, out: 'runs/gsm8k-format' },
  [DOMAINS]: { seeds: 3, out: 'runs/domains' },
} as const
/** Beside so many seeds on wasm. */
const WASM_SEEDS = 3
const RESULTS = 'docs/results'

/** `rxgym bench` */
export function benchCommand(): Command {
  return new Command('bench')
    .summary('measure how fast this machine steps, trains and learns')
    .description(
      'Measures environments, the random generator, training and memory, each beside what others make of the same\n' +
        'where they are installed (Python with gymnasium, torch or numpy; a C compiler). With "chess" it measures how fast\n' +
        'chess is played and decided, with "text" the text environments, with "language" how fast a language model learns,\n' +
        'writes and loads, with "gpu" how fast one of Qwen2.5-0.5B\'s shape does on a graphics card, and in how much memory,\n' +
        'with "gpu-operations" how fast its operations are there, one by one. With "learning" it instead trains the CartPole\n' +
        'presets from many seeds and tells how they learned; with "chess-learning" the chess presets, which then play matches;\n' +
        'with "countdown-learning" a language model on Countdown, first by imitation and then by RLOO; with "countdown-webgpu"\n' +
        'the same on a graphics card, beside the curves of several seeds on wasm; with "domains" REINFORCE and RLOO on CartPole, chess, Countdown and\n' +
        'Arithmetic, on one scale; with "gsm8k-format" a language model that learns the form of an answer on GSM8K. A run\n' +
        'that is there is kept, or gone on with, but for those of "learning".',
    )
    .argument(
      '[rows...]',
      `rows to measure (--list shows them), all but those of ${FAMILIES.join(', ')} unless given; their names for those, ${Object.keys(TRAININGS).join(', ')}`,
    )
    .option('--list', 'list the rows')
    .option('--json <file>', 'write everything that was measured to a file')
    .option('--results [dir]', `write the page and its JSON, to ${RESULTS} unless a folder is given`)
    .option('--no-peers', 'leave the others out')
    .option('--quick', 'a rough look in a minute')
    .option(
      '--seeds <n>',
      `runs of each preset, for ${LEARNING} (30), ${CHESS_LEARNING}, ${COUNTDOWN_LEARNING}, ${DOMAINS} and ${GSM8K_FORMAT} (3), and on webgpu for ${COUNTDOWN_WEBGPU} (1)`,
      positiveNumber,
    )
    .option(
      '--wasm-seeds <n>',
      `runs on wasm, for ${COUNTDOWN_WEBGPU} (${WASM_SEEDS}, or as many as on webgpu if those are more)`,
      positiveNumber,
    )
    .option('--out <dir>', `where the runs go: runs/NAME unless given; ${LEARNING} replaces what it held`)
    .option(
      '--runs <dir>',
      `runs on webgpu that are there already, for ${COUNTDOWN_WEBGPU}: as rxgym train left them, finished or not; none are trained then`,
    )
    .option(
      '--folder <dir>',
      `where GSM8K's train.jsonl and test.jsonl lie, for ${GSM8K_FORMAT}; the Hugging Face hub unless given`,
    )
    .addHelpText(
      'after',
      `
Examples:
  rxgym bench
  rxgym bench step vector-next-step --no-peers
  rxgym bench --results
  rxgym bench ${CHESS} --results
  rxgym bench ${TEXT} --results
  rxgym bench ${LANGUAGE} --results
  rxgym bench ${GPU} --results
  rxgym bench ${GPU_OPERATIONS} --results
  rxgym bench ${LEARNING} --seeds 30 --results
  rxgym bench ${CHESS_LEARNING} --results
  rxgym bench ${COUNTDOWN_LEARNING} --results
  rxgym bench ${COUNTDOWN_WEBGPU} --results
  rxgym bench ${GSM8K_FORMAT} --folder data/gsm8k --results
  rxgym bench ${DOMAINS} --results

RXGYM_PYTHON names the Python that the others run under; python3 and /usr/bin/python3 are tried otherwise.
RXGYM_PEERS names the folder whose node_modules has the npm packages that are others on a graphics card; this one otherwise.`,
    )
    .action(async (names: string[], flags: BenchFlags & { readonly list?: boolean }) => {
      const { importModules } = await import('./arguments.js')
      await importModules()
      if (flags.list) return listRows(names)
      if (flags.folder !== undefined && names[0] !== GSM8K_FORMAT) {
        const { UsageError } = await import('../errors.js')
        throw new UsageError(`--folder: only ${GSM8K_FORMAT} reads data from one`)
      }
      if ((flags.runs ?? flags.wasmSeeds) !== undefined && names[0] !== COUNTDOWN_WEBGPU) {
        const { UsageError } = await import('../errors.js')
        throw new UsageError(`--runs, --wasm-seeds: only ${COUNTDOWN_WEBGPU} sets webgpu beside wasm`)
      }
      if (flags.runs !== undefined && flags.seeds !== undefined) {
        const { UsageError } = await import('../errors.js')
        throw new UsageError('--runs has the seeds of webgpu: leave --seeds out (--wasm-seeds says how many on wasm)')
      }
      const training = trainingOf(names)
      process.exitCode = training ? await learningAction(training, names, flags) : await benchAction(names, flags)
    })
}

/** Of the families that are named, or of all. */
async function listRows(names: readonly string[]): Promise<void> {
  const { rowFamilies } = await import('../bench/rows.js')
  const { targetOf } = await import('../bench/tables.js')
  const named = Object.entries(rowFamilies).filter(([name]) => names.includes(name))
  for (const [, { rows }] of named.length > 0 ? named : Object.entries(rowFamilies)) {
    for (const row of rows) process.stdout.write(`${row.name}\n  ${row.what}: ${targetOf(row)}\n`)
  }
}

async function benchAction(names: readonly string[], flags: BenchFlags): Promise<number> {
  const { bench } = await import('../bench/bench.js')
  const { measureApart } = await import('../bench/apart.js')
  const { FULL, QUICK } = await import('../bench/measure.js')
  const { amount, benchPage, benchTable, detailsLine, loadLine, machineLine, notJudgedLines } = await import(
    '../bench/tables.js'
  )
  const { EXIT } = await import('../errors.js')
  const family = await selected(names)
  const { rows, page } = family
  const found = await bench(rows, {
    effort: flags.quick ? QUICK : FULL,
    peers: flags.peers,
    ...(rows.length > 1 && { measure: measureApart }),
    onBegin: (what) => process.stderr.write(`${what} …\n`),
    onRow: (row) => {
      const told =
        'skipped' in row ? [`skipped: ${row.skipped}`] : [amount(row.median, row.unit), detailsLine(row.details ?? {})]
      process.stderr.write(`  ${told.filter(Boolean).join('; ')}\n`)
    },
  })
  process.stdout.write(`${benchTable(found.rows)}\n\n${machineLine(found.machine)}\n${loadLine(found.machine.load)}\n`)
  for (const line of notJudgedLines(found.rows)) process.stdout.write(`${line}\n`)
  const command = commandLine(names, flags)
  const content: { readonly command: string } & BenchResults = { command, ...found }
  await writeJson(flags.json, content)
  await writeResults(flags, { [`${page}.json`]: json(content), [`${page}.md`]: benchPage(found, command, family) })
  return EXIT.ok
}

/** The rows that names ask for, and the page they are told on. */
async function selected(names: readonly string[]): Promise<RowFamily> {
  const { rowFamilies } = await import('../bench/rows.js')
  const { UsageError } = await import('../errors.js')
  const { didYouMean } = await import('../../envs/did-you-mean.js')
  if (names.length === 0) return rowFamilies.all
  const named = FAMILIES.find((family) => names.includes(family))
  if (named) {
    if (names.length > 1) throw new UsageError(`"${named}" stands alone`)
    return rowFamilies[named]
  }
  const families: readonly RowFamily[] = Object.values(rowFamilies)
  const all = families.flatMap(({ rows }) => rows)
  const known = [...Object.keys(TRAININGS), ...FAMILIES, ...all.map((row) => row.name)]
  for (const name of names) {
    if (!known.includes(name)) throw new UsageError(`unknown row "${name}".${didYouMean(name, known)}`)
  }
  const rows = all.filter(({ name }) => names.includes(name))
  return { ...(families.find((family) => rows.every((row) => family.rows.includes(row))) ?? rowFamilies.all), rows }
}

type Training = keyof typeof TRAININGS

function trainingOf(names: readonly string[]): Training | undefined {
  return (Object.keys(TRAININGS) as Training[]).find((name) => names.includes(name))
}

async function learningAction(training: Training, names: readonly string[], flags: BenchFlags): Promise<number> {
  const { EXIT, UsageError } = await import('../errors.js')
  if (names.length > 1) throw new UsageError(`"${training}" stands alone`)
  const { showCompareProgress } = await import('../compare-progress.js')
  const { interruption } = await import('./interrupt.js')
  const { mkdirSync } = await import('node:fs')
  const results = folderOf(flags)
  if (results !== undefined) mkdirSync(results, { recursive: true })
  const progress = showCompareProgress(process.stderr)
  const interrupt = interruption(() => progress.end())
  const { seeds, out } = { ...TRAININGS[training], ...flags }
  const onLine = (line: string) => {
    progress.end()
    process.stderr.write(`${line}\n`)
  }
  const options = {
    ...{ seeds, folder: out, data: flags.folder, command: commandLine(names, flags), results },
    ...{ wasmSeeds: flags.wasmSeeds ?? WASM_SEEDS, runs: flags.runs },
    ...{ stop: interrupt.signal, onEvent: progress.next, onLine },
  }
  try {
    const [found, text] = await learners[training](options)
    progress.end()
    process.stdout.write(`${text}\n`)
    await writeJson(flags.json, found)
    return EXIT.ok
  } catch (error) {
    if (interrupt.signal.aborted) return EXIT.interrupted
    throw error
  } finally {
    progress.end()
    interrupt.close()
  }
}

type TrainingOptions = LearningOptions & {
  readonly data: string | undefined
  readonly wasmSeeds: number
  readonly runs: string | undefined
  readonly onLine: (line: string) => void
}

/** What was found, and as the terminal shows it. */
const learners: Readonly<Record<Training, (options: TrainingOptions) => Promise<[unknown, string]>>> = {
  [LEARNING]: learned,
  [CHESS_LEARNING]: learnedChess,
  [COUNTDOWN_LEARNING]: learnedCountdown,
  [COUNTDOWN_WEBGPU]: learnedOnWebgpu,
  [GSM8K_FORMAT]: learnedFormat,
  [DOMAINS]: comparedDomains,
}

async function learned(options: LearningOptions): Promise<[unknown, string]> {
  const { learning, learningTable } = await import('../bench/learning.js')
  const found = await learning(options)
  return [found, learningTable(found.presets)]
}

async function learnedChess(options: TrainingOptions): Promise<[unknown, string]> {
  const { chessLearning } = await import('../bench/chess-learning.js')
  const { chessLearningTable, targetLines } = await import('../bench/chess-learning-page.js')
  const found = await chessLearning(options)
  return [found, `${chessLearningTable(found.presets)}\n\n${targetLines(found).join('\n')}`]
}

async function learnedCountdown(options: TrainingOptions): Promise<[unknown, string]> {
  const { countdownLearning } = await import('../bench/countdown-learning.js')
  const { countdownLearningTable, countdownTargetLines } = await import('../bench/countdown-learning-page.js')
  const found = await countdownLearning(options)
  return [found, `${countdownLearningTable(found)}\n\n${countdownTargetLines(found).join('\n')}`]
}

async function learnedOnWebgpu(options: TrainingOptions): Promise<[unknown, string]> {
  const { join } = await import('node:path')
  const { countdownWebgpu } = await import('../bench/countdown-webgpu.js')
  const { countdownWebgpuTable, countdownWebgpuTargetLines } = await import('../bench/countdown-webgpu-page.js')
  const recorded = join(options.results ?? RESULTS, 'countdown.json')
  const found = await countdownWebgpu({ ...options, recorded })
  return [found, `${countdownWebgpuTable(found)}\n\n${countdownWebgpuTargetLines(found).join('\n')}`]
}

async function comparedDomains(options: LearningOptions): Promise<[unknown, string]> {
  const { compareDomains } = await import('../bench/domains.js')
  const { domainText } = await import('../report/text-table.js')
  const found = await compareDomains(options)
  return [found, domainText(found.results)]
}

async function learnedFormat(options: TrainingOptions): Promise<[unknown, string]> {
  const { gsm8kFormat } = await import('../bench/gsm8k-format.js')
  const { gsm8kFormatTable, gsm8kFormatTargetLines } = await import('../bench/gsm8k-format-page.js')
  const found = await gsm8kFormat(options)
  return [found, `${gsm8kFormatTable(found)}\n\n${gsm8kFormatTargetLines(found).join('\n')}`]
}

/** What to type to measure the same again, but for where data lies. */
function commandLine(names: readonly string[], flags: BenchFlags): string {
  const parts = ['rxgym bench', ...names]
  const training = trainingOf(names)
  if (flags.folder !== undefined) parts.push('--folder FOLDER')
  if (flags.runs !== undefined) parts.push('--runs RUNS')
  else if (training) parts.push(`--seeds ${flags.seeds ?? TRAININGS[training].seeds}`)
  if (flags.wasmSeeds !== undefined) parts.push(`--wasm-seeds ${flags.wasmSeeds}`)
  if (flags.quick) parts.push('--quick')
  if (!flags.peers) parts.push('--no-peers')
  if (flags.results) parts.push('--results')
  return parts.join(' ')
}

function folderOf({ results }: BenchFlags): string | undefined {
  return results === true ? RESULTS : results
}

function json(content: unknown): string {
  return `${JSON.stringify(content, undefined, 2)}\n`
}

async function writeJson(file: string | undefined, content: unknown): Promise<void> {
  const { writeFileSync } = await import('node:fs')
  if (file !== undefined) writeFileSync(file, json(content))
}

async function writeResults(flags: BenchFlags, files: Readonly<Record<string, string>>): Promise<void> {
  const { mkdirSync, writeFileSync } = await import('node:fs')
  const { join } = await import('node:path')
  const folder = folderOf(flags)
  if (folder === undefined) return
  mkdirSync(folder, { recursive: true })
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  process.stdout.write(
    `written: ${Object.keys(files)
      .map((name) => join(folder, name))
      .join(', ')}\n`,
  )
}
