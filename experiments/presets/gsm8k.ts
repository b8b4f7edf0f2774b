import type { Preset } from './preset.js'

/** GSM8K’s real prompts for a model of 0.7 million weights. */
const tinyGsm8k: Preset['config'] = {
  env: { id: 'GSM8K-v1', options: { prompt: 'xml' } },
  parallel: 64,
}

/** The longest prompt has 418 tokens of its vocabulary, the longest answer 448: both fit in its context. */
const tinySampling = { maxNewTokens: 192 }

/** GSM8K-v1. */
export const gsm8kPresets = {
  'gsm8k-rloo-llama': {
    description:
      'Llama-3.2-1B-Instruct learns to think in tags on GSM8K: RLOO, ratios clipped token by token, k3 in the loss',
    source:
      'Project1.ipynb of github.com/Gabriel-Pedde/llama-rloo-reasoning at 77d71e2, the values of its code: K 16, β 0.01, ε 0.2, 4 steps of Adam 1e-5 on each of 100 questions, gradients clipped to 1, completions of 1,000 tokens; its reports have K 10 to 16, β 0.01 to 0.5, ε 0.2 to 0.3 and 2 to 5 steps. There the first 100 questions are taken in order, and samples are cut off by top-k 50 and top-p 0.95 at the checkpoint’s own temperature, though their log-probabilities are those of the whole distribution; here it is drawn from as it is, and questions come in shuffled order. It measures the first 100 of the test questions, greedily; here 100 of them are drawn',
    config: {
      env: { id: 'GSM8K-v1' },
      agent: {
        type: 'language',
        model: 'meta-llama/Llama-3.2-1B-Instruct',
        sampling: { maxNewTokens: 1000 },
        checkpointing: true,
      },
      algorithm: {
        type: 'rloo',
        group: 16,
        groupsPerUpdate: 1,
        ratio: 'token',
        clip: 0.2,
        epochs: 4,
        klCoefficient: 0.01,
        klIn: 'loss',
        learningRate: 1e-5,
        maxGradientNorm: 1,
      },
      budget: { updates: 100 },
      parallel: 16,
      checkpointEvery: 25,
      evaluation: { every: 100, episodes: 100, options: { split: 'test' } },
    },
  },
  'gsm8k-format-tiny-sft': {
    description:
      'a transformer from scratch (0.7 M weights, a byte-level BPE of GSM8K’s text) imitates worked-out answers, but not for long',
    source: 'the first stage of gsm8k-format-tiny; the numbers are from a search here',
    config: {
      ...tinyGsm8k,
      agent: {
        type: 'language',
        fresh: { hidden: 128, intermediate: 336, layers: 3, context: 896, vocabulary: 1024 },
        sampling: tinySampling,
      },
      algorithm: {
        type: 'sft',
        learningRate: 0.003,
        schedule: { shape: 'cosine', warmup: 20, updates: 150, end: 0.05 },
        maxGradientNorm: 1,
        episodesPerUpdate: 16,
      },
      demonstrator: 'gold',
      budget: { updates: 150 },
    },
  },
  'gsm8k-format-tiny': {
    description:
      'RLOO under the XML reward on GSM8K’s real prompts, from the model that gsm8k-format-tiny-sft leaves (trained first): it learns the form, and no arithmetic',
    source:
      'Ahmadian et al. 2024, eq. 8, on the <reasoning>/<answer> reward of W. Brown’s GRPO demo; the numbers are from a search here, `rxgym bench gsm8k-format` measures it',
    config: {
      ...tinyGsm8k,
      // Drawn colder than it imitated, or the likeliest tokens, which turn in circles, are never tried and never unlearned.
      agent: { type: 'language', model: 'gsm8k-format-tiny-sft', sampling: { ...tinySampling, temperature: 0.5 } },
      algorithm: {
        type: 'rloo',
        group: 8,
        groupsPerUpdate: 8,
        normalizeAdvantages: true,
        learningRate: 0.0006,
        schedule: { shape: 'cosine', updates: 80, end: 0.1 },
        maxGradientNorm: 1,
      },
      budget: { updates: 80 },
    },
  },
} satisfies Readonly<Record<string, Preset>>
