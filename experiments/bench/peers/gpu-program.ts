import { callTime, type GpuInputs, type GpuWork, type GpuWorker, gpuInputs, gpuRate } from '../gpu-work.js'

/**
 * The frame of a program that does a {@link GpuWork} with a package of somebody else's and answers as every peer does. Arguments: "rate" or
 * "call", the work as JSON, seconds, repetitions.
 *
 * @param start  makes whoever does it, and says what there is to say
 */
export async function gpuProgram(
  start: (
    work: GpuWork,
    inputs: GpuInputs,
  ) => Promise<GpuWorker & { readonly details: Readonly<Record<string, string | number>> }>,
): Promise<never> {
  const [measure, json, seconds, repetitions] = process.argv.slice(2)
  // What rxgym bench gives it.
  const work = JSON.parse(json!) as GpuWork
  const effort = { seconds: Number(seconds), repetitions: Number(repetitions) }
  try {
    const inputs = gpuInputs(work)
    const worker = await start(work, inputs)
    const { details, ...found } =
      measure === 'call'
        ? { ...(await callTime(worker.ask, worker.done, effort)), details: {} }
        : await gpuRate(work, inputs, worker, effort)
    process.stdout.write(`${JSON.stringify({ ...found, ...worker.details, ...details })}\n`)
    // Devices would keep it alive.
    process.exit(0)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message.split('\n')[0] : String(error)}\n`)
    process.exit(1)
  }
}
