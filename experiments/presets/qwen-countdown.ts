import type { Preset } from './preset.js'

/** What both stages have in common. */
const countdown: Preset['config'] = {
  parallel: 128,
  checkpointEvery: 50,
}

/** Measured on every held-out task, greedily with the penalty, before the first update and after the last. */
const heldOut = (updates: number): Preset['config'] => ({
  every: updates,
  episodes: 1000,
  options: { prompt: 'messages', split: 'test' },
  sampling: { maxNewTokens: 1024, repetitionPenalty: 1.1 },
})

/** Countdown-v1 with released weights. */
export const qwenCountdownPresets = {
  'countdown-sft': {
    description: 'Qwen2.5-0.5B imitates worked-out answers on Countdown, 50 epochs over 1,000 of them',
    source:
      'github.com/tonyzstt/Finetune_LLM_RL at 44664e3 (SFT/train_sft.py, SFT/config/sft_warm.yaml): AdamW 2e-5 with PyTorch’s decay of 0.01, 64 answers an update (8 × 8; there 4 × 16), 50 epochs, a cosine after 5% of warm-up, gradients clipped to 1. It learns from Asap7772/cog_behav_all_strategies, which --set env.options.demonstrations=FILE names; without a file from the solver’s traces. There the system message is another, and an answer ends with <|im_end|>; here with the tokenizer’s own end token',
    config: {
      ...countdown,
      env: { id: 'Countdown-v1', options: { prompt: 'messages', count: 1000 } },
      agent: {
        type: 'language',
        model: 'Qwen/Qwen2.5-0.5B',
        sampling: { maxNewTokens: 1024 },
        checkpointing: true,
      },
      algorithm: {
        type: 'sft',
        learningRate: 2e-5,
        weightDecay: 0.01,
        schedule: { shape: 'cosine', warmup: 39, updates: 782 },
        maxGradientNorm: 1,
        episodesPerUpdate: 64,
      },
      demonstrator: 'gold',
      budget: { epochs: 50 },
      evaluation: heldOut(782),
    },
  },
  'countdown-rloo-qwen': {
    description: 'RLOO on Countdown from the model that countdown-sft leaves (trained first, if it is not there)',
    source:
      'github.com/tonyzstt/Finetune_LLM_RL at 44664e3 (RLOO/train_rloo.py), but for what is chosen here: k 8, AdamW’s 1e-6 and 3 epochs, where its own configuration has k 16, 2e-5 and 1 epoch. As there: 16 tasks an update (1 × 16), 2,000 tasks, no KL, a cosine after 5% of warm-up, decay 0.01, gradients clipped to 1. There samples are cut off by top-k 50 and top-p 0.95, and a response’s log-probability is the mean of its own tokens; here they are drawn from the whole distribution, and the mean is over all tokens of an update. --set env.options.file=FILE takes the tasks of Jiayi-Pan/Countdown-Tasks-3to4, one in ten of which may be a held-out one unless --set env.options.split=train; rxgym evaluate RUN --sampling repetitionPenalty=1 tells the score without the penalty',
    config: {
      ...countdown,
      env: { id: 'Countdown-v1', options: { prompt: 'messages', count: 2000 } },
      agent: {
        type: 'language',
        model: 'countdown-sft',
        sampling: { maxNewTokens: 1024 },
        checkpointing: true,
      },
      algorithm: {
        type: 'rloo',
        group: 8,
        groupsPerUpdate: 16,
        ratio: 'token',
        learningRate: 1e-6,
        weightDecay: 0.01,
        schedule: { shape: 'cosine', warmup: 18, updates: 375 },
        maxGradientNorm: 1,
      },
      budget: { epochs: 3 },
      evaluation: heldOut(375),
    },
  },
} satisfies Readonly<Record<string, Preset>>
