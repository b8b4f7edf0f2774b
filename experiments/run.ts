import { catchError, defer, finalize, mergeMap, type Observable, tap } from 'rxjs'
import type { Agent } from '../agents/agent.js'
import { chessPolicy } from '../agents/chess/chess-policy.js'
import type { MeasuredSampling } from '../agents/llm/language-config.js'
import { LanguagePolicy } from '../agents/llm/language-policy.js'
import { type MlpOptions, mlpPolicy } from '../agents/mlp/mlp-policy.js'
import type { Policy } from '../agents/policy.js'
import { randomAgent } from '../agents/random-agent.js'
import type { Algorithm } from '../algorithms/algorithm.js'
import { reinforce } from '../algorithms/reinforce.js'
import { rloo } from '../algorithms/rloo.js'
import { sft } from '../algorithms/sft.js'
import type { ChessObservation } from '../envs/chess/chess.js'
import { make } from '../envs/registry.js'
import type { Space } from '../envs/spaces/space.js'
import type { EnvSpec, Json } from '../envs/spec.js'
import { type Backend, type BackendName, useBackend } from '../tensors/backend.js'
import { noHalf } from '../tensors/compute-type.js'
import { builtInAgent, noSuchAgent } from './commands/built-in-agents.js'
import { type ExperimentConfig, envSpecOf, loadConfig, measuringSpecOf, modelNameOf } from './config.js'
import { CorruptFileError } from './errors.js'
import type { TrainEvent } from './events.js'
import { languageAgent } from './language-agent.js'
import { checkpointAt, configFile, latestCheckpoint, type RunFolder, runAt } from './run-folder.js'
import { CheckpointMismatchError, type EvaluationOptions, initialGenerator, restorePolicy, train } from './train.js'

/** What a policy starts from. */
export type PolicyStart = Pick<MlpOptions<unknown, unknown>, 'observationSpace' | 'actionSpace' | 'generator'>

/** The algorithm that a configuration describes. */
export function algorithmOf({ algorithm }: Pick<ExperimentConfig, 'algorithm'>): Algorithm {
  switch (algorithm.type) {
    case 'reinforce': {
      const { type: _, ...settings } = algorithm
      return reinforce(settings)
    }
    case 'sft': {
      const { type: _, ...settings } = algorithm
      return sft(settings)
    }
    case 'rloo': {
      const { type: _, ...settings } = algorithm
      return rloo(settings)
    }
  }
}

/**
 * The policy that a configuration describes, untrained.
 * @param folder  of its run, which keeps what else would be made anew: see {@link languageAgent}
 */
export function policyOf(
  config: Pick<ExperimentConfig, 'agent' | 'env' | 'seed'>,
  start: PolicyStart,
  folder?: string,
): Policy | Promise<Policy> {
  const { agent } = config
  switch (agent.type) {
    case 'mlp': {
      const { type: _, ...settings } = agent
      return mlpPolicy({ ...settings, ...start })
    }
    case 'language': {
      const { type: _, ...settings } = agent
      const { generator } = start
      const policyOfRun = async (run: string) => (await loadHere(run)).policy
      return languageAgent(
        { ...settings, model: modelNameOf(config) },
        { env: envSpecOf(config), generator, policyOfRun, folder },
      ) as Promise<unknown> as Promise<Policy>
    }
    case 'chess': {
      const { type: _, ...settings } = agent
      const { observationSpace, generator } = start
      // It looks at the space itself, and refuses one that is no chess board's.
      return chessPolicy({
        ...settings,
        generator,
        observationSpace: observationSpace as Space<ChessObservation>,
      }) as Policy
    }
  }
}

/**
 * Trains what a run folder's configuration describes, from where it stands, and keeps every event in the folder. At the
 * end, in every way, the folder is closed, and its demonstrators with it.
 *
 * @param stop   ends the run after the present update, with a checkpoint
 * @param ready  is told the backend and what differs from when the run began, before the first event
 */
export function runExperiment(
  folder: RunFolder,
  { stop, ready }: { readonly stop?: AbortSignal; readonly ready?: (backend: Backend, notices: string[]) => void } = {},
): Observable<TrainEvent> {
  const { config, resume, resumedFrom = folder.path } = folder
  let demonstrators: readonly (Agent | undefined)[] = []
  return defer(() => useBackend(config.backend)).pipe(
    mergeMap((backend) => {
      const half = config.agent.type === 'language' && config.agent.dtype === 'float16'
      const dtype = noHalf() === undefined ? 'float16' : 'float32'
      const notices = folder.writeFacts({ ...backend, ...(half && { dtype }) })
      ready?.(backend, notices)
      const training = trainingOf(config, folder.path)
      demonstrators = [training.demonstrator, training.evaluation?.demonstrator]
      return train({ ...training, ...(stop && { stop }), ...(resume && { resume }) })
    }),
    catchError((error: unknown) => {
      throw naming(resumedFrom, error)
    }),
    tap((event) => folder.record(event)),
    finalize(() => {
      for (const demonstrator of demonstrators) demonstrator?.close?.()
      folder.close()
    }),
  )
}

/** A mismatch with the file it was found in. */
function naming(file: string, error: unknown): unknown {
  return error instanceof CheckpointMismatchError ? new CorruptFileError(file, error.message) : error
}

/** A configuration as {@link train} takes it, for a run in this folder if it has one. */
export function trainingOf(config: ExperimentConfig, folder?: string) {
  const { budget, seed, parallel, checkpointEvery, evaluation, opponents, demonstrator } = config
  return {
    env: envSpecOf(config),
    agent: (start: PolicyStart) => policyOf(config, start, folder),
    algorithm: algorithmOf(config),
    budget,
    seed,
    parallel,
    checkpointEvery,
    ...(opponents && { opponents }),
    ...(demonstrator !== undefined && { demonstrator: demonstratorOf(envSpecOf(config), demonstrator) }),
    ...(evaluation && { evaluation: evaluationOf(config, evaluation) }),
  }
}

/** @throws UsageError if no agent without training is called so, or it does not play there */
function demonstratorOf(spec: EnvSpec, name: string): Agent {
  const env = make(spec)
  env.close()
  const found = builtInAgent(name, env)
  if (!found) throw noSuchAgent(name)
  return found.agent
}

function evaluationOf(
  config: ExperimentConfig,
  { every, episodes, greedy, opponent, sampling }: NonNullable<ExperimentConfig['evaluation']>,
): EvaluationOptions<unknown, unknown> {
  const env = measuringSpecOf(config)
  const measured = make(env)
  measured.close()
  const agent = randomAgent(measured.actionSpace)
  const { demonstrator } = config
  return {
    ...{ every, episodes, greedy, env },
    ...(sampling && { acting: (policy: Policy) => sampledBy(policy, sampling) }),
    ...(opponent && { opponent: { name: opponent, agent } }),
    ...(demonstrator !== undefined && { demonstrator: demonstratorOf(env, demonstrator) }),
  }
}

function sampledBy(policy: Policy, sampling: MeasuredSampling): Agent {
  return policy instanceof LanguagePolicy ? (policy.sampledBy(sampling) as Agent) : policy
}

/** A run's policy as a checkpoint has it, and what it was trained by and in. */
export interface LoadedPolicy {
  readonly policy: Policy
  /** The run's folder. */
  readonly path: string
  readonly config: ExperimentConfig
  readonly update: number
  /** What the wrappers of a training environment had gathered: see `evaluationEnv`. */
  readonly memory: readonly Json[]
}

/**
 * Loads the policy of a run folder's newest checkpoint, or with `RUN@UPDATE` as it was after that update. `RUN@0` is the
 * policy before the first, which needs no checkpoint.
 *
 * @param measured  has a language model complete as where it is measured, with these changes; as it learns unless given
 * @param backend   what it computes with; as it was trained unless given
 * @throws UsageError if there is no such run or checkpoint
 * @throws CorruptFileError if it does not fit the configuration
 */
export async function loadPolicy(
  name: string,
  measured?: MeasuredSampling,
  backend?: BackendName,
): Promise<LoadedPolicy> {
  const own = loadConfig(configFile(runAt(name).path)).backend
  await useBackend(backend ?? own)
  return loadHere(name, measured)
}

/** The same, on the backend in use. */
async function loadHere(name: string, measured?: MeasuredSampling): Promise<LoadedPolicy> {
  const { path, update } = runAt(name)
  const config = loadConfig(configFile(path))
  const { checkpoint, file } =
    update === 0 ? { file: path } : update === undefined ? latestCheckpoint(path) : checkpointAt(path, update)
  const env = make(envSpecOf(config))
  const { observationSpace, actionSpace } = env
  env.close()
  const { agent, evaluation } = config
  const sampling = { ...evaluation?.sampling, ...measured }
  const acting =
    measured && agent.type === 'language' ? { ...agent, sampling: { ...agent.sampling, ...sampling } } : agent
  const start = { observationSpace, actionSpace, generator: initialGenerator(config.seed) }
  const policy = await policyOf({ ...config, agent: acting }, start, path)
  if (!checkpoint) return { policy, path, config, update: 0, memory: [] }
  try {
    // Where all weights were learned, they are all in the checkpoint: what they began from no longer matters.
    const { tensors, values } = checkpoint.state
    const onTop = config.agent.type === 'language' && config.agent.lora !== undefined
    await restorePolicy(policy, onTop ? { tensors, values } : { tensors })
  } catch (error) {
    policy.close()
    throw naming(file, error)
  }
  const { update: after, values } = checkpoint.state
  return { policy, path, config, update: after, memory: (values.envs as Json[][] | undefined)?.[0] ?? [] }
}
