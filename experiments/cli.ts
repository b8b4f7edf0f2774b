#!/usr/bin/env node
import { Command, CommanderError } from 'commander'
import { benchCommand } from './commands/bench.js'
import { bundleCommand } from './commands/bundle.js'
import { checkEnvCommand } from './commands/check-env.js'
import { compareCommand } from './commands/compare.js'
import { doctorCommand } from './commands/doctor.js'
import { eloCommand } from './commands/elo.js'
import { evaluateCommand } from './commands/evaluate.js'
import { exportCommand } from './commands/export.js'
import { playCommand } from './commands/play.js'
import { reportCommand } from './commands/report.js'
import { runsCommand } from './commands/runs.js'
import { trainCommand } from './commands/train.js'
import { packageVersion } from './facts.js'

const FAILED = 1
const USAGE = 2

/** Every command; what they work with is loaded when one runs, so that `--help` answers at once. */
function program(): Command {
  const root = new Command('rxgym')
    .description('Reinforcement learning: train, compare, watch and report.')
    .version(packageVersion())
    .exitOverride()
    .showHelpAfterError('(rxgym --help shows the commands, rxgym <command> --help their options)')
    .addHelpText(
      'after',
      `
Examples:
  rxgym train cartpole-reinforce --seed 1
  rxgym compare cartpole-reinforce cartpole-rloo --seeds 5

Exit codes: 0 done, 1 the run failed, 2 bad input or usage, 130 interrupted (with a checkpoint).
RXGYM_DEBUG=1 shows where an error came from.`,
    )
  const commands = [
    trainCommand(),
    evaluateCommand(),
    compareCommand(),
    eloCommand(),
    reportCommand(),
    runsCommand(),
    playCommand(),
    checkEnvCommand(),
    exportCommand(),
    benchCommand(),
    bundleCommand(),
    doctorCommand(),
  ]
  for (const command of commands) root.addCommand(command.copyInheritedSettings(root))
  return root
}

async function main(argv: readonly string[]): Promise<number> {
  try {
    await program().parseAsync([...argv])
    return Number(process.exitCode ?? 0)
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE
    const { exitCodeOf, hintOf } = await import('./errors.js')
    process.stderr.write(`${describe(error)}${hintOf(error)}\n`)
    return error instanceof Error ? exitCodeOf(error) : FAILED
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (process.env.RXGYM_DEBUG) return error.stack ?? error.message
  return error.message || error.name
}

process.exitCode = await main(process.argv)
