import { Command } from 'commander'
import { collect } from './arguments.js'

interface ReportFlags {
  readonly import: readonly string[]
}

/** `rxgym report` */
export function reportCommand(): Command {
  return new Command('report')
    .summary('write the report of a run, a comparison or an evaluation')
    .description(
      'Writes report.html and learning-curve.svg into the folder of a run or of a comparison, and report.html into that of\n' +
        'an evaluation, with its completions to read. The page needs nothing beside it: it opens without a network. What\n' +
        'was interrupted is reported as far as it got. The report of a comparison over several environments may play the\n' +
        'random agent in them, where their common scale begins: once, for random.json keeps its scores.',
    )
    .argument('<folder>', 'a run folder, or the --out of a comparison or an evaluation')
    .option('--import <file>', 'a module that registers environments of your own (repeatable)', collect, [])
    .addHelpText(
      'after',
      `
Examples:
  rxgym report runs/cartpole-reinforce-s0
  rxgym report runs/start
  rxgym report runs/evaluate-Countdown-v1-random-s0`,
    )
    .action(async (folder: string, flags: ReportFlags) => {
      const { importModules } = await import('./arguments.js')
      await importModules(flags.import)
      const { writeReport } = await import('../report/report.js')
      const { html, curves, table } = await writeReport(folder)
      const pictures = curves.map((curve) => `picture: ${curve}\n`).join('')
      process.stdout.write(`${table === undefined ? '' : `${table}\n`}report: ${html}\n${pictures}`)
    })
}
