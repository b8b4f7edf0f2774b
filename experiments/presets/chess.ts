import type { Preset } from './preset.js'

/** Where the learning chess presets train and are measured, and for how long. */
const chessGames: Preset['config'] = {
  env: { id: 'Chess-v1', options: { planes: 13, opening: 4, maxPlies: 150, shaping: 'material' } },
  budget: { updates: 800 },
  parallel: 64,
  checkpointEvery: 50,
  keepEvery: 100,
  evaluation: { every: 50, episodes: 200, greedy: false, opponent: 'random', options: { planes: 13 } },
}

/** Chess-v1. */
export const chessPresets = {
  'chess-reinforce': {
    description: 'REINFORCE on chess from random weights: against a random mover, past selves and itself',
    source:
      'a search in this project over opponents, discount, rate and network; `rxgym bench chess-learning` measures it',
    config: {
      ...chessGames,
      agent: { type: 'chess', hidden: [256, 128], valueHead: true },
      algorithm: {
        type: 'reinforce',
        baseline: 'value',
        gamma: 0.98,
        whiten: true,
        entropyCoefficient: 0.005,
        learningRate: 0.002,
        schedule: { shape: 'linear', updates: 800, end: 0.05 },
        episodesPerUpdate: 64,
      },
      opponents: { random: 0.75, past: 0.125, every: 20, size: 10 },
    },
  },
  'chess-rloo': {
    description: 'RLOO on chess: groups of 8 games from the same opening against the same opponent, from the same seat',
    source: 'Ahmadian et al. 2024, eq. 8, a game’s return being the reward; the numbers are from a search here',
    config: {
      ...chessGames,
      agent: { type: 'chess', hidden: [256, 128] },
      algorithm: {
        type: 'rloo',
        group: 8,
        groupsPerUpdate: 8,
        normalizeAdvantages: true,
        learningRate: 0.003,
        schedule: { shape: 'linear', updates: 800, end: 0.05 },
      },
      opponents: { random: 0.9, past: 0.1, every: 20, size: 10 },
    },
  },
  'chess-seed-recipe': {
    description: 'The published attempt that failed: one policy plays itself from one position, and only a win pays',
    source:
      'the chess notebook of llama-rloo-reasoning: 832→512→512 networks with PyTorch’s initialisation, 4 games of at most 200 plies an update, 300 updates, γ 0.99 a ply, whitened advantages, Adam 3e-4, gradients clipped to 1. Here the board is seen by the mover, moves are 4,672 actions, the critic has no tanh and the actor’s rate',
    config: {
      env: { id: 'Chess-v1', options: { planes: 13, maxPlies: 200 } },
      agent: { type: 'mlp', hidden: [512, 512], activation: 'relu', initialisation: 'fan-in', valueNetwork: true },
      algorithm: {
        type: 'reinforce',
        baseline: 'value',
        gamma: 0.9801,
        whiten: true,
        learningRate: 0.0003,
        maxGradientNorm: 1,
        episodesPerUpdate: 4,
      },
      budget: { updates: 300 },
      parallel: 64,
      checkpointEvery: 25,
      keepEvery: 25,
      evaluation: { every: 25, episodes: 200, greedy: false, opponent: 'random', options: { planes: 13 } },
    },
  },
} satisfies Readonly<Record<string, Preset>>
