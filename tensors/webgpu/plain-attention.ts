import { type AttentionKernel, attentionParams, keyBlock, NEVER, queryBlock } from './attention-kernel.js'
import { anyHeads, each, featuresType, loading, roomFor, storing } from './head-features.js'
import { ARGUMENTS, kernel, variants } from './kernels.js'

/** Invocations that go through the other side together, so that they read the same at the same time. */
const LANES = 8

/** Up to no constant: drivers would unroll the loop, which takes them seconds and makes it slower. */
const UNITS = 'for (var u = 0u; u < units; u++)'

/**
 * Code of an invocation's own side, of which it takes `count` rows, and of the other side, of which it looks at `step` rows together: what is read
 * is used for as many products.
 */
function sides(count: number, step: number) {
  const rows = (line: (i: number) => string) => each(count, line)
  const steps = (line: (j: number) => string) => each(step, line)
  return {
    block: LANES * count,
    step,
    rows,
    steps,
    pairs: (line: (i: number, j: number) => string) => rows((i) => steps((j) => line(i, j))),
    over: (name: (j: number) => string, join: (a: string, b: string) => string) =>
      Array.from({ length: step }, (_, j) => name(j)).reduce(join),
    /** `own_i`: which tokens of the row are the invocation's, `segment_i` what they belong to, `clamped_i` one that is there in any case. */
    own: `
  let units = (params.headSize + 3u) / 4u;
  ${rows(
    (i) => `
  let own_${i} = first + local + ${LANES * i}u;
  let clamped_${i} = min(own_${i}, params.length - 1u);
  let segment_${i} = segments[base + clamped_${i}];`,
  )}`,
    /** `at_j`: which tokens of the row are looked at, or the last one where there are no more, and `belongs_j` what they belong to. */
    others: steps(
      (j) => `
    let at_${j} = min(at + ${j}u, params.length - 1u);
    let belongs_${j} = segments[base + at_${j}];`,
    ),
    /** The invocation's rows of a buffer, kept in `NAME_i`. */
    bring: (name: string, buffer: string, head: string, room: number) =>
      rows(
        (i) => `
  var ${name}_${i}: array<vec4<f32>, ${room}>;
  ${UNITS} { ${name}_${i}[u] = load_${buffer}((base + clamped_${i}) * ${head}, u); }`,
      ),
    store: (buffer: string, name: string, factor: (i: number) => string, head: string) =>
      rows(
        (i) => `
  if (own_${i} < params.length) { ${UNITS} { store_${buffer}((base + own_${i}) * ${head}, u, ${name}_${i}[u] * ${factor(i)}); } }`,
      ),
  }
}

/** Twice as fast on lavapipe as two by two. */
const forwards = sides(4, 4)
/** With more, such adapters compile the shaders for many seconds. */
const backwards = sides(2, 2)

const HEAD = 'params.heads + head'
const KEY_HEAD = 'params.keyHeads + keyHead'

const makeForward = variants((whole: boolean, room: number) => {
  const { block, rows, steps, pairs, over, own, others, bring, store, step } = forwards
  const form = anyHeads(whole)
  const type = featuresType(form)
  return kernel({
    name: 'attention-plain',
    params: attentionParams,
    buffers: { q: type, k: type, v: type, segments: 'array<i32>', out: type, statistics: 'array<vec2<f32>>' },
    writes: ['out', 'statistics'],
    workgroup: [LANES],
    code: `${loading(form, 'q', 'k', 'v')}${storing(form, 'out')}
fn main(${ARGUMENTS}) {${queryBlock(block)}${own}
  ${bring('query', 'q', HEAD, room)}
  ${rows((i) => `var largest_${i} = ${NEVER};\nvar sum_${i} = 0.0;\nvar out_${i}: array<vec4<f32>, ${room}>;`)}
  for (var at = start; at < end; at += ${step}u) {
    ${others}
    ${pairs((i, j) => `var s_${i}_${j} = 0.0;`)}
    ${UNITS} {
      ${steps((j) => `let k_${j} = load_k((base + at_${j}) * ${KEY_HEAD}, u);`)}
      ${rows((i) => `let q_${i} = query_${i}[u];`)}
      ${pairs((i, j) => `s_${i}_${j} += dot(q_${i}, k_${j});`)}
    }
    ${pairs((i, j) => `s_${i}_${j} = select(${NEVER}, s_${i}_${j} * params.scale, at + ${j}u <= own_${i} && belongs_${j} == segment_${i});`)}
    ${rows(
      (i) => `
    let most_${i} = max(largest_${i}, ${over(
      (j) => `s_${i}_${j}`,
      (a, b) => `max(${a}, ${b})`,
    )});
    let before_${i} = exp(largest_${i} - most_${i});
    largest_${i} = most_${i};
    ${steps((j) => `let p_${i}_${j} = select(0.0, exp(s_${i}_${j} - most_${i}), s_${i}_${j} > ${NEVER});`)}
    sum_${i} = sum_${i} * before_${i} + ${over(
      (j) => `p_${i}_${j}`,
      (a, b) => `${a} + ${b}`,
    )};`,
    )}
    ${UNITS} {
      ${steps((j) => `let v_${j} = load_v((base + at_${j}) * ${KEY_HEAD}, u);`)}
      ${rows(
        (i) =>
          `out_${i}[u] = out_${i}[u] * before_${i} + ${over(
            (j) => `p_${i}_${j} * v_${j}`,
            (a, b) => `${a} + ${b}`,
          )};`,
      )}
    }
  }
  ${rows(
    (i) => `
  if (own_${i} < params.length) {
    statistics[(workgroup.z * params.heads + head) * params.length + own_${i}] = vec2<f32>(largest_${i}, 1.0 / sum_${i});
  }`,
  )}
  ${store('out', 'out', (i) => `(1.0 / sum_${i})`, HEAD)}
}`,
  })
})

/** `s_i_j` and `d_i_j`: the products of the own side's two rows with the other side's two. */
function bothProducts(own: readonly [string, string], others: readonly [string, string], head: string): string {
  const { rows, steps, pairs } = backwards
  return `
    ${pairs((i, j) => `var s_${i}_${j} = 0.0;\nvar d_${i}_${j} = 0.0;`)}
    ${UNITS} {
      ${steps((j) => `let a_${j} = load_${others[0]}((base + at_${j}) * ${head}, u);\nlet b_${j} = load_${others[1]}((base + at_${j}) * ${head}, u);`)}
      ${rows((i) => `let x_${i} = ${own[0]}_${i}[u];\nlet y_${i} = ${own[1]}_${i}[u];`)}
      ${pairs((i, j) => `s_${i}_${j} += dot(x_${i}, a_${j});\nd_${i}_${j} += dot(y_${i}, b_${j});`)}
    }`
}

const makeQueryGradient = variants((whole: boolean, room: number) => {
  const { block, rows, steps, pairs, over, own, others, bring, store, step } = backwards
  const form = anyHeads(whole)
  const type = featuresType(form)
  return kernel({
    name: 'attention-query-gradient-plain',
    params: attentionParams,
    buffers: { q: type, k: type, v: type, segments: 'array<i32>', dOut: type, sums: 'array<vec4<f32>>', dq: type },
    writes: ['dq'],
    workgroup: [LANES],
    code: `${loading(form, 'q', 'k', 'v', 'dOut')}${storing(form, 'dq')}
fn main(${ARGUMENTS}) {${queryBlock(block)}${own}
  ${bring('query', 'q', HEAD, room)}
  ${bring('slope', 'dOut', HEAD, room)}
  let kept = (workgroup.z * params.heads + head) * params.length;
  ${rows((i) => `let of_${i} = sums[kept + clamped_${i}];\nvar dq_${i}: array<vec4<f32>, ${room}>;`)}
  for (var at = start; at < end; at += ${step}u) {
    ${others}
    ${bothProducts(['query', 'slope'], ['k', 'v'], KEY_HEAD)}
    ${pairs(
      (i, j) => `
    let p_${i}_${j} = exp(s_${i}_${j} * params.scale - of_${i}.x) * of_${i}.y;
    let w_${i}_${j} = select(0.0, p_${i}_${j} * (d_${i}_${j} - of_${i}.z), at + ${j}u <= own_${i} && belongs_${j} == segment_${i});`,
    )}
    ${UNITS} {
      ${steps((j) => `let a_${j} = load_k((base + at_${j}) * ${KEY_HEAD}, u);`)}
      ${rows(
        (i) =>
          `dq_${i}[u] += ${over(
            (j) => `w_${i}_${j} * a_${j}`,
            (a, b) => `${a} + ${b}`,
          )};`,
      )}
    }
  }
  ${store('dq', 'dq', () => 'params.scale', HEAD)}
}`,
  })
})

const makeKeyGradient = variants((whole: boolean, room: number) => {
  const { block, rows, steps, pairs, over, own, others, bring, store, step } = backwards
  const form = anyHeads(whole)
  const type = featuresType(form)
  const sum = (weight: string, name: string, i: number) =>
    over(
      (j) => `${weight}_${i}_${j} * ${name}_${j}`,
      (a, b) => `${a} + ${b}`,
    )
  return kernel({
    name: 'attention-key-gradient-plain',
    params: attentionParams,
    buffers: {
      q: type,
      k: type,
      v: type,
      segments: 'array<i32>',
      dOut: type,
      sums: 'array<vec4<f32>>',
      dk: type,
      dv: type,
    },
    writes: ['dk', 'dv'],
    workgroup: [LANES],
    code: `${loading(form, 'q', 'k', 'v', 'dOut')}${storing(form, 'dk', 'dv')}
fn main(${ARGUMENTS}) {${keyBlock(block)}${own}
  ${bring('key', 'k', KEY_HEAD, room)}
  ${bring('value', 'v', KEY_HEAD, room)}
  ${rows((i) => `var dk_${i}: array<vec4<f32>, ${room}>;\nvar dv_${i}: array<vec4<f32>, ${room}>;`)}
  for (var head = keyHead * group; head < (keyHead + 1u) * group; head++) {
    let kept = (workgroup.z * params.heads + head) * params.length;
    for (var at = first; at < end; at += ${step}u) {
      ${others}
      ${steps((j) => `let of_${j} = sums[kept + at_${j}];`)}
      ${bothProducts(['key', 'value'], ['q', 'dOut'], HEAD)}
      ${pairs(
        (i, j) => `
      let looks_${i}_${j} = own_${i} <= at + ${j}u && at + ${j}u < params.length && belongs_${j} == segment_${i};
      let p_${i}_${j} = select(0.0, exp(s_${i}_${j} * params.scale - of_${j}.x) * of_${j}.y, looks_${i}_${j});
      let w_${i}_${j} = p_${i}_${j} * (d_${i}_${j} - of_${j}.z);`,
      )}
      ${UNITS} {
        ${steps((j) => `let a_${j} = load_q((base + at_${j}) * ${HEAD}, u);\nlet b_${j} = load_dOut((base + at_${j}) * ${HEAD}, u);`)}
        ${rows((i) => `dk_${i}[u] += ${sum('w', 'a', i)};\ndv_${i}[u] += ${sum('p', 'b', i)};`)}
      }
    }
  }
  ${store('dk', 'dk', () => 'params.scale', KEY_HEAD)}
  ${store('dv', 'dv', () => '1.0', KEY_HEAD)}
}`,
  })
})

/** Of a kernel's maker, what takes the size of heads. */
function of<B extends string>(
  { block }: { readonly block: number },
  make: (whole: boolean, room: number) => AttentionKernel<B>['kernel'],
): (headSize: number) => AttentionKernel<B> {
  return (headSize) => ({ block, kernel: make(headSize % 4 === 0, roomFor(headSize)) })
}

/** O = softmax(Q Kᵀ) V, some keys at a time, with the largest score so far subtracted. */
export const forward = of(forwards, makeForward)

/** dQ = dS K / √headSize, some keys at a time. */
export const queryGradient = of(backwards, makeQueryGradient)

/** dV = Pᵀ dO and dK = dSᵀ Q / √headSize, some queries at a time of all heads that share the keys. */
export const keyGradient = of(backwards, makeKeyGradient)
