import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import '../../envs/classic-control/cart-pole.js'
import { make } from '../../envs/registry.js'
import type { TrainEvent } from '../../experiments/events.js'
import { html, jsonScript } from '../../experiments/report/html.js'
import { packFrames, playAgain } from '../../experiments/report/replay.js'
import { writeReport } from '../../experiments/report/report.js'
import { resultsOf } from '../../experiments/report/results.js'
import { recordOf } from '../../experiments/report/run-record.js'
import { namedRecords, readStoredComparison } from '../../experiments/report/stored-run.js'
import { syntheticEvents, writeSyntheticRun } from './synthetic-run.js'

const folder = mkdtempSync(join(tmpdir(), 'rxgym-report-'))
const comparison = join(folder, 'comparison')
const single = join(folder, 'single')
const HOSTILE = `"><script>document.title='taken'</script>&amp;`

beforeAll(async () => {
  for (let seed = 0; seed < 3; seed++) {
    const name = (configuration: string) => join(comparison, configuration, `seed-${seed}`)
    writeSyntheticRun(name('reinforce'), { seed, episodes: 200, pace: 50 + 10 * seed, end: 'budget' })
    writeSyntheticRun(name('rloo'), { seed, algorithm: 'rloo', episodes: 240, pace: 90, plateau: 300, end: 'budget' })
  }
  writeSyntheticRun(single, { seed: 3, episodes: 120 })
  writeFileSync(join(single, 'facts.json'), JSON.stringify({ machine: HOSTILE }))
  await writeReport(comparison)
  await writeReport(single)
}, 60_000)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('a report', () => {
  it('is small, and complete in itself', () => {
    for (const file of [join(comparison, 'report.html'), join(single, 'report.html')]) {
      expect(statSync(file).size).toBeLessThan(1_500_000)
      const addresses = readFileSync(file, 'utf8').match(/(?:src|href)="(?!data:|#)[^"]*"/g)
      expect(addresses).toBeNull()
    }
  })

  it('comes with its learning curve as a picture of its own', () => {
    const svg = readFileSync(join(comparison, 'learning-curve.svg'), 'utf8')
    expect(svg).toMatch(/^<svg .*<\/svg>$/s)
    for (const text of ['Learning CartPole-v1', 'reinforce', 'rloo', 'solved at 475', 'episodes']) {
      expect(svg).toContain(`>${text}</text>`)
    }
    expect(svg.length).toBeLessThan(100_000)
  })

  it('of an interrupted run says so', () => {
    expect(readFileSync(join(single, 'report.html'), 'utf8')).toContain('This run was interrupted')
    expect(readFileSync(join(comparison, 'report.html'), 'utf8')).not.toContain('interrupted')
  })

  it('of a comparison whose runs have not all ended says how many have', async () => {
    const partial = join(folder, 'partial')
    writeSyntheticRun(join(partial, 'reinforce', 'seed-0'), { seed: 0, episodes: 120, end: 'budget' })
    writeSyntheticRun(join(partial, 'reinforce', 'seed-1'), { seed: 1, episodes: 60 })
    writeFileSync(
      join(partial, 'comparison.json'),
      JSON.stringify({ configurations: [{ name: 'reinforce', seeds: [0, 1, 2, 3] }] }),
    )
    const { html } = await writeReport(partial)
    expect(readFileSync(html, 'utf8')).toContain('1 of 4 runs finished')
  })

  it('of a run before its first episode tells that there is nothing yet', async () => {
    const young = join(folder, 'young')
    writeSyntheticRun(young, { seed: 0, episodes: 0 })
    const { html, curves } = await writeReport(young)
    expect(readFileSync(html, 'utf8')).toContain('No episode has ended yet.')
    expect(curves).toEqual([])
  })

  it('of a folder without runs is refused with what is missing', async () => {
    await expect(writeReport(mkdtempSync(join(folder, 'empty-')))).rejects.toThrow('holds no runs')
    await expect(writeReport(join(folder, 'nowhere'))).rejects.toThrow('holds no runs')
  })

  it('of a comparison file that is not one names it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rxgym-report-'))
    writeFileSync(join(folder, 'comparison.json'), '{"configurations": [{"name": 3}]}')
    await expect(writeReport(folder)).rejects.toThrow(
      /comparison\.json: not what rxgym writes there: .*expected string/s,
    )
  })

  it('of an environment that is not registered here leaves the replays out and says why', async () => {
    const foreign = join(folder, 'foreign')
    writeSyntheticRun(foreign, { seed: 0, episodes: 60, end: 'budget' })
    const config = join(foreign, 'config.yaml')
    writeFileSync(config, `${readFileSync(config, 'utf8')}env: Nowhere-v0\n`)
    const { html } = await writeReport(foreign)
    expect(readFileSync(html, 'utf8')).toMatch(/No replay: .*Nowhere-v0/)
  })
})

describe('what a language model wrote', () => {
  const evaluations = (count: number) =>
    Array.from({ length: count }, (_, update): TrainEvent => {
      const sample = { prompt: [{ role: 'user' as const, content: HOSTILE }], reward: 0.5, correct: update > 0 }
      const written = [{ ...sample, completion: `<answer>${update}</answer>` }]
      const at = { update, episodes: update, steps: update }
      return { type: 'evaluation', ...at, mean: 0, iqm: 0, interval: [0, 0], validationLoss: 3 - update / 10, written }
    })
  const pageWith = async (name: string, count: number) => {
    const run = join(folder, name)
    writeSyntheticRun(run, { seed: 0, env: 'Nowhere-v0', episodes: 20, end: 'budget' })
    const file = join(run, 'events.jsonl')
    const more = evaluations(count).map((event) => `${JSON.stringify(event)}\n`)
    writeFileSync(file, readFileSync(file, 'utf8') + more.join(''))
    return readFileSync((await writeReport(run)).html, 'utf8')
  }

  it('is in the report, escaped, from evaluation to evaluation, with the validation loss', async () => {
    const page = await pageWith('written', 3)
    expect(page).toContain('What it wrote')
    expect(page).not.toContain(HOSTILE)
    expect(page).toContain('&quot;&gt;&lt;script&gt;document.title=')
    for (const update of [0, 1, 2]) expect(page).toContain(`<pre>&lt;answer&gt;${update}&lt;/answer&gt;</pre>`)
    expect(page.match(/0\.500 ✗/g)).toHaveLength(1)
    expect(page.match(/0\.500 ✓/g)).toHaveLength(2)
    expect(page).toContain('<h3>validation loss</h3>')
  })

  it('is shown of the first, the last and some evaluations between', async () => {
    const page = await pageWith('written-often', 21)
    const shown = [...page.matchAll(/<pre>&lt;answer&gt;(\d+)/g)].map(([, update]) => Number(update))
    expect(shown).toEqual([0, 4, 8, 12, 16, 20])
    expect(page).toContain('6 of 21 evaluations are shown')
  })

  it('is left out where nobody writes', () => {
    expect(readFileSync(join(single, 'report.html'), 'utf8')).not.toContain('What it wrote')
  })
})

describe('a replay', () => {
  const { first } = recordOf(syntheticEvents({ seed: 1, episodes: 1 }))

  it('has a frame for the start and for every step, and ends as the episode did', async () => {
    const { frames } = await playAgain(make('CartPole-v1').spec!, first!)
    expect(frames).toHaveLength(first!.length + 1)
    expect(new Set(frames).size).toBe(frames.length)
    expect(frames.at(-1)).toContain('ended')
    expect(frames.at(-2)).not.toContain('ended')
  })

  it('packs to less than its frames, and unpacks to them', async () => {
    const { frames } = await playAgain(make('CartPole-v1').spec!, first!)
    const packed = packFrames(frames)
    expect(packed.frames.map((places) => places.map((place) => packed.pieces[place]).join(''))).toEqual(frames)
    expect(JSON.stringify(packed).length).toBeLessThan(frames.join('').length / 3)
  })

  it('that is too large leaves frames out, never the first or the last', () => {
    const frames = Array.from({ length: 100 }, (_, i) => `<svg><text>${i}</text></svg>`)
    const { steps, pieces } = packFrames(frames, 700)
    expect(JSON.stringify(packFrames(frames, 700)).length).toBeLessThanOrEqual(700)
    expect([steps[0], steps.at(-1)]).toEqual([0, 99])
    expect(pieces).toContain('99')
  })
})

it('text in the page is escaped, and data cannot end its script', () => {
  expect(html`<p title="${HOSTILE}">${['<b>', html`<i>${'&'}</i>`]}</p>`.text).toBe(
    '<p title="&quot;&gt;&lt;script&gt;document.title=&#39;taken&#39;&lt;/script&gt;&amp;amp;">&lt;b&gt;<i>&amp;</i></p>',
  )
  expect(jsonScript('</script>').text).toBe('<script type="application/json">"\\u003c/script>"</script>')
})

const CHROMIUM = '/usr/bin/chromium'
const missing = !existsSync(CHROMIUM)
if (missing && !process.env.CI) console.warn(`the report is not looked at in a browser: ${CHROMIUM} is not there`)

describe.skipIf(missing && !process.env.CI)('in a browser, the report', () => {
  let browser: Browser
  const troubles: string[] = []

  beforeAll(async () => {
    const args = ['--headless', '--no-sandbox', '--disable-gpu']
    browser = await chromium.launch({ executablePath: CHROMIUM, args })
  }, 60_000)
  afterAll(() => browser?.close())

  async function open(path: string, width: number): Promise<Page> {
    const page = await browser.newPage({ viewport: { width, height: 900 } })
    page.on('console', (message) => void (message.type() === 'error' && troubles.push(message.text())))
    page.on('pageerror', (error) => troubles.push(error.message))
    page.on('request', (request) => void (/^(file|data):/.test(request.url()) || troubles.push(request.url())))
    await page.goto(pathToFileURL(join(path, 'report.html')).href)
    return page
  }

  for (const width of [1280, 390]) {
    it(`shows its charts without error and without overflow at ${width} pixels`, async () => {
      for (const path of [comparison, single]) {
        const page = await open(path, width)
        const charts = page.locator('.chart svg:visible')
        expect(await charts.count()).toBe(path === comparison ? 4 : 4)
        for (const chart of await charts.all()) {
          const box = await chart.boundingBox()
          expect(box!.width).toBeGreaterThan(200)
          expect(box!.x + box!.width).toBeLessThanOrEqual(width)
          expect(await chart.locator('path[d]:not([d=""])').count()).toBeGreaterThan(1)
        }
        const overflow = await page.evaluate(
          'document.documentElement.scrollWidth - document.documentElement.clientWidth',
        )
        expect(overflow).toBe(0)
        await page.close()
      }
      expect(troubles).toEqual([])
    })
  }

  it('plays an episode: the replay goes on when played, stops when paused, and goes where the slider is put', async () => {
    const page = await open(comparison, 1280)
    const player = page.locator('.player').nth(1)
    const step = async () => Number(await player.getAttribute('data-step'))
    const picture = () => page.evaluate("document.querySelectorAll('.stage')[1].shadowRoot.innerHTML")
    expect(await step()).toBe(0)
    const before = await picture()
    await player.getByRole('button', { name: 'Play' }).click()
    await expect.poll(step, { timeout: 10_000 }).toBeGreaterThan(5)
    expect(await picture()).not.toBe(before)
    await player.getByRole('button', { name: 'Pause' }).click()
    const paused = await step()
    await page.waitForTimeout(200)
    expect(await step()).toBe(paused)
    await player.getByRole('slider').fill('3')
    expect(await step()).toBe(3)
    expect(await player.locator('output').textContent()).toMatch(/^3 \/ \d+$/)
    await page.close()
    expect(troubles).toEqual([])
  })

  it('has the numbers of the results in its table', async () => {
    const page = await open(comparison, 1280)
    const [task] = resultsOf(namedRecords(readStoredComparison(comparison))).tasks
    const cells = await page.evaluate(
      `[...document.querySelectorAll('.scores tbody tr')].map((row) =>
        [...row.querySelectorAll('data')].map((cell) => Number(cell.value)))`,
    )
    expect(cells).toEqual(
      task!.configurations.map(({ runs, mean, iqm, interval, solved, solvedAt, episodes, steps }) => [
        ...[runs.length, mean, iqm, ...interval, solved],
        ...(solvedAt === undefined ? [] : [solvedAt]),
        ...[episodes, steps],
      ]),
    )
    const shown = await page.locator('.scores tbody tr').first().locator('td').nth(1).textContent()
    expect(shown?.trim()).toBe(task!.configurations[0]!.mean.toFixed(1))
    const probability = await page.locator('.improvements data').first().getAttribute('value')
    expect(Number(probability)).toBe(task!.improvements[0]!.probability)
    await page.close()
  })

  it('shows text from outside as text', async () => {
    const page = await open(single, 1280)
    expect(await page.title()).toContain('seed 3')
    expect(await page.getByText(HOSTILE).count()).toBe(1)
    await page.close()
  })
})
