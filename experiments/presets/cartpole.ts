import type { Preset } from './preset.js'

/** CartPole-v1. */
export const cartpolePresets = {
  'cartpole-reinforce': {
    description: 'REINFORCE with a learned baseline on CartPole-v1, one update an episode, 500 episodes',
    source:
      'the recipe of llama-rloo-reasoning: actor and critic 4→128→ReLU with PyTorch’s default initialisation, Adam 1e-2 for both, γ 0.99, no whitening, no clipping',
    config: {
      env: { id: 'CartPole-v1' },
      agent: { type: 'mlp', hidden: [128], activation: 'relu', initialisation: 'fan-in', valueNetwork: true },
      algorithm: { type: 'reinforce', baseline: 'value', gamma: 0.99, learningRate: 0.01, episodesPerUpdate: 1 },
      budget: { episodes: 500 },
    },
  },
  'cartpole-reinforce-tuned': {
    description: 'REINFORCE on CartPole-v1, tuned: no critic, whitened returns, 8 episodes an update, a falling rate',
    source: 'a search in this project over network, rate, schedule and batch; `rxgym bench learning` measures it',
    config: {
      env: { id: 'CartPole-v1' },
      agent: { type: 'mlp', hidden: [32], activation: 'tanh', initialisation: 'orthogonal' },
      algorithm: {
        type: 'reinforce',
        baseline: 'none',
        gamma: 0.99,
        whiten: true,
        learningRate: 0.02,
        schedule: { shape: 'linear', updates: 100, end: 0.02 },
        episodesPerUpdate: 8,
      },
      budget: { episodes: 1000 },
    },
  },
  'cartpole-rloo': {
    description: 'RLOO on CartPole-v1: groups of 4 episodes from the same start, each compared with the other 3',
    source: 'Ahmadian et al. 2024, eq. 8, an episode’s return being the reward; the numbers are from a search here',
    config: {
      env: { id: 'CartPole-v1' },
      agent: { type: 'mlp', hidden: [32], activation: 'tanh', initialisation: 'orthogonal' },
      algorithm: { type: 'rloo', group: 4, groupsPerUpdate: 2, learningRate: 0.02 },
      budget: { episodes: 1000 },
    },
  },
} satisfies Readonly<Record<string, Preset>>
