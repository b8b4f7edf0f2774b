import { bestOf, majorityVote } from '../../algorithms/samples.js'
import type { SavedCompletion } from '../evaluation-folder.js'
import { embeddedLength } from './html.js'

/** A scored completion, as an evaluation or a training run recorded it. */
export type ScoredCompletion = Omit<SavedCompletion, 'seed' | 'unscored'>

/** Text, or its beginning, how many characters are left out behind it, and its end. */
export type Clipped = string | readonly [head: string, left: number, tail: string]

/** A completion on the page. */
export interface ChosenCompletion {
  readonly episode: number
  /** Place in {@link CompletionChoice.tasks}. */
  readonly task: number
  /** Which of its task's completions it is, from 1. */
  readonly sample: number
  readonly text: Clipped
  /** Characters of the whole. */
  readonly length: number
  /** In the order of {@link CompletionChoice.keys}; null for a part it was not scored by. */
  readonly scores: readonly (number | null)[]
  readonly correct: boolean
  readonly turns: number
  readonly answer?: Clipped
  readonly verified?: number
  /** Gave the answer that most of its task's completions gave. */
  readonly majority?: true
  /** Best-of-N takes it. */
  readonly chosen?: true
}

/** A task on the page. */
export interface ChosenTask {
  readonly group: number
  /** Its place in the task set, where that is known. */
  readonly index?: number
  readonly prompt: readonly { readonly role: string; readonly content: Clipped }[]
  readonly fields: readonly (readonly [name: string, value: Clipped])[]
  /** Completions it has in all, and how many of them are right. */
  readonly size: number
  readonly right: number
  /** The answer that most gave, how many did, and whether it is right. */
  readonly majority?: { readonly answer: Clipped; readonly votes: number; readonly correct: boolean }
}

/** A way through the completions: for each key the places of those to read, in order. */
export interface CompletionView {
  readonly name: string
  /** How many completions it is about in all. */
  readonly total: number
  readonly lists: readonly (readonly number[])[]
}

/** What a page shows of many completions. */
export interface CompletionChoice {
  /** How many there are in all. */
  readonly total: number
  /** `reward`, then the parts. */
  readonly keys: readonly string[]
  readonly tasks: readonly ChosenTask[]
  readonly completions: readonly ChosenCompletion[]
  readonly views: readonly CompletionView[]
}

/** How much a page takes. */
export interface ChoiceLimits {
  /** Characters of the page, all in all. */
  readonly characters?: number
  /** Characters of one completion. */
  readonly text?: number
}

/** Up to here every view has every completion. */
const FEW = 300
/** Completions in each view by reward, and by a part. */
const BY_REWARD = 30
const BY_PART = 12
/** Completions of one task that come along. */
const MATES = 32
const FIELDS = 40
const FIELD_SIZE = 2000

/**
 * Chooses what a page shows of completions, so that a person can read the best, the median and the worst ones, by reward and
 * by each part, those whose form and answer disagree, some of the rest, and the other completions of the same tasks. The right
 * form is the highest score of the part `format` that any of them has, if it is above 0.
 */
export function chooseCompletions(
  all: readonly ScoredCompletion[],
  { characters = 3_000_000, text = 12_000 }: ChoiceLimits = {},
): CompletionChoice {
  const keys = ['reward', ...partsInOrder(all.flatMap(({ parts }) => Object.keys(parts)))]
  const groups = groupsOf(all)
  const views = viewsOf(all, keys)
  const tasks: ChosenTask[] = []
  const taskPlaces = new Map<number, number>()
  const completions: ChosenCompletion[] = []
  const places = new Map<ScoredCompletion, number>()
  let room = characters
  const take = (wanted: readonly ScoredCompletion[]) => {
    const group = groups.get(wanted[0]!.group)!
    const known = taskPlaces.get(group.number)
    const place = known ?? tasks.length
    const task = known === undefined ? taskOf(group, text) : undefined
    const fresh = wanted
      .filter((one) => !places.has(one))
      .map((one) => [one, chosenOf(one, place, group, keys, text)] as const)
    const cost = embeddedLength([task ?? '', ...fresh.map(([, chosen]) => chosen)])
    // The first is shown however large it is
    if (cost > room && completions.length > 0) return
    room -= cost
    if (task) {
      tasks.push(task)
      taskPlaces.set(group.number, place)
    }
    for (const [one, chosen] of fresh) {
      places.set(one, completions.length)
      completions.push(chosen)
    }
  }
  const wanted = inTurns(views.flatMap(({ lists }) => lists))
  for (const one of wanted) take([one])
  for (const { group } of wanted) {
    const { members, chosen } = groups.get(group)!
    if (members.length > 1) take(chosen ? [chosen, ...members.slice(0, MATES)] : members.slice(0, MATES))
  }
  return {
    total: all.length,
    keys,
    tasks,
    completions,
    views: views.map(({ name, total, lists }) => ({
      name,
      total,
      lists: lists.map((list) => list.flatMap((one) => places.get(one) ?? [])),
    })),
  }
}

/** Parts that mean the same in every environment. */
const KNOWN_PARTS = ['correctness', 'format', 'process']

/** The names of parts, each once: first those that every environment has. */
export function partsInOrder(names: readonly string[]): string[] {
  const all = new Set(names)
  return [...KNOWN_PARTS.filter((name) => all.has(name)), ...[...all].filter((name) => !KNOWN_PARTS.includes(name))]
}

/** The completions of one task. */
interface Group {
  readonly number: number
  readonly members: readonly ScoredCompletion[]
  readonly chosen: ScoredCompletion | undefined
  readonly majority: { readonly answer: string; readonly votes: number; readonly correct: boolean } | undefined
}

function groupsOf(all: readonly ScoredCompletion[]): ReadonlyMap<number, Group> {
  const groups = new Map<number, ScoredCompletion[]>()
  for (const one of all) {
    const members = groups.get(one.group)
    if (members) members.push(one)
    else groups.set(one.group, [one])
  }
  return new Map([...groups].map(([number, members]) => [number, { number, members, ...judgementsOf(members) }]))
}

/** What best-of-N and a majority make of a task's completions; of a single one, nothing. */
function judgementsOf(members: readonly ScoredCompletion[]): Pick<Group, 'chosen' | 'majority'> {
  if (members.length < 2) return { chosen: undefined, majority: undefined }
  // one that was not scored is chosen last
  const scores = members.map(({ verified = Number.NEGATIVE_INFINITY }) => verified)
  const answer = majorityVote(members.map(({ answer }) => answer))
  const voters = members.filter((one) => answer !== undefined && one.answer === answer)
  return {
    chosen: members.some(({ verified }) => verified !== undefined) ? members[bestOf(scores)] : undefined,
    majority: answer === undefined ? undefined : { answer, votes: voters.length, correct: voters[0]!.correct },
  }
}

interface RankedView {
  readonly name: string
  readonly total: number
  readonly lists: readonly (readonly ScoredCompletion[])[]
}

function viewsOf(all: readonly ScoredCompletion[], keys: readonly string[]): RankedView[] {
  const rankings = keys.map((key, k) =>
    all
      .flatMap((one) => {
        const score = k === 0 ? one.reward : one.parts[key]
        return score === undefined ? [] : { one, score }
      })
      // by the key, then by the reward, then the shorter
      .sort(
        (a, b) => b.score - a.score || b.one.reward - a.one.reward || a.one.completion.length - b.one.completion.length,
      )
      .map(({ one }) => one),
  )
  const most = (k: number) => (all.length <= FEW ? all.length : k === 0 ? BY_REWARD : BY_PART)
  const view = (
    name: string,
    arrange: (ranking: readonly ScoredCompletion[]) => readonly ScoredCompletion[],
    belongs: (one: ScoredCompletion) => boolean = () => true,
  ): RankedView => ({
    name,
    total: all.filter(belongs).length,
    lists: rankings.map((ranking, k) => arrange(ranking.filter(belongs)).slice(0, most(k))),
  })
  const asRanked = (ranking: readonly ScoredCompletion[]) => ranking
  const form = Math.max(0, ...new Set(all.map(({ parts }) => parts.format ?? 0)))
  const wellFormed = ({ parts: { format = 0 } }: ScoredCompletion) => form > 0 && format >= form
  const stride = all.length <= FEW ? 1 : all.length / BY_REWARD
  const sample = new Set(
    Array.from({ length: Math.floor(all.length / stride) }, (_, i) => all[Math.floor(i * stride)]!),
  )
  return [
    view('Best', asRanked),
    view('Median', fromTheMiddle),
    view('Worst', (ranking) => ranking.toReversed()),
    ...(keys.includes('format')
      ? [
          view('Wrong answer, right form', asRanked, (one) => !one.correct && wellFormed(one)),
          view('Right answer, wrong form', asRanked, (one) => one.correct && !wellFormed(one)),
        ]
      : []),
    view(all.length <= FEW ? 'All' : 'Across all', asRanked, (one) => sample.has(one)),
  ]
}

/** The middle first, then what is ever further from it. */
function fromTheMiddle(ranking: readonly ScoredCompletion[]): readonly ScoredCompletion[] {
  const middle = Math.floor((ranking.length - 1) / 2)
  return ranking.map((_, i) => ranking[middle + (i % 2 === 1 ? (i + 1) / 2 : -i / 2)]!)
}

/** The first of every list, then the second of every list …, each once. */
function inTurns(lists: readonly (readonly ScoredCompletion[])[]): ScoredCompletion[] {
  const longest = Math.max(0, ...lists.map(({ length }) => length))
  const turns = Array.from({ length: longest }, (_, i) => lists.flatMap((list) => list[i] ?? []))
  return [...new Set(turns.flat())]
}

function taskOf({ number, members, majority }: Group, most: number): ChosenTask {
  const { prompt, task, taskIndex } = members[0]!
  const fields =
    typeof task === 'object' && task !== null && !Array.isArray(task) ? Object.entries(task) : [['task', task] as const]
  return {
    group: number,
    ...(taskIndex !== undefined && { index: taskIndex }),
    prompt: prompt.map(({ role, content }) => ({ role, content: clipped(content, most) })),
    fields: fields.slice(0, FIELDS).map(([name, value]) => [name, clipped(fieldText(value), FIELD_SIZE)]),
    size: members.length,
    right: members.filter(({ correct }) => correct).length,
    ...(majority && { majority: { ...majority, answer: clipped(majority.answer, FIELD_SIZE) } }),
  }
}

function chosenOf(
  one: ScoredCompletion,
  task: number,
  { members, chosen, majority }: Group,
  keys: readonly string[],
  most: number,
): ChosenCompletion {
  const { episode, completion, reward, parts, correct, turns, answer, verified } = one
  return {
    episode,
    task,
    sample: members.indexOf(one) + 1,
    text: clipped(completion, most),
    length: completion.length,
    scores: keys.map((key, k) => (k === 0 ? reward : (parts[key] ?? null))),
    correct,
    turns,
    ...(answer !== undefined && { answer: clipped(answer, FIELD_SIZE) }),
    ...(verified !== undefined && { verified }),
    ...(majority && answer === majority.answer && { majority: true }),
    ...(one === chosen && { chosen: true }),
  }
}

function fieldText(value: unknown): string {
  if (typeof value === 'string') return value
  if (Array.isArray(value) && value.every((each) => typeof each === 'number')) return value.join(', ')
  return JSON.stringify(value) ?? ''
}

/** Two thirds of what there is room for from the beginning, a third from the end; no character is cut in two. */
export function clipped(text: string, most: number): Clipped {
  if (text.length <= most) return text
  let head = Math.floor((most * 2) / 3)
  let tail = text.length - Math.floor(most / 3)
  if (isPair(text, head)) head--
  if (isPair(text, tail)) tail++
  return [text.slice(0, head), tail - head, text.slice(tail)]
}

/** Whether a character of two units goes across a place. */
function isPair(text: string, at: number): boolean {
  return (text.codePointAt(at - 1) ?? 0) > 0xffff
}
