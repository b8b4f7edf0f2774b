import * as tf from '../tf.js'
import type { DawnBackend, Dispatch } from './dawn-backend.js'
import type { GpuFeature } from './device.js'

/**
 * A compute shader: its numbers in `params`, its buffers in the order of their bindings, and WGSL that declares neither. One for each set of
 * constants that its code is made of; {@link variants} keeps them.
 *
 * `main` is declared as `fn main(...)` without its attributes.
 */
export interface Kernel<P extends string = string, B extends string = string> {
  readonly name: string
  readonly params: Readonly<Record<P, 'u32' | 'i32' | 'f32'>>
  /** `array<f32>` and the like; read_write where {@link Kernel.writes} names it. */
  readonly buffers: Readonly<Record<B, string>>
  readonly writes: readonly NoInfer<B>[]
  readonly workgroup: readonly [number, number?, number?]
  readonly code: string
  readonly uses?: readonly GpuFeature[]
}

/** What a kernel is run on. */
export type Bound = tf.TensorInfo | GPUBuffer | GPUBufferBinding

/** How many workgroups run a kernel. Where a kernel of one dimension has more than a dimension may have, they go on in the second: it takes its
 *  place from {@link WORKGROUP_INDEX}. */
export type Workgroups = readonly [number, number?, number?]

/** A kernel with what it is run on. */
export type Call<P extends string, B extends string> = readonly [
  kernel: Kernel<P, B>,
  buffers: Readonly<Record<NoInfer<B>, Bound>>,
  params: Readonly<Record<NoInfer<P>, number>>,
  workgroups: Workgroups,
]

/** Who takes calls of kernels: the {@link Gpu}, which runs them, or a {@link Plan}, which keeps them to be run again and again. */
export interface Encoder {
  /** Whether the adapter computes in software, on the processor: there waiting at barriers costs more than reading memory again. */
  readonly inSoftware: boolean
  run<P extends string, B extends string>(...call: Call<P, B>): void
}

/** Offsets of numbers in a uniform buffer are multiples of so many bytes, unless a device says otherwise. */
export const PARAMS_STEP = 256

/** Where the numbers of a dispatch are. */
interface Place {
  readonly buffer: GPUBuffer
  readonly offset: number
}

/** Bytes of a buffer of a plan's, in which the numbers of its dispatches are. */
const PLAN_BYTES = 2 ** 14

/** Dispatches that are submitted together, as often as wanted: what they are bound to stays the same. */
export class Plan implements Encoder {
  readonly #gpu: Gpu
  readonly #dispatches: Dispatch[] = []
  readonly #params: GPUBuffer[] = []
  /** Of the newest of `#params`. */
  #filled = PLAN_BYTES

  constructor(gpu: Gpu) {
    this.#gpu = gpu
  }

  get inSoftware(): boolean {
    return this.#gpu.inSoftware
  }

  /** How many dispatches there are. */
  get length(): number {
    return this.#dispatches.length
  }

  run<P extends string, B extends string>(...call: Call<P, B>): void {
    if (!call[3].includes(0)) this.#dispatches.push(this.#gpu.prepare(call, (size) => this.#place(size)))
  }

  /** Encodes all of it behind what was asked for before, in one piece. */
  encode(): void {
    for (const dispatch of this.#dispatches) this.#gpu.backend.encode(dispatch)
  }

  /** Not before all that was encoded has been submitted; it is not to be used any more. */
  dispose(): void {
    for (const buffer of this.#params) buffer.destroy()
  }

  #place(size: number): Place {
    if (this.#filled + size > PLAN_BYTES) {
      const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST
      this.#params.push(this.#gpu.backend.device.createBuffer({ size: PLAN_BYTES, usage }))
      this.#filled = 0
    }
    const offset = this.#filled
    this.#filled = offset + Math.ceil(size / PARAMS_STEP) * PARAMS_STEP
    return { buffer: this.#params.at(-1)!, offset }
  }
}

/** A kernel on a device, with what each call of it would otherwise find out again. */
interface Compiled {
  readonly pipeline: GPUComputePipeline
  readonly layout: GPUBindGroupLayout
  readonly buffers: readonly string[]
  readonly params: readonly (readonly [name: string, type: string])[]
  /** Bytes of a uniform buffer for them. */
  readonly paramsSize: number
}

/** Bind groups that are kept: making one is the dearest part of a call, and what calls are bound to recurs, as the pool hands out the same buffers. */
const KEPT_BINDINGS = 4096

/** The kernels' side of a `webgpu` backend. */
export class Gpu implements Encoder {
  readonly backend: DawnBackend
  readonly limits: GPUSupportedLimits
  readonly inSoftware: boolean
  readonly #mostWorkgroups: number
  readonly #pipelines = new Map<Kernel, Compiled>()
  /** By kernel and by what is bound, in the order of their last use. */
  readonly #bindings = new Map<string, GPUBindGroup>()
  /** A number for each object, which says in a key which one it is. */
  readonly #numbers = new WeakMap<object, number>()
  #numbered = 0

  constructor(backend: DawnBackend) {
    this.backend = backend
    this.limits = backend.device.limits
    this.inSoftware = backend.gpu.adapter.info.isFallbackAdapter
    this.#mostWorkgroups = this.limits.maxComputeWorkgroupsPerDimension
  }

  has(feature: GpuFeature): boolean {
    return this.backend.gpu.features.has(feature)
  }

  /** A new tensor, whose values a kernel is about to write. */
  output<R extends tf.Rank>(shape: tf.ShapeMap[R], dtype: 'float32' | 'int32' = 'float32'): tf.Tensor<R> {
    const info = this.backend.makeTensorInfo(shape, dtype)
    return tf.engine().makeTensorFromTensorInfo(info) as tf.Tensor<R>
  }

  /** Another tensor of the same values, as `tf.clone` makes it, which takes several times as long. */
  clone<T extends tf.Tensor>({ dataId, shape, dtype }: T): T {
    this.backend.incRef(dataId)
    return tf.engine().makeTensorFromTensorInfo({ dataId, shape, dtype }) as T
  }

  /** Whole numbers on the device, as a tensor of them. */
  integers(values: ArrayLike<number>): tf.Tensor1D {
    return tf.tensor1d(values instanceof Int32Array ? values : Int32Array.from(values), 'int32')
  }

  run<P extends string, B extends string>(...[kernel, buffers, params, workgroups]: Call<P, B>): void {
    if (workgroups.includes(0)) return
    const compiled = this.#compiled(kernel)
    // First, as bringing tensors to the device may submit, and the place for the numbers is kept until then.
    const bound = this.#bound(compiled, buffers)
    const { pipeline, paramsSize: size } = compiled
    let offset: number | undefined
    if (size > 0) {
      const place = this.backend.params(size)
      writeParams(compiled.params, params, place.view, place.offset)
      bound.push({ buffer: place.buffer, offset: 0, size })
      offset = place.offset
    }
    const bindings = this.#bindGroup(compiled, bound)
    this.backend.encode({ pipeline, bindings, offset, workgroups: this.#spread(workgroups) })
    this.backend.flushIfMany()
  }

  /** What {@link run} does, made once to be encoded again and again.
   *  @param placeOf  gives where numbers of so many bytes are kept as long */
  prepare<P extends string, B extends string>(
    [kernel, buffers, params, workgroups]: Call<P, B>,
    placeOf: (size: number) => Place,
  ): Dispatch {
    const compiled = this.#compiled(kernel)
    const bound = this.#bound(compiled, buffers)
    const { pipeline, layout, paramsSize: size } = compiled
    const { device } = this.backend
    let offset: number | undefined
    if (size > 0) {
      const place = placeOf(size)
      const view = new DataView(new ArrayBuffer(size))
      writeParams(compiled.params, params, view, 0)
      device.queue.writeBuffer(place.buffer, place.offset, view.buffer)
      bound.push({ buffer: place.buffer, offset: 0, size })
      offset = place.offset
    }
    const bindings = device.createBindGroup({ layout, entries: entriesOf(bound) })
    return { pipeline, bindings, offset, workgroups: this.#spread(workgroups) }
  }

  #bindGroup({ pipeline, layout }: Compiled, bound: readonly GPUBufferBinding[]): GPUBindGroup {
    let key = `${this.#number(pipeline)}`
    for (const { buffer, offset, size } of bound) key += ` ${this.#number(buffer)}:${offset}:${size}`
    let bindings = this.#bindings.get(key)
    if (bindings) {
      this.#bindings.delete(key)
    } else {
      bindings = this.backend.device.createBindGroup({ layout, entries: entriesOf(bound) })
      if (this.#bindings.size >= KEPT_BINDINGS) this.#bindings.delete(this.#bindings.keys().next().value!)
    }
    this.#bindings.set(key, bindings)
    return bindings
  }

  #number(object: object): number {
    let number = this.#numbers.get(object)
    if (number === undefined) {
      number = this.#numbered++
      this.#numbers.set(object, number)
    }
    return number
  }

  #spread([x, y = 1, z = 1]: Workgroups): [number, number, number] {
    const most = this.#mostWorkgroups
    if (x <= most) return [x, y, z]
    if (y > 1 || z > 1)
      throw new RangeError(`a dispatch of ${x} × ${y} × ${z} workgroups: at most ${most} are allowed in a dimension`)
    const columns = Math.ceil(Math.sqrt(x))
    return [columns, Math.ceil(x / columns), 1]
  }

  #compiled(kernel: Kernel): Compiled {
    let compiled = this.#pipelines.get(kernel)
    if (!compiled) {
      const { device } = this.backend
      const params = Object.entries(kernel.params)
      const module = device.createShaderModule({ label: kernel.name, code: shaderOf(kernel) })
      const layout = device.createBindGroupLayout({ label: kernel.name, entries: layoutOf(kernel) })
      compiled = {
        pipeline: device.createComputePipeline({
          label: kernel.name,
          layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
          compute: { module, entryPoint: 'main' },
        }),
        layout,
        buffers: Object.keys(kernel.buffers),
        params,
        paramsSize: Math.ceil(params.length / 4) * 16,
      }
      this.#pipelines.set(kernel, compiled)
    }
    return compiled
  }

  #bound({ buffers: names }: Compiled, buffers: Readonly<Record<string, Bound>>): GPUBufferBinding[] {
    const bindings: GPUBufferBinding[] = []
    for (const name of names) {
      const bound = buffers[name]!
      if ('dataId' in bound) bindings.push({ buffer: this.backend.buffer(bound) })
      else bindings.push('buffer' in bound ? bound : { buffer: bound })
    }
    return bindings
  }
}

/** The numbers lie behind the buffers, at an offset that is given with each dispatch. */
function layoutOf({ buffers, writes, params }: Kernel): GPUBindGroupLayoutEntry[] {
  const written: readonly string[] = writes
  const types = Object.keys(buffers).map(
    (name): GPUBufferBindingLayout => ({ type: written.includes(name) ? 'storage' : 'read-only-storage' }),
  )
  if (Object.keys(params).length > 0) types.push({ type: 'uniform', hasDynamicOffset: true })
  return types.map((buffer, binding) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer }))
}

function entriesOf(bound: readonly GPUBufferBinding[]): GPUBindGroupEntry[] {
  return bound.map((resource, binding) => ({ binding, resource }))
}

/** Which workgroup this is among all, where they go on in a second dimension; in `main`, with the builtins `workgroup` and `workgroups`. */
export const WORKGROUP_INDEX = 'workgroup.x + workgroup.y * workgroups.x'

/** The builtins that {@link WORKGROUP_INDEX} names, and the place in the workgroup: the arguments of most kernels. */
export const ARGUMENTS = `@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32`

function writeParams(
  fields: Compiled['params'],
  params: Readonly<Record<string, number>>,
  view: DataView,
  offset: number,
): void {
  let at = offset
  for (const [name, type] of fields) {
    const value = params[name]!
    if (type === 'f32') view.setFloat32(at, value, true)
    else view.setUint32(at, value, true)
    at += 4
  }
}

/** The whole of a kernel's WGSL. */
export function shaderOf({ params, buffers, writes, workgroup, code, uses = [] }: Kernel): string {
  const written: readonly string[] = writes
  const extensions = {
    'shader-f16': 'enable f16;',
    subgroups: 'enable subgroups;',
    'chromium-experimental-subgroup-matrix': 'enable chromium_experimental_subgroup_matrix;',
  }
  const fields = Object.entries(params)
  const names = Object.entries(buffers)
  return [
    ...uses.map((feature) => extensions[feature]),
    ...names.map(
      ([name, type], i) =>
        `@group(0) @binding(${i}) var<storage, ${written.includes(name) ? 'read_write' : 'read'}> ${name}: ${type};`,
    ),
    ...(fields.length > 0
      ? [
          `struct Params { ${fields.map(([name, type]) => `${name}: ${type}`).join(', ')} }`,
          `@group(0) @binding(${names.length}) var<uniform> params: Params;`,
        ]
      : []),
    code.replace('fn main(', `@compute @workgroup_size(${workgroup.join(', ')})\nfn main(`),
  ].join('\n')
}

/** Made things by one constant, of those by the next. */
type Made<K> = Map<string | number | boolean, Made<K> | K>

/** A kernel for each set of constants, made when it is first asked for. */
export function variants<A extends readonly [unknown, ...unknown[]] & readonly (string | number | boolean)[], K>(
  make: (...constants: A) => K,
): (...constants: A) => K {
  const made: Made<K> = new Map()
  return (...constants) => {
    // A key of all of them in one would take longer to make than to find.
    let at = made
    const last = constants.length - 1
    for (let i = 0; i < last; i++) {
      let next = at.get(constants[i]!) as Made<K> | undefined
      if (!next) {
        next = new Map()
        at.set(constants[i]!, next)
      }
      at = next
    }
    let kernel = at.get(constants[last]!) as K | undefined
    if (!kernel) {
      kernel = make(...constants)
      at.set(constants[last]!, kernel)
    }
    return kernel
  }
}

/** A kernel, with the names of its numbers and buffers known to the compiler. */
export function kernel<P extends string, B extends string>(source: Kernel<P, B>): Kernel<P, B> {
  return source
}

const known = new WeakMap<DawnBackend, Gpu>()

/** The kernels, where the backend in use is `webgpu`; elsewhere plain operations do the same. Nor are they there while tfjs records operations to
 *  differentiate them. */
export function gpuKernels(): Gpu | undefined {
  if (tf.getBackend() !== 'webgpu' || tf.engine().isTapeOn()) return undefined
  // Under its name nothing else is registered.
  const backend = tf.backend() as DawnBackend
  let gpu = known.get(backend)
  if (!gpu) {
    gpu = new Gpu(backend)
    known.set(backend, gpu)
  }
  return gpu
}
