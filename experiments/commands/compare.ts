import { Command } from 'commander'
import { backendOption, collect, positiveNumber } from './arguments.js'

interface CompareFlags {
  readonly seeds: number
  readonly out: string
  readonly set: readonly string[]
  readonly episodes?: number
  readonly steps?: number
  readonly jobs?: number
  readonly backend?: string
  readonly import: readonly string[]
  readonly fresh?: boolean
  readonly report: boolean
  readonly quiet?: boolean
  readonly json?: boolean
}

/** `rxgym compare` */
export function compareCommand(): Command {
  return new Command('compare')
    .summary('run several experiments from many seeds and compare them')
    .description(
      'Runs each preset or YAML file from several seeds, on all cores, and prints how they ended: interquartile\n' +
        'means with bootstrap 95% intervals, who solved the task and when, and how likely one beats the other;\n' +
        'where they are of several environments, also on one scale from the random agent to a reference.\n' +
        'A preset that a language agent starts from is trained first, for each seed. Run folders, results.json and report.html go to --out; the same command again goes on where it stopped.',
    )
    .argument(
      '<experiments...>',
      'presets or .yaml files, each with a name of its own; or domains: REINFORCE and RLOO on CartPole, chess, Countdown and Arithmetic',
    )
    .option('--seeds <n>', 'runs of each', positiveNumber, 5)
    .option('--out <dir>', 'where the runs and the report go', 'runs/compare')
    .option('--set <field=value>', 'override a field in all of them (repeatable)', collect, [])
    .option('--episodes <n>', 'budget of each run in episodes', positiveNumber)
    .option('--steps <n>', 'budget of each run in environment steps', positiveNumber)
    .option('--jobs <n>', 'runs at the same time; one a core, on webgpu one in all, unless given', positiveNumber)
    .addOption(backendOption())
    .option('--import <file>', 'a module that registers environments of your own (repeatable)', collect, [])
    .option('--fresh', 'begin anew where --out holds runs of the same names')
    .option('--no-report', 'leave report.html out')
    .option('--quiet', 'print the table alone')
    .option('--json', 'print the results as JSON')
    .addHelpText(
      'after',
      `
Examples:
  rxgym compare cartpole-reinforce cartpole-rloo --seeds 5 --out runs/cartpole
  rxgym compare domains --seeds 3 --out runs/domains
  rxgym compare base.yaml variant.yaml --seeds 10 --episodes 300 --set algorithm.gamma=0.98`,
    )
    .action(async (experiments: string[], flags: CompareFlags) => {
      process.exitCode = await compareAction(experiments, flags)
    })
}

async function compareAction(experiments: readonly string[], flags: CompareFlags): Promise<number> {
  const { importModules } = await import('./arguments.js')
  await importModules(flags.import)
  const { loadConfig, parseOverride } = await import('../config.js')
  const { EXIT } = await import('../errors.js')
  const { presetSets } = await import('../presets/presets.js')
  const { compare } = await import('../compare.js')
  const { showCompareProgress } = await import('../compare-progress.js')
  const { readStoredComparison, secondsOf } = await import('../report/stored-run.js')
  const { textReport } = await import('../report/text-table.js')
  const { interruption } = await import('./interrupt.js')

  const overrides = [
    ...flags.set.map(parseOverride),
    ...(flags.episodes === undefined
      ? []
      : [{ flag: '--episodes', path: ['budget', 'episodes'], value: flags.episodes }]),
    ...(flags.steps === undefined ? [] : [{ flag: '--steps', path: ['budget', 'steps'], value: flags.steps }]),
    ...(flags.backend === undefined ? [] : [{ flag: '--backend', path: ['backend'], value: flags.backend }]),
  ]
  const configs = experiments.flatMap((experiment) =>
    Object.hasOwn(presetSets, experiment)
      ? Object.entries(presetSets[experiment]!).map(([preset, own]) => loadConfig(preset, [...own, ...overrides]))
      : loadConfig(experiment, overrides),
  )
  const quiet = flags.quiet || flags.json
  const progress = quiet ? undefined : showCompareProgress(process.stderr)
  const interrupt = interruption(() => {
    progress?.end()
    if (!quiet) process.stderr.write('stopping after the present updates; once more to stop at once\n')
  })
  const began = performance.now()
  try {
    const comparison = await compare({
      ...{
        configs,
        seeds: flags.seeds,
        folder: flags.out,
        jobs: flags.jobs,
        fresh: flags.fresh,
        imports: flags.import,
      },
      ...{ report: flags.report, stop: interrupt.signal, onEvent: progress?.next, command: commandLine() },
    })
    progress?.end()
    const { results, failures, stopped, report } = comparison
    for (const { name, seed, message } of quiet ? failures : []) {
      process.stderr.write(`${name} seed ${seed} failed: ${message}\n`)
    }
    if (flags.json) {
      process.stdout.write(
        `${JSON.stringify({ ...results, ...(failures.length > 0 && { failures }) }, undefined, 2)}\n`,
      )
    } else {
      const seconds = ((performance.now() - began) / 1000).toFixed(1)
      const table =
        results.tasks.length > 0
          ? textReport(results, secondsOf(readStoredComparison(flags.out)))
          : 'no run got as far as an episode'
      process.stdout.write(`${quiet ? '' : '\n'}${table}\n\n`)
      if (failures.length > 0) {
        process.stdout.write(
          `${failures.length} failed: ${failures.map(({ name, seed }) => `${name} seed ${seed}`).join(', ')}\n`,
        )
      }
      if (report) process.stdout.write(`report: ${report.html}\n`)
      process.stdout.write(stopped ? `stopped after ${seconds} s; the same command goes on\n` : `all in ${seconds} s\n`)
    }
    if (stopped) return EXIT.interrupted
    return failures.length > 0 ? EXIT.failed : EXIT.ok
  } finally {
    progress?.end()
    interrupt.close()
  }
}

/** What was typed, as a shell takes it again. */
function commandLine(): string {
  const quoted = (word: string) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)
  return ['rxgym', ...process.argv.slice(2).map(quoted)].join(' ')
}
