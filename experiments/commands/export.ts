import { Command, Option } from 'commander'
import type { WeightType } from '../../agents/llm/model-folder.js'
import type { BackendName } from '../../tensors/backend.js'
import { collect, otherBackendOption } from './arguments.js'

interface ExportFlags {
  readonly dtype: WeightType
  readonly backend?: BackendName
  readonly import: readonly string[]
}

/** `rxgym export` */
export function exportCommand(): Command {
  return new Command('export')
    .summary("write a run's language model as a folder that other tools load")
    .description(
      "Writes the newest checkpoint's language model, adapters merged, as Hugging Face's transformers does:\n" +
        'config.json, model.safetensors, and the files of its tokenizer.',
    )
    .argument('<run>', 'a run folder, or RUN@UPDATE for an earlier checkpoint')
    .argument('<folder>', 'where the model goes; a model that is there is replaced once the new one is whole')
    .addOption(
      new Option('--dtype <type>', 'how weights are stored')
        .choices(['float32', 'bfloat16', 'float16'])
        .default('float32'),
    )
    .addOption(otherBackendOption())
    .option('--import <file>', 'a module that registers environments of your own (repeatable)', collect, [])
    .addHelpText(
      'after',
      `
Examples:
  rxgym export runs/countdown-tiny-s0 models/countdown-tiny
  rxgym export runs/my-rloo-s1@200 models/my-rloo --dtype bfloat16`,
    )
    .action(async (run: string, folder: string, { dtype, backend, import: modules }: ExportFlags) => {
      const { importModules } = await import('./arguments.js')
      await importModules(modules)
      const { loadPolicy } = await import('../run.js')
      const { LanguagePolicy } = await import('../../agents/llm/language-policy.js')
      const { UsageError } = await import('../errors.js')
      const { policy, path, update } = await loadPolicy(run, undefined, backend)
      const loaded: unknown = policy
      try {
        if (!(loaded instanceof LanguagePolicy)) throw new UsageError(`${run}: its agent is no language model`)
        const model = loaded.release()
        try {
          await model.save(folder, { dtype })
        } finally {
          model.dispose()
        }
        process.stdout.write(`${folder}: ${path} after update ${update}, ${dtype}\n`)
      } finally {
        policy.close()
      }
    })
}
