import { join } from 'node:path'
import { z } from 'zod'
import { evaluate } from '../algorithms/evaluate.js'
import type { EnvSpec } from '../envs/spec.js'
import { writeAtomically } from './checkpoint.js'
import { builtInAgent, noSuchAgent } from './commands/built-in-agents.js'
import { type ExperimentConfig, measuringSpecOf } from './config.js'
import { evaluationEnv } from './lanes.js'
import { WINDOW } from './report/run-record.js'
import { jsonIn } from './report/stored-run.js'

/** The file of a comparison's random scores. */
export const RANDOM_FILE = 'random.json'

const randomScoreSchema = z.object({
  env: z.looseObject({ id: z.string() }).readonly(),
  opponent: z.string().optional(),
  episodes: z.int().positive(),
  mean: z.number(),
  interval: z.tuple([z.number(), z.number()]).readonly(),
})

/** What the random agent scored, and how it was measured. */
export type RandomScore = Readonly<z.infer<typeof randomScoreSchema>>

/**
 * The random agent's mean return as a configuration measures its own: in the same environment, over as many episodes and
 * against the same opponent as its evaluations, or over the 100 episodes that a score of training looks back on. From
 * seed 0; kept in `random.json` of `folder`, so that it is measured once.
 *
 * @throws CorruptFileError if that file is of another form; EpisodeError for an environment that fails
 */
export async function randomScore(
  config: Pick<ExperimentConfig, 'env' | 'evaluation' | 'parallel'>,
  folder: string,
): Promise<RandomScore> {
  const { opponent, episodes = WINDOW } = config.evaluation ?? {}
  const env = measuringSpecOf(config)
  const how = { env: JSON.parse(JSON.stringify(env)) as RandomScore['env'], ...(opponent && { opponent }), episodes }
  const file = join(folder, RANDOM_FILE)
  const known = jsonIn(file, z.array(randomScoreSchema)) ?? []
  const sameAs = JSON.stringify(how)
  const found = known.find(({ mean: _, interval: __, ...measured }) => JSON.stringify(measured) === sameAs)
  if (found) return found
  const { mean, interval } = await evaluate({
    env: () => evaluationEnv(env),
    agent: builtIn('random', env),
    opponent: opponent && builtIn(opponent, env),
    episodes,
    parallel: config.parallel,
  })
  const score = { ...how, mean, interval }
  writeAtomically(file, Buffer.from(`${JSON.stringify([...known, score], undefined, 2)}\n`))
  return score
}

function builtIn(name: string, spec: EnvSpec) {
  const env = evaluationEnv(spec)
  env.close()
  const found = builtInAgent(name, env)
  if (!found) throw noSuchAgent(name)
  return found.agent
}
