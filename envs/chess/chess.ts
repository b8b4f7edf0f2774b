import {
  type Env,
  type EnvCore,
  InvalidActionError,
  NO_INFO,
  type Reset,
  ResetNeededError,
  type ResetOptions,
  type Step,
  show,
  type Timing,
} from '../env.js'
import { register } from '../registry.js'
import { PCG64, type PCG64State } from '../seeding.js'
import { Discrete } from '../spaces/discrete.js'
import type { EnvSpec } from '../spec.js'
import { unwrapped } from '../wrappers/wrapper.js'
import { adjudicate, type ChessEnding, endingOf, materialLead } from './adjudication.js'
import { Board, maxMoves, moveToUci, type Side, uciToMove } from './board.js'
import { chessSvg, chessText } from './chess-render.js'
import { type ChessOptions, type ChessSettings, checkedSettings, chessObservations, chessStart } from './chess-setup.js'
import { chessWords } from './chess-words.js'
import { actionToMove, CHESS_ACTIONS, moveToAction } from './encoding.js'
import { initialFen } from './fen.js'
import { ChessHistory } from './observation.js'
import { randomOpening } from './openings.js'
import { movesToPgn } from './pgn.js'

declare module '../registry.js' {
  interface EnvTypes {
    'Chess-v1': Env<ChessObservation, number> & Pick<Chess, 'fen' | 'pgn' | 'moves' | 'legalMoves' | 'ending'>
  }
}

/** What the seat that moves next sees. */
export interface ChessObservation {
  /** [8, 8, 111] or [8, 8, 13], row-major: 0 and 1. */
  readonly planes: Uint8Array
  /** [4672]: 1 where an action is legal. */
  readonly actionMask: Uint8Array
}

/** A {@link Chess}'s whole state, as JSON. */
export interface ChessSnapshot {
  /** Where the game started; null before the first reset. */
  readonly fen: string | null
  /** The moves since, the opening's among them, in UCI with a space between. */
  readonly moves: string
  /** How many of them were the opening. */
  readonly opening: number
  readonly ending: ChessEnding | null
  readonly random: PCG64State | null
}

/** What a pawn's worth of material pays with `shaping: 'material'`. */
const PAWN_REWARD = 0.01

const scratch = new Int32Array(maxMoves)

const NOTHING = Object.freeze([0, 0])

/**
 * Chess. Two seats take turns: 0 has the white men, 1 the black.
 *
 * ## Observation   `Dict`: `planes` of `Box(0, 1, (8, 8, 111), uint8)`, `actionMask` of `MultiBinary(4672)`
 * The board as the seat sees it that moves next: its own men start on rows 6 and 7, row by row, column a to h. The value
 * of plane p at a row and a column is `planes[(row * 8 + column) * 111 + p]`.
 *
 * | plane | 1 where |
 * |---|---|
 * | 0, 1 | everywhere, if the mover may still castle short, long |
 * | 2, 3 | the same of the other side |
 * | 4 | everywhere, if black moves |
 * | 5 | at one square: with n half of the half-moves without a capture or a pawn's move, at most 63, column n mod 8 and row 7 − ⌊n / 8⌋ as white, ⌊n / 8⌋ as black |
 * | 6 | everywhere |
 * | 7–12 | the mover's pawns, knights, bishops, rooks, queens, king |
 * | 13–18 | the other side's |
 * | 19 | everywhere, if the position was there before |
 * | 20–32, …, 98–110 | planes 7–19 of the 7 boards before, latest first |
 *
 * A pawn that has just made a double step stands on its side's first row. As in the reference the standard start
 * is no board of the history: the very first observation shows no men. Any other start is one.
 *
 * With `planes: 13` there is no history: planes 0–11 are 7–18 above, the present board with every pawn in its place;
 * plane 12 is 1 on the square of each rook that may still castle, and on the square that a pawn has just passed over.
 * Who has the white men is not shown.
 *
 * ## Action   `Discrete(4672)`
 * `(column * 8 + row) * 73 + plane` of the square a man leaves, seen by the mover, with row 0 its own first row here, and
 * the plane the way it goes: see {@link moveToAction}.
 *
 * ## Reward
 * At the end 1 to the winner and −1 to the loser; 0 for a draw and every other step. An illegal action loses: −1 to
 * its seat, 0 to the other. `shaping: 'material'` adds at every step 0.01 for each pawn's worth (knight and
 * bishop 3, rook 5, queen 9) that a seat captures or promotes to, and takes it from the other.
 *
 * ## Start
 * The standard position, or `fen`, then `opening` plies, drawn from the seed: each uniform among the legal moves
 * that do not end the game. Both may be given at a reset too: `env.reset({ seed: 1, options: { opening: 4 } })`.
 * A group of episodes shares its seed, and so its opening. `reset` and every step say which `seat` moves next.
 *
 * ## End
 * Terminated by checkmate, stalemate, too little material to mate, 75 moves without a capture or a pawn's move, the
 * fifth time of a position, an illegal action, and by `drawRule`. Truncated after `maxPlies` decisions. No limit of
 * `make`'s own: the rules end every game. The last step's info is a {@link ChessEnding}: `{ outcome, winner }`.
 *
 * ## Options
 * | name | type | default | meaning |
 * |---|---|---|---|
 * | `fen` | string | the standard start | where a game starts |
 * | `opening` | 0 to 200 | 0 | random plies before the first decision; they are in the history |
 * | `maxPlies` | from 1 | – | decisions after which a game is cut, the opening not counted |
 * | `adjudication` | `'draw'`, `'material'` | `'draw'` | what a cut game counts as: a draw, or a win for whoever has more material |
 * | `drawRule` | `'claimable'`, `'on-board'`, `'automatic'` | `'claimable'` | when repetition and 50 moves draw: as soon as the player to move can claim it, also by a move that would bring it about; once it is on the board; never (5 times, 75 moves) |
 * | `planes` | 111, 13 | 111 | the observation |
 * | `shaping` | `'none'`, `'material'` | `'none'` | see Reward |
 * | `checked` | boolean | false | an illegal action throws an InvalidActionError, which names the legal moves, and changes nothing |
 * | `render` | `'text'`, `'svg'` | `'text'` | what `render()` gives |
 *
 * ## Beside the environment
 * `fen`, `pgn`, `legalMoves`, `legalActions`, `moves`, `ending`, `actionOf` are the class's; {@link chessOf} finds it
 * under what `make` put around it. An agent that sees only observations reads the position by `observedFen`.
 *
 * ## In words
 * `textView` tells the position and its legal moves and takes a move in SAN or UCI: {@link chessWords}.
 *
 * ## Versions
 * - `Chess-v1`
 *
 * ## Source
 * Observations and actions after Silver et al. (2018), "A general reinforcement learning algorithm that masters chess,
 * shogi, and Go through self-play"; numbering, history, rewards and draws as PettingZoo's `chess_v6`.
 *
 * @example
 * const env = make('Chess-v1', { opening: 4, maxPlies: 200 })
 * let { observation } = env.reset({ seed: 42 })
 * for (let done = false; !done; ) {
 *   const step = env.step(env.actionSpace.sample(observation.actionMask))
 *   observation = step.observation
 *   done = step.terminated || step.truncated
 * }
 * env.pgn
 */
export class Chess implements Env<ChessObservation, number> {
  readonly observationSpace
  readonly actionSpace = new Discrete(CHESS_ACTIONS)
  readonly seats = 2
  readonly spec: EnvSpec | undefined = undefined
  /** How `textView` tells it to a language agent. */
  readonly words = chessWords(this)

  readonly #settings: ChessSettings
  readonly #history = new ChessHistory()
  readonly #legal = new Int32Array(maxMoves)
  readonly #actions = new Int16Array(maxMoves)
  #legalCount = 0
  #board = Board.initial()
  #start: string | undefined
  #moves: number[] = []
  #opening = 0
  #ending: ChessEnding | undefined
  #random: PCG64 | undefined

  /** @throws RangeError for an option that is not in the manual or of another value; FenError for an impossible `fen` */
  constructor(options: ChessOptions = {}) {
    this.#settings = checkedSettings(options)
    this.observationSpace = chessObservations(this.#settings.planes)
    if (this.#settings.fen !== undefined) this.#refuseEnded(this.#settings.fen)
  }

  /** @throws RangeError for other options than `fen` and `opening`, or a position where the game is over; FenError */
  reset({ seed, options }: ResetOptions = {}): Reset<ChessObservation> {
    const { fen = initialFen, opening } = chessStart(options, this.#settings)
    if (options?.fen !== undefined) this.#refuseEnded(fen)
    const random = seed !== undefined || this.#random === undefined ? new PCG64(seed) : this.#random
    const moves = opening === 0 ? [] : randomOpening(fen, opening, random, (board) => this.#isEnd(board))
    this.#random = random
    this.#begin(fen)
    for (const move of moves) this.#advance(move)
    this.#opening = opening
    this.#findLegal()
    return { observation: this.#observe(), info: NO_INFO, seat: this.#board.turn }
  }

  /** @throws InvalidActionError if the action is outside the space, or with `checked` illegal; nothing has changed then */
  step(action: number): Step<ChessObservation> {
    if (!this.actionSpace.contains(action)) throw new InvalidActionError(action, this.actionSpace)
    if (this.#start === undefined) throw new ResetNeededError('Chess: step before the first reset; call reset first')
    if (this.#ending) throw new ResetNeededError('Chess: step after the end; call reset first')
    const actor = this.#board.turn
    const move = this.#legalMove(action)
    if (move === undefined) return this.#illegal(action, actor)

    const shaped = this.#settings.shaping === 'material'
    const before = shaped ? materialLead(this.#board.squares) : 0
    this.#advance(move)
    this.#findLegal()
    const { maxPlies, adjudication, drawRule } = this.#settings
    const ending = endingOf(this.#board, this.#legalCount, drawRule)
    const truncated = !ending && maxPlies !== undefined && this.#moves.length - this.#opening >= maxPlies
    this.#ending = truncated ? adjudicate(this.#board, adjudication) : ending
    const gain = shaped ? PAWN_REWARD * (materialLead(this.#board.squares) - before) : 0
    const rewards = rewardsOf(this.#ending, gain)
    return {
      observation: this.#observe(),
      reward: rewards[actor]!,
      terminated: ending !== undefined,
      truncated,
      info: this.#ending ? { ...this.#ending } : NO_INFO,
      rewards,
      seat: this.#board.turn,
    }
  }

  /** The position, in Forsyth-Edwards notation. */
  get fen(): string {
    return this.#board.fen()
  }

  /** The game so far, the opening too, in portable game notation; chess.js writes it. */
  get pgn(): string {
    const tags: Record<string, string> = this.#ending ? { Termination: this.#ending.outcome } : {}
    const start = Board.fromFen(this.#start ?? initialFen).fen()
    return movesToPgn(start, this.moves, resultOf(this.#ending), tags)
  }

  /** The moves of the game so far, the opening's too, in UCI: `e2e4`, `e7e8q`. */
  get moves(): string[] {
    return this.#moves.map(moveToUci)
  }

  /** The moves that the rules allow in this position, in UCI; also where a draw has ended the game. */
  get legalMoves(): string[] {
    return Array.from(this.#legal.subarray(0, this.#legalCount), moveToUci)
  }

  /** The actions of {@link legalMoves}, in the same order. */
  get legalActions(): Int16Array {
    return this.#actions.slice(0, this.#legalCount)
  }

  /** How the game ended; undefined while it goes on. */
  get ending(): ChessEnding | undefined {
    return this.#ending
  }

  /** The action of a move in UCI, in this position.
   *  @throws RangeError if it is not legal */
  actionOf(uci: string): number {
    const move = uciToMove(this.#board, uci)
    if (move !== undefined) return moveToAction(move, this.#board.turn)
    throw new RangeError(
      `Chess: move ${show(uci)} is not legal in ${this.fen}. Legal here: ${this.legalMoves.join(' ')}`,
    )
  }

  /** The present position as text or SVG, as the `render` option says. */
  render(): string {
    if (this.#start === undefined) throw new ResetNeededError('Chess: render before the first reset; call reset first')
    const last = this.#moves.at(-1)
    const picture = {
      squares: this.#board.squares,
      turn: this.#board.turn,
      check: this.#board.inCheck(),
      plies: this.#moves.length,
      last: last === undefined ? undefined : moveToUci(last),
      ending: this.#ending,
    }
    return this.#settings.render === 'svg' ? chessSvg(picture) : chessText(picture)
  }

  snapshot(): ChessSnapshot {
    return {
      fen: this.#start ?? null,
      moves: this.moves.join(' '),
      opening: this.#opening,
      ending: this.#ending ? { ...this.#ending } : null,
      random: this.#random?.state() ?? null,
    }
  }

  /** @throws TypeError if `snapshot` did not come from a Chess, FenError or RangeError if its game cannot be played */
  restore(snapshot: unknown): void {
    if (!isSnapshot(snapshot)) throw new TypeError(`Chess: ${show(snapshot)} is not a snapshot of this environment`)
    const { fen, moves, opening, ending, random } = snapshot
    const board = Board.fromFen(fen ?? initialFen)
    const played = moves === '' ? [] : moves.split(' ').map((uci) => moved(board, uci))
    this.#random = random === null ? undefined : PCG64.fromState(random)
    this.#begin(fen ?? initialFen)
    for (const move of played) this.#advance(move)
    this.#opening = opening
    this.#ending = ending ?? undefined
    this.#findLegal()
    if (fen === null) this.#start = undefined
  }

  close(): void {}

  /** Sets up a position, with no moves made. */
  #begin(fen: string): void {
    this.#start = fen
    this.#moves = []
    this.#opening = 0
    this.#ending = undefined
    this.#history.clear()
    this.#board = Board.fromFen(fen)
    // The reference does not count the standard start among the boards.
    if (this.#board.fen() === initialFen) return
    const passed = fen.split(/\s+/)[3] ?? '-'
    this.#history.push(this.#board, passed === '-' ? -1 : squareOf(passed), false)
  }

  #advance(move: number): void {
    const board = this.#board
    board.make(move)
    this.#moves.push(move)
    const from = move & 63
    const to = (move >> 6) & 63
    const piece = board.squares[to]!
    const passed = (to - from === 16 && piece === 1) || (from - to === 16 && piece === 7) ? (from + to) >> 1 : -1
    this.#history.push(board, passed, board.halfmoves >= 4 && board.repetitions() > 1)
  }

  #findLegal(): void {
    const side = this.#board.turn
    const count = this.#board.legalMoves(this.#legal)
    for (let i = 0; i < count; i++) this.#actions[i] = moveToAction(this.#legal[i]!, side)
    this.#legalCount = count
  }

  #legalMove(action: number): number | undefined {
    for (let i = 0; i < this.#legalCount; i++) if (this.#actions[i] === action) return this.#legal[i]
    return undefined
  }

  #observe(): ChessObservation {
    const actionMask = new Uint8Array(CHESS_ACTIONS)
    for (let i = 0; i < this.#legalCount; i++) actionMask[this.#actions[i]!] = 1
    const { turn } = this.#board
    const planes =
      this.#settings.planes === 111
        ? this.#history.observe(this.#board, turn)
        : this.#history.observeSmall(this.#board, turn)
    return { planes, actionMask }
  }

  #illegal(action: number, actor: Side): Step<ChessObservation> {
    if (this.#settings.checked) throw this.#illegalError(action, actor)
    this.#ending = { outcome: 'illegal-move', winner: null }
    const rewards = actor === 0 ? [-1, 0] : [0, -1]
    const info = { ...this.#ending, move: this.#nameOf(action, actor) }
    return { observation: this.#observe(), reward: -1, terminated: true, truncated: false, info, rewards, seat: actor }
  }

  #illegalError(action: number, actor: Side): InvalidActionError {
    const error = new InvalidActionError(action, this.actionSpace, Array.from(this.legalActions))
    const legal = this.legalMoves.join(' ')
    error.message = `action ${action} is ${this.#nameOf(action, actor)}, which is not legal in ${this.fen}. Legal here: ${legal}`
    return error
  }

  /** An action in UCI, or that it is no move at all. */
  #nameOf(action: number, actor: Side): string {
    const move = actionToMove(action, actor)
    return move === undefined ? 'a move off the board' : moveToUci(move)
  }

  #isEnd(board: Board): boolean {
    return endingOf(board, board.legalMoves(scratch), this.#settings.drawRule) !== undefined
  }

  #refuseEnded(fen: string): void {
    const board = Board.fromFen(fen)
    const ending = endingOf(board, board.legalMoves(scratch), this.#settings.drawRule)
    if (ending) throw new RangeError(`Chess: fen: the game is over in ${show(fen)}: ${ending.outcome}`)
  }
}

/**
 * The chess environment under whatever wrappers: for `fen`, `pgn`, `legalMoves`.
 * @throws TypeError if there is none
 */
export function chessOf(env: EnvCore<never, never, Timing> | EnvCore<unknown, unknown, Timing>): Chess {
  const inner: unknown = unwrapped(env)
  if (inner instanceof Chess) return inner
  throw new TypeError(`${unwrapped(env).constructor.name} is not Chess`)
}

/** @param gain  white's, by shaping */
function rewardsOf(ending: ChessEnding | undefined, gain: number): readonly number[] {
  if (gain === 0 && (ending === undefined || ending.winner === null)) return NOTHING
  const white = gain + (ending === undefined || ending.winner === null ? 0 : ending.winner === 0 ? 1 : -1)
  return [white, -white]
}

function resultOf(ending: ChessEnding | undefined): string {
  if (ending === undefined || ending.outcome === 'illegal-move') return '*'
  return ending.winner === null ? '1/2-1/2' : ending.winner === 0 ? '1-0' : '0-1'
}

function moved(board: Board, uci: string): number {
  const move = uciToMove(board, uci)
  if (move === undefined) throw new RangeError(`Chess: snapshot: move ${show(uci)} is not legal in ${board.fen()}`)
  board.make(move)
  return move
}

/** `e3` as rank * 8 + file. */
function squareOf(name: string): number {
  return (name.charCodeAt(1) - 49) * 8 + name.charCodeAt(0) - 97
}

function isSnapshot(value: unknown): value is ChessSnapshot {
  const { fen, moves, opening, ending, random } = (value ?? {}) as Partial<ChessSnapshot>
  return (
    (fen === null || typeof fen === 'string') &&
    typeof moves === 'string' &&
    Number.isInteger(opening) &&
    typeof ending === 'object' &&
    typeof random === 'object'
  )
}

register({
  id: 'Chess-v1',
  create: (options: ChessOptions) => new Chess(options),
  reference: () => ({ score: 1, what: 'every game won' }),
  expose: ['fen', 'pgn', 'moves', 'legalMoves', 'ending'],
})
