import { mean, median } from '../../algorithms/statistics.js'
import { presets } from '../presets/presets.js'
import { listed, percent, plural, shown, signedScore } from '../report/numbers.js'
import type { RatedPlayer } from '../report/ratings.js'
import { added } from '../report/results.js'
import type { ChessLearning, ChessPreset, ChessRun } from './chess-learning.js'
import type { MatchResult, Opponent } from './chess-match.js'
import { type BatchSummary, LATE } from './self-play.js'
import { loadLine, machineLine, markdownTable, minutes, raised } from './tables.js'

/** What the learning presets are to reach: the lower end of the interval against random, and how fast. */
const TARGET = { score: 0.5, stretch: 0.9, minutes: 30 } as const
const LEARNERS: readonly string[] = ['chess-reinforce', 'chess-rloo']
const PUBLISHED = 'chess-seed-recipe'
/** Plies of a game that is told in a sentence. */
const TOLD = 6
/** Characters of a line of a game. */
const WIDTH = 100

/** Every run and its matches as the terminal and the page show them: one Markdown table. */
export function chessLearningTable(results: readonly ChessPreset[]): string {
  const header = [
    '',
    'seed',
    'minutes of training',
    'games of training',
    'against random: mean (95% interval)',
    'won, drawn, lost',
    'plies a game',
    'seconds of the match',
    'random, likeliest moves',
    'greedy-capture',
    'stockfish, 1 node',
  ]
  const lines = results.flatMap(({ preset, runs }) =>
    runs.map((run) => {
      const random = matchOf(run, 'random')
      return [
        `\`${preset}\``,
        String(run.seed),
        minutes(run.seconds),
        run.episodes.toLocaleString('en-US'),
        ...(random
          ? [scored(random), outcomes(random), random.plies.toFixed(0), random.seconds.toFixed(1)]
          : Array.from({ length: 4 }, () => NONE)),
        ...[matchOf(run, 'random', true), matchOf(run, 'greedy-capture'), matchOf(run, 'stockfish')].map((match) =>
          match ? `${scored(match)}; ${outcomes(match)}` : NONE,
        ),
      ]
    }),
  )
  return markdownTable([header, ...lines])
}

const NONE = '–'

/** The targets, each with what was found. */
export function targetLines({ presets: results, withoutStockfish }: ChessLearning): string[] {
  const learners = results.filter(({ preset }) => LEARNERS.includes(preset))
  const published = results.find(({ preset }) => preset === PUBLISHED)
  const lines = learners.flatMap(({ preset, runs }) => {
    const reached = (score: number) =>
      runs.filter(
        (run) =>
          (matchOf(run, 'random')?.interval[0] ?? -1) > score && (run.seconds ?? Infinity) <= TARGET.minutes * 60,
      ).length
    const line = (score: number) =>
      `interval against random above ${signedScore(score)} after at most ${TARGET.minutes} minutes of training: ${reached(score)} of ${plural(runs.length, 'seed')}`
    return [
      `- \`${preset}\`, target: ${line(TARGET.score)}`,
      `- \`${preset}\`, stretch: ${line(TARGET.stretch)}`,
      `- \`${preset}\`, stretch: a score against stockfish at 1 node a move: ${withoutStockfish === undefined ? points(runs) : 'not played, it was not installed'}`,
    ]
  })
  const beside =
    published && withoutStockfish === undefined
      ? [`- \`${PUBLISHED}\` beside them against stockfish: ${points(published.runs)}`]
      : []
  return [...lines, ...beside]
}

/** How many runs do not lose every game to stockfish, and how the games of all of them ended. */
function points(runs: readonly ChessRun[]): string {
  const played = runs.flatMap((run) => matchOf(run, 'stockfish')?.outcomes ?? [])
  const some = played.filter(({ wins, draws }) => wins + draws > 0).length
  const { wins, draws, losses } = played.reduce(added, { wins: 0, draws: 0, losses: 0 })
  const games = (wins + draws + losses).toLocaleString('en-US')
  return `${some} of ${plural(played.length, 'seed')}, ${wins} won and ${draws} drawn of ${games} games`
}

/** What the training games of the published recipe became, beside those of the preset that learns. */
export function unfoldingTable(learner: ChessPreset, published: ChessPreset): string {
  const both = [learner, published]
  const updates = [
    ...new Set(both.flatMap(({ runs }) => runs.flatMap((run) => run.selfPlay.summaries.map(({ update }) => update)))),
  ].sort((a, b) => a - b)
  const columns: [string, (summary: BatchSummary) => number, (value: number) => string][] = [
    ['entropy', ({ entropy }) => entropy, (value) => value.toFixed(2)],
    ['plies', ({ plies }) => plies, (value) => value.toFixed(0)],
    ['drawn', ({ drawn }) => drawn, percent],
    ['different games', ({ different, games }) => different / games, percent],
    ['gradient norm', ({ gradientNorm }) => gradientNorm, (value) => value.toFixed(3)],
  ]
  const header = ['update', ...both.flatMap(({ preset }) => columns.map(([name]) => `\`${preset}\`: ${name}`))]
  const lines = updates.map((update) => [
    update.toLocaleString('en-US'),
    ...both.flatMap(({ runs }) => {
      const here = runs.flatMap(({ selfPlay }) => selfPlay.summaries.filter((summary) => summary.update === update))
      return columns.map(([, of, show]) => (here.length === runs.length ? show(mean(here.map(of))) : NONE))
    }),
  ])
  return markdownTable([header, ...lines])
}

/** What became of the published recipe, sentence by sentence; every number and every claim is of these runs. */
export function story(learner: ChessPreset, published: ChessPreset): string[] {
  const { runs } = published
  const unpaid = runs.reduce((sum, { selfPlay }) => sum + selfPlay.unpaid.updates, 0)
  const all = runs.reduce((sum, { updates }) => sum + updates, 0)
  return [
    rulesSentence(published),
    ...paySentences(runs, unpaid, all, published),
    entropySentence(learner, published),
    ...runs.map(oneGameSentence),
    verdictSentence(runs),
    ...scoreSentences(published),
    `${rulesSentence(learner)} ${contrastSentence(learner)}`,
  ]
}

function rulesSentence({ preset, config }: ChessPreset): string {
  const { opening, maxPlies, shaping, adjudication } = config.env.options as Record<string, unknown>
  const { random = 0, past = 0 } = config.opponents ?? {}
  const start = opening ? `after ${opening} random plies` : 'from the standard position'
  const whom =
    random + past > 0
      ? `of the other seats ${percent(random)} are a random mover's and ${percent(past)} a past self's`
      : 'one policy plays both sides'
  const paid = [
    'a win',
    ...(shaping === 'material' ? ['every capture'] : []),
    ...(adjudication === 'material' ? [`more material after ${maxPlies} plies`] : []),
  ]
  return `In \`${preset}\` every training game starts ${start}, ${whom}, and what pays is ${listed(paid)}.`
}

function paySentences(runs: readonly ChessRun[], unpaid: number, all: number, { config }: ChessPreset): string[] {
  if (unpaid === 0) return [`In each of its ${all.toLocaleString('en-US')} updates some game was paid.`]
  const [without, withPay] = [
    runs.flatMap(({ selfPlay }) => selfPlay.unpaid.gradientNorm ?? []),
    runs.flatMap(({ selfPlay }) => selfPlay.paid.gradientNorm ?? []),
  ]
  const norms =
    withPay.length > 0 && without.length > 0
      ? `; the gradient's norm was ${median(without).toFixed(3)} then, and ${median(withPay).toFixed(3)} where something was paid (medians over updates, then seeds)`
      : without.length > 0
        ? `; the gradient's norm was ${median(without).toFixed(3)} all the same (the median over updates, then seeds)`
        : ''
  const { algorithm } = config
  const whitened = algorithm.type === 'reinforce' && algorithm.whiten && algorithm.baseline === 'value'
  return [
    `In ${unpaid.toLocaleString('en-US')} of its ${all.toLocaleString('en-US')} updates no game was won: every return was 0, and nothing said which move was good.`,
    ...(whitened
      ? [
          `The advantages of such an update are what the critic gets wrong and nothing else; whitening divides them by their own spread, however small, so that they weigh as much as where a game was won${norms}.`,
        ]
      : []),
  ]
}

function entropySentence(learner: ChessPreset, published: ChessPreset): string {
  const fell = [published, learner].map(({ preset, runs }) => {
    const ends = runs.flatMap(({ selfPlay: { summaries } }) => {
      const [first, last] = [summaries[0], summaries.at(-1)]
      return first && last ? [[first.entropy, last.entropy] as const] : []
    })
    const [from, to] = [mean(ends.map(([first]) => first)), mean(ends.map(([, last]) => last))]
    return `from ${from.toFixed(2)} to ${to.toFixed(2)} nats in \`${preset}\``
  })
  return `The entropy of a move's choice went ${fell.join(' and ')} (first and last update, mean over seeds).`
}

function oneGameSentence({ seed, updates, selfPlay: { oneGame, oneGameOn, late } }: ChessRun): string {
  const games = `Of the ${late.games} games of its last ${late.updates} updates, ${late.different} were different`
  if (oneGameOn) {
    const { update, game } = oneGameOn
    const first = game.moves.slice(0, TOLD).join(' ')
    return `Seed ${seed}: from update ${update} of ${updates} on, all games of a batch were one and the same; the last of them took ${plural(game.plies, 'ply', 'plies')} (${first}${game.moves.length > TOLD ? ' …' : ''}) and ended: ${lowered(game.result)}. ${games}.`
  }
  return oneGame === undefined
    ? `Seed ${seed}: the games of a batch were never all the same. ${games}.`
    : `Seed ${seed}: in update ${oneGame} of ${updates} all games of the batch were one and the same, but not from then on. ${games}.`
}

/** Whether a run has come to play one game, or few: at most one in four of its last ones is different, which is as many as
 *  where four games make a batch and are all the same. */
function collapsed({ selfPlay: { late } }: ChessRun): boolean {
  return late.different * 4 <= late.games
}

function verdictSentence(runs: readonly ChessRun[]): string {
  const count = runs.filter(collapsed).length
  const published =
    'The published run, of the same recipe on its own board and actions, became one drawn game of 28 plies within 25 updates.'
  const updates = plural(Math.max(...runs.map((run) => run.updates)), 'update')
  if (count === 0) {
    const none = runs.length === 1 ? 'The run here did not' : `None of the ${runs.length} runs here did`
    return `${published} ${none} in ${updates}: more than one in four of the last games are different.`
  }
  const why = 'Where the games are the same, none tells one move from another, and there is nothing left to learn from.'
  return `${published} ${runs.length === 1 ? 'The run here' : `${count} of the ${runs.length} runs here`} went that way in ${updates}: at most one in four of the last games is different. ${why}`
}

function scoreSentences({ preset, runs }: ChessPreset): string[] {
  const ends = runs.flatMap(({ evaluations }) => {
    const [first, last] = [evaluations[0], evaluations.at(-1)]
    return first && last ? [[first.mean, last.mean] as const] : []
  })
  if (ends.length === 0) return []
  const [from, to] = [mean(ends.map(([first]) => first)), mean(ends.map(([, last]) => last))]
  const matches = runs.flatMap((run) => matchOf(run, 'random') ?? [])
  const above = matches.filter(({ interval: [low] }) => low > 0).length
  const below = matches.filter(({ interval: [, high] }) => high < 0).length
  const level = matches.length - above - below
  const sides = [
    ...(above > 0 ? [`above 0 for ${plural(above, 'seed')}`] : []),
    ...(level > 0 ? [`around 0 for ${plural(level, 'seed')}`] : []),
    ...(below > 0 ? [`below 0 for ${plural(below, 'seed')}`] : []),
  ]
  return [
    `Against random \`${preset}\` scored ${signedScore(from)} before its first update and ${signedScore(to)} after its last (its own evaluations, mean over seeds); the interval of the final match is ${listed(sides)}.`,
  ]
}

function contrastSentence({ preset, runs }: ChessPreset): string {
  const updates = runs.reduce((sum, run) => sum + run.updates, 0)
  const unpaid = runs.reduce((sum, { selfPlay }) => sum + selfPlay.unpaid.updates, 0)
  const late = runs.map(({ selfPlay }) => selfPlay.late)
  const games = late.reduce((sum, each) => sum + each.games, 0)
  const different = late.reduce((sum, each) => sum + each.different, 0)
  return `${unpaid.toLocaleString('en-US')} of the ${updates.toLocaleString('en-US')} updates of \`${preset}\` had nothing but returns of 0, and ${different.toLocaleString('en-US')} of the ${games.toLocaleString('en-US')} games of its last ${LATE} updates are different.`
}

/** The page of it all. */
export function chessLearningPage(learned: ChessLearning): string {
  const { command, machine, presets: results, rules, withoutStockfish, elo, sample } = learned
  const learner = results.find(({ preset }) => preset === LEARNERS[0])!
  const published = results.find(({ preset }) => preset === PUBLISHED)!
  const played = learner.runs[0]!.matches
  const games = (opponent: Opponent) => played.find((match) => match.opponent === opponent)?.games ?? 0
  const ruled = Object.entries(rules).map(([name, value]) => `\`${name}: ${JSON.stringify(value)}\``)
  return `# Learning chess

Written by \`${command}\` on ${machine.began.slice(0, 10)}; every number here is from that run, and all of them are in \`chess.json\`.

- Machine: ${machineLine(machine)}
- Commit: ${machine.commit ?? 'unknown'}
- ${raised(loadLine(machine.load))}
- Seeds: ${learner.runs.map(({ seed }) => seed).join(', ')}

![Score of the presets against a random mover over training](chess.svg)

${chessLearningTable(results)}

A mean is of games: win 1, draw 0, loss −1; its interval from 2,000 bootstrap resamples of the games. Each run's last policy plays
${games('random').toLocaleString('en-US')} games against a uniformly random mover and ${games('greedy-capture').toLocaleString('en-US')} against each of the others, with white in every second one and its moves drawn from the policy
but where the likeliest are named. The matches are played as evaluations are (${ruled.join(', ')}): without shaping, adjudication or
a cap on the plies unless named here, and drawn as soon as a repetition or 50 moves can be claimed. greedy-capture takes the most valuable man it can.
${withoutStockfish === undefined ? 'stockfish looks at one position a move.' : `Nothing was played against stockfish: ${withoutStockfish}`}
Minutes are of training with its evaluations, as many runs side by side as there are cores; the matches were played one after the other.

## Targets

${targetLines(learned).join('\n')}

## ${published.runs.some(collapsed) ? 'Why the published recipe collapses' : 'What becomes of the published recipe'}

${unfoldingTable(learner, published)}

Training games at these updates, means over seeds. Entropy: of a move's choice, in nats. Drawn: the share that nobody won, after
adjudication where there is one. Different games: the share that is no repetition of another of the same update. Gradient norm: before clipping.

${story(learner, published).join('\n')}

## Elo

${eloTable(elo.ratings)}

${elo.games} games a pairing, moves drawn from the policies, ${Object.entries(elo.options)
    .map(([name, value]) => `\`${name}: ${JSON.stringify(value)}\``)
    .join(
      ', ',
    )}; of seed ${learner.runs[0]!.seed} of each preset. BayesElo's model with \`${elo.anchor}\` at 0; moving first is worth ${Math.round(elo.advantage)} Elo.

## A game

The first game of the match of \`${sample.preset}\`, seed ${sample.seed}, the best of its seeds, against random: not a chosen one. ${sample.result}, after ${plural(sample.plies, 'ply', 'plies')}.

\`\`\`
${wrapped(sample.pgn.trim())}
\`\`\`

## The presets

${results.map(({ preset }) => `- \`${preset}\`: ${presets[preset]?.description}. Source: ${presets[preset]?.source}.`).join('\n')}
`
}

/** Ratings, strongest first. */
function eloTable(ratings: readonly RatedPlayer[]): string {
  const header = ['', 'Elo', '95% interval', 'games', 'score']
  const lines = ratings.map(({ name, run, elo, interval: [low, high], games, score }) => [
    run ? `\`${run.name}\` after update ${run.update}` : name,
    shown(Math.round(elo)),
    low === high ? NONE : `${shown(Math.round(low))} to ${shown(Math.round(high))}`,
    games.toLocaleString('en-US'),
    signedScore(score),
  ])
  return markdownTable([header, ...lines])
}

/** Text in lines of at most {@link WIDTH} characters, broken between words. */
function wrapped(text: string): string {
  const line = new RegExp(`(.{1,${WIDTH}})(?: |$)`, 'g')
  return text
    .split('\n')
    .map((long) => long.replace(line, '$1\n').trimEnd())
    .join('\n')
}

function matchOf({ matches }: ChessRun, opponent: Opponent, greedy = false): MatchResult | undefined {
  return matches.find((match) => match.opponent === opponent && match.greedy === greedy)
}

function scored({ mean, interval }: MatchResult): string {
  return `${signedScore(mean)} (${interval.map(signedScore).join(' to ')})`
}

function outcomes({ outcomes: { wins, draws, losses } }: MatchResult): string {
  return [wins, draws, losses].map((count) => count.toLocaleString('en-US')).join(', ')
}

function lowered(text: string): string {
  return text[0]!.toLowerCase() + text.slice(1)
}
