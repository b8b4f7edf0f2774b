import { Command, Option } from 'commander'
import type { ExaminedBackend } from '../doctor/doctor.js'
import { positiveNumber } from './arguments.js'

interface DoctorFlags {
  readonly json?: boolean
  readonly limit: number
  readonly backend?: readonly ExaminedBackend[]
}

/** `rxgym doctor` */
export function doctorCommand(): Command {
  return new Command('doctor')
    .summary('tell what this machine can compute with')
    .description(
      'Tries every backend: whether it runs, on which graphics card, what that can do, and how fast it multiplies matrices\n' +
        'and copies; or why it does not run, and what to install. Each is tried in a process of its own, so that a driver may crash.',
    )
    .addOption(new Option('--backend <names...>', 'only some').choices(['wasm', 'cpu', 'webgpu', 'tensorflow']))
    .option('--json', 'print it as JSON')
    .option('--limit <seconds>', 'after which a backend is given up', positiveNumber, 120)
    .addHelpText(
      'after',
      `
Examples:
  rxgym doctor
  rxgym doctor --json > machine.json

Of several graphics cards RXGYM_ADAPTER chooses one, by a part of its name.`,
    )
    .action(async ({ json = false, limit, backend }: DoctorFlags) => {
      const { examineMachine } = await import('../doctor/doctor.js')
      const note = (message: string) => process.stderr.write(`${message} …\n`)
      const diagnosis = await examineMachine({
        limit,
        ...(backend && { only: backend }),
        ...(process.stderr.isTTY && { note }),
      })
      const { diagnosisText } = await import('../doctor/diagnosis-text.js')
      process.stdout.write(json ? `${JSON.stringify(diagnosis, null, 2)}\n` : diagnosisText(diagnosis))
    })
}
