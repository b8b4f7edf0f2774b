import { Command, InvalidArgumentError } from 'commander'
import type { MeasuredSampling } from '../../agents/llm/language-config.js'
import type { Episode } from '../../algorithms/episode.js'
import type { Evaluation } from '../../algorithms/evaluate.js'
import { mean } from '../../algorithms/statistics.js'
import type { EnvSpec, Json } from '../../envs/spec.js'
import type { BackendName } from '../../tensors/backend.js'
import type { EvaluationFolder } from '../evaluation-folder.js'
import type { NamedAgent } from './agent-for.js'
import {
  collect,
  environmentOption,
  otherBackendOption,
  positiveNumber,
  samplingOption,
  wholeNumber,
} from './arguments.js'

interface EvaluateFlags {
  readonly agent?: string
  readonly opponent?: string
  readonly episodes?: number | 'all'
  readonly samples: number
  readonly seed: number
  readonly sample?: boolean
  readonly parallel: number
  readonly option?: Readonly<Record<string, Json>>
  readonly sampling?: Readonly<Record<string, Json>>
  readonly inWords?: boolean
  readonly backend?: BackendName
  readonly out?: string
  readonly fresh?: boolean
  readonly resume?: boolean
  readonly report: boolean
  readonly import: readonly string[]
  readonly json?: boolean
}

/** What is evaluated, and how. */
interface Plan extends NamedAgent {
  readonly episodes: number
  readonly greedy: boolean
  /** Tasks there are; undefined in what is no text environment. */
  readonly tasks: number | undefined
}

const DEFAULT_EPISODES = 100

/** `rxgym evaluate` */
export function evaluateCommand(): Command {
  return new Command('evaluate')
    .summary('measure a trained agent, or another one')
    .description(
      "Plays episodes with a run's newest checkpoint, or with another agent, and sums up their returns. In a text " +
        'environment that is a table of scores; every completion is saved in a folder, with a report to read them in. Of ' +
        'other environments, told in words too (--in-words), nothing is saved.',
    )
    .argument('<target>', 'a run folder, or RUN@UPDATE for an earlier checkpoint; with --agent, an environment')
    .option('--agent <agent>', 'the agent that plays <target>: random, a run folder, or one of those below')
    .option('--opponent <agent>', 'plays the other seats; the seats change from game to game, the agent is scored')
    .option(
      '--episodes <n>',
      `episodes to play, or tasks; all: every task once (default: ${DEFAULT_EPISODES}, or all of fewer)`,
      episodeCount,
    )
    .option('--samples <n>', 'episodes from each start: pass@k, majority and best-of-N', positiveNumber, 1)
    .option('--seed <n>', 'decides every start and every draw', wholeNumber, 0)
    .option('--sample', 'draw actions instead of taking the likeliest, as --samples above 1 does')
    .option('--parallel <n>', 'environments side by side', positiveNumber, 16)
    .option(
      '--option <name=value>',
      'an option of the environment, the value being JSON or text: numbers=4, split=train (repeatable; split is test ' +
        'unless named; the answer to an unknown one lists them all)',
      environmentOption,
    )
    .option(
      '--sampling <name=value>',
      "how a run's language model completes, in place of its own: temperature, topK, topP, repetitionPenalty, " +
        'maxNewTokens, maxLength (repeatable)',
      samplingOption,
    )
    .option(
      '--in-words',
      'tell the environment in words, for agents that write: chess and CartPole, or words of your own',
    )
    .addOption(otherBackendOption())
    .option(
      '--out <dir>',
      'the folder for completions (default: runs/evaluate-<environment>-<agent>-s<seed>, with -2, -3, … behind it where ' +
        'that is taken; it is printed)',
    )
    .option('--fresh', 'replace the evaluation that is in the folder')
    .option(
      '--resume',
      'go on with this evaluation where it was interrupted, behind the last task that is whole: the same command, with ' +
        'the same environment and agent',
    )
    .option('--no-report', 'leave report.html out')
    .option('--import <file>', 'a module that registers environments of your own (repeatable)', collect, [])
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
Agents:
  random              acts uniformly at random
  RUN, RUN@UPDATE     a run folder's newest checkpoint, or an earlier one
  greedy-capture, stockfish[@NODES], uci:COMMAND[@NODES]    chess
  http:URL#MODEL      a model behind a server with OpenAI's API, in text environments and with --in-words. The URL's
                      query may set max_tokens (else 1,024 after a plain prompt, in a chat as many as the server allows),
                      temperature (above 0 it draws, as with --sample), timeout (120 seconds), retries (4) and
                      concurrency (8). OPENAI_API_KEY is sent as a bearer token, to https and this machine only
  gold                the answers of a text environment
  solver, random-expression    Countdown-v1

Examples:
  rxgym evaluate runs/cartpole-reinforce-s1 --episodes 100
  rxgym evaluate --agent random CartPole-v1
  rxgym evaluate runs/chess-reinforce-s0 --opponent random --sample --episodes 1000 --parallel 64
  rxgym evaluate Chess-v1 --agent greedy-capture --opponent stockfish --episodes 20
  rxgym evaluate Countdown-v1 --agent random-expression --samples 16
  rxgym evaluate runs/countdown-rloo-qwen-s0 --episodes all --sampling repetitionPenalty=1
  rxgym evaluate Countdown-v1 --agent http:http://127.0.0.1:8080/v1#qwen2.5 --option numbers=4 --episodes all
  rxgym evaluate Chess-v1 --in-words --agent 'http:http://127.0.0.1:8080/v1?max_tokens=64#qwen2.5' --opponent random`,
    )
    .action(async (target: string, flags: EvaluateFlags) => {
      const { importModules } = await import('./arguments.js')
      await importModules(flags.import)
      const named = await namedAgent(target, flags)
      try {
        const greedy = !flags.sample && !named.draws && flags.samples === 1
        if (greedy) await refuseDrawing(flags)
        const plan = { ...named, ...(await extentOf(named, flags)), greedy }
        await (plan.tasks === undefined ? evaluateReturns(target, plan, flags) : evaluateText(target, plan, flags))
      } finally {
        named.agent.close?.()
      }
    })
}

function episodeCount(text: string): number | 'all' {
  if (text !== 'all' && !/^0*[1-9]\d*$/.test(text)) {
    throw new InvalidArgumentError('It must be a whole number from 1, or all.')
  }
  return text === 'all' ? text : Number(text)
}

async function namedAgent(
  target: string,
  { agent, option = {}, sampling, opponent, samples, inWords, backend }: EvaluateFlags,
): Promise<NamedAgent> {
  const { UsageError } = await import('../errors.js')
  if (opponent !== undefined && samples > 1) {
    throw new UsageError('--samples and --opponent exclude each other: a game has one sample of each start.')
  }
  const { agentFor } = await import('./agent-for.js')
  const { optionError } = await import('./arguments.js')
  const { definitionOf } = await import('../../envs/registry.js')
  const optionsOf = ({ id, options: own }: EnvSpec) => {
    const options = { ...own, ...option }
    const tested = options.split === undefined && definitionOf(id).splits?.(options).includes('test')
    return { ...option, ...(tested && { split: 'test' }) }
  }
  try {
    const [name, env] = agent === undefined ? [target, undefined] : [agent, target]
    return await agentFor(name, env, optionsOf, inWords, await measuredSampling(sampling), backend)
  } catch (error) {
    throw optionError(error, option)
  }
}

/** @throws UsageError for a field or a value that there is not */
async function measuredSampling(given: EvaluateFlags['sampling'] = {}): Promise<MeasuredSampling> {
  const { UsageError } = await import('../errors.js')
  const { measuredSamplingConfig } = await import('../../agents/llm/language-config.js')
  const { didYouMean } = await import('../../envs/did-you-mean.js')
  const parsed = measuredSamplingConfig.safeParse(given)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  if (issue?.code === 'unrecognized_keys') {
    const known = Object.keys(measuredSamplingConfig.shape)
    const [key = ''] = issue.keys
    throw new UsageError(`--sampling: unknown "${key}".${didYouMean(key, known) || ` Known: ${known.join(', ')}.`}`)
  }
  throw new UsageError(`--sampling: ${issue?.path.join('.')}: ${issue?.message}`)
}

/** @throws UsageError for what says how tokens are drawn, where none are */
async function refuseDrawing({ sampling = {} }: EvaluateFlags): Promise<void> {
  const option = ['temperature', 'topK', 'topP'].find((name) => Object.hasOwn(sampling, name))
  if (option === undefined) return
  const { UsageError } = await import('../errors.js')
  throw new UsageError(
    `--sampling ${option}: changes nothing where the likeliest tokens are taken. Add --sample, or leave it out`,
  )
}

/** How many episodes, and how many tasks there are. */
async function extentOf(
  { makeEnv, spec }: NamedAgent,
  { episodes, out, fresh, resume }: EvaluateFlags,
): Promise<Pick<Plan, 'episodes' | 'tasks'>> {
  const { UsageError } = await import('../errors.js')
  const { unwrapped } = await import('../../envs/wrappers/wrapper.js')
  const { TextEnv } = await import('../../envs/text/text-env.js')
  const env = makeEnv()
  try {
    const inner = unwrapped(env)
    if (!(inner instanceof TextEnv)) {
      if (episodes === 'all') {
        throw new UsageError(`--episodes all: ${spec.id} has no set of tasks to go through. Give a number.`)
      }
      const flag = out !== undefined ? '--out' : fresh ? '--fresh' : resume ? '--resume' : undefined
      if (flag) throw new UsageError(`${flag}: completions are saved of text environments, which ${spec.id} is not.`)
      return { episodes: episodes ?? DEFAULT_EPISODES, tasks: undefined }
    }
    const { length: tasks } = await inner.tasks()
    return { episodes: episodes === 'all' ? tasks : (episodes ?? Math.min(tasks, DEFAULT_EPISODES)), tasks }
  } finally {
    env.close()
  }
}

async function evaluateReturns(target: string, plan: Plan, flags: EvaluateFlags): Promise<void> {
  const { evaluate } = await import('../../algorithms/evaluate.js')
  const { opponentFor } = await import('./agent-for.js')
  const { agent, title, spec, makeEnv, episodes, greedy } = plan
  const { samples, seed, parallel } = flags
  const opponent = flags.opponent === undefined ? undefined : await opponentFor(flags.opponent, spec)
  try {
    const loop = { env: () => makeEnv(), agent, episodes, samples, seed, parallel, greedy }
    const unreadable = unreadableCounter()
    const result = await evaluate({ ...loop, opponent: opponent?.agent, onEpisode: unreadable.count })
    if (flags.json) {
      return printJson(target, plan, flags, result, {
        ...(opponent && { opponent: opponent.title }),
        ...unreadable.json(),
      })
    }
    const [low, high] = result.interval
    const { mean, iqm, returns, outcomes } = result
    const interval = `95% interval ${low.toFixed(2)} to ${high.toFixed(2)}`
    const summary =
      outcomes && opponent
        ? `mean score ${mean.toFixed(3)} (${interval}): ${outcomes.wins} won, ${outcomes.draws} drawn, ${outcomes.losses} lost`
        : `mean return ${mean.toFixed(2)} (${interval}), IQM ${iqm.toFixed(2)}, ` +
          `least ${fixed(Math.min(...returns))}, most ${fixed(Math.max(...returns))}`
    const against = opponent ? ` against ${opponent.title}` : ''
    const extent = samples > 1 ? `${episodes} starts, ${samples} episodes from each` : `${episodes} episodes`
    process.stdout.write(
      `${title} on ${spec.id}${against}: ${extent}${how(plan, flags)}, seed ${seed}\n${summary}\n${unreadable.line()}`,
    )
  } finally {
    opponent?.agent.close?.()
  }
}

/** Counts the episodes of a text view that ended by an answer in which no action could be read. */
function unreadableCounter() {
  let episodes = 0
  let unreadable = 0
  let expected = 'an action'
  return {
    count({ info }: Episode): void {
      episodes++
      if (info.unreadable !== true) return
      unreadable++
      if (typeof info.expected === 'string') expected = info.expected
    },
    json: () => (unreadable > 0 ? { unreadable } : {}),
    line: () =>
      unreadable > 0 ? `${unreadable} of ${episodes} episodes ended by an answer that does not name ${expected}\n` : '',
  }
}

async function evaluateText(target: string, plan: Plan, flags: EvaluateFlags): Promise<void> {
  const { agent, title, spec, makeEnv, episodes, greedy } = plan
  const { samples, seed, parallel } = flags
  const { EXIT, UsageError } = await import('../errors.js')
  if (flags.opponent !== undefined) throw new UsageError(`--opponent: ${spec.id} has one seat`)
  if (flags.resume && flags.fresh) throw new UsageError('--resume and --fresh exclude each other.')
  const { evaluate } = await import('../../algorithms/evaluate.js')
  const { createEvaluation, readEvaluation, resumeEvaluation } = await import('../evaluation-folder.js')
  const { interruption } = await import('./interrupt.js')
  const { evaluationTable } = await import('../report/text-table.js')
  const { out, fresh } = flags
  const about = { env: spec, agent: title, seed, episodes, samples, greedy }
  const name = flags.agent ?? target
  // what is trained computes with tensors
  const where = { out, tensors: 'parameters' in agent }
  const folder = flags.resume
    ? await resumeEvaluation(name, about, where)
    : createEvaluation(name, about, { ...where, fresh })
  try {
    await refuseOtherTasks(folder, plan, seed)
  } catch (error) {
    folder.close()
    throw error
  }
  const { played } = folder
  const loop = { env: () => makeEnv(), agent, episodes, samples, seed, parallel, greedy, played }
  const progress = progressOf(episodes * samples, flags)
  const leave = () => {
    progress.end()
    if (folder.count > 0) process.stderr.write(`${savedSoFar(folder, episodes * samples)}\n`)
    folder.close()
  }
  const interrupt = interruption(() => {
    leave()
    process.exit(EXIT.interrupted)
  })
  let result: Evaluation
  try {
    result = await evaluate({
      ...loop,
      onEpisode(episode) {
        folder.append(episode)
        progress.next(folder.count)
      },
    })
    progress.end()
    folder.finish(result)
    folder.close()
  } catch (error) {
    leave()
    throw error
  } finally {
    interrupt.close()
  }
  if (flags.json) printJson(target, plan, flags, result, { folder: folder.path })
  else {
    const table = evaluationTable(await readEvaluation(folder.path))
    process.stdout.write(`${table}\n${await extentText(plan, flags, result)}\ncompletions: ${folder.file}\n`)
  }
  // Last: who does not wait for it has seen the rest.
  const report = flags.report ? await reportOf(folder.path) : undefined
  if (report !== undefined && !flags.json) process.stdout.write(`report: ${report}\n`)
}

/** `split test: 100 of 1,000 tasks, 4 samples of each, drawn, seed 1; completions of 45 characters and 2.3 turns on average` */
async function extentText(
  { spec, episodes, tasks = 0, greedy }: Plan,
  flags: EvaluateFlags,
  result: Evaluation,
): Promise<string> {
  const { definitionOf } = await import('../../envs/registry.js')
  const { split } = spec.options
  const isSplit = definitionOf(spec.id).splits?.(spec.options).includes(String(split))
  const turns = mean(result.lengths)
  return [
    isSplit ? `split ${split}: ` : '',
    `${count(episodes)} ${episodes > tasks ? 'times one ' : ''}of ${count(tasks)} tasks`,
    flags.samples > 1 ? `, ${flags.samples} samples of each` : '',
    `${how({ greedy }, flags)}, seed ${flags.seed}`,
    `; completions of ${count(Math.round(result.characters ?? 0))} characters`,
    turns > 1 ? ` and ${turns.toFixed(1)} turns` : '',
    ' on average',
  ].join('')
}

function savedSoFar({ count, file, path }: EvaluationFolder, all: number): string {
  return `${count} of ${all} completions are in ${file}. The same command with --resume --out ${path} goes on.`
}

/** What an evaluation goes on from has to be of the tasks that there are now. */
async function refuseOtherTasks({ kept, path }: EvaluationFolder, { makeEnv }: Plan, seed: number): Promise<void> {
  if (kept.length === 0) return
  const { sameValue } = await import('../../envs/value.js')
  const env = makeEnv()
  try {
    for (const { episode, group, seed: start, prompt } of kept) {
      if (kept[episode - 1]?.group === group) continue
      const { observation } = await env.reset({ seed: start, order: { seed, index: group } })
      if (sameValue(observation, prompt)) continue
      const { UsageError } = await import('../errors.js')
      throw new UsageError(
        `--resume: the tasks are no longer those of ${path}: completion ${episode} has another prompt. Begin anew with --fresh.`,
      )
    }
  } finally {
    env.close()
  }
}

async function reportOf(folder: string): Promise<string | undefined> {
  try {
    const { writeReport } = await import('../report/report.js')
    return (await writeReport(folder)).html
  } catch (error) {
    process.stderr.write(`no report: ${error instanceof Error ? error.message : String(error)}\n`)
    return undefined
  }
}

/** How far it is, on one line of a terminal. */
function progressOf(all: number, { json }: EvaluateFlags): { next(count: number): void; end(): void } {
  const { stderr } = process
  if (json || !stderr.isTTY) return { next: () => {}, end: () => {} }
  let told = performance.now()
  return {
    next(count) {
      if (performance.now() - told < 100) return
      told = performance.now()
      stderr.write(`\r${count} of ${all} completions`)
    },
    end: () => void stderr.write('\r\x1b[K'),
  }
}

function printJson(target: string, plan: Plan, flags: EvaluateFlags, result: Evaluation, more: object = {}): void {
  const { title, spec, greedy } = plan
  const { seed, samples } = flags
  const about = { target, agent: title, ...more, env: spec.id, options: spec.options, seed, samples, greedy }
  process.stdout.write(`${JSON.stringify({ ...about, ...result })}\n`)
}

function how({ greedy }: Pick<Plan, 'greedy'>, { agent }: EvaluateFlags): string {
  return agent === 'random' ? '' : greedy ? ', greedy' : ', sampled'
}

function count(n: number): string {
  return n.toLocaleString('en-US')
}

function fixed(n: number): string {
  return Number.isInteger(n) ? String(n) : n.toFixed(2)
}
