import { Command } from 'commander'
import type { BackendName } from '../../tensors/backend.js'
import { collect, otherBackendOption, portNumber, positiveNumber, wholeNumber } from './arguments.js'

interface PlayFlags {
  readonly agent: readonly string[]
  readonly seed?: number
  readonly rate: number
  readonly sample?: boolean
  readonly port?: number
  readonly text?: boolean
  readonly inWords?: boolean
  readonly backend?: BackendName
  readonly import: readonly string[]
}

const CHESS = 'Chess-v1'

/** `rxgym play` */
export function playCommand(): Command {
  return new Command('play')
    .summary('play an environment, or watch an agent')
    .description(
      `Chess is played in a browser: against an agent, or two agents are watched. It is served to this machine alone, until
Ctrl-C. Other environments are shown in the terminal as text, 50 steps a second: without --agent you play, ← and → or
the digits act, q ends.`,
    )
    .argument('<env>', 'the environment: [namespace/]Name-vN; chess is short for Chess-v1')
    .option(
      '--agent <agent>',
      'random, a run folder, or RUN@UPDATE; in chess also greedy-capture, stockfish@NODES, uci:COMMAND, and two of them to watch',
      collect,
      [],
    )
    .option('--seed <n>', 'decides the start and the draws; another one each time unless given', wholeNumber)
    .option('--rate <n>', 'in the terminal: steps a second', positiveNumber, 50)
    .option('--sample', 'draw actions from the policy instead of taking the likeliest')
    .option('--port <n>', 'chess: where the page is served; a free port unless given', portNumber)
    .option('--text', 'chess: watch an agent in the terminal instead')
    .option('--in-words', 'in the terminal: tell the environment in words to an agent that writes, http:URL#MODEL say')
    .addOption(otherBackendOption())
    .option('--import <file>', 'a module that registers environments of your own (repeatable)', collect, [])
    .addHelpText(
      'after',
      `
Examples:
  rxgym play CartPole-v1
  rxgym play CartPole-v1 --agent runs/cartpole-reinforce-s1
  rxgym play chess --agent random
  rxgym play chess --agent runs/chess-reinforce-s0 --agent stockfish`,
    )
    .action(async (name: string, flags: PlayFlags) => {
      const { importModules } = await import('./arguments.js')
      await importModules(flags.import)
      const id = name === 'chess' ? CHESS : name
      if (id === CHESS && !flags.text) await playInBrowser(flags)
      else await playInTerminal(id, flags)
    })
}

async function playInTerminal(
  id: string,
  { agent: names, seed, sample, rate, inWords, backend }: PlayFlags,
): Promise<void> {
  const { UsageError } = await import('../errors.js')
  if (names.length > 1) throw new UsageError('--agent: in the terminal one agent is watched, which sits in every seat')
  const { play } = await import('../play/terminal.js')
  const { make } = await import('../../envs/registry.js')
  if (inWords && names.length === 0) throw new UsageError('--in-words is for --agent: you play without words')
  const { agentFor } = await import('./agent-for.js')
  const named =
    names[0] === undefined ? undefined : await agentFor(names[0], id, undefined, inWords, undefined, backend)
  await play({
    env: named ? named.makeEnv('text') : make(id, { render: 'text' }),
    ...(named && { agent: named.agent }),
    ...(seed !== undefined && { seed }),
    greedy: !sample,
    rate,
  })
}

async function playInBrowser({ agent: names, seed, sample, port, inWords, backend }: PlayFlags): Promise<void> {
  if (inWords) {
    const { UsageError } = await import('../errors.js')
    throw new UsageError('--in-words is for the terminal: add --text')
  }
  const { agentFor } = await import('./agent-for.js')
  const { interruption } = await import('./interrupt.js')
  const { chessAgent } = await import('../play/chess-agent.js')
  const { serveChess } = await import('../play/chess-server.js')
  const agents: ReturnType<typeof chessAgent>[] = []
  try {
    for (const name of names)
      agents.push(chessAgent(await agentFor(name, CHESS, undefined, undefined, undefined, backend)))
    const asked = interruption()
    try {
      const server = await serveChess({ agents, seed, greedy: !sample, ...(port !== undefined && { port }) })
      process.stdout.write(`Chess is at ${server.url} (Ctrl-C ends it)\n`)
      if (!asked.signal.aborted) await new Promise((done) => asked.signal.addEventListener('abort', done))
      await server.close()
    } finally {
      asked.close()
    }
  } finally {
    for (const agent of agents) agent.close()
  }
}
