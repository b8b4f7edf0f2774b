import type { Preset } from './preset.js'

/** Word problems of one step for a model of 0.1 million weights: what it sees, and where it is measured. Completions are
 *  drawn there as in training: what learning from rewards changes first is how often the likeliest text is written. */
const tinyArithmetic: Preset['config'] = {
  env: { id: 'Arithmetic-v1', options: { level: 1, count: 4000 } },
  parallel: 64,
  evaluation: { every: 40, episodes: 500, greedy: false, options: { level: 1, split: 'test' } },
}

/** What both algorithms have in common. */
const fromRewards: Preset['config'] = {
  ...tinyArithmetic,
  agent: { type: 'language', model: 'arithmetic-tiny-sft', sampling: { maxNewTokens: 48 } },
  budget: { updates: 120 },
}

/** Arithmetic-v1. */
export const arithmeticPresets = {
  'arithmetic-tiny-sft': {
    description:
      'a transformer from scratch (0.1 M weights) imitates the gold answers of Arithmetic for a few seconds: half of the form, next to none of the sums',
    source: 'the order of the published studies, SFT and then RLOO, in a minute; the numbers are from a search here',
    config: {
      ...tinyArithmetic,
      agent: {
        type: 'language',
        fresh: { hidden: 64, intermediate: 172, layers: 2 },
        sampling: { maxNewTokens: 48 },
      },
      algorithm: {
        type: 'sft',
        learningRate: 0.005,
        schedule: { shape: 'cosine', warmup: 10, updates: 80, end: 0.05 },
        maxGradientNorm: 1,
        episodesPerUpdate: 32,
      },
      demonstrator: 'gold',
      budget: { updates: 80 },
    },
  },
  'arithmetic-tiny': {
    description:
      'RLOO on Arithmetic under the XML reward from the model that arithmetic-tiny-sft leaves (trained first, if it is not there)',
    source: 'Ahmadian et al. 2024, eq. 8, on the reward of W. Brown’s GRPO demo; the numbers are from a search here',
    config: {
      ...fromRewards,
      algorithm: {
        type: 'rloo',
        group: 8,
        groupsPerUpdate: 8,
        normalizeAdvantages: true,
        learningRate: 0.001,
        maxGradientNorm: 1,
      },
    },
  },
  'arithmetic-tiny-reinforce': {
    description: 'REINFORCE on Arithmetic from the same model as arithmetic-tiny, with as many completions an update',
    source: 'as arithmetic-tiny; whitened returns are compared with all of an update, not with those of the same task',
    config: {
      ...fromRewards,
      algorithm: {
        type: 'reinforce',
        baseline: 'none',
        whiten: true,
        learningRate: 0.001,
        maxGradientNorm: 1,
        episodesPerUpdate: 64,
      },
    },
  },
} satisfies Readonly<Record<string, Preset>>
