import { createHash, type Hash } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { hubAbsence, hubReason, hubSettings } from '../../envs/text/hub.js'
import { ModelFolderError } from './model-config.js'
import { CONFIG, GENERATION, INDEX, shardFiles, TOKENIZER_FILES, WEIGHTS } from './model-folder.js'

/** What is used of the package. It is optional: these types do not need it. */
interface Hub {
  readonly modelInfo: (
    model: HubOptions & { readonly name: string; readonly additionalFields: ['sha'] },
  ) => Promise<{ readonly sha: string }>
  readonly listFiles: (model: HubOptions & { readonly repo: HubRepo }) => AsyncIterable<HubEntry>
  readonly downloadFile: (
    file: HubOptions & { readonly repo: HubRepo; readonly path: string; readonly xet: boolean },
  ) => Promise<Blob | null>
}

interface HubRepo {
  readonly type: 'model'
  readonly name: string
}

interface HubOptions {
  readonly revision: string
  readonly hubUrl: string
  readonly fetch: typeof fetch
  readonly accessToken?: string
}

/** A file as the hub lists it: what git and the store of large files know its content by. */
interface HubEntry {
  readonly path: string
  readonly size: number
  readonly oid?: string
  readonly lfs?: { readonly oid: string }
}

/** A model on the hub, as far as its address tells. */
interface HubModel {
  readonly name: string
  /** A branch, a tag or a commit. */
  readonly revision: string
}

const COMMIT = /^[0-9a-f]{40}$/
const WAY_OUT = 'Or give the path of a folder that has the model: none of this name is here.'

/**
 * The folder on this machine that has a model's files: the one that is named, or, for `organisation/name` or
 * `organisation/name@revision`, one in the cache that the hub's tools share. What is not there yet is downloaded by
 * `@huggingface/hub`: the configuration, the tokenizer and the safetensors, nothing else. A download that broke off goes on
 * where it was; each file appears once its size and its SHA-256 (of small files git's SHA-1) are what the hub lists.
 *
 * A revision is a branch, a tag or a commit, `main` by default. A commit that is here is used without the network; what
 * `main` is, is asked each time, and where the hub does not answer it is what it was the last time.
 *
 * The variables of {@link hubSettings} count; here the time limit is for each pause, not for a whole file. `HF_TOKEN` is the
 * access token that some models ask for.
 *
 * @param load  gets the package
 * @throws ModelFolderError where it is neither here nor can be had
 *
 * @example
 * const folder = await openModelFolder(await modelFiles('Qwen/Qwen2.5-0.5B@060db6499f32faf8b98477b0a26969ef7d8b9987'))
 */
export async function modelFiles(
  pathOrId: string,
  load: () => Promise<Hub> = () => import('@huggingface/hub'),
): Promise<string> {
  if (existsSync(pathOrId)) return pathOrId
  const [, name, revision = 'main'] = /^([\w-][\w.-]*\/[\w-][\w.-]*)(?:@([\w-][\w./-]*))?$/.exec(pathOrId) ?? []
  if (name === undefined || revision.split('/').includes('..')) {
    throw new ModelFolderError(
      pathOrId,
      undefined,
      'no such folder, and no model of the hub: organisation/name@revision',
    )
  }
  const { cache, offline } = hubSettings()
  const home = join(cache, `models--${name.replaceAll('/', '--')}`)
  const known = COMMIT.test(revision) ? revision : await knownCommit(home, revision)
  const here = known === undefined ? undefined : join(home, 'snapshots', known)
  const whole = here !== undefined && (await isWhole(here))
  if (whole && (offline || known === revision)) return here
  if (offline) {
    const where = here ?? join(home, 'refs', revision)
    throw new ModelFolderError(
      pathOrId,
      undefined,
      `not in the cache (${where}), and HF_HUB_OFFLINE is set. ${WAY_OUT}`,
    )
  }
  const hub = await load().catch((cause) => {
    if (whole) return undefined
    throw new ModelFolderError(pathOrId, undefined, `not in the cache; ${hubAbsence(cause)}. ${WAY_OUT}`, { cause })
  })
  if (!hub) return here!
  const model = { name, revision }
  let commit: string
  try {
    commit = await currentCommit(hub, model)
  } catch (error) {
    if (whole) return here
    throw error
  }
  const folder = join(home, 'snapshots', commit)
  await downloadModel(hub, { name, revision: commit }, folder, join(home, 'blobs'))
  if (revision !== commit) {
    const ref = join(home, 'refs', revision)
    await mkdir(dirname(ref), { recursive: true })
    await writeFile(ref, commit)
  }
  return folder
}

/** The commit that a revision was when it was last asked for. */
async function knownCommit(home: string, revision: string): Promise<string | undefined> {
  const text = await readFile(join(home, 'refs', revision), 'utf8').catch(() => '')
  return COMMIT.test(text.trim()) ? text.trim() : undefined
}

/** Whether a snapshot has all that a model needs. What is optional is downloaded before the weights. */
async function isWhole(folder: string): Promise<boolean> {
  const has = (name: string) => existsSync(join(folder, name))
  if (!has(CONFIG) || !has('tokenizer.json')) return false
  if (has(WEIGHTS)) return true
  return has(INDEX) && (await shardFiles(join(folder, INDEX))).every(has)
}

async function currentCommit(hub: Hub, model: HubModel): Promise<string> {
  const { sha } = await asked(model, undefined, (options) =>
    hub.modelInfo({ ...options, name: model.name, additionalFields: ['sha'] }),
  )
  if (COMMIT.test(sha)) return sha
  throw new ModelFolderError(address(model), undefined, `the hub gives "${sha}" as its commit, which is none`)
}

/** Downloads what is missing in a snapshot, the weights last. */
async function downloadModel(hub: Hub, model: HubModel, folder: string, parts: string): Promise<void> {
  const repo = { type: 'model', name: model.name } as const
  const listed = await asked(model, undefined, async (options) => {
    const entries = new Map<string, HubEntry>()
    for await (const entry of hub.listFiles({ ...options, repo })) entries.set(entry.path, entry)
    return entries
  })
  const get = async (name: string) => {
    const entry = listed.get(name)
    if (!entry) throw new ModelFolderError(address(model, name), undefined, `no such file; ${INDEX} names it`)
    await downloadFile(hub, model, entry, join(folder, name), parts)
  }
  if (!listed.has(CONFIG))
    throw new ModelFolderError(address(model, CONFIG), undefined, 'no such file; every model has one')
  if (!listed.has(WEIGHTS) && !listed.has(INDEX)) {
    throw new ModelFolderError(address(model), undefined, `no safetensors: neither ${WEIGHTS} nor ${INDEX}`)
  }
  for (const name of [CONFIG, GENERATION, ...TOKENIZER_FILES]) if (listed.has(name)) await get(name)
  if (listed.has(WEIGHTS)) return get(WEIGHTS)
  await get(INDEX)
  for (const name of await shardFiles(join(folder, INDEX))) await get(name)
}

async function downloadFile(hub: Hub, model: HubModel, entry: HubEntry, place: string, parts: string): Promise<void> {
  const { path, size, lfs, oid } = entry
  const there = await stat(place).catch(() => undefined)
  if (there?.size === size) return
  const digest = lfs?.oid ?? oid
  // It becomes the name of a file.
  if (!digest || !/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(digest)) {
    throw new ModelFolderError(
      address(model, path),
      undefined,
      `the hub gives "${digest}" as its digest, which is none`,
    )
  }
  await mkdir(parts, { recursive: true })
  const part = join(parts, `${digest}.incomplete`)
  const repo = { type: 'model', name: model.name } as const
  for (;;) {
    const hash: Hash = digest.length === 64 ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`)
    const begun = await resume(part, size, hash)
    await asked(model, path, async (options, alive) => {
      if (begun === size) return
      const blob = await hub.downloadFile({ ...options, repo, path, xet: false })
      if (!blob) throw new Error('there is no such file')
      await append(begun > 0 ? blob.slice(begun, size) : blob, part, size - begun, hash, alive)
    })
    const found: string = hash.digest('hex')
    if (found === digest) break
    await rm(part, { force: true })
    if (begun > 0) continue // the part that was here may have been the wrong one: once more, from the beginning
    const reason = `what came has the digest ${found}, where ${digest} was expected. Try again. ${WAY_OUT}`
    throw new ModelFolderError(address(model, path), undefined, reason)
  }
  await mkdir(dirname(place), { recursive: true })
  await rename(part, place)
}

/** Digests the part of a file that is here already.
 *  @returns its size */
async function resume(part: string, size: number, hash: Hash): Promise<number> {
  const begun = (await stat(part).catch(() => undefined))?.size ?? 0
  if (begun > size) await rm(part)
  if (begun === 0 || begun > size) return 0
  for await (const bytes of createReadStream(part)) hash.update(bytes)
  return begun
}

async function append(blob: Blob, part: string, size: number, hash: Hash, alive: () => void): Promise<void> {
  const handle = await open(part, 'a')
  let left = size
  try {
    // A web stream can be gone through, which the types of the browser do not know.
    for await (const bytes of blob.stream() as unknown as AsyncIterable<Uint8Array>) {
      alive()
      left -= bytes.length
      if (left < 0) throw new Error(`more came than the ${size} bytes that were asked for`)
      hash.update(bytes)
      await handle.writeFile(bytes)
    }
    await handle.sync()
  } finally {
    await handle.close()
  }
  if (left > 0) throw new Error(`${left} bytes did not come`)
}

/** Asks the hub, and gives up when nothing comes for too long. Whatever fails is an error that says what and why. */
async function asked<T>(
  model: HubModel,
  path: string | undefined,
  request: (options: HubOptions, alive: () => void) => Promise<T>,
): Promise<T> {
  const { url: hubUrl, timeout } = hubSettings()
  const stop = new AbortController()
  const giveUp = () => stop.abort(new Error(`timeout: nothing came for ${timeout / 1000} s`))
  let timer = setTimeout(giveUp, timeout)
  const alive = () => {
    clearTimeout(timer)
    timer = setTimeout(giveUp, timeout)
  }
  const { HF_TOKEN: accessToken } = process.env
  const options: HubOptions = {
    revision: model.revision,
    hubUrl,
    ...(accessToken && { accessToken }),
    fetch: (input, init) => {
      alive()
      return fetch(input, { ...init, signal: stop.signal })
    },
  }
  try {
    return await request(options, alive)
  } catch (cause) {
    const status = cause instanceof Error && 'statusCode' in cause ? cause.statusCode : undefined
    const gated = status === 401 || status === 403
    const hint = gated ? 'If the model asks for it, accept its terms on the hub and set HF_TOKEN.' : 'Try again.'
    const reason = `not downloaded from ${hubUrl}: ${hubReason(cause)}. ${hint} ${WAY_OUT}`
    throw new ModelFolderError(address(model, path), undefined, reason, { cause })
  } finally {
    clearTimeout(timer)
  }
}

function address({ name, revision }: HubModel, path?: string): string {
  return `${name}@${revision}${path === undefined ? '' : `/${path}`}`
}
