import type { Estimate } from '../../algorithms/evaluate.js'
import { plural, share } from '../report/numbers.js'
import {
  COUNTDOWN_PRESETS,
  type CountdownLearning,
  type CountdownSample,
  type CountdownSeed,
  type FigureName,
  figures,
  type GreedyScore,
  SAMPLES,
  type Training,
} from './countdown-learning.js'
import {
  fenced,
  loadLine,
  machineLine,
  markdownTable,
  minutes,
  pointsWithInterval,
  presetLine,
  raised,
  shareWithInterval,
  verdict,
} from './tables.js'

/** What RLOO is to add to the share of held-out tasks solved, from how many seeds, and in how many minutes. */
const TARGET = { gain: 0.1, seeds: 3, minutes: 15 } as const
const NONE = '–'

/** Every seed's scores as the terminal and the page show them, in the order of the published tables: one Markdown table. */
export function countdownLearningTable(learned: CountdownLearning): string {
  return figuresTable(learned, [
    ['base', 'base', shareWithInterval],
    ['SFT', 'sft', shareWithInterval],
    ['RLOO', 'rloo', shareWithInterval],
    ['RLOO − SFT, points', 'gain', pointsWithInterval],
    [`SFT, best of ${SAMPLES} with verifier`, 'sftBestOf', shareWithInterval],
    [`RLOO, best of ${SAMPLES} with verifier`, 'rlooBestOf', shareWithInterval],
    ['given the answer in the prompt', 'givenAnswer', shareWithInterval],
  ])
}

/** What one completion out of {@link SAMPLES} is worth, and all of them. */
function samplesTable(learned: CountdownLearning): string {
  return figuresTable(
    learned,
    (['sft', 'rloo'] as const).flatMap((stage) => {
      const name = { sft: 'SFT', rloo: 'RLOO' }[stage]
      return [
        [`${name}, pass@1`, `${stage}Pass1`, shareWithInterval],
        [`${name}, pass@${SAMPLES}`, `${stage}Pass8`, shareWithInterval],
        [`${name}, majority of ${SAMPLES}`, `${stage}Majority`, shareWithInterval],
      ] as const
    }),
  )
}

type Column = readonly [header: string, figure: FigureName, show: (estimate: Estimate) => string]

/** A line for each seed, and the means over them. */
function figuresTable({ seeds, overSeeds }: CountdownLearning, columns: readonly Column[]): string {
  const cell = (estimate: Estimate | undefined, show: Column[2]) => (estimate ? show(estimate) : NONE)
  const lines = seeds.map((seed) => [
    String(seed.seed),
    ...columns.map(([, figure, show]) => cell(figures[figure](seed), show)),
  ])
  const means = ['mean over seeds', ...columns.map(([, figure, show]) => cell(overSeeds[figure], show))]
  return markdownTable([['seed', ...columns.map(([header]) => header)], ...lines, ...(seeds.length > 1 ? [means] : [])])
}

/** The reward's parts of each stage, one completion a task, and of the yardsticks. */
function partsTable({ seeds, bounds }: CountdownLearning): string {
  const stages: readonly (readonly [string, (seed: CountdownSeed) => GreedyScore])[] = [
    ['base', ({ base }) => base],
    ['SFT', ({ sft }) => sft],
    ['RLOO', ({ rloo }) => rloo],
    ['given the answer', ({ givenAnswer }) => givenAnswer],
  ]
  const names = ['format', 'numbers', 'correctness', 'process']
  const line = (name: string, seed: string, { parts, characters }: GreedyScore) => [
    name,
    seed,
    ...names.map((part) => (parts[part] ? shareWithInterval(parts[part]) : NONE)),
    characters.toFixed(0),
  ]
  return markdownTable([
    ['', 'seed', ...names, 'characters'],
    ...stages.flatMap(([name, of]) => seeds.map((seed) => line(name, String(seed.seed), of(seed)))),
    line('random expression', NONE, bounds.randomExpression),
    line('solver', NONE, bounds.solver),
  ])
}

/** How long each stage of each seed took. */
function minutesTable({ seeds }: CountdownLearning): string {
  const lines = seeds.map((seed) => [
    String(seed.seed),
    ...[seed.trained.sft.seconds, seed.trained.rloo.seconds, seed.seconds, secondsOf(seed)].map(minutes),
    minutes(seed.trained.givenAnswer.seconds),
  ])
  return markdownTable([['seed', 'SFT', 'RLOO', 'measuring', 'in all', 'beside: given the answer'], ...lines])
}

/** The targets, each with what was found. */
export function countdownTargetLines({ seeds }: CountdownLearning): string[] {
  const points = `${TARGET.gain * 100} points`
  const lifted = seeds.map((seed) => ({ seed, reached: isLifted(seed) }))
  const inTime = seeds.map((seed) => {
    const seconds = secondsOf(seed)
    return { seed, reached: seconds !== undefined && seconds <= TARGET.minutes * 60 }
  })
  const few = seeds.length < TARGET.seeds ? `, of the ${TARGET.seeds} that it is to be` : ''
  return [
    `- RLOO lifts the share of held-out tasks that SFT solves by at least ${points}, with the interval above zero: ${told(lifted)}${few}`,
    ...lifted.map(
      ({ seed, reached }) =>
        `  - seed ${seed.seed}: ${share(seed.sft.correct.mean)} to ${share(seed.rloo.correct.mean)}, ${pointsWithInterval(seed.gain)} points: ${verdict(reached)}`,
    ),
    `- SFT, RLOO and measuring take at most ${TARGET.minutes} minutes: ${told(inTime)}${few}`,
    ...inTime.map(({ seed, reached }) => {
      const seconds = secondsOf(seed)
      return `  - seed ${seed.seed}: ${seconds === undefined ? 'no time was kept' : `${minutes(seconds)} minutes`}: ${verdict(reached)}`
    }),
  ]
}

/** Whether RLOO added enough to a seed's SFT. */
function isLifted({ gain }: CountdownSeed): boolean {
  return gain.mean >= TARGET.gain && gain.interval[0] > 0
}

function told(seeds: readonly { readonly reached: boolean }[]): string {
  const reached = seeds.filter((each) => each.reached).length
  return `${verdict(reached === seeds.length)} on ${reached} of ${plural(seeds.length, 'seed')}`
}

/** Of everything that the table tells of a seed but the model that is given the answer. */
function secondsOf({ trained, seconds }: CountdownSeed): number | undefined {
  const { sft, rloo } = trained
  return sft.seconds === undefined || rloo.seconds === undefined ? undefined : sft.seconds + rloo.seconds + seconds
}

/** The page of it all. */
export function countdownLearningPage(learned: CountdownLearning): string {
  const { command, machine, configs, parameters, tasks, bounds, seeds, samples } = learned
  const first = seeds[0]!
  const { agent } = configs.sft
  const temperature = agent.type === 'language' ? agent.sampling.temperature : 1
  const trainings: readonly Training[] = ['sft', 'rloo', 'givenAnswer']
  return `# Learning Countdown

Written by \`${command}\` on ${machine.began.slice(0, 10)}; every number here is from that run, and all of them are in \`countdown.json\`.

- Machine: ${machineLine(machine)}
- Commit: ${machine.commit ?? 'unknown'}
- ${raised(loadLine(machine.load))}
- Seeds: ${seeds.map(({ seed }) => seed).join(', ')}

A transformer with ${parameters.toLocaleString('en-US')} weights begins with random ones, and with a tokenizer that is trained on the text of the training tasks.
SFT: it imitates the solver, ${first.trained.sft.episodes.toLocaleString('en-US')} demonstrations in ${plural(first.trained.sft.updates, 'update')}.
RLOO: from there it learns from its own tries, ${first.trained.rloo.episodes.toLocaleString('en-US')} completions in ${plural(first.trained.rloo.updates, 'update')}, paid 1 for a solution, 0.1 for any other answer and 0 for none.
Both see tasks of the split \`train\` (${optionsOf(configs.sft.env.options)}). Everything here is measured on the same ${plural(tasks, 'task')} of the split \`test\`
(${optionsOf(configs.sft.evaluation?.options)}): which split a task is of follows from the task, none is in both.

![Mean reward on held-out tasks over SFT and RLOO](countdown.svg)

## Held-out tasks solved

${countdownLearningTable(learned)}

One completion a task, the likeliest tokens, unless told otherwise. Percent of the tasks, with the 95% interval from 2,000 bootstrap resamples of the tasks;
of a mean over seeds, of the seeds (with three of them that is from the lowest to the highest). RLOO − SFT is of the same tasks, pair by pair, in points of a hundred.
The verifier is the environment's own check: it knows the task, not an answer, and what it accepts is right. Best of ${SAMPLES} is then what pass@${SAMPLES} is.
"Given the answer in the prompt" is another model and another task: each prompt gives a solution away, in training (SFT alone, ${plural(first.trained.givenAnswer.updates, 'update')}) and here. It
measures copying, and does not compare with the columns before it.

Bounds: a random expression of the right numbers solves ${shareWithInterval(bounds.randomExpression.correct)}, the solver ${shareWithInterval(bounds.solver.correct)}.

## Targets

${countdownTargetLines(learned).join('\n')}

## ${SAMPLES} completions a task

${samplesTable(learned)}

Drawn at temperature ${temperature}. Majority: the share of tasks whose most frequent answer is right; answers that use the same numbers and have the same value are one.

## Format, correctness and process apart

${partsTable(learned)}

One completion a task, the likeliest tokens. Format: there is an answer. Numbers: it uses each number once. Correctness: it equals the target, too. Process: the share of the
equations in the reasoning that are true, which nothing pays for. Characters: the mean length of a completion.

## Minutes

${minutesTable(learned)}

Training is with its evaluations, as many runs side by side as there are cores (${machine.cores}); seeds were measured one after the other. In all: SFT, RLOO and measuring.

## Completions

${samples.map(sampleText).join('\n\n')}

## The presets

${trainings.map((training) => presetLine(COUNTDOWN_PRESETS[training])).join('\n')}

\`\`\`
${command}
\`\`\`
`
}

function optionsOf(options: Readonly<Record<string, unknown>> = {}): string {
  return Object.entries(options)
    .map(([name, value]) => `\`${name}: ${JSON.stringify(value)}\``)
    .join(', ')
}

/** A prompt and what was written behind it. */
function sampleText({ what, seed, prompt, completion }: CountdownSample): string {
  return `${what} (seed ${seed}; the prompt ends in \`<think>\`):\n\n${fenced(prompt + completion)}`
}
