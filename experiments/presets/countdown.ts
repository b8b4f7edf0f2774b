import type { Preset } from './preset.js'

/** Countdown with three numbers for a model of 0.6 million weights: what it sees, and where it is measured. */
const tinyCountdown: Preset['config'] = {
  env: { id: 'Countdown-v1', options: { numbers: 3, max: 30, count: 28_000, prompt: 'brief' } },
  parallel: 128,
  checkpointEvery: 100,
}

const evaluation = (every: number, options: { givenAnswer?: true } = {}): Preset['config'] => ({
  every,
  episodes: 1000,
  options: { numbers: 3, max: 30, prompt: 'brief', split: 'test', ...options },
})

/** Tokens above what a sound completion has; drawn a little colder, so that slips in the arithmetic drown less of what is learned. */
const sampling = { maxNewTokens: 48, temperature: 0.6 }

/** A fresh model of 0.6 million weights, a number one token. */
const tinyModel: Preset['config'] = {
  type: 'language',
  fresh: { hidden: 128, intermediate: 336, layers: 3, digits: 3 },
  sampling,
}

/** How such a model imitates, over so many updates. */
const imitation = (updates: number): Preset['config'] => ({
  type: 'sft',
  learningRate: 0.002,
  schedule: { shape: 'cosine', warmup: 50, updates, end: 0.05 },
  maxGradientNorm: 1,
  episodesPerUpdate: 32,
})

/** What both algorithms that learn from rewards have in common: 128 completions an update. */
const fromRewards: Preset['config'] = {
  ...tinyCountdown,
  agent: { type: 'language', model: 'countdown-tiny-sft', sampling },
  budget: { updates: 300 },
  evaluation: evaluation(100),
}

/** Countdown-v1. */
export const countdownPresets = {
  'countdown-tiny-sft': {
    description:
      'a transformer from scratch (0.6 M weights, a byte-level BPE of the tasks’ own text) imitates the solver on Countdown',
    source:
      'the order of the published studies, SFT and then RLOO, at the size of a laptop; the numbers are from a search here',
    config: {
      ...tinyCountdown,
      agent: tinyModel,
      algorithm: imitation(500),
      demonstrator: 'solver',
      budget: { updates: 500 },
      evaluation: evaluation(250),
    },
  },
  'countdown-tiny': {
    description: 'RLOO on Countdown from the model that countdown-tiny-sft leaves (trained first, if it is not there)',
    source:
      'Ahmadian et al. 2024, eq. 8, on the published reward (0, 0.1, 1); the numbers are from a search here, `rxgym bench countdown-learning` measures them',
    config: {
      ...fromRewards,
      algorithm: {
        type: 'rloo',
        group: 8,
        groupsPerUpdate: 16,
        normalizeAdvantages: true,
        learningRate: 0.0001,
        schedule: { shape: 'linear', updates: 300, end: 0.1 },
        maxGradientNorm: 1,
      },
    },
  },
  'countdown-tiny-reinforce': {
    description: 'REINFORCE from the same model, on the same reward, with as many completions an update',
    source: 'as countdown-tiny; whitened returns are compared with all of an update, not with those of the same task',
    config: {
      ...fromRewards,
      algorithm: {
        type: 'reinforce',
        baseline: 'none',
        whiten: true,
        learningRate: 0.0001,
        schedule: { shape: 'linear', updates: 300, end: 0.1 },
        maxGradientNorm: 1,
        episodesPerUpdate: 128,
      },
    },
  },
  'countdown-tiny-given-answer': {
    description:
      'the same fresh model imitates the solver where the prompt gives the answer away: it learns to copy, not to solve',
    source: 'the variant with a “tool” of github.com/tonyzstt/Finetune_LLM_RL, at the size of a laptop',
    config: {
      ...tinyCountdown,
      env: {
        id: 'Countdown-v1',
        options: { numbers: 3, max: 30, count: 28_000, prompt: 'brief', givenAnswer: true },
      },
      agent: tinyModel,
      algorithm: imitation(600),
      demonstrator: 'gold',
      budget: { updates: 600 },
      evaluation: evaluation(300, { givenAnswer: true }),
    },
  },
} satisfies Readonly<Record<string, Preset>>
