import { presets } from '../presets/presets.js'
import { domainCells, domainNotes } from '../report/domain-table.js'
import type { DomainComparison, DomainTraining } from './domains.js'
import { loadLine, machineLine, markdownTable, raised } from './tables.js'

/** The page of a comparison across domains. */
export function domainsPage({ command, machine, seeds, results, trained }: DomainComparison): string {
  return `# REINFORCE and RLOO across domains

Written by \`${command}\` on ${machine.began.slice(0, 10)}; every number here is from that run, and all of them are in \`domains.json\`.

- Machine: ${machineLine(machine)}
- Commit: ${machine.commit ?? 'unknown'}
- ${raised(loadLine(machine.load))}
- Seeds: ${seeds.join(', ')}

![Normalised scores in each domain, and over all](domains.svg)

${markdownTable(domainCells(results))}

Start and score are means over runs. Normalised: the interquartile mean over runs of (score − random) / (reference − random), and its 95% interval from 2,000
bootstrap resamples of the runs (of all domains: of the runs within each domain; Agarwal et al. 2021). The random agent's score and the reference count as known:
the intervals are about seeds; with three of them, that of one domain is from the lowest score to the highest.
"Starts from" is a stage that was trained before, for each seed its own, and from which both algorithms start: what they add is the way from start to score.

${domainNotes(results)
  .map((note) => `- ${note}`)
  .join('\n')}

What this is not: the best that an algorithm can do. Each preset has the rate and the batch that were found for it, networks and budgets differ from
domain to domain, and nothing says that the reference of one domain is as hard to reach as that of another.

## Training

${markdownTable([
  ['preset', 'updates', 'episodes', 'seconds a run', 'what it is'],
  ...trained.map(({ config: { name }, updates, episodes, seconds }) => [
    ...[`\`${name}\``, updates.toLocaleString('en-US'), episodes.toLocaleString('en-US')],
    ...[seconds === undefined ? '-' : seconds.toFixed(1), presets[name]?.description ?? ''],
  ]),
])}

Medians over runs; seconds with evaluations, without the stage before, as many runs side by side as there are cores (${machine.cores}).
${shortened(trained)}
\`\`\`
${command}
\`\`\`
`
}

/** Which presets ran for less than they are made for. */
function shortened(trained: readonly DomainTraining[]): string {
  const shorter = trained.flatMap(({ config: { name }, updates }) => {
    const made = (presets[name]?.config.budget as { readonly updates?: number } | undefined)?.updates
    return made !== undefined && updates < made ? [`\`${name}\` ${updates} of ${made}`] : []
  })
  return shorter.length > 0 ? `Less than the whole preset, in updates: ${shorter.join(', ')}.\n` : ''
}
