import { join, resolve } from 'node:path'
import { writeAtomically } from '../checkpoint.js'
import { envSpecOf, loadConfig } from '../config.js'
import { isEvaluationFolder, readEvaluation } from '../evaluation-folder.js'
import type { ChessNotes } from './chess-notes.js'
import { completionsPage } from './completions-page.js'
import { comparisonResults } from './domains.js'
import { plural } from './numbers.js'
import { comparisonPage, curvesOf, learningCurvePicture, type Replay, runPage } from './page.js'
import { packFrames, playAgain } from './replay.js'
import { resultsOf } from './results.js'
import type { ReplayableEpisode } from './run-record.js'
import {
  isRunFolder,
  namedRecords,
  nameOf,
  planOf,
  readStoredComparison,
  readStoredRun,
  type StoredConfiguration,
  type StoredRun,
} from './stored-run.js'
import { evaluationTable } from './text-table.js'

/** Where a report was written. */
export interface ReportFiles {
  /** The page. */
  readonly html: string
  /** The learning curve on its own, one for each environment, as SVG; none while no episode has ended. */
  readonly curves: readonly string[]
  /** Of an evaluation: its scores as the terminal shows them. */
  readonly table?: string
}

/** Characters that all replays of a page may take together. */
const REPLAY_SIZE = 900_000
const MOST_REPLAYS = 8

/**
 * Writes `report.html` and `learning-curve.svg` into the folder of a run or of a comparison, and `report.html` into that of
 * an evaluation. The page is complete in itself; what was interrupted or still goes on is reported as far as it got.
 *
 * @throws UsageError if the folder holds no runs
 */
export async function writeReport(folder: string): Promise<ReportFiles> {
  if (isEvaluationFolder(folder)) return writeEvaluationReport(folder)
  return isRunFolder(folder) ? writeRunReport(folder) : writeComparisonReport(folder)
}

async function writeEvaluationReport(folder: string): Promise<ReportFiles> {
  const stored = await readEvaluation(folder)
  const html = join(folder, 'report.html')
  writeAtomically(html, Buffer.from(await completionsPage(stored)))
  return { html, curves: [], table: evaluationTable(stored) }
}

async function writeRunReport(folder: string): Promise<ReportFiles> {
  const run = readStoredRun(folder)
  const name = configNameOf(run)
  const configurations: StoredConfiguration[] = [{ name, runs: [run] }]
  const results = resultsOf(namedRecords(configurations))
  const page = await runPage({ name, run, results, ...(await replaysOf(configurations)) })
  return write(folder, page, configurations, results)
}

async function writeComparisonReport(folder: string): Promise<ReportFiles> {
  const configurations = readStoredComparison(folder)
  const results = await comparisonResults(folder, configurations)
  const plan = planOf(folder)
  const begun = configurations.reduce((sum, { runs }) => sum + runs.length, 0)
  const planned = plan?.configurations.reduce((sum, { seeds }) => sum + seeds.length, 0) ?? begun
  const page = await comparisonPage({
    configurations,
    results,
    planned,
    command: plan?.command,
    ...(await replaysOf(configurations)),
  })
  return write(folder, page, configurations, results)
}

async function write(
  folder: string,
  page: string,
  configurations: readonly StoredConfiguration[],
  { tasks }: ReturnType<typeof resultsOf>,
): Promise<ReportFiles> {
  const curves: string[] = []
  for (const [i, task] of tasks.entries()) {
    const path = join(folder, i === 0 ? 'learning-curve.svg' : `learning-curve-${i + 1}.svg`)
    writeAtomically(path, Buffer.from(await learningCurvePicture(task, curvesOf(task, configurations, 'episodes'))))
    curves.push(path)
  }
  const html = join(folder, 'report.html')
  writeAtomically(html, Buffer.from(page))
  return { html, curves }
}

/** An episode that a page shows. */
interface ChosenEpisode {
  readonly run: StoredRun
  readonly title: string
  readonly episode: ReplayableEpisode
}

async function replaysOf(
  configurations: readonly StoredConfiguration[],
): Promise<{ readonly replays: Replay[]; readonly withoutReplays?: string }> {
  const each = Math.max(2, Math.floor(MOST_REPLAYS / configurations.length))
  const chosen = configurations.flatMap(({ name, runs }) =>
    (runs.some(({ record }) => record.seats > 1) ? gamesOf(runs, each) : episodesOf(runs)).map((choice) => ({
      ...choice,
      title:
        configurations.length > 1
          ? `${name}: ${choice.title}`
          : `${choice.title[0]!.toUpperCase()}${choice.title.slice(1)}`,
    })),
  )
  if (chosen.length === 0) return { replays: [], withoutReplays: 'No episode was recorded with its actions.' }
  const shown = chosen.slice(0, MOST_REPLAYS)
  const replays: Replay[] = []
  let withoutReplays: string | undefined
  for (const { title, run, episode } of shown) {
    try {
      const spec = envSpecOf(loadConfig(resolve(run.folder)))
      const { frames, notes } = await playAgain(spec, episode)
      const packed = packFrames(frames, REPLAY_SIZE / shown.length)
      replays.push({ title, caption: captionOf(run, episode, notes), packed, rate: notes ? 2 : rateOf(episode), notes })
    } catch (error) {
      withoutReplays ??= `No replay: ${error instanceof Error ? error.message : String(error)}`
    }
  }
  return { replays, ...(withoutReplays !== undefined && { withoutReplays }) }
}

/** The first and the best episode: the first seed's first, the best of all seeds. */
function episodesOf(runs: readonly StoredRun[]): ChosenEpisode[] {
  const first = runs.find(({ record }) => record.first)
  const best = runs
    .filter(({ record }) => record.best)
    .reduce<StoredRun | undefined>((a, b) => (a && a.record.best!.return >= b.record.best!.return ? a : b), undefined)
  return [
    ...(first ? [{ run: first, episode: first.record.first!, title: 'first episode' }] : []),
    ...(best && best.record.best !== first?.record.first
      ? [{ run: best, episode: best.record.best!, title: 'best episode' }]
      : []),
  ]
}

/** Games of the run that is evaluated best, in order: the first, the best, the last, and some between them as
 *  its evaluations divide the run; `most` of them. */
function gamesOf(runs: readonly StoredRun[], most: number): ChosenEpisode[] {
  const score = ({ record }: StoredRun) => record.evaluations.at(-1)?.mean ?? Number.NEGATIVE_INFINITY
  const run = runs
    .filter(({ record }) => record.first)
    .reduce<StoredRun | undefined>((a, b) => (a && score(a) >= score(b) ? a : b), undefined)
  if (!run) return []
  const { first, best, last, stages } = run.record
  const titles = new Map<ReplayableEpisode, string>()
  const name = (episode: ReplayableEpisode | undefined, title: string) => {
    if (episode && !titles.has(episode) && titles.size < most) titles.set(episode, title)
  }
  name(first, 'first game')
  name(best, 'best game')
  name(last, 'last game')
  const between = stages.filter((episode) => !titles.has(episode))
  const room = most - titles.size
  for (let i = 1; i <= room; i++) {
    const episode = between[Math.floor((i * between.length) / (room + 1))]
    name(episode, `game ${((episode?.index ?? 0) + 1).toLocaleString('en-US')}`)
  }
  return [...titles]
    .map(([episode, title]) => ({ run, title, episode }))
    .sort((a, b) => a.episode.index - b.episode.index)
}

function captionOf({ record }: StoredRun, episode: ReplayableEpisode, notes: ChessNotes | undefined): string {
  const { index, length, players } = episode
  if (notes) {
    const [white = 'self', black = 'self'] = players ?? []
    const who =
      white === 'self' && black === 'self'
        ? 'The policy against itself'
        : `White is ${playerOf(white)}, black ${playerOf(black)}`
    return `${notes.result}, after ${plural(length, 'ply', 'plies')}. ${who}. Game ${(index + 1).toLocaleString('en-US')} of the run with seed ${record.seed}.`
  }
  const score = Number.isInteger(episode.return) ? episode.return : episode.return.toFixed(2)
  return `Episode ${index + 1} of the run with seed ${record.seed}: ${length} steps, return ${score}.`
}

/** A seat's player in words. */
function playerOf(name: string): string {
  const [, update] = /^past@(\d+)$/.exec(name) ?? []
  if (update !== undefined) return `the policy of update ${update}`
  return name === 'self' ? 'the policy' : name === 'random' ? 'a random mover' : name
}

/** Steps in a second: a long episode takes about ten seconds, a short one can be followed by eye. */
function rateOf({ length }: ReplayableEpisode): number {
  return Math.min(50, Math.max(2, Math.round(length / 10)))
}

function configNameOf(run: StoredRun): string {
  try {
    return loadConfig(resolve(run.folder)).name
  } catch {
    return nameOf(resolve(run.folder))
  }
}
