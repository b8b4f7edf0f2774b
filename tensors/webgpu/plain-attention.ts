import { type AttentionKernel, attentionParams, keyBlock, NEVER, queryBlock } from './attention-kernel.js'
import { each, featuresType, loading, storing, unitsOf } from './head-features.js'
import { ARGUMENTS, kernel, variants } from './kernels.js'

/** Invocations that go through the other side together, so that they read the same at the same time. */
const LANES = 8

/** Queries or keys of one invocation: what is read is used for as many products. */
const ROWS = 2

/** Keys between two looks at the largest score. */
const KEYS = 4

const rows = (line: (i: number) => string) => each(ROWS, line)

/** `own_i`: which tokens of the row are the invocation's, `segment_i` what they belong to, `clamped_i` one that is there in any case. */
const OWN = rows(
  (i) => `
  let own_${i} = first + local + ${LANES * i}u;
  let clamped_${i} = min(own_${i}, params.length - 1u);
  let segment_${i} = segments[base + clamped_${i}];`,
)

/** The invocation's rows of a buffer, kept in `NAME_i`. */
function bring(name: string, from: string, head: string, headSize: number): string {
  const units = unitsOf(headSize)
  return rows(
    (i) => `
  var ${name}_${i}: array<vec4<f32>, ${units}>;
  for (var u = 0u; u < ${units}u; u++) { ${name}_${i}[u] = load_${from}((base + clamped_${i}) * ${head}, u); }`,
  )
}

function store(to: string, name: string, factor: (i: number) => string, head: string, headSize: number): string {
  return rows(
    (i) => `
  if (own_${i} < params.length) {
    for (var u = 0u; u < ${unitsOf(headSize)}u; u++) { store_${to}((base + own_${i}) * ${head}, u, ${name}_${i}[u] * ${factor(i)}); }
  }`,
  )
}

const HEAD = 'params.heads + head'
const KEY_HEAD = 'params.keyHeads + keyHead'

/** O = softmax(Q Kᵀ) V, key by key, with the largest score so far subtracted. */
export const forward = variants(
  (headSize: number): AttentionKernel<'q' | 'k' | 'v' | 'segments' | 'out' | 'statistics'> => {
    const type = featuresType(headSize)
    const units = unitsOf(headSize)
    const keys = (line: (j: number) => string) => each(KEYS, line)
    const pairs = (line: (i: number, j: number) => string) => rows((i) => keys((j) => line(i, j)))
    const over = (i: number, name: string, join: (a: string, b: string) => string) =>
      Array.from({ length: KEYS }, (_, j) => `${name}_${i}_${j}`).reduce(join)
    return {
      block: LANES * ROWS,
      kernel: kernel({
        name: 'attention-plain',
        params: attentionParams,
        buffers: { q: type, k: type, v: type, segments: 'array<i32>', out: type, statistics: 'array<vec2<f32>>' },
        writes: ['out', 'statistics'],
        workgroup: [LANES],
        code: `${['q', 'k', 'v'].map((name) => loading(name, headSize)).join('\n')}${storing('out', headSize)}
fn main(${ARGUMENTS}) {${queryBlock(LANES * ROWS)}${OWN}
  ${bring('query', 'q', HEAD, headSize)}
  ${rows(
    (i) => `
  var largest_${i} = ${NEVER};
  var sum_${i} = 0.0;
  var out_${i}: array<vec4<f32>, ${units}>;`,
  )}
  for (var key = start; key < end; key += ${KEYS}u) {
    ${keys((j) => `let at_${j} = min(key + ${j}u, params.length - 1u);\nlet of_${j} = segments[base + at_${j}];`)}
    ${pairs((i, j) => `var s_${i}_${j} = 0.0;`)}
    for (var u = 0u; u < ${units}u; u++) {
      ${keys((j) => `let k_${j} = load_k((base + at_${j}) * ${KEY_HEAD}, u);`)}
      ${pairs((i, j) => `s_${i}_${j} += dot(query_${i}[u], k_${j});`)}
    }
    ${pairs((i, j) => `s_${i}_${j} = select(${NEVER}, s_${i}_${j} * params.scale, key + ${j}u <= own_${i} && of_${j} == segment_${i});`)}
    ${rows(
      (i) => `
    let most_${i} = max(largest_${i}, ${over(i, 's', (a, b) => `max(${a}, ${b})`)});
    let before_${i} = exp(largest_${i} - most_${i});
    largest_${i} = most_${i};
    ${keys((j) => `let p_${i}_${j} = select(0.0, exp(s_${i}_${j} - most_${i}), s_${i}_${j} > ${NEVER});`)}
    sum_${i} = sum_${i} * before_${i} + ${over(i, 'p', (a, b) => `${a} + ${b}`)};`,
    )}
    for (var u = 0u; u < ${units}u; u++) {
      ${keys((j) => `let v_${j} = load_v((base + at_${j}) * ${KEY_HEAD}, u);`)}
      ${rows((i) => {
        const added = Array.from({ length: KEYS }, (_, j) => `p_${i}_${j} * v_${j}`).join(' + ')
        return `out_${i}[u] = out_${i}[u] * before_${i} + ${added};`
      })}
    }
  }
  ${rows(
    (i) => `
  if (own_${i} < params.length) {
    statistics[(workgroup.z * params.heads + head) * params.length + own_${i}] = vec2<f32>(largest_${i}, 1.0 / sum_${i});
  }`,
  )}
  ${store('out', 'out', (i) => `(1.0 / sum_${i})`, HEAD, headSize)}
}`,
      }),
    }
  },
)

/** dQ = dS K / √headSize, key by key. */
export const queryGradient = variants(
  (headSize: number): AttentionKernel<'q' | 'k' | 'v' | 'segments' | 'dOut' | 'sums' | 'dq'> => {
    const type = featuresType(headSize)
    const units = unitsOf(headSize)
    return {
      block: LANES * ROWS,
      kernel: kernel({
        name: 'attention-query-gradient-plain',
        params: attentionParams,
        buffers: {
          q: type,
          k: type,
          v: type,
          segments: 'array<i32>',
          dOut: type,
          sums: 'array<vec4<f32>>',
          dq: type,
        },
        writes: ['dq'],
        workgroup: [LANES],
        code: `${['q', 'k', 'v', 'dOut'].map((name) => loading(name, headSize)).join('\n')}${storing('dq', headSize)}
fn main(${ARGUMENTS}) {${queryBlock(LANES * ROWS)}${OWN}
  ${bring('query', 'q', HEAD, headSize)}
  ${bring('slope', 'dOut', HEAD, headSize)}
  let kept = (workgroup.z * params.heads + head) * params.length;
  ${rows(
    (i) => `
  let of_${i} = sums[kept + clamped_${i}];
  var dq_${i}: array<vec4<f32>, ${units}>;`,
  )}
  for (var key = start; key < end; key++) {
    let belongs = segments[base + key];
    ${rows((i) => `var s_${i} = 0.0;\nvar d_${i} = 0.0;`)}
    for (var u = 0u; u < ${units}u; u++) {
      let four = load_k((base + key) * ${KEY_HEAD}, u);
      let value = load_v((base + key) * ${KEY_HEAD}, u);
      ${rows((i) => `s_${i} += dot(query_${i}[u], four);\nd_${i} += dot(slope_${i}[u], value);`)}
    }
    ${rows(
      (i) => `
    let p_${i} = select(0.0, exp(s_${i} * params.scale - of_${i}.x) * of_${i}.y, key <= own_${i} && belongs == segment_${i});
    let w_${i} = p_${i} * (d_${i} - of_${i}.z);`,
    )}
    for (var u = 0u; u < ${units}u; u++) {
      let four = load_k((base + key) * ${KEY_HEAD}, u);
      ${rows((i) => `dq_${i}[u] += w_${i} * four;`)}
    }
  }
  ${store('dq', 'dq', () => 'params.scale', HEAD, headSize)}
}`,
      }),
    }
  },
)

/** dV = Pᵀ dO and dK = dSᵀ Q / √headSize, query by query of all heads that share the keys. */
export const keyGradient = variants(
  (headSize: number): AttentionKernel<'q' | 'k' | 'v' | 'segments' | 'dOut' | 'sums' | 'dk' | 'dv'> => {
    const type = featuresType(headSize)
    const units = unitsOf(headSize)
    return {
      block: LANES * ROWS,
      kernel: kernel({
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
        code: `${['q', 'k', 'v', 'dOut'].map((name) => loading(name, headSize)).join('\n')}
${['dk', 'dv'].map((name) => storing(name, headSize)).join('\n')}
fn main(${ARGUMENTS}) {${keyBlock(LANES * ROWS)}${OWN}
  ${bring('key', 'k', KEY_HEAD, headSize)}
  ${bring('value', 'v', KEY_HEAD, headSize)}
  ${rows((i) => `var dk_${i}: array<vec4<f32>, ${units}>;\nvar dv_${i}: array<vec4<f32>, ${units}>;`)}
  for (var head = keyHead * group; head < (keyHead + 1u) * group; head++) {
    let kept = (workgroup.z * params.heads + head) * params.length;
    for (var query = first; query < end; query++) {
      let belongs = segments[base + query];
      let sum = sums[kept + query];
      ${rows((i) => `var s_${i} = 0.0;\nvar d_${i} = 0.0;`)}
      for (var u = 0u; u < ${units}u; u++) {
        let four = load_q((base + query) * ${HEAD}, u);
        let slope = load_dOut((base + query) * ${HEAD}, u);
        ${rows((i) => `s_${i} += dot(key_${i}[u], four);\nd_${i} += dot(value_${i}[u], slope);`)}
      }
      ${rows(
        (i) => `
      let p_${i} = select(0.0, exp(s_${i} * params.scale - sum.x) * sum.y, own_${i} <= query && belongs == segment_${i});
      let w_${i} = p_${i} * (d_${i} - sum.z);`,
      )}
      for (var u = 0u; u < ${units}u; u++) {
        let four = load_q((base + query) * ${HEAD}, u);
        let slope = load_dOut((base + query) * ${HEAD}, u);
        ${rows((i) => `dk_${i}[u] += w_${i} * four;\ndv_${i}[u] += p_${i} * slope;`)}
      }
    }
  }
  ${store('dk', 'dk', () => 'params.scale', KEY_HEAD, headSize)}
  ${store('dv', 'dv', () => '1.0', KEY_HEAD, headSize)}
}`,
      }),
    }
  },
)
