import type { Message } from '../../envs/spaces/conversation.js'
import { clipped } from './chosen-completions.js'
import { html, type Markup } from './html.js'
import { decimals } from './numbers.js'
import type { EvaluationRecord } from './run-record.js'

/** Evaluations that are shown, at most. */
const MOST = 6
/** Characters of a text. */
const TEXT = 2000

/** What a run's policy wrote in its evaluations: the same tasks each time, side by side. Nothing of a run that did not write. */
export function writtenSection(evaluations: readonly EvaluationRecord[]): Markup | undefined {
  const shown = spreadOut(evaluations.filter(({ written = [] }) => written.length > 0))
  const last = shown.at(-1)?.written
  if (!last) return undefined
  return html`
    <h2>What it wrote</h2>
    <p class="note">The first tasks of ${shown.length > 1 ? 'its evaluations, the same each time' : 'its evaluation'}.${evaluations.length > shown.length && ` ${shown.length} of ${evaluations.length} evaluations are shown; events.jsonl has all.`}</p>
    ${last.map(
      ({ prompt }, task) => html`<section class="card written" aria-label="Task ${task + 1}">
        <h3>Task ${task + 1}</h3>
        ${prompt.map(messageOf)}
        <div class="scroll"><table>
          <thead><tr><th>after update</th><th>reward</th><th>completion</th></tr></thead>
          <tbody>${shown.map(({ update, written }) => {
            const sample = written?.[task]
            const mark = sample?.correct === undefined ? '' : sample.correct ? ' ✓' : ' ✗'
            return (
              sample &&
              html`<tr><th scope="row">${update}</th><td>${decimals(sample.reward)}${mark}</td><td><pre>${textOf(sample.completion)}</pre></td></tr>`
            )
          })}</tbody>
        </table></div>
      </section>`,
    )}`
}

function messageOf({ role, content }: Message): Markup {
  return html`<p class="note">${role === 'text' ? 'prompt' : role}</p><pre>${textOf(content)}</pre>`
}

function textOf(text: string): string {
  const kept = clipped(text, TEXT)
  return typeof kept === 'string' ? kept : `${kept[0]}\n… ${kept[1]} characters …\n${kept[2]}`
}

/** The first, the last, and some between. */
function spreadOut<T>(all: readonly T[]): readonly T[] {
  if (all.length <= MOST) return all
  return Array.from({ length: MOST }, (_, i) => all[Math.round((i * (all.length - 1)) / (MOST - 1))]!)
}

/** Beside the style of every report. */
export const WRITTEN_STYLE = `
.written pre { white-space: pre-wrap; overflow-wrap: anywhere; max-height: 20rem; overflow-y: auto; margin: .1rem 0; unicode-bidi: isolate }
.written :is(th, td) { text-align: left; vertical-align: top; white-space: nowrap } .written td:last-child { width: 100%; white-space: normal }
`
