import type { Outcomes } from '../../algorithms/evaluate.js'
import { colourScale } from './chart.js'
import {
  type EloLine,
  eloChart,
  learningCurveChart,
  metricChart,
  OUTCOMES,
  outcomeChart,
  profileChart,
  runChart,
  scoreChart,
} from './charts.js'
import type { ChessNotes } from './chess-notes.js'
import { type Axis, type Curve, learningCurve, scoreCurve } from './curves.js'
import { documentOf, factList, responsive } from './document.js'
import { domainSection } from './domain-section.js'
import { html, jsonScript, type Markup, trusted } from './html.js'
import { listed, percent, plural, shown, shownScore, signedScore } from './numbers.js'
import { outcomePoints } from './outcome-points.js'
import type { EloRecord } from './ratings.js'
import { type PackedFrames, PLAYER_SCRIPT } from './replay.js'
import { type ComparisonResults, type ConfigurationResult, opponentOf, type TaskResult } from './results.js'
import type { EvaluationRecord } from './run-record.js'
import { type StoredConfiguration, type StoredRun, secondsOf } from './stored-run.js'
import type { Seconds } from './text-table.js'
import { WRITTEN_STYLE, writtenSection } from './written-section.js'

/** An episode that the page plays. */
export interface Replay {
  readonly title: string
  readonly caption: string
  readonly packed: PackedFrames
  /** Environment steps shown in a second. */
  readonly rate: number
  /** Of a game of chess. */
  readonly notes?: ChessNotes | undefined
}

/** What a comparison's page is made of. */
export interface ComparisonPage {
  readonly configurations: readonly StoredConfiguration[]
  readonly results: ComparisonResults
  readonly replays: readonly Replay[]
  /** Runs that were to be made. */
  readonly planned: number
  /** What to type to run it again. */
  readonly command?: string | undefined
  /** Why there are no replays, where there are none. */
  readonly withoutReplays?: string | undefined
}

/** What a single run's page is made of. */
export interface RunPage {
  readonly name: string
  readonly run: StoredRun
  readonly results: ComparisonResults
  readonly replays: readonly Replay[]
  readonly withoutReplays?: string | undefined
}

/** The page of a comparison. */
export async function comparisonPage(page: ComparisonPage): Promise<string> {
  const { configurations, results, replays, planned } = page
  const runs = configurations.flatMap(({ runs }) => runs)
  const finished = runs.filter(({ record }) => record.end).length
  const sections = await Promise.all(results.tasks.map((task) => taskSection(task, configurations)))
  const names = configurations.map(({ name }) => name)
  const envs = results.tasks.map(({ env }) => env)
  return documentOf({
    title: `${names.length > 1 ? names.join(' against ') : names[0]} on ${listed(envs)}`,
    script: PLAYER_SCRIPT,
    body: html`
      ${finished < planned && warning(`${finished} of ${plural(planned, 'run')} finished. What follows is about what there is so far.`)}
      ${results.tasks.map((task) => html`<p class="lead">${taskSummary(task)}</p>`)}
      ${results.domains && (await domainSection(results.domains))}
      ${sections}
      ${replaySection(replays, page.withoutReplays)}
      ${glossary()}
      ${provenance(
        runs[0],
        configurations.map(({ name, runs: [first] }) => ({ name, config: first?.config ?? '' })),
        page.command,
      )}
    `,
  })
}

/** The page of a single run. */
export async function runPage({ name, run, results, replays, withoutReplays }: RunPage): Promise<string> {
  const { record } = run
  const task = results.tasks[0]
  const threshold = task?.rewardThreshold
  const metrics = await Promise.all(metricCards(run))
  return documentOf({
    title: `${name}, seed ${record.seed}`,
    script: PLAYER_SCRIPT,
    style: WRITTEN_STYLE,
    body: html`
      ${!record.end && warning('This run was interrupted, or still goes on. What follows is about what there is so far.')}
      <p class="lead">${runSummary(run, task)}</p>
      ${
        task?.opponent !== undefined &&
        html`<h2>Learning</h2>
        <p class="note">${scoreNote(task.opponent)} Line: the mean over the games of an evaluation. Band: its 95% interval.</p>
        <figure class="card chart">${await scoreChartOf(curvesOf(task, [{ name, runs: [run] }], 'episodes'), false)}</figure>
        ${await outcomeSection(task, [{ name, runs: [run] }])}`
      }
      ${await eloSection([{ name, runs: [run] }])}
      ${
        task?.opponent === undefined &&
        record.returns.length > 0 &&
        html`<h2>Learning</h2>
        <p class="note">Each dot is the return of one episode: the sum of its rewards. The line is the mean of the last 100.</p>
        <figure class="card chart">${await responsive((size) => runChart(record, { ...size, threshold }))}</figure>`
      }
      ${task && scoreTable(task, secondsOf([{ name, runs: [run] }]))}
      ${replaySection(replays, withoutReplays)}
      ${writtenSection(record.evaluations)}
      ${metrics.length > 0 && html`<h2>Inside the updates</h2><p class="note">What each update${record.evaluations.some(hasLoss) && ', and each evaluation,'} reported, over episodes.</p><div class="small">${metrics}</div>`}
      ${provenance(run, [{ name, config: run.config }])}
    `,
  })
}

/** A learning curve on its own, for a README: title, direct labels, light background. */
export function learningCurvePicture(task: TaskResult, curves: readonly Curve[]): Promise<string> {
  const seeds = Math.max(...task.configurations.map(({ runs }) => runs.length))
  return learningCurveChart(curves, {
    axis: 'episodes',
    threshold: task.rewardThreshold,
    title: `Learning ${task.env}`,
    subtitle: [
      task.opponent === undefined
        ? `Mean return of the last 100 episodes: interquartile mean and 95% interval over ${plural(seeds, 'seed')}`
        : `Mean score against ${task.opponent}, win 1, draw 0, loss −1: ${seeds > 1 ? `interquartile mean and 95% interval over ${seeds} seeds` : '95% interval over games'}`,
    ],
    ...(task.opponent !== undefined && { limits: SCORES }),
    labels: true,
    width: 820,
    height: 420,
  })
}

/** The curves of a task's configurations, in order. */
export function curvesOf(task: TaskResult, configurations: readonly StoredConfiguration[], axis: Axis): Curve[] {
  return task.configurations.map(({ name }) => {
    const runs = configurations.find((configuration) => configuration.name === name)?.runs ?? []
    const records = runs.map(({ record }) => record)
    if (task.opponent === undefined) return learningCurve(name, records, axis)
    return scoreCurve(
      name,
      records.filter((record) => opponentOf(record) === task.opponent),
      axis,
    )
  })
}

async function taskSection(task: TaskResult, configurations: readonly StoredConfiguration[]): Promise<Markup> {
  const byEpisodes = curvesOf(task, configurations, 'episodes')
  const bySteps = curvesOf(task, configurations, 'steps')
  const threshold = task.rewardThreshold
  const names = task.configurations.map(({ name }) => name)
  const several = task.configurations.some(({ runs }) => runs.length > 1)
  const half = { wide: { width: 500, height: 300 }, narrow: { width: 340, height: 250 } }
  const versus = task.opponent !== undefined
  const limits = versus ? { limits: SCORES } : {}
  const curve = (curves: readonly Curve[], axis: Axis, labels: boolean, sizes?: typeof half) =>
    responsive(
      (size, wide) => learningCurveChart(curves, { axis, threshold, labels: labels && wide, ...limits, ...size }),
      sizes,
    )
  const scores = {
    wide: { width: 500, height: 90 + 52 * names.length },
    narrow: { width: 340, height: 80 + 46 * names.length },
  }
  const [main, steps, dots, profile] = await Promise.all([
    curve(byEpisodes, 'episodes', true),
    curve(bySteps, 'steps', false, half),
    responsive((size) => scoreChart(task, size), scores),
    responsive((size) => profileChart(task, size), half),
  ])
  return html`
    <h2>Learning on ${task.env}</h2>
    <p class="note">${
      task.opponent === undefined ? 'Mean return of the last 100 episodes.' : scoreNote(task.opponent)
    } ${
      versus && !several
        ? 'Line: the mean over the games of an evaluation. Band: its 95% interval.'
        : 'Line: interquartile mean over seeds. Band: its bootstrap 95% interval.'
    }</p>
    <figure class="card chart"><div class="narrow">${legend(names)}</div>${main}</figure>
    ${await outcomeSection(task, configurations)}
    ${await eloSection(configurations.filter(({ name }) => names.includes(name)))}
    ${scoreTable(task, secondsOf(configurations))}
    <div class="pair">
      <figure class="card chart"><h3>Every run’s score</h3>
        <p class="note">A dot is a run, the mark the interquartile mean, the bar its 95% interval${threshold !== undefined && ', the dashed line where the task counts as solved'}.</p>${legend(names)}${dots}</figure>
      ${improvementTable(task)}
    </div>
    <div class="pair">
      <figure class="card chart"><h3>Learning over environment steps</h3>
        <p class="note">Episodes differ in length; steps are what sampling costs.</p>${legend(names)}${steps}</figure>
      <figure class="card chart"><h3>Performance profile</h3>
        <p class="note">The share of runs that score above τ, with 95% bands. Higher is better, everywhere.</p>${legend(names)}${profile}</figure>
    </div>`
}

/** What happened, in a sentence or two that need no other word of the page. */
function taskSummary({ env, rewardThreshold, configurations, improvements }: TaskResult): string {
  const seeds = Math.max(...configurations.map(({ runs }) => runs.length))
  const names = configurations.map(({ name }) => name)
  const trained = `${listed(names)} ${names.length > 1 ? 'were each' : 'was'} trained on ${env} from ${plural(seeds, 'random seed')}.`
  const goal =
    rewardThreshold === undefined
      ? ''
      : `The task counts as solved once the mean return of 100 episodes in a row reaches ${rewardThreshold}.`
  const outcomes = configurations.map((row) => `${row.name} ${outcome(row)}.`)
  const [duel] = improvements
  const compared =
    duel && improvements.length === 1
      ? duel.probability === 0.5
        ? 'Neither ends above the other more often.'
        : `A run of ${duel.x} ends with the higher score than a run of ${duel.y} in ${percent(duel.probability)} of all pairs.`
      : ''
  return [trained, goal, ...outcomes, compared].filter(Boolean).join(' ')
}

function outcome({ runs, solved, solvedAt, iqm, outcomes }: ConfigurationResult): string {
  if (outcomes)
    return `scored ${signedScore(iqm)} in ${runs.length > 1 ? 'its typical' : 'the'} last evaluation (${outcomeWords(outcomes)})`
  const score = `ended with a typical score of ${shownScore(iqm)}`
  if (solved === undefined) return score
  const count = Math.round(solved * runs.length)
  if (count === 0) return `solved it in none of its runs and ${score}`
  return `solved it in ${count} of ${plural(runs.length, 'run')}, typically after ${shown(solvedAt!)} episodes, and ${score}`
}

function runSummary({ record }: StoredRun, task: TaskResult | undefined): string {
  const result = task?.configurations[0]?.runs[0]
  const trained = `An agent of ${record.parameters.toLocaleString('en-US')} parameters was trained on ${record.env} by ${record.algorithm}`
  if (!task || !result) return `${trained}. No episode has ended yet.`
  const { outcomes, interval } = result
  const amount = `for ${plural(result.episodes, 'episode')}, ${plural(result.steps, 'step')} in all`
  const score = `The mean return of its last ${Math.min(100, result.episodes)} episodes is ${shownScore(result.score)}.`
  if (outcomes && interval) {
    const [low, high] = interval.map(signedScore)
    return `${trained} ${amount}. In its last evaluation against ${task.opponent} it scored ${signedScore(result.score)} (95% interval ${low} to ${high}; a win is 1, a loss −1): ${outcomeWords(outcomes)}.`
  }
  if (task.rewardThreshold === undefined) return `${trained} ${amount}. ${score}`
  const solved =
    result.solvedAt === undefined
      ? `It did not solve the task, which takes a mean of ${task.rewardThreshold} over 100 episodes.`
      : `It solved the task, which takes a mean of ${task.rewardThreshold} over 100 episodes, after ${plural(result.solvedAt, 'episode')}.`
  return `${trained} ${amount}. ${solved} ${score}`
}

/** The score table. A single run has no interval to show, and a page of one needs no names. */
function scoreTable({ configurations, rewardThreshold, opponent }: TaskResult, seconds: Seconds): Markup {
  const several = configurations.some(({ runs }) => runs.length > 1)
  const evaluated = configurations.some(({ evaluation }) => evaluation !== undefined)
  const timed = configurations.some(({ name }) => seconds.has(name))
  const { range } = colourScale(configurations.map(({ name }) => name))
  const score = (value: number) => scoreDatum(value, opponent !== undefined)
  const columns: Column[] = [
    ...(several ? [{ label: 'runs', of: ({ runs }: Row) => datum(runs.length) }] : []),
    { label: several ? 'mean score' : 'score', of: ({ mean }) => score(mean) },
    ...(several ? [{ label: 'interquartile mean', of: ({ iqm }: Row) => score(iqm) }] : []),
    ...(several || opponent !== undefined
      ? [{ label: '95% interval', of: ({ interval: [low, high] }: Row) => html`${score(low)} to ${score(high)}` }]
      : []),
    ...(opponent === undefined
      ? []
      : OUTCOMES.map(({ key }) => ({ label: key, of: ({ outcomes }: Row) => datum(outcomes?.[key] ?? 0) }))),
    ...(evaluated
      ? [{ label: 'evaluation', of: ({ evaluation }: Row) => (evaluation === undefined ? '–' : score(evaluation)) }]
      : []),
    ...(rewardThreshold === undefined
      ? []
      : [
          {
            label: 'solved',
            of: ({ solved = 0, runs }: Row) =>
              html`<data value="${solved}">${Math.round(solved * runs.length)} of ${runs.length}</data>`,
          },
          {
            label: several ? 'after episode (median)' : 'after episode',
            of: ({ solvedAt }: Row) => (solvedAt === undefined ? '–' : datum(solvedAt)),
          },
        ]),
    { label: 'episodes', of: ({ episodes }) => datum(episodes) },
    { label: 'steps', of: ({ steps }) => datum(steps) },
    ...(timed ? [{ label: 'seconds', of: ({ name }: Row) => seconds.get(name)?.toFixed(1) ?? '–' }] : []),
  ]
  return html`
    <h2>Scores</h2>
    <p class="note">${
      opponent === undefined
        ? 'A run’s score is the mean return of its last 100 episodes.'
        : `A run’s score is its mean over the games of its last evaluation against ${opponent}: 1 for a win, 0 for a draw, −1 for a loss.`
    }</p>
    <div class="card"><div class="scroll"><table class="scores">
      <thead><tr><th></th>${columns.map(({ label }) => html`<th scope="col">${label}</th>`)}</tr></thead>
      <tbody>${configurations.map(
        (row, i) => html`<tr><th scope="row">${swatch(range[i]!, i)}${row.name}</th>
        ${columns.map(({ label, of }) => html`<td data-label="${label}"><span>${of(row)}</span></td>`)}</tr>`,
      )}</tbody>
    </table></div></div>`
}

type Row = ConfigurationResult

interface Column {
  readonly label: string
  readonly of: (row: Row) => Markup | string
}

function improvementTable({ improvements }: TaskResult): Markup | undefined {
  if (improvements.length === 0) return undefined
  return html`
    <div class="card"><h3>Probability of improvement</h3>
    <p class="note">How often a run of the first scores above a run of the second, over all pairs; a tie counts half.</p>
    <div class="scroll"><table class="improvements">
      <thead><tr><th></th><th>probability</th><th>95% interval</th></tr></thead>
      <tbody>${improvements.map(
        ({ x, y, probability, interval }) => html`<tr><th scope="row">${x} above ${y}</th>
        <td><data value="${probability}">${percent(probability)}</data></td>
        <td class="range">${percent(interval[0])} to ${percent(interval[1])}</td></tr>`,
      )}</tbody>
    </table></div></div>`
}

function replaySection(replays: readonly Replay[], without: string | undefined): Markup | undefined {
  if (replays.length === 0)
    return without === undefined ? undefined : html`<h2>Replays</h2><p class="note">${without}</p>`
  return html`
    <h2>${replays.some(({ notes }) => notes) ? 'Games to replay' : 'Before and after'}</h2>
    <p class="note">Episodes as they were recorded in training, played again from their seed and actions.</p>
    <div class="pair">${replays.map(
      ({ title, caption, packed, rate, notes }) => html`
      <section class="card player" aria-label="${title}">
        <h3>${title}</h3><p class="note">${caption}</p>
        <div class="stage"></div>
        <div class="controls"><button type="button" aria-label="Play"></button>
          <input type="range" min="0" value="0" aria-label="step"><output></output>
          <select aria-label="speed"><option value="0.25">¼×</option><option value="0.5">½×</option><option value="1" selected>1×</option><option value="2">2×</option><option value="4">4×</option></select></div>
        ${notes && gameNotes(notes)}
        ${jsonScript({ ...packed, rate })}
      </section>`,
    )}</div>`
}

/** The moves, which lead to their positions, and the game as text. Moves of the opening were before the first frame. */
function gameNotes({ moves, opening, pgn }: ChessNotes): Markup {
  const move = (san: string | undefined, ply: number) =>
    san !== undefined &&
    (ply < opening ? html`<span class="opening">${san}</span>` : html`<button type="button" data-move>${san}</button>`)
  const rows = Array.from({ length: Math.ceil(moves.length / 2) }, (_, i) => i * 2)
  return html`
        ${opening > 0 && html`<p class="note">The first ${plural(opening, 'ply', 'plies')}, in grey, ${opening > 1 ? 'were' : 'was'} the random opening.</p>`}
        <ol class="moves" tabindex="0" aria-label="moves">${rows.map((ply) => html`<li>${move(moves[ply], ply)} ${move(moves[ply + 1], ply + 1)}</li>`)}</ol>
        <details><summary>PGN</summary><pre class="pgn">${pgn}</pre></details>`
}

function metricCards({ record }: StoredRun): Promise<Markup>[] {
  const names = new Set(record.updates.flatMap(({ metrics }) => Object.keys(metrics)))
  const columns = [...names].map((name) => ({
    name,
    points: record.updates.map(({ episodes, metrics }) => ({ x: episodes, y: metrics[name]! })),
  }))
  const losses = record.evaluations.map(({ episodes, validationLoss = Number.NaN }) => ({
    x: episodes,
    y: validationLoss,
  }))
  return [{ name: 'validation loss', points: losses }, ...columns].flatMap(({ name, points }) => {
    const known = points.filter(({ y }) => Number.isFinite(y))
    if (known.length < 2) return []
    return metricChart(known, { width: 320, height: 150 }).then(
      (svg) => html`<figure class="card chart"><h3>${name}</h3>${trusted(svg)}</figure>`,
    )
  })
}

function hasLoss({ validationLoss }: EvaluationRecord): boolean {
  return validationLoss !== undefined
}

/** The range of a mean of games. */
const SCORES = [-1, 1] as const

function scoreNote(opponent: string): string {
  return `Mean score in evaluations against ${opponent}: 1 for a win, 0 for a draw, −1 for a loss.`
}

function outcomeWords({ wins, draws, losses }: Outcomes): string {
  return `${plural(wins, 'win')}, ${plural(draws, 'draw')}, ${plural(losses, 'loss', 'losses')}`
}

function scoreChartOf(curves: readonly Curve[], labels: boolean): Promise<Markup> {
  return responsive((size, wide) =>
    learningCurveChart(curves, { axis: 'episodes', limits: SCORES, labels: labels && wide, ...size }),
  )
}

/** How evaluation games ended over training, a chart for each configuration with two evaluations or more. */
async function outcomeSection(
  { opponent, configurations: rows }: TaskResult,
  configurations: readonly StoredConfiguration[],
): Promise<Markup | undefined> {
  if (opponent === undefined) return undefined
  const shown = rows.flatMap(({ name }) => {
    const runs = configurations.find((configuration) => configuration.name === name)?.runs ?? []
    const points = outcomePoints(runs.map(({ record }) => record).filter((record) => opponentOf(record) === opponent))
    return points.length > 1 ? [{ name, points, runs: runs.length }] : []
  })
  if (shown.length === 0) return undefined
  const single = shown.length === 1
  const sizes = single
    ? { wide: { width: 1000, height: 300 }, narrow: { width: 340, height: 240 } }
    : { wide: { width: 500, height: 300 }, narrow: { width: 340, height: 240 } }
  const charts = await Promise.all(
    shown.map(async ({ name, points, runs }) => {
      const chart = await responsive((size) => outcomeChart(points, size), sizes)
      const title = single ? 'Wins, draws and losses' : name
      const seeds = runs > 1 ? `, all ${runs} seeds together` : ''
      return html`<figure class="card chart outcomes"><h3>${title}</h3>
        <p class="note">Games against ${opponent}${seeds}.</p>${outcomeLegend()}${chart}</figure>`
    }),
  )
  return single
    ? html`${charts}`
    : html`<h2>Wins, draws and losses</h2><p class="note">How the games of the evaluations ended.</p><div class="pair">${charts}</div>`
}

function outcomeLegend(): Markup {
  return html`<ul class="legend">${OUTCOMES.map(
    ({ key, colour }) => html`<li><i class="swatch" style="background: var(--${key}, ${colour})"></i>${key}</li>`,
  )}</ul>`
}

/** The ratings that `rxgym elo` left in run folders: a chart for each, without those whose runs another has as well. */
async function eloSection(configurations: readonly StoredConfiguration[]): Promise<Markup | undefined> {
  const all = configurations.flatMap(({ runs }) => runs.flatMap(({ ratings }) => ratings ?? []))
  const records = all.filter((record, i) => {
    const own = runsOf(record)
    return !all.some((other, k) => {
      const theirs = runsOf(other)
      const covers = own.every((run) => theirs.includes(run))
      return k !== i && covers && (theirs.length > own.length || k < i)
    })
  })
  if (records.length === 0) return undefined
  const named = records.flatMap(({ ratings }) => ratings.flatMap(({ run }) => run?.name ?? []))
  const names = [...new Set([...configurations.map(({ name }) => name), ...named])]
  const charts = await Promise.all(records.map((record) => eloFigure(record, names, records.length === 1)))
  const [{ anchor, games, greedy }] = records as [EloRecord]
  return html`<h2>Elo between checkpoints</h2>
    <p class="note">By BayesElo’s model, from ${games} games a pairing, ${greedy ? 'of the likeliest actions' : 'with actions as the policies draw them'}. ${playerName(anchor)} is 0. Bars: 95% intervals.</p>
    ${records.length === 1 ? charts : html`<div class="pair">${charts}</div>`}`
}

async function eloFigure({ ratings }: EloRecord, configurations: readonly string[], single: boolean): Promise<Markup> {
  const lines = new Map<string, EloLine>()
  const rated = ratings.flatMap(({ run, ...rating }) => (run ? [{ ...rating, run }] : []))
  for (const { run, elo, interval } of rated.sort((a, b) => a.run.seed - b.run.seed || a.run.update - b.run.update)) {
    const name = `${run.name}, seed ${run.seed}`
    const points = [...(lines.get(name)?.points ?? []), { update: run.update, elo, interval }]
    lines.set(name, { name, configuration: run.name, points })
  }
  const here = configurations.filter((name) => rated.some(({ run }) => run.name === name))
  const titles = here.map((name) => {
    const seeds = [...new Set(rated.flatMap(({ run }) => (run.name === name ? [String(run.seed)] : [])))]
    return `${name}, ${seeds.length > 1 ? 'seeds' : 'seed'} ${listed(seeds)}`
  })
  const yardsticks = ratings.flatMap(({ name, elo, run }) => (run ? [] : [{ name: playerName(name), elo }]))
  const chart = await responsive(
    (size) => eloChart([...lines.values()], { configurations, yardsticks, ...size }),
    single
      ? { wide: { width: 1000, height: 340 }, narrow: { width: 340, height: 280 } }
      : { wide: { width: 500, height: 300 }, narrow: { width: 340, height: 260 } },
  )
  return html`<figure class="card chart elo"><h3>${titles.join('; ')}</h3>${here.length > 1 && legend(configurations)}${chart}</figure>`
}

function runsOf({ ratings }: EloRecord): string[] {
  return [...new Set(ratings.flatMap(({ run }) => (run ? [`${run.name} ${run.seed}`] : [])))]
}

/** An agent's name without the folders it lies in. */
function playerName(name: string): string {
  return name.split(/[\\/]/).at(-1) ?? name
}

function glossary(): Markup {
  return html`
    <h2>How to read this</h2>
    <dl class="card">
      <dt>return</dt><dd>The sum of the rewards of one episode.</dd>
      <dt>seed</dt><dd>Decides all chance in a run. Runs from several seeds show how much of a score is luck.</dd>
      <dt>interquartile mean</dt><dd>The mean of the middle half of the runs: steadier than the mean, less wasteful than the median.</dd>
      <dt>95% interval</dt><dd>Where the number would lie in most repetitions with other seeds, by stratified bootstrap: few seeds, wide interval.</dd>
      <dt>source</dt><dd>The definitions are those of Agarwal et al. 2021, “Deep Reinforcement Learning at the Edge of the Statistical Precipice”.</dd>
    </dl>`
}

function provenance(
  run: StoredRun | undefined,
  configurations: readonly { readonly name: string; readonly config: string }[],
  command?: string,
): Markup {
  const facts = run?.facts ?? {}
  return html`
    <h2>What was run</h2>
    <div class="card">
      <dl>
        ${!facts.backend && html`<dt>backend</dt><dd>${run?.record.backend}</dd>`}
        ${factList(facts)}
        ${run?.tokensPerSecond && html`<dt>tokens per second</dt><dd>${shown(Math.round(run.tokensPerSecond))}, of completions, over all the time that the run took</dd>`}
        ${command && html`<dt>command</dt><dd><code>${command}</code></dd>`}
      </dl>
      ${configurations.map(({ name, config }) => config && html`<details><summary>Configuration of ${name}</summary><pre>${config}</pre></details>`)}
    </div>`
}

function legend(names: readonly string[]): Markup | undefined {
  if (names.length < 2) return undefined
  const { range } = colourScale(names)
  return html`<ul class="legend">${names.map((name, i) => html`<li>${swatch(range[i]!, i)}${name}</li>`)}</ul>`
}

/** A series' colour; the style sheet has another for some on a dark page. */
function swatch(colour: string, series: number): Markup {
  return html`<i class="swatch" style="background: var(--series-${series}, ${colour})"></i>`
}

function datum(value: number): Markup {
  return html`<data value="${value}">${shown(value)}</data>`
}

/** @param ofGames  a mean of games, in [−1, 1], with its sign */
function scoreDatum(value: number, ofGames: boolean): Markup {
  return html`<data value="${value}">${ofGames ? signedScore(value) : shownScore(value)}</data>`
}

function warning(text: string): Markup {
  return html`<p class="card warning">${text}</p>`
}
