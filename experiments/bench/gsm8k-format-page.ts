import type { LanguageConfig } from '../../agents/llm/language-config.js'
import type { Estimate } from '../../algorithms/evaluate.js'
import { plural, share } from '../report/numbers.js'
import {
  FORMAT_PRESETS,
  type FormatSample,
  type FormatSeed,
  type Gsm8kFormat,
  MODES,
  type Mode,
  STAGES,
  type Stage,
} from './gsm8k-format.js'
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

/** The share of completions that is to be in the form after RLOO. */
const TARGET = 0.95

const TITLES: Readonly<Record<Stage, string>> = { base: 'base', sft: 'SFT', rloo: 'RLOO' }

/** The share in the form and the share that is right, of every seed and stage: one Markdown table. */
export function gsm8kFormatTable({ seeds }: Pick<Gsm8kFormat, 'seeds'>): string {
  const cells = ({ scores }: FormatSeed, stage: Stage) =>
    MODES.flatMap((mode) => [
      shareWithInterval(scores[stage][mode].format),
      shareWithInterval(scores[stage][mode].correct),
    ])
  return markdownTable([
    ['seed', '', ...MODES.flatMap((mode) => [`in the form, ${mode}`, `right, ${mode}`])],
    ...seeds.flatMap((seed) => STAGES.map((stage) => [String(seed.seed), TITLES[stage], ...cells(seed, stage)])),
  ])
}

/** The target, with what was found of every seed. */
export function gsm8kFormatTargetLines({ seeds }: Pick<Gsm8kFormat, 'seeds'>): string[] {
  const reaches = (seed: FormatSeed, mode: Mode) => seed.scores.rloo[mode].format.mean > TARGET
  const all = (mode: Mode) => seeds.filter((seed) => reaches(seed, mode)).length
  return [
    `- More than ${share(TARGET)} in the form after RLOO: ${MODES.map((mode) => `${mode} on ${all(mode)} of ${plural(seeds.length, 'seed')}: ${verdict(all(mode) === seeds.length)}`).join(', ')}`,
    ...seeds.map((seed) => {
      const told = (mode: Mode) =>
        `${mode} ${share(seed.scores.sft[mode].format.mean)} to ${share(seed.scores.rloo[mode].format.mean)}: ${verdict(reaches(seed, mode))}`
      return `  - seed ${seed.seed}: ${MODES.map(told).join(', ')}`
    }),
  ]
}

/** What else is told of the completions. */
function detailsTable({ seeds }: Gsm8kFormat): string {
  const lines = seeds.flatMap(({ seed, scores }) =>
    STAGES.flatMap((stage) =>
      MODES.map((mode) => {
        const { strict, reward, characters } = scores[stage][mode]
        return [String(seed), TITLES[stage], mode, shareWithInterval(strict), rewarded(reward), characters.toFixed(0)]
      }),
    ),
  )
  return markdownTable([['seed', '', '', 'to the letter', 'reward', 'characters'], ...lines])
}

/** What RLOO changed, problem by problem. */
function gainTable({ seeds }: Gsm8kFormat): string {
  return markdownTable([
    ['seed', ...MODES.flatMap((mode) => [`in the form, ${mode}`, `right, ${mode}`])],
    ...seeds.map(({ seed, gain }) => [
      String(seed),
      ...MODES.flatMap((mode) => [pointsWithInterval(gain[mode].format), pointsWithInterval(gain[mode].correct)]),
    ]),
  ])
}

function minutesTable({ seeds }: Gsm8kFormat): string {
  const lines = seeds.map(({ seed, trained, seconds }) => [
    String(seed),
    ...[trained.sft.seconds, trained.rloo.seconds, seconds].map(minutes),
  ])
  return markdownTable([['seed', 'SFT', 'RLOO', 'measuring'], ...lines])
}

/** The page of it all. */
export function gsm8kFormatPage(found: Gsm8kFormat): string {
  const { command, machine, configs, parameters, problems, seeds, question, samples } = found
  const { sft, rloo } = seeds[0]!.trained
  const { agent } = configs.sft
  // of a preset with a language model
  const { maxNewTokens: limit, temperature } = (agent as LanguageConfig).sampling
  const { temperature: colder } = (configs.rloo.agent as LanguageConfig).sampling
  return `# The form of an answer, on GSM8K

Written by \`${command}\` on ${machine.began.slice(0, 10)}; every number here is from that run, and all of them are in \`gsm8k-format.json\`.

- Machine: ${machineLine(machine)}
- Commit: ${machine.commit ?? 'unknown'}
- ${raised(loadLine(machine.load))}
- Seeds: ${seeds.map(({ seed }) => seed).join(', ')}

A transformer with ${parameters.toLocaleString('en-US')} weights begins with random ones, and with a tokenizer that is trained on the text of GSM8K's training problems.
SFT: it imitates worked-out answers in the form that the prompt asks for, ${sft.episodes.toLocaleString('en-US')} in ${plural(sft.updates, 'update')}, and ends before it has learned the form.
RLOO: from there it learns from its own tries, ${rloo.episodes.toLocaleString('en-US')} completions in ${plural(rloo.updates, 'update')}, paid by the \`<reasoning>\`/\`<answer>\` reward: up to 2 for the form, an answer that is an
integer among it, and 2 for a right answer. The prompts are the published ones, whole. Such a model cannot do arithmetic: what is measured is whether RLOO teaches the form, and
what it does to the rest.

![Share of RLOO's completions in the form, and right, over its updates](gsm8k-format.svg)

## In the form, and right

${gsm8kFormatTable(found)}

One completion of each of the ${plural(problems, 'test problem')}, the likeliest tokens (greedy) or tokens drawn (sampled: base and SFT at temperature ${temperature}, RLOO at ${colder}), at most ${limit} of them. Percent, with the 95% interval from 2,000
bootstrap resamples of the problems. In the form: it starts with \`<reasoning>…</reasoning>\`, which \`<answer>…</answer>\` follows. Right: the answer has the value of the published one.

## Target

${gsm8kFormatTargetLines(found).join('\n')}

## What RLOO changed

${gainTable(found)}

RLOO − SFT of the same problems, pair by pair, in points of a hundred.

## To the letter, reward and length

${detailsTable(found)}

To the letter: every tag on a line of its own, and nothing else. Reward: the mean, at most 4. Characters: the mean length of a completion.

## Minutes

${minutesTable(found)}

Training: as many runs side by side as there are cores (${machine.cores}). Seeds were measured one after the other, on all test problems six times.

## Completions

The first problem that was asked, not a chosen one:

${fenced(question.trimEnd())}

${samples.map(sampleText).join('\n\n')}

## The presets

${(['sft', 'rloo'] as const).map((training) => presetLine(FORMAT_PRESETS[training])).join('\n')}

\`\`\`
${command}
\`\`\`
`
}

function sampleText({ stage, mode, seed, completion }: FormatSample): string {
  return `${raised(TITLES[stage])}, ${mode} (seed ${seed}):\n\n${fenced(completion.trimEnd())}`
}

/** `1.97 (1.95 to 1.99)` */
function rewarded({ mean, interval: [low, high] }: Estimate): string {
  return `${mean.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`
}
