import type * as tf from '../tf.js'
import {
  ARGUMENTS,
  type Bound,
  type Encoder,
  type Gpu,
  gpuKernels,
  type Kernel,
  kernel,
  variants,
  WORKGROUP_INDEX,
} from './kernels.js'
import { workgroupBefore, workgroupReduce, workgroupSum } from './reduce.js'

/** Tokens whose weights are added by one workgroup. */
const PART = 4096
/** Parts of a vocabulary, at most: a workgroup that draws holds them all. */
const MOST_PARTS = 128

/** How tokens are drawn, all rows alike: penalty, temperature, top-k, top-p, and one uniform number over the tokens left. */
export interface TokenSampling {
  /** Logits are divided by it, above 0; 0 takes the likeliest, the lowest of equal ones. */
  readonly temperature: number
  /** Only so many of the likeliest tokens may be drawn; 0 for all. */
  readonly topK: number
  /** Only the likeliest tokens that together have this probability may be drawn, in (0, 1]. */
  readonly topP: number
  /** Logits of seen tokens are divided by it where positive, else multiplied. */
  readonly repetitionPenalty: number
}

/** Which tokens there were before, a bit each. */
export interface SeenTokens {
  /** [slots, {@link seenWords}] u32: token t is bit t % 32 of word ⌊t / 32⌋ */
  readonly seen: Bound
  /** [rows] i32: a row's slot, which is no other row's */
  readonly slots: Bound
}

/** What tokens are drawn from, and where to. */
export interface TokenDraws {
  readonly rows: number
  /** Tokens, at most {@link MOST_TOKENS}. */
  readonly vocabulary: number
  readonly sampling: TokenSampling
  /** [rows, vocabulary] f32 */
  readonly logits: Bound
  /** [rows] f32 in [0, 1); not read where the temperature is 0 */
  readonly uniforms: Bound
  /** For the penalty, where it is not 1: a token that is drawn is marked. */
  readonly before?: SeenTokens
  /** [rows] i32, written: the token; {@link NAN_LOGIT} or {@link NOT_FINITE}. */
  readonly tokens: Bound
  /** [rows] f32, written: the natural logarithm of the probability with which it was drawn; 0 where the temperature is 0, and where none was. */
  readonly logProbs: Bound
  /** {@link samplingScratch} numbers of 4 bytes, overwritten. */
  readonly scratch: Bound
}

/** Instead of a token: a logit is NaN. */
export const NAN_LOGIT = -1
/** Instead of a token: the largest logit is infinite, +∞ or -∞. */
export const NOT_FINITE = -2
export const MOST_TOKENS = PART * MOST_PARTS

/** Numbers of 4 bytes that {@link sampleTokensInto} needs to work in. */
export function samplingScratch(rows: number, vocabulary: number): number {
  return 4 * (2 * rows * partsOf(vocabulary) + rows)
}

/** Words in which a slot's tokens are marked. */
export function seenWords(vocabulary: number): number {
  return Math.ceil(vocabulary / 32)
}

function partsOf(vocabulary: number): number {
  return Math.ceil(vocabulary / PART)
}

/**
 * Logits as whole numbers in the same order, equal where they are equal: a token's `key`. That of NaN is the largest.
 * The penalty is among them. Numbers are told apart by bits: compilers may take it that none is NaN or infinite.
 */
const keys = (penalised: boolean) => `
const NAN = 0xffffffffu;
const MINUS_INFINITY = 0x007fffffu;
const INFINITY = 0xff800000u;
fn keyAt(row: u32, token: u32) -> u32 {
  var bits = logits[row * params.vocabulary + token];
  if ((bits & 0x7fffffffu) > 0x7f800000u) { return NAN; }
${
  penalised
    ? `  if (((seen[u32(slots[row]) * params.words + token / 32u] >> (token % 32u)) & 1u) != 0u) {
    let logit = bitcast<f32>(bits);
    bits = bitcast<u32>(select(logit / params.penalty, logit * params.penalty, logit < 0.0));
  }`
    : ''
}
  if (bits == 0x80000000u) { bits = 0u; }
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}
fn logitOf(key: u32) -> f32 { return bitcast<f32>(select(~key, key & 0x7fffffffu, key >= 0x80000000u)); }
/** The logarithm of a token's weight, which is 1 for the likeliest. */
fn exponent(key: u32, most: f32) -> f32 { return max((logitOf(key) - most) * params.inverse, -200.0); }
fn weight(key: u32, most: f32) -> f32 { return exp(exponent(key, most)); }`

const params = {
  rows: 'u32',
  vocabulary: 'u32',
  parts: 'u32',
  words: 'u32',
  inverse: 'f32',
  penalty: 'f32',
  topK: 'u32',
  topP: 'f32',
} as const

type Param = keyof typeof params

const readBy = (penalised: boolean) => ({
  logits: 'array<u32>',
  ...(penalised && { seen: 'array<u32>', slots: 'array<i32>' }),
})

/** Each part's largest key, its token, and the sum of the weights with that one's as 1. */
const parts = variants(
  (size: number, penalised: boolean, greedy: boolean): Kernel<Param, string> => ({
    name: 'sample-tokens-parts',
    params,
    buffers: { ...readBy(penalised), scratch: 'array<vec4<u32>>' },
    writes: ['scratch'],
    workgroup: [size],
    code: `${keys(penalised)}
${workgroupReduce('largest', size, (a, b) => `max(${a}, ${b})`, 'u32')}
${workgroupReduce('lowest', size, (a, b) => `min(${a}, ${b})`, 'u32')}
${greedy ? '' : workgroupSum('add', size)}
fn main(${ARGUMENTS}) {
  let place = ${WORKGROUP_INDEX};
  let row = place / params.parts;
  if (row >= params.rows) { return; }
  let first = (place % params.parts) * ${PART}u;
  let end = min(first + ${PART}u, params.vocabulary);
  var own = 0u;
  var token = NAN;
  for (var i = first + local; i < end; i += ${size}u) {
    let key = keyAt(row, i);
    if (key > own) {
      own = key;
      token = i;
    }
  }
  let most = largest(own, local);
  let likeliest = lowest(select(NAN, token, own == most), local);
  var sum = 0.0;
${
  greedy
    ? ''
    : `  let logit = logitOf(most);
  for (var i = first + local; i < end; i += ${size}u) { sum += weight(keyAt(row, i), logit); }
  sum = add(sum, local);`
}
  if (local == 0u) { scratch[place] = vec4<u32>(most, likeliest, bitcast<u32>(sum), 0u); }
}`,
  }),
)

/** Bits of a key by which tokens are sorted into bins at once: few tokens are done sooner than many bins. */
const bitsFor = (vocabulary: number) => (vocabulary > 2 ** 13 ? 10 : 8)

/**
 * Where each row is cut off by top-k and top-p: the lowest key that stays, and how many tokens with that key do.
 *
 * The bin with the last token that stays is looked for by the key's first bits, then within it by the next. Weights are whole numbers of 2^-45, so
 * that their sums are exact and come in any order.
 */
const cut = variants(
  (size: number, bits: number, penalised: boolean): Kernel<Param, string> => ({
    name: 'sample-tokens-cut',
    params,
    buffers: { ...readBy(penalised), scratch: 'array<vec4<u32>>' },
    writes: ['scratch'],
    workgroup: [size],
    code: `${keys(penalised)}
const BINS = ${2 ** bits}u;
const ALL = 0xffffffffu;
var<workgroup> counts: array<atomic<u32>, BINS>;
var<workgroup> wholes: array<atomic<u32>, BINS>;
var<workgroup> fractions: array<atomic<u32>, BINS>;
var<workgroup> countSums: array<u32, ${size}>;
var<workgroup> weightSums: array<vec2<u32>, ${size}>;
struct Bin { place: u32, count: u32, countBefore: u32, weight: vec2<u32>, before: vec2<u32>, wanted: vec2<u32> }
var<workgroup> chosen: Bin;

/** Weights of 2^-13, and 2^-32 of these. */
fn fixed(x: f32) -> vec2<u32> {
  let whole = floor(x * 8192.0);
  return vec2<u32>(u32(whole), u32((x * 8192.0 - whole) * 4294967296.0));
}
fn floating(a: vec2<u32>) -> f32 { return (f32(a.x) + f32(a.y) / 4294967296.0) / 8192.0; }
fn plus(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
  let low = a.y + b.y;
  return vec2<u32>(a.x + b.x + select(0u, 1u, low < a.y), low);
}
fn minus(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> { return vec2<u32>(a.x - b.x - select(0u, 1u, a.y < b.y), a.y - b.y); }
fn under(a: vec2<u32>, b: vec2<u32>) -> bool { return a.x < b.x || (a.x == b.x && a.y < b.y); }

struct Cut { low: u32, ties: u32, sum: f32 }

/** The first tokens from the likeliest on that are \`number\`, or, where \`share\` is not 0, that have this share of \`all\` (of all there is, where that
 *  is 0) together. */
fn search(row: u32, most: f32, number: u32, share: f32, all: f32, local: u32) -> Cut {
  let byWeight = share > 0.0;
  var prefix = 0u;
  var shift = 32u;
  var countBefore = 0u;
  var before = vec2<u32>();
  var wanted = vec2<u32>();
  loop {
    let above = shift;
    let bits = min(shift, ${bits}u);
    shift -= bits;
    let mask = (1u << bits) - 1u;
    for (var bin = local; bin < BINS; bin += ${size}u) {
      atomicStore(&counts[bin], 0u);
      atomicStore(&wholes[bin], 0u);
      atomicStore(&fractions[bin], 0u);
    }
    workgroupBarrier();
    for (var token = local; token < params.vocabulary; token += ${size}u) {
      let key = keyAt(row, token);
      if (above < 32u && (key >> above) != prefix) { continue; }
      let bin = mask - ((key >> shift) & mask);
      let own = fixed(weight(key, most));
      atomicAdd(&counts[bin], 1u);
      if (own.y != 0u) {
        let fraction = atomicAdd(&fractions[bin], own.y);
        if (fraction + own.y < fraction) { atomicAdd(&wholes[bin], 1u); }
      }
      if (own.x != 0u) { atomicAdd(&wholes[bin], own.x); }
    }
    workgroupBarrier();

    var count = 0u;
    var sum = vec2<u32>();
    for (var bin = local * BINS / ${size}u; bin < (local + 1u) * BINS / ${size}u; bin++) {
      count += atomicLoad(&counts[bin]);
      sum = plus(sum, vec2<u32>(atomicLoad(&wholes[bin]), atomicLoad(&fractions[bin])));
    }
    if (local == 0u) {
      count += countBefore;
      sum = plus(sum, before);
    }
    for (var step = 1u; step < ${size}u; step <<= 1u) {
      countSums[local] = count;
      weightSums[local] = sum;
      workgroupBarrier();
      if (local >= step) {
        count += countSums[local - step];
        sum = plus(sum, weightSums[local - step]);
      }
      workgroupBarrier();
    }
    countSums[local] = count;
    weightSums[local] = sum;
    workgroupBarrier();

    if (above == 32u) {
      let total = weightSums[${size - 1}u];
      wanted = fixed(share * select(floating(total), all, all > 0.0));
      if (under(total, wanted)) { wanted = total; }
      if (wanted.x == 0u && wanted.y == 0u) { wanted.y = 1u; }
    }
    var lastCount = countBefore;
    var last = before;
    if (local > 0u) {
      lastCount = countSums[local - 1u];
      last = weightSums[local - 1u];
    }
    let reachedBefore = select(lastCount >= number, !under(last, wanted), byWeight);
    let reached = select(count >= number, !under(sum, wanted), byWeight);
    if (reached && !reachedBefore) {
      for (var bin = local * BINS / ${size}u; bin < (local + 1u) * BINS / ${size}u; bin++) {
        let inBin = atomicLoad(&counts[bin]);
        let own = vec2<u32>(atomicLoad(&wholes[bin]), atomicLoad(&fractions[bin]));
        let sumToBin = plus(last, own);
        if (select(lastCount + inBin >= number, !under(sumToBin, wanted), byWeight)) {
          chosen = Bin(bin, inBin, lastCount, own, last, wanted);
          break;
        }
        lastCount += inBin;
        last = sumToBin;
      }
    }
    let found = workgroupUniformLoad(&chosen);
    prefix = (prefix << bits) | (mask - found.place);
    countBefore = found.countBefore;
    before = found.before;
    let whole = found.count == 1u || (!byWeight && number - countBefore == found.count);
    if (whole) { return Cut(prefix << shift, ALL, floating(plus(before, found.weight))); }
    if (shift == 0u) {
      let each = weight(prefix, most);
      var ties = number - countBefore;
      if (byWeight) { ties = clamp(u32(ceil(floating(minus(found.wanted, before)) / each)), 1u, found.count); }
      return Cut(prefix, ties, floating(before) + f32(ties) * each);
    }
  }
}

fn main(${ARGUMENTS}) {
  let row = ${WORKGROUP_INDEX};
  if (row >= params.rows) { return; }
  var key = 0u;
  for (var part = 0u; part < params.parts; part++) { key = max(key, scratch[row * params.parts + part].x); }
  let most = logitOf(key);
  var kept = Cut(0u, ALL, 0.0);
  // In a loop, so that there is one search to compile: top-k, then top-p of what it left. A sum that lies below by rounding alone is enough.
  for (var turn = select(1u, 0u, params.topK > 0u); turn < select(1u, 2u, params.topP < 1.0); turn++) {
    let share = select(0.0, params.topP * (1.0 - 1.0 / 4194304.0), turn == 1u);
    let found = search(row, most, params.topK, share, kept.sum, local);
    if (found.low > kept.low || (found.low == kept.low && found.ties < kept.ties)) { kept = found; }
  }
  if (local == 0u) { scratch[2u * params.rows * params.parts + row] = vec4<u32>(kept.low, kept.ties, key, 0u); }
}`,
  }),
)

/** Each part's sum of the weights above the cut, and how many tokens are at it. */
const kept = variants(
  (size: number, penalised: boolean): Kernel<Param, string> => ({
    name: 'sample-tokens-kept',
    params,
    buffers: { ...readBy(penalised), scratch: 'array<vec4<u32>>' },
    writes: ['scratch'],
    workgroup: [size],
    code: `${keys(penalised)}
${workgroupSum('add', size)}
${workgroupReduce('count', size, (a, b) => `${a} + ${b}`, 'u32')}
fn main(${ARGUMENTS}) {
  let place = ${WORKGROUP_INDEX};
  let row = place / params.parts;
  if (row >= params.rows) { return; }
  let first = (place % params.parts) * ${PART}u;
  let end = min(first + ${PART}u, params.vocabulary);
  let cut = scratch[2u * params.rows * params.parts + row];
  let most = logitOf(cut.z);
  var sum = 0.0;
  var ties = 0u;
  for (var i = first + local; i < end; i += ${size}u) {
    let key = keyAt(row, i);
    if (key > cut.x) { sum += weight(key, most); }
    if (key == cut.x) { ties++; }
  }
  sum = add(sum, local);
  ties = count(ties, local);
  if (local == 0u) { scratch[params.rows * params.parts + place] = vec4<u32>(bitcast<u32>(sum), ties, 0u, 0u); }
}`,
  }),
)

type Mode = 'greedy' | 'all' | 'cut'

/** The part in which the sum of the weights first is above what was drawn, and in it the token. */
const draw = variants(
  (size: number, penalised: boolean, mode: Mode): Kernel<Param, string> => ({
    name: 'sample-tokens-draw',
    params,
    buffers: {
      ...(mode === 'greedy' ? penalised && { seen: 'array<u32>', slots: 'array<i32>' } : readBy(penalised)),
      ...(mode !== 'greedy' && { uniforms: 'array<f32>' }),
      scratch: 'array<vec4<u32>>',
      tokens: 'array<i32>',
      logProbs: 'array<f32>',
    },
    writes: ['tokens', 'logProbs', ...(penalised ? ['seen'] : [])],
    workgroup: [size],
    code: `${mode === 'greedy' ? greedily : drawn(size, penalised, mode)}
fn main(${ARGUMENTS}) {
  let row = ${WORKGROUP_INDEX};
  if (row >= params.rows) { return; }
  let found = token(row, local);
  if (local == 0u) {
    let valid = found.key > 0x007fffffu && found.key < 0xff800000u;
    tokens[row] = select(select(${NOT_FINITE}i, ${NAN_LOGIT}i, found.key == 0xffffffffu), i32(found.token), valid);
    logProbs[row] = select(0.0, found.logProb, valid);
${
  penalised
    ? `    if (valid) {
      let word = u32(slots[row]) * params.words + found.token / 32u;
      seen[word] = seen[word] | (1u << (found.token % 32u));
    }`
    : ''
}
  }
}`,
  }),
)

/** What was found; the key is the row's largest, which tells whether it is a token at all. */
const FOUND = 'struct Found { key: u32, token: u32, logProb: f32 }'

const greedily = `${FOUND}
fn token(row: u32, local: u32) -> Found {
  var likeliest = vec4<u32>();
  if (local == 0u) {
    for (var part = 0u; part < params.parts; part++) {
      let other = scratch[row * params.parts + part];
      if (other.x > likeliest.x) { likeliest = other; }
    }
  }
  return Found(likeliest.x, likeliest.y, 0.0);
}`

/** Each invocation adds a run of tokens of its own. */
const drawn = (size: number, penalised: boolean, mode: 'all' | 'cut') => `${keys(penalised)}
${FOUND}
${workgroupBefore('weightBefore', size)}
${mode === 'cut' ? workgroupBefore('tiesBefore', size, 'u32') : ''}
var<workgroup> places: array<vec4<u32>, ${MOST_PARTS}>;
var<workgroup> sums: array<f32, ${MOST_PARTS}>;
${mode === 'cut' ? `var<workgroup> tiesLeft: array<u32, ${MOST_PARTS}>;` : ''}
var<workgroup> drawn: atomic<u32>;
var<workgroup> last: atomic<u32>;

fn token(row: u32, local: u32) -> Found {
  let start = row * params.parts${mode === 'cut' ? ' + params.rows * params.parts' : ''};
  for (var part = local; part < params.parts; part += ${size}u) { places[part] = scratch[start + part]; }
  if (local == 0u) {
    atomicStore(&drawn, NAN);
    atomicStore(&last, 0u);
  }
  workgroupBarrier();
${
  mode === 'cut'
    ? `  let cut = scratch[2u * params.rows * params.parts + row];
  let largest = cut.z;
  let most = logitOf(largest);
  var left = cut.y;
  for (var part = 0u; part < params.parts; part++) {
    let ties = min(places[part].y, left);
    if (part % ${size}u == local) {
      tiesLeft[part] = left;
      sums[part] = bitcast<f32>(places[part].x);
      if (ties > 0u) { sums[part] += f32(ties) * weight(cut.x, most); }
    }
    left -= ties;
  }`
    : `  var largest = 0u;
  for (var part = 0u; part < params.parts; part++) { largest = max(largest, places[part].x); }
  let most = logitOf(largest);
  for (var part = local; part < params.parts; part += ${size}u) {
    sums[part] = bitcast<f32>(places[part].z) * weight(places[part].x, most);
  }`
}
  workgroupBarrier();
  var total = 0.0;
  for (var part = 0u; part < params.parts; part++) { total += sums[part]; }
  let goal = uniforms[row] * total;
  var chosen = 0u;
  var before = 0.0;
  var below = 0.0;
  for (var part = 0u; part < params.parts; part++) {
    // Less of it could have come from weights that are too small for their numbers; the sum of all is 1 at least.
    if (sums[part] > 1e-30) {
      chosen = part;
      before = below;
      below += sums[part];
      if (goal < below) { break; }
    }
  }

  let begin = chosen * ${PART}u + local * ${PART / size}u;
  let end = min(begin + ${PART / size}u, params.vocabulary);
${
  mode === 'cut'
    ? `  var ties = 0u;
  for (var i = begin; i < end; i++) { if (keyAt(row, i) == cut.x) { ties++; } }
  let rank = tiesBefore(ties, local);
  let staying = tiesLeft[chosen];
  ties = rank;`
    : ''
}
  var sum = 0.0;
  for (var i = begin; i < end; i++) {
    let key = keyAt(row, i);
${mode === 'cut' ? stays('sum += weight(key, most);') : '    sum += weight(key, most);'}
  }
  sum = weightBefore(sum, local);
${mode === 'cut' ? '  ties = rank;' : ''}
  for (var i = begin; i < end; i++) {
    let key = keyAt(row, i);
    var own = 0.0;
${mode === 'cut' ? stays('own = weight(key, most);') : '    own = weight(key, most);'}
    if (own > 0.0) {
      sum += own;
      atomicMax(&last, i);
      if (goal - before < sum) {
        atomicMin(&drawn, i);
        break;
      }
    }
  }
  workgroupBarrier();
  // Through rounding none may be above.
  let token = select(atomicLoad(&drawn), atomicLoad(&last), atomicLoad(&drawn) == NAN);
  return Found(largest, token, exponent(keyAt(row, token), most) - log(total));
}`

/** What is done for a token that is not cut off: of those at the cut only the first stay. */
const stays = (then: string) => `    if (key > cut.x || (key == cut.x && ties < staying)) { ${then} }
    if (key == cut.x) { ties++; }`

/** How kernels are run: invocations of a workgroup, powers of 2; those that look for the cut have a row to themselves. */
export interface SamplingVariant {
  readonly size: number
  readonly cutSize: number
}

/** In software one invocation after the other runs until a barrier, so that few have the least to wait for. */
export const SAMPLING_IN_SOFTWARE: SamplingVariant = { size: 8, cutSize: 8 }
export const SAMPLING_ON_CARDS: SamplingVariant = { size: 256, cutSize: 256 }

function variantOf(gpu: Gpu | undefined): SamplingVariant {
  if (!gpu || gpu.inSoftware) return SAMPLING_IN_SOFTWARE
  const { maxComputeInvocationsPerWorkgroup: invocations, maxComputeWorkgroupStorageSize: bytes } = gpu.limits
  return invocations >= 1024 && bytes >= 2 ** 15 ? { size: 256, cutSize: 1024 } : SAMPLING_ON_CARDS
}

/**
 * Draws a token in each row, as `drawToken` of the language models does on the processor: for the same uniform number it is the same, up to rounding.
 *
 * Of top-k exactly the same tokens stay, of equal ones the lowest. Top-p keeps as many as have their share together by sums that are exact for weights in
 * float32 (to 2^-45 of the largest); a sum that is short of the share by less than 2^-22 of it is enough. The token is the first at which the sum of
 * weights, in float32, is above the uniform number of the whole. A weight under 1e-30 of the largest counts as 0.
 *
 * Two dispatches, with top-k or top-p four.
 *
 * @param variant  by default the one for the adapter in use
 * @throws RangeError for more than {@link MOST_TOKENS}, and for a penalty without the tokens that were seen
 */
export function sampleTokensInto(encoder: Encoder, draws: TokenDraws, variant = variantOf(gpuKernels())): void {
  const { rows, vocabulary, sampling, logits, uniforms, before, tokens, logProbs, scratch } = draws
  const { temperature, topK, topP, repetitionPenalty } = sampling
  if (vocabulary > MOST_TOKENS)
    throw new RangeError(
      `sampling: a vocabulary of ${vocabulary} tokens; at most ${MOST_TOKENS} are drawn from on a graphics card`,
    )
  const penalised = repetitionPenalty !== 1
  if (penalised && !before) throw new RangeError('sampling: a repetitionPenalty, and no tokens that were seen')
  const numbers = {
    ...{ rows, vocabulary, parts: partsOf(vocabulary), words: seenWords(vocabulary) },
    // The likeliest's exponent is 0 times it.
    ...{ inverse: temperature === 0 ? 1 : Math.min(1 / temperature, 3e38), penalty: repetitionPenalty },
    // The likeliest has more than so small a share.
    ...{ topK: topK < vocabulary ? topK : 0, topP: Math.max(topP, 1e-30) },
  }
  const mode: Mode = temperature === 0 ? 'greedy' : numbers.topK > 0 || topP < 1 ? 'cut' : 'all'
  const read = { logits, scratch, ...(penalised && before) }
  const { size, cutSize } = variant
  encoder.run(parts(size, penalised, mode === 'greedy'), read, numbers, [rows * numbers.parts])
  if (mode === 'cut') {
    encoder.run(cut(cutSize, bitsFor(vocabulary), penalised), read, numbers, [rows])
    encoder.run(kept(size, penalised), read, numbers, [rows * numbers.parts])
  }
  encoder.run(draw(size, penalised, mode), { ...read, uniforms, tokens, logProbs }, numbers, [rows])
}

/** What {@link sampleTokens} gives. */
export interface SampledTokens {
  readonly tokens: tf.Tensor1D
  readonly logProbs: tf.Tensor1D
}

/** {@link sampleTokensInto} tensors of its own. */
export function sampleTokens(
  gpu: Gpu,
  draws: Omit<TokenDraws, 'tokens' | 'logProbs' | 'scratch'>,
  variant = variantOf(gpu),
): SampledTokens {
  const { rows, vocabulary } = draws
  const tokens = gpu.output<tf.Rank.R1>([rows], 'int32')
  const logProbs = gpu.output<tf.Rank.R1>([rows])
  const scratch = gpu.output<tf.Rank.R1>([samplingScratch(rows, vocabulary)])
  sampleTokensInto(gpu, { ...draws, tokens, logProbs, scratch }, variant)
  scratch.dispose()
  return { tokens, logProbs }
}

const mark = variants((size: number) =>
  kernel({
    name: 'mark-seen',
    params: { prompts: 'u32', words: 'u32' },
    buffers: { seen: 'array<atomic<u32>>', slots: 'array<i32>', tokens: 'array<i32>', starts: 'array<i32>' },
    writes: ['seen'],
    workgroup: [size],
    code: `
fn main(${ARGUMENTS}) {
  let prompt = ${WORKGROUP_INDEX};
  if (prompt >= params.prompts) { return; }
  let slot = u32(slots[prompt]) * params.words;
  for (var word = local; word < params.words; word += ${size}u) { atomicStore(&seen[slot + word], 0u); }
  storageBarrier();
  for (var i = u32(starts[prompt]) + local; i < u32(starts[prompt + 1u]); i += ${size}u) {
    let token = u32(tokens[i]);
    atomicOr(&seen[slot + token / 32u], 1u << (token % 32u));
  }
}`,
  }),
)

/** What a slot's tokens are marked by. */
export interface SeenPrompts {
  readonly prompts: number
  readonly vocabulary: number
  /** As {@link SeenTokens}'. */
  readonly seen: Bound
  /** [prompts] i32 whose slot is cleared and then marked: another one each */
  readonly slots: Bound
  /** i32, one prompt behind the other; all below the vocabulary */
  readonly tokens: Bound
  /** [prompts + 1] i32 where each begins in tokens, and where the last ends */
  readonly starts: Bound
}

/** Forgets which tokens there were in some slots, and marks their prompts'. */
export function markSeenInto(
  encoder: Encoder,
  { prompts, vocabulary, seen, slots, tokens, starts }: SeenPrompts,
  { size } = variantOf(gpuKernels()),
): void {
  encoder.run(mark(size), { seen, slots, tokens, starts }, { prompts, words: seenWords(vocabulary) }, [prompts])
}
