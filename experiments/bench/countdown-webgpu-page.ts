import { decimals, listed, plural, share } from '../report/numbers.js'
import { COUNTDOWN_PRESETS } from './countdown-learning.js'
import {
  CLEARLY,
  type ComparedEvaluation,
  type CountdownWebgpu,
  type Difference,
  ROUNDING,
  type SeedRun,
  SMALL,
  STAGES,
  type Stage,
  shareApart,
} from './countdown-webgpu.js'
import { loadLine, machineLine, markdownTable, minutes, presetLine, raised, verdict } from './tables.js'

const NONE = '–'
const NAMES: Readonly<Record<Stage, string>> = { sft: 'SFT', rloo: 'RLOO' }

/** Each evaluation's mean rewards as the terminal and the page show them: one Markdown table. */
export function countdownWebgpuTable({ wasm, webgpu, evaluations }: CountdownWebgpu): string {
  const header = [
    ...['after', ...wasm.map(({ seed }) => `wasm s${seed}`), 'least to greatest'],
    ...webgpu.flatMap(({ seed }) => [`webgpu s${seed}`, 'within']),
  ]
  return markdownTable([header, ...evaluations.map((evaluation) => evaluationCells(evaluation, webgpu))])
}

function evaluationCells(evaluation: ComparedEvaluation, seeds: readonly SeedRun[]): string[] {
  const { stage, update, wasm, least, greatest, webgpu } = evaluation
  return [
    `${NAMES[stage]} ${update}`,
    ...wasm.map(decimals),
    `${decimals(least)} to ${decimals(greatest)}`,
    ...seeds.flatMap(({ seed }) => {
      const found = webgpu.find((each) => each.seed === seed)
      return found ? [decimals(found.reward), withinText(found.outside)] : [NONE, NONE]
    }),
  ]
}

function withinText(outside: number): string {
  if (outside === 0) return 'yes'
  // Four digits: a mean over a thousand tasks moves by less than a thousandth
  return `${Math.abs(outside).toFixed(4)} ${outside > 0 ? 'above' : 'below'}`
}

/** Whether the curves of `webgpu` lie within the seeds of `wasm`, seed by seed. */
export function countdownWebgpuTargetLines({ wasm, webgpu, evaluations, configs }: CountdownWebgpu): string[] {
  const seeds = webgpu.map((run) => {
    const trained = evaluations.flatMap(({ stage, update, webgpu }) => {
      const found = webgpu.find(({ seed }) => seed === run.seed)
      return update > 0 && found ? [{ at: `${NAMES[stage]} ${update}`, outside: found.outside }] : []
    })
    const out = trained.filter(({ outside }) => outside !== 0)
    const ended = STAGES.every((stage) => run[stage]?.ended)
    const standing = STAGES.map(
      (stage) => `update ${run[stage]?.updates ?? 0} of ${configs[stage].budget.updates} of ${NAMES[stage]}`,
    )
    return {
      ...{ ended, inside: ended && out.length === 0 },
      text: [
        `  - seed ${run.seed}: ${trained.length - out.length} of ${plural(trained.length, 'evaluation')} after an update within`,
        ...out.map(({ at, outside }) => `${at} is ${withinText(outside)}`),
        ...(ended ? [] : [`its run was at ${listed(standing)}`]),
      ].join('; '),
    }
  })
  const open = seeds.some(({ ended }) => !ended)
  const all = open ? 'open' : verdict(seeds.every(({ inside }) => inside))
  return [
    `- \`${COUNTDOWN_PRESETS.rloo}\` trains on \`webgpu\` to the same curve as on \`wasm\` within its ${plural(wasm.length, 'seed')}’ spread: ${all}`,
    ...seeds.map(({ text }) => text),
  ]
}

/** The share of right answers at the end of a stage; undefined where a run has not come to it. */
function end(run: SeedRun, stage: Stage): number | undefined {
  return run[stage]?.ended ? run[stage].evaluations.at(-1)?.correct : undefined
}

/** Whether these shares lie within those of all seeds that are known on `wasm`, the recorded ones counted in. */
function shareLines({ wasm, webgpu, recorded }: CountdownWebgpu): string[] {
  const others = (recorded?.seeds ?? []).filter(({ seed }) => wasm.every((run) => run.seed !== seed))
  return webgpu.map((run) => {
    const stages = STAGES.map((stage) => {
      const known = [...wasm.flatMap((each) => end(each, stage) ?? []), ...others.map((each) => each[stage])]
      const found = end(run, stage)
      if (found === undefined) return `after ${NAMES[stage]} not there yet`
      const [least, greatest] = [Math.min(...known), Math.max(...known)]
      const within = found >= least && found <= greatest ? 'within' : 'outside'
      return `after ${NAMES[stage]} ${share(found)}, ${within} the ${share(least)} to ${share(greatest)} of ${plural(known.length, 'seed')} on \`wasm\``
    })
    return `- seed ${run.seed} on \`webgpu\`: ${stages.join('; ')}`
  })
}

/** Shares of right answers at the ends of both stages. */
function sharesTable({ wasm, webgpu, recorded }: CountdownWebgpu): string {
  const line = (name: string, seed: number, sft: number | undefined, rloo: number | undefined) => [
    ...[name, String(seed)],
    ...[sft, rloo].map((value) => (value === undefined ? NONE : share(value))),
    sft === undefined || rloo === undefined ? NONE : signedPoints(rloo - sft),
  ]
  const of = (name: string) => (run: SeedRun) => line(name, run.seed, end(run, 'sft'), end(run, 'rloo'))
  return markdownTable([
    ['', 'seed', 'after SFT', 'after RLOO', 'RLOO − SFT, points'],
    ...wasm.map(of('`wasm`')),
    ...(recorded?.seeds ?? []).map(({ seed, sft, rloo }) => line('recorded before', seed, sft, rloo)),
    ...webgpu.map(of('`webgpu`')),
  ])
}

function signedPoints(difference: number): string {
  const text = Math.abs(difference * 100).toFixed(1)
  return Number(text) === 0 ? text : `${difference < 0 ? '−' : '+'}${text}`
}

/** From which update on the same seed gives other numbers. */
function sameSeedTable({ sameSeed }: CountdownWebgpu): string {
  return markdownTable([
    [
      'seed',
      'stage',
      'updates compared',
      `first beyond ${exponential(ROUNDING)}`,
      `first beyond ${exponential(CLEARLY)}`,
    ],
    ...sameSeed.map(({ seed, stage, updates, beyondRounding, clear }) => [
      ...[String(seed), NAMES[stage], String(updates)],
      ...[beyondRounding, clear].map(differenceText),
    ]),
  ])
}

function differenceText(difference: Difference | undefined): string {
  if (!difference) return 'none'
  const { update, metric, wasm, webgpu } = difference
  return `update ${update}: \`${metric}\` ${wasm.toPrecision(7)} and ${webgpu.toPrecision(7)}`
}

function lossTable({ sameSeed }: CountdownWebgpu): string {
  return markdownTable([
    ['seed', 'after', '`wasm`', '`webgpu`', 'apart'],
    ...sameSeed.flatMap(({ seed, stage, validationLosses }) =>
      validationLosses.map(({ update, wasm, webgpu }) => [
        ...[String(seed), `${NAMES[stage]} ${update}`],
        ...[wasm, webgpu].map((loss) => loss.toFixed(7)),
        exponential(shareApart(wasm, webgpu)),
      ]),
    ),
  ])
}

/** `1.2e-7` */
function exponential(value: number): string {
  return value === 0 ? '0' : String(Number(value.toExponential(1)).toExponential())
}

/** When each run was made, at which commit and how long it took. */
function runsTable({ wasm, webgpu }: CountdownWebgpu): string {
  const lines = [['`wasm`', wasm] as const, ['`webgpu`', webgpu] as const].flatMap(([name, runs]) =>
    runs.flatMap((run) =>
      STAGES.flatMap((stage) => {
        const found = run[stage]
        if (!found) return []
        const { updates, ended, began, commit, seconds } = found
        return [
          [
            ...[name, String(run.seed), NAMES[stage], `${updates}${ended ? '' : ', not ended'}`, minutes(seconds)],
            ...[began?.slice(0, 10) ?? NONE, commit?.replace(/^(\w{10})\w+/, '$1') ?? NONE],
          ],
        ]
      }),
    ),
  )
  return markdownTable([['', 'seed', 'stage', 'updates', 'minutes', 'began', 'commit'], ...lines])
}

/** What computed as `webgpu`: one line for each card and processor that runs tell of. */
function adapters({ webgpu }: CountdownWebgpu): string {
  const told = webgpu.flatMap((run) =>
    STAGES.flatMap((stage) => {
      const found = run[stage]
      if (!found) return []
      const { adapter = 'an adapter that the run does not name', processor } = found
      return [processor === undefined ? adapter : `${adapter}, with ${processor}`]
    }),
  )
  return [...new Set(told)].join('; ')
}

/** The page of it all. */
export function countdownWebgpuPage(found: CountdownWebgpu): string {
  const { command, machine, wasm, webgpu, tasks, configs, recorded } = found
  const seedsOf = (runs: readonly SeedRun[]) => runs.map(({ seed }) => seed).join(', ')
  const among = (wasm.length - 1) / (wasm.length + 1)
  const last = webgpu.flatMap(({ sft, rloo }) => (rloo ?? sft).evaluations.at(-1) ?? [])
  const wide = Math.max(0, ...last.map(({ interval: [low, high] }) => (high - low) / 2))
  return `# Learning Countdown on \`webgpu\` and on \`wasm\`

Written by \`${command}\` on ${machine.began.slice(0, 10)}; all of its numbers are in \`countdown-webgpu.json\`.

- Machine: ${machineLine(machine)}
- Commit: ${machine.commit ?? 'unknown'}
- ${raised(loadLine(machine.load))}
- \`webgpu\`: ${adapters(found)}
- Seeds: ${seedsOf(webgpu)} on \`webgpu\`; ${seedsOf(wasm)} on \`wasm\`

\`${COUNTDOWN_PRESETS.rloo}\`, whole: ${plural(configs.sft.budget.updates ?? 0, 'update')} of SFT, then ${configs.rloo.budget.updates} of RLOO, with the same settings on both. A seed decides the first
weights, the order of the tasks and every draw. While numbers differ by rounding alone the same seed does the same on both; once a drawn token is another one, it is another run.

![Mean reward on held-out tasks over the updates of SFT and RLOO, on webgpu and on wasm](countdown-webgpu.svg)

## Within the spread of seeds

${countdownWebgpuTargetLines(found).join('\n')}

${countdownWebgpuTable(found)}

Mean reward of the likeliest completion of ${plural(tasks, 'held-out task')}, after so many updates of a stage; RLOO 0 is the model that SFT left. Within: from the least to the greatest of wasm's
seeds; otherwise how far outside. Of ${wasm.length} seeds and another one of the same kind, that one lies between the least and the greatest with a chance of ${share(among)} at each
evaluation. The 95% interval of an evaluation over its tasks is ${decimals(wide)} to each side at the end of training.

## Right answers

${sharesTable(found)}

${shareLines(found).join('\n')}

Share of the tasks that are solved, one completion each, the likeliest tokens.${
    recorded
      ? `
Recorded before: \`countdown.json\` of [Learning Countdown](countdown.md), measured on ${recorded.began.slice(0, 10)} at commit ${recorded.commit ?? 'unknown'} with the backend that was chosen by itself. It keeps the
ends of both stages, so the curves above are all of runs that were made for this page; a seed that is in both counts once.`
      : ''
  }

## The same seed on both

${sameSeedTable(found)}

The first update at which a metric differs by more than that share of its value (of ${SMALL}, where it is smaller), and the metric that differs the most there: on \`wasm\` and on \`webgpu\`.
RLOO goes on from what SFT left on each: where that differs, it differs from the first update.

${lossTable(found)}

The validation loss of SFT: the mean negative log-likelihood of the solver's answers to held-out tasks. Apart: as a share of the larger one.

## Minutes

${runsTable(found)}

With evaluations, beside whatever else the machine did: these are no measurements of speed. The runs on \`wasm\` went side by side, one a core; those on \`webgpu\` one after the other.

## The presets

${STAGES.map((stage) => presetLine(COUNTDOWN_PRESETS[stage])).join('\n')}

\`\`\`
${command}
\`\`\`
`
}
