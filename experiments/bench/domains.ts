import { writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { median } from '../../algorithms/statistics.js'
import { type CompareEvent, compare } from '../compare.js'
import { type ExperimentConfig, loadConfig } from '../config.js'
import { presetSets } from '../presets/presets.js'
import { domainChart } from '../report/domain-chart.js'
import type { DomainResults } from '../report/domains.js'
import { plural } from '../report/numbers.js'
import { readStoredComparison, secondsOf } from '../report/stored-run.js'
import { type Machine, machineFacts } from './bench.js'
import { domainsPage } from './domains-page.js'

/** A configuration as it ran, but for the seed. */
export interface DomainTraining {
  readonly config: ExperimentConfig
  /** Medians over runs. */
  readonly updates: number
  readonly episodes: number
  /** With its evaluations, without the stage that it starts from; absent where no time was kept. */
  readonly seconds?: number
}

/** All that was found. */
export interface DomainComparison {
  readonly command: string
  readonly machine: Machine
  readonly seeds: readonly number[]
  readonly results: DomainResults
  readonly trained: readonly DomainTraining[]
}

export interface DomainComparisonOptions {
  readonly seeds: number
  /** Where the runs go. Those that are there are kept, and unfinished ones go on. */
  readonly folder: string
  /** Where `domains.md`, `domains.json` and `domains.svg` go; they are not written if absent. */
  readonly results?: string | undefined
  /** What was typed, for the page. */
  readonly command: string
  /** The presets, with the fields of each that differ, as `--set` takes them. Default: the set `domains`. */
  readonly presets?: Readonly<Record<string, readonly string[]>>
  readonly stop?: AbortSignal
  readonly onEvent?: (event: CompareEvent) => void
}

/**
 * Trains REINFORCE and RLOO in every kind of environment from several seeds, and writes the page of how they compare on
 * one scale; `report.html` of the comparison goes to the folder of the runs.
 *
 * @throws UsageError if the folder holds runs of other settings
 * @throws Error if a run fails or it is stopped: then nothing is written
 */
export async function compareDomains(options: DomainComparisonOptions): Promise<DomainComparison> {
  const { seeds, folder, results, command, presets = presetSets.domains!, stop, onEvent } = options
  const { load, ...machine } = machineFacts()
  const configs = Object.entries(presets).map(([preset, own]) => loadConfig(preset, ['seed=1', ...own]))
  const compared = await compare({
    ...{ configs, seeds, folder, command },
    ...(stop && { stop }),
    ...(onEvent && { onEvent }),
  })
  const [failure] = compared.failures
  if (failure) throw new Error(`${failure.name} seed ${failure.seed} failed: ${failure.message}`)
  if (compared.stopped) throw new Error('stopped; no results were written. The same command goes on')
  const { domains } = compared.results
  const [left] = domains?.leftOut ?? []
  if (!domains || left) throw new Error(left ? `${left.name}: ${left.why}` : 'the presets are of one environment')

  const stored = readStoredComparison(folder)
  const seconds = secondsOf(stored)
  const found: DomainComparison = {
    command,
    machine: { ...machine, load: [load[0], loadavg()[0]!] },
    seeds: Array.from({ length: seeds }, (_, i) => i + 1),
    results: domains,
    trained: configs.map((config) => {
      const records = stored.find(({ name }) => name === config.name)!.runs.map(({ record }) => record)
      const time = seconds.get(config.name)
      return {
        config,
        updates: median(records.map(({ updates }) => updates.length)),
        episodes: median(records.map(({ returns }) => returns.length)),
        ...(time !== undefined && { seconds: time }),
      }
    }),
  }
  if (results !== undefined) {
    const picture = await domainChart(domains, {
      ...{ width: 820, height: 110 + 36 * (domains.rows.length + domains.aggregates.length), legend: true },
      title: 'REINFORCE and RLOO across domains',
      subtitle: [
        `0: random agent, 1: reference. Interquartile mean and 95% interval over ${plural(seeds, 'seed')}`,
        'Dot: a run. Ring: where the runs began, where that was measured',
      ],
    })
    writeFileSync(join(results, 'domains.svg'), picture)
    writeFileSync(join(results, 'domains.json'), `${JSON.stringify(found, undefined, 2)}\n`)
    writeFileSync(join(results, 'domains.md'), domainsPage(found))
  }
  return found
}
