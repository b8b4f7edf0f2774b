export * from './agents/action-mask.js'
export * from './agents/agent.js'
export * from './agents/chess/chess-policy.js'
export * from './agents/chess/greedy-capture-agent.js'
export * from './agents/engines/engine-failure.js'
export { HttpModelError } from './agents/engines/http-failure.js'
export * from './agents/engines/http-model.js'
export * from './agents/engines/uci-engine.js'
export type { UciValue } from './agents/engines/uci-options.js'
export * from './agents/in-words.js'
export * from './agents/llm/chat-template.js'
export { type Generated, type GenerateOptions, PromptError, type TextStream } from './agents/llm/generate.js'
export type { GenerationConfig } from './agents/llm/generation-config.js'
export { type LanguageConfig, languageConfig } from './agents/llm/language-config.js'
export * from './agents/llm/language-model.js'
export { LanguagePolicy, type LanguagePolicyOptions, languagePolicy } from './agents/llm/language-policy.js'
export { type LoraConfig, loraConfig } from './agents/llm/lora.js'
export { type ModelConfig, ModelFolderError } from './agents/llm/model-config.js'
export { modelDigest } from './agents/llm/model-digest.js'
export { modelFiles } from './agents/llm/model-files.js'
export {
  type JsonObject,
  type ModelFolder,
  openModelFolder,
  tokenizerFiles,
  type WeightType,
} from './agents/llm/model-folder.js'
export type { Sampling } from './agents/llm/sampling.js'
export type { ScoringSettings } from './agents/llm/scoring.js'
export * from './agents/llm/tokenizer.js'
export * from './agents/llm/train-tokenizer.js'
export type { Weights } from './agents/llm/transformer.js'
export { type ModelContent, writeModelFolder } from './agents/llm/write-model-folder.js'
export * from './agents/mlp/mlp-policy.js'
export * from './agents/policy.js'
export * from './agents/random-agent.js'
export { countdownSolver } from './agents/text/countdown-solver.js'
export * from './agents/text/gold-answer-agent.js'
export * from './agents/text/random-expression-agent.js'
export * from './algorithms/advantages.js'
export * from './algorithms/algorithm.js'
export * from './algorithms/descend.js'
export * from './algorithms/elo.js'
export * from './algorithms/episode.js'
export * from './algorithms/episodes.js'
export * from './algorithms/evaluate.js'
export * from './algorithms/reinforce.js'
export { type RlooConfig, rloo, rlooConfig } from './algorithms/rloo.js'
export * from './algorithms/samples.js'
export { type SftConfig, sft, sftConfig } from './algorithms/sft.js'
export * from './algorithms/statistics.js'
export * from './envs/check-env.js'
export type { Adjudication, ChessEnding, ChessOutcome, DrawRule } from './envs/chess/adjudication.js'
export { Board as ChessBoard, moveToUci, type Side, uciToMove } from './envs/chess/board.js'
export * from './envs/chess/chess.js'
export type { ChessOptions } from './envs/chess/chess-setup.js'
export * from './envs/chess/encoding.js'
export { FenError, type FenField } from './envs/chess/fen.js'
export type { ChessPlanes } from './envs/chess/observation.js'
export * from './envs/chess/observed-fen.js'
export { PgnError, type PgnGame, pgnToMoves } from './envs/chess/pgn.js'
export * from './envs/classic-control/cart-pole.js'
export { CartPoleVector } from './envs/classic-control/cart-pole-vector.js'
export * from './envs/env.js'
export * from './envs/registry.js'
export { type Replay, replayFrames, replayFramesAsync, startReplay } from './envs/replay.js'
export * from './envs/seeding.js'
export * from './envs/spaces/index.js'
export * from './envs/spec.js'
export * from './envs/text/arithmetic/arithmetic.js'
export * from './envs/text/arithmetic/generator.js'
export * from './envs/text/calculator.js'
export * from './envs/text/countdown/countdown.js'
export {
  type CountdownSplit,
  type CountdownTasksOptions,
  countdownSplit,
  countdownTasks,
} from './envs/text/countdown/generator.js'
export * from './envs/text/countdown/prompt.js'
export * from './envs/text/countdown/records.js'
export { isSolvable as isCountdownSolvable, solveCountdown } from './envs/text/countdown/solver.js'
export * from './envs/text/countdown/trace.js'
export * from './envs/text/gsm8k/gsm8k.js'
export * from './envs/text/gsm8k/records.js'
export * from './envs/text/hub-file.js'
export * from './envs/text/named-action.js'
export * from './envs/text/prompt-template.js'
export * from './envs/text/records.js'
export { sharedTasks } from './envs/text/shared-tasks.js'
export { splitOf, type TaskSplit } from './envs/text/task-split.js'
export {
  type AnyTextEnv,
  type Reply,
  TaskError,
  TextEnv,
  type TextEnvOptions,
  type TextOutcome,
  textEnv,
  textEnvOf,
  textOutcome,
} from './envs/text/text-env.js'
export {
  type WordProblem,
  type WordProblemForm,
  type WordProblemOptions,
  type WordProblemParts,
  wordProblemAnswer,
  wordProblemGold,
  wordProblemPrompt,
  wordProblemReward,
} from './envs/text/word-problem.js'
export { type MakeVecOptions, makeVec, type VectorOf } from './envs/vector/make-vec.js'
export type {
  Actions,
  Autoreset,
  Batch,
  VectorEnv,
  VectorReset,
  VectorResetOptions,
  VectorStep,
} from './envs/vector/vector-env.js'
export { type VectorizeOptions, vectorize } from './envs/vector/vectorize.js'
export * from './envs/wrappers/index.js'
export { type CompareOptions, type Comparison, compare } from './experiments/compare.js'
export {
  readEvaluation,
  type SavedCompletion,
  type SavedEvaluation,
  type StoredEvaluation,
} from './experiments/evaluation-folder.js'
export * from './experiments/events.js'
export { type OpponentsConfig, type OpponentsOptions, opponentsConfig } from './experiments/opponents.js'
export { type ReportFiles, writeReport } from './experiments/report/report.js'
export { type Contestant, type TournamentOptions, tournament } from './experiments/tournament.js'
export * from './experiments/train.js'
export * from './rewards/countdown-score.js'
export * from './rewards/extract-gsm8k-answer.js'
export * from './rewards/length-penalty.js'
export * from './rewards/process-completeness.js'
export * from './rewards/repetition-penalty.js'
export * from './rewards/rubric.js'
export * from './rewards/score-statistics.js'
export * from './rewards/think-format-reward.js'
export * from './rewards/xml-format-reward.js'
export * from './tensors/adam.js'
export * from './tensors/backend.js'
export { type HostTensor, SafetensorsError } from './tensors/safetensors.js'
export * from './tensors/without-gradient.js'
