import { colourScale } from './chart.js'
import { responsive } from './document.js'
import { domainChart } from './domain-chart.js'
import { domainCells, domainNotes } from './domain-table.js'
import type { DomainResults } from './domains.js'
import { html, type Markup } from './html.js'

/** Normalised scores across domains: what they are, the chart, the table and what it stands on. */
export async function domainSection(domains: DomainResults): Promise<Markup> {
  const { rows, aggregates } = domains
  const algorithms = [...new Set(rows.map(({ algorithm }) => algorithm))]
  const { range } = colourScale(algorithms)
  const lines = rows.length + aggregates.length
  const chart = await responsive((size) => domainChart(domains, { ...size, legend: false }), {
    wide: { width: 1000, height: 90 + 38 * lines },
    narrow: { width: 340, height: 90 + 34 * lines },
  })
  const [header, ...cells] = domainCells(domains)
  return html`
    <h2>Across domains</h2>
    <p class="note">Scores on one scale: 0 is the random agent, measured as the runs are, 1 the reference of the domain. A dot is a
      run, the mark the interquartile mean, the bar its 95% interval over seeds, the ring where the runs began, where that was measured.
      Random and reference scores count as known.</p>
    <figure class="card chart">
      <ul class="legend">${algorithms.map((name, i) => html`<li><i class="swatch" style="background: var(--series-${i}, ${range[i]!})"></i>${name}</li>`)}</ul>
      ${chart}</figure>
    <div class="card"><div class="scroll"><table class="scores">
      <thead><tr>${header!.map((label) => html`<th scope="col">${label}</th>`)}</tr></thead>
      <tbody>${cells.map(
        ([name = '', ...row]) => html`<tr><th scope="row">${name}</th>
        ${row.map((cell, i) => html`<td data-label="${header![i + 1]!}"><span>${cell}</span></td>`)}</tr>`,
      )}</tbody>
    </table></div></div>
    <ul class="note">${domainNotes(domains).map((note) => html`<li>${note}</li>`)}</ul>`
}
