import type { Preset } from './preset.js'

/** Countdown with three numbers for a model of 0.6 million weights: what it sees, and where it is measured. */
const tinyCountdown: Preset['config'] = {
  env: { id: 'Countdown-v1', options: { numbers: 3, max: 30, count: 28_000, prompt: 'brief' } },
  parallel: 128,
  checkpointEvery: 100,
}

/** A fresh model of 0.6 million weights. */
const tinyModel: Preset['config'] = {
  type: 'language',
  fresh: { hidden: 128, intermediate: 336, layers: 3 },
  sampling: { maxNewTokens: 48 },
}

/** How such a model imitates, over so many updates. */
const imitation = (updates: number): Preset['config'] => ({
  type: 'sft',
  learningRate: 0.003,
  schedule: { shape: 'cosine', warmup: 50, updates, end: 0.05 },
  maxGradientNorm: 1,
  episodesPerUpdate: 64,
})

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
      algorithm: imitation(1500),
      demonstrator: 'gold',
      budget: { updates: 1500 },
      evaluation: { every: 500, episodes: 1000, options: { numbers: 3, max: 30, prompt: 'brief', split: 'test' } },
    },
  },
  'countdown-tiny': {
    description: 'RLOO on Countdown from the model that countdown-tiny-sft leaves (trained first, if it is not there)',
    source:
      'Ahmadian et al. 2024, eq. 8, on the published reward (0, 0.1, 1); its numbers are not found yet: no gain over the first stage has been measured',
    config: {
      ...tinyCountdown,
      agent: { type: 'language', model: 'countdown-tiny-sft', sampling: { maxNewTokens: 48 } },
      algorithm: {
        type: 'rloo',
        group: 8,
        groupsPerUpdate: 16,
        normalizeAdvantages: true,
        learningRate: 0.00003,
        maxGradientNorm: 1,
      },
      budget: { updates: 200 },
      evaluation: { every: 50, episodes: 1000, options: { numbers: 3, max: 30, prompt: 'brief', split: 'test' } },
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
      algorithm: imitation(300),
      demonstrator: 'gold',
      budget: { updates: 300 },
      evaluation: {
        every: 100,
        episodes: 1000,
        options: { numbers: 3, max: 30, prompt: 'brief', split: 'test', givenAnswer: true },
      },
    },
  },
} satisfies Readonly<Record<string, Preset>>
