import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import type { ExperimentConfig, Override } from '../config.js'
import type { TrainEvent } from '../events.js'
import type { RunFolder } from '../run-folder.js'
import { backendOption, collect, positiveNumber, wholeNumber } from './arguments.js'

interface TrainFlags {
  readonly seed?: number
  readonly episodes?: number
  readonly set: readonly string[]
  readonly backend?: string
  readonly out?: string
  readonly resume?: string
  readonly import: readonly string[]
  readonly quiet?: boolean
  readonly json?: boolean
  readonly report: boolean
}

/** `rxgym train` */
export function trainCommand(): Command {
  return new Command('train')
    .summary('train an agent, in a run folder that can be resumed')
    .description(
      'Trains the agent of a preset or of a YAML file and keeps everything in a run folder: configuration,\n' +
        'events, checkpoints, and a report at the end. Ctrl-C ends it with a checkpoint.',
    )
    .argument('[experiment]', 'a preset (rxgym train --list shows them), a .yaml file, or a run folder to repeat')
    .option('--seed <n>', 'decides everything that is drawn', wholeNumber)
    .option('--episodes <n>', 'budget in episodes, short for --set budget.episodes=N', positiveNumber)
    .option('--set <field=value>', 'override a field: algorithm.gamma=0.9 (repeatable)', collect, [])
    .addOption(backendOption())
    .option('--out <dir>', 'the run folder; runs/<name>-s<seed> unless given')
    .option('--resume <dir>', 'go on with the run in this folder')
    .option('--import <file>', 'a module that registers environments of your own (repeatable)', collect, [])
    .option('--no-report', 'leave report.html out')
    .option('--list', 'list the presets')
    .option('--quiet', 'print the result alone')
    .option('--json', 'print the events as JSON lines')
    .addHelpText(
      'after',
      `
Examples:
  rxgym train cartpole-reinforce --seed 1
  rxgym train cartpole-reinforce --set algorithm.gamma=0.9 --set agent.hidden='[64, 64]' --out runs/gamma-0.9
  rxgym train my-experiment.yaml --import ./my-env.js
  rxgym train countdown-tiny --backend webgpu
  rxgym train --resume runs/cartpole-reinforce-s1`,
    )
    .action(async (experiment: string | undefined, flags: TrainFlags & { readonly list?: boolean }) => {
      process.exitCode = flags.list ? await listPresets() : await trainAction(experiment, flags)
    })
}

async function listPresets(): Promise<number> {
  const { presets } = await import('../presets/presets.js')
  for (const [name, { description, source }] of Object.entries(presets)) {
    process.stdout.write(`${name}\n  ${description}\n  source: ${source}\n`)
  }
  return 0
}

async function trainAction(experiment: string | undefined, flags: TrainFlags): Promise<number> {
  const { importModules } = await import('./arguments.js')
  const { EXIT, UsageError } = await import('../errors.js')
  if (experiment === undefined && flags.resume === undefined) {
    throw new UsageError('train what? Name a preset or a .yaml file (rxgym train --list), or --resume a run folder.')
  }
  if (experiment !== undefined && flags.resume !== undefined) {
    throw new UsageError('--resume takes its experiment from the run folder: leave the name out.')
  }
  if (flags.resume !== undefined && flags.out !== undefined)
    throw new UsageError('--resume and --out exclude each other.')
  await importModules(flags.import)
  const stage = await trainedStage(experiment, flags)
  if (typeof stage === 'number') return stage
  const folder = await openFolder(experiment, stage === undefined ? flags : { ...flags, set: [...flags.set, stage] })
  const { runExperiment } = await import('../run.js')
  const { duration, evaluationText, returnText, short, showProgress } = await import('../progress.js')
  const { interruption } = await import('./interrupt.js')

  const quiet = flags.quiet || flags.json
  const say = (text: string) => void (quiet || process.stderr.write(`${text}\n`))
  const progress = quiet ? undefined : showProgress(folder.config, process.stderr)
  const interrupt = interruption(() => {
    progress?.end()
    say('stopping after this update; once more to stop at once')
  })
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    interrupt.stop() // nobody reads any more: end with a checkpoint
  })
  for (const notice of folder.notices) process.stderr.write(`${notice}\n`)

  const goOn = ['rxgym train --resume', folder.path, ...flags.import.flatMap((file) => ['--import', file])].join(' ')
  const began = performance.now()
  let first = 0
  let tokens = 0
  let mean = Number.NaN
  const evaluations: Extract<TrainEvent, { type: 'evaluation' }>[] = []
  let outcome = { reason: 'stopped', episodes: 0, steps: 0, update: 0 }
  try {
    const events = runExperiment(folder, {
      stop: interrupt.signal,
      ready(backend, notices) {
        say(`${titleOf(folder)}, backend ${backend.name} (${backend.reason})`)
        for (const notice of notices) process.stderr.write(`${notice}\n`)
      },
    })
    await events.forEach((event) => {
      if (flags.json && event.type !== 'checkpoint') process.stdout.write(`${JSON.stringify(event)}\n`)
      progress?.next(event)
      if (event.type === 'start') first = event.steps
      if (event.type === 'update') {
        mean = event.meanReturn
        tokens += event.tokens ?? 0
      }
      if (event.type === 'evaluation') evaluations.push(event)
      if (event.type === 'end') outcome = event
    })
  } catch (error) {
    progress?.end()
    if (existsSync(join(folder.path, 'config.yaml'))) say(`failed; go on from the last checkpoint with: ${goOn}`)
    throw error
  } finally {
    progress?.end()
    interrupt.close()
  }
  const seconds = (performance.now() - began) / 1000
  const { reason, episodes, steps, update } = outcome
  const report = flags.report && reason !== 'stopped' ? await writeReportOf(folder.path, say) : undefined
  if (!flags.json) {
    const whose = folder.config.demonstrator === undefined ? '' : 'the demonstrator’s '
    const result = Number.isNaN(mean)
      ? ''
      : `; ${whose}mean return of the last ${Math.min(episodes, 100)} episodes ${returnText(mean)}`
    const writing = tokens > 0 ? `, ${short(tokens / seconds)} tokens/s` : ''
    const rates = `${short((steps - first) / seconds)} steps/s${writing}`
    const speed = steps > first ? `, in ${duration(seconds)} (${rates})` : ''
    process.stdout.write(
      `${folder.path}: ${endings[reason] ?? reason} after ${update} updates, ${episodes} episodes, ${steps} steps` +
        `${speed}${result}\n`,
    )
    for (const evaluation of new Set([...evaluations.slice(0, 1), ...evaluations.slice(-1)])) {
      process.stdout.write(`after update ${evaluation.update}: ${evaluationText(evaluation)}\n`)
    }
    if (report) process.stdout.write(`report: ${report}\n`)
    if (reason === 'stopped') process.stdout.write(`go on with: ${goOn}\n`)
  }
  return reason === 'stopped' ? EXIT.interrupted : EXIT.ok
}

/**
 * A language agent may start from a preset by name: that is trained first, from the same seed, unless its run is there.
 * @returns the override that names the run; the exit code where it was stopped; nothing where there is no such stage
 * @throws UsageError if the run there is another than the preset describes
 */
async function trainedStage(experiment: string | undefined, flags: TrainFlags): Promise<string | number | undefined> {
  const { firstStageOf, placesOf } = await import('../config.js')
  const { findRuns } = await import('../run-list.js')
  const { existsSync } = await import('node:fs')
  const { EXIT } = await import('../errors.js')
  if (experiment === undefined) return undefined
  const config = await configOf(experiment, flags)
  const { seed } = config
  const preset = firstStageOf(config)
  if (preset === undefined) return undefined
  const run = `runs/${preset}-s${seed}`
  const [found] = existsSync(run) ? findRuns(run) : []
  const override = `agent.model=${run}`
  if (found) await refuseOther(run, preset, seed)
  if (found?.state === 'budget' || found?.state === 'solved') {
    if (!flags.quiet && !flags.json) process.stderr.write(`starts from ${run}\n`)
    return override
  }
  const { episodes: _, out: __, resume: ___, ...kept } = flags
  const code = found
    ? await trainAction(undefined, { ...kept, set: [], resume: run })
    : await trainAction(preset, { ...kept, set: placesOf(config, preset), seed, out: run })
  return code === EXIT.ok ? override : code
}

/** What computes a run, how often it is kept, and where its data lies may be as they like; the rest decides its weights. */
async function refuseOther(run: string, preset: string, seed: number): Promise<void> {
  const { loadConfig } = await import('../config.js')
  const { UsageError } = await import('../errors.js')
  const [there, wanted] = [loadConfig(run), loadConfig(preset, [`seed=${seed}`])].map(
    ({ backend: _, checkpointEvery: __, keepEvery: ___, ...rest }) => ({
      ...rest,
      env: { ...rest.env, options: withoutPlace(rest.env.options) },
      ...(rest.evaluation && {
        evaluation: { ...rest.evaluation, options: withoutPlace(rest.evaluation.options) },
      }),
    }),
  )
  const field = firstDifference(there, wanted)
  if (field === undefined) return
  throw new UsageError(
    `${run}: its ${field} is not the one of the preset ${preset}. Move the run away, or start from it by --set agent.model=${run}.`,
  )
}

function withoutPlace({ folder: _, ...options }: Readonly<Record<string, unknown>> = {}): object {
  return options
}

/** The first field, with dots, in which two values differ. */
function firstDifference(a: unknown, b: unknown, path: readonly string[] = []): string | undefined {
  const isTree = (value: unknown): value is object =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
  if (!isTree(a) || !isTree(b)) return JSON.stringify(a) === JSON.stringify(b) ? undefined : path.join('.')
  const [left, right] = [new Map(Object.entries(a)), new Map(Object.entries(b))]
  for (const key of new Set([...left.keys(), ...right.keys()])) {
    const field = firstDifference(left.get(key), right.get(key), [...path, key])
    if (field !== undefined) return field
  }
  return undefined
}

const endings: Readonly<Record<string, string>> = { budget: 'done', solved: 'solved', stopped: 'stopped' }

async function openFolder(experiment: string | undefined, flags: TrainFlags): Promise<RunFolder> {
  const { createRun, openRun } = await import('../run-folder.js')
  if (flags.resume !== undefined) return openRun(flags.resume, { overrides: await overridesOf(flags) })
  return createRun(await configOf(experiment ?? '', flags), { out: flags.out })
}

async function configOf(experiment: string, flags: TrainFlags): Promise<ExperimentConfig> {
  const { loadConfig } = await import('../config.js')
  return loadConfig(experiment, await overridesOf(flags))
}

async function overridesOf(flags: TrainFlags): Promise<Override[]> {
  const { parseOverride } = await import('../config.js')
  return [
    ...flags.set.map(parseOverride),
    ...(flags.seed === undefined ? [] : [{ flag: '--seed', path: ['seed'], value: flags.seed }]),
    ...(flags.episodes === undefined
      ? []
      : [{ flag: '--episodes', path: ['budget', 'episodes'], value: flags.episodes }]),
    ...(flags.backend === undefined ? [] : [{ flag: '--backend', path: ['backend'], value: flags.backend }]),
  ]
}

function titleOf({ path, config, resume }: RunFolder): string {
  const from = resume ? `, going on from update ${resume.update}` : ''
  return `${path}: ${config.algorithm.type} on ${config.env.id}, seed ${config.seed}${from}`
}

async function writeReportOf(path: string, say: (text: string) => void): Promise<string | undefined> {
  try {
    const { writeReport } = await import('../report/report.js')
    return (await writeReport(path)).html
  } catch (error) {
    say(`no report: ${error instanceof Error ? error.message : String(error)}`)
    return undefined
  }
}
