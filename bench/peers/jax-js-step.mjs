// nanoGPT's training step in jax-js's public API: one jitted function of weights, moments and tokens. AdamW by hand. It
// has no gradient of a gather, so an embedding is a product with one-hot rows.
//
// Arrays are counted: every function eats its arguments, `.ref` keeps one for another use.

const PARTS = [
  "ln_1.weight",
  "attn.c_attn.weight",
  "attn.c_proj.weight",
  "ln_2.weight",
  "mlp.c_fc.weight",
  "mlp.c_proj.weight",
];

/** given: { config, shape, parameters: { name: { shape, data } }, tokens, labels, options, scalars(step) }. */
export function createStep(jax, { config, shape, parameters, tokens, labels, options, scalars }) {
  if (config.bias || config.activation !== "gelu")
    throw new Error("the step for jax-js is nanoGPT's: no biases, exact GELU");
  if (shape.context !== config.contextLength) throw new Error("the step for jax-js takes whole contexts");
  const { numpy: np, nn } = jax;
  const { width: C, heads: H, vocabSize: V, layers } = config;
  const { batch: B, context: T } = shape;
  const N = B * T;
  const names = Object.keys(parameters);
  const at = (name) => names.indexOf(name);
  const decays = names.map((name) => parameters[name].shape.length > 1);

  const normalised = (x, gain) => nn.standardize(x, -1, { epsilon: config.layerNormEpsilon }).mul(gain);

  // Its own dotProductAttention takes iterator helpers, which Node 20 has not; it does the same products.
  function attention(q, k, v) {
    const heads = (part) => np.transpose(part.reshape([B, T, H, C / H]), [0, 2, 1, 3]);
    const scores = np.matmul(heads(q), np.transpose(heads(k), [0, 1, 3, 2])).mul(1 / Math.sqrt(C / H));
    const past = np.tri(T, T, 0, { dtype: np.bool });
    const mixed = np.matmul(nn.softmax(np.where(past, scores, -1e9), -1), heads(v));
    return np.transpose(mixed, [0, 2, 1, 3]).reshape([N, C]);
  }

  function block(x, weights) {
    const [ln1, qkvWeight, projection, ln2, inWeight, outWeight] = weights;
    const qkv = np.matmul(normalised(x.ref, ln1), qkvWeight);
    const middle = x.add(np.matmul(attention(...np.split(qkv, 3, 1)), projection));
    const inner = nn.gelu(np.matmul(normalised(middle.ref, ln2), inWeight), { approximate: false });
    return middle.add(np.matmul(inner, outWeight));
  }

  function lossOf(weights, ids, targets) {
    const take = (name) => weights[at(name)].ref;
    const places = np.matmul(nn.oneHot(ids, V).astype(np.float32), take("wte.weight")).reshape([B, T, C]);
    let x = places.add(take("wpe.weight")).reshape([N, C]);
    for (let layer = 0; layer < layers; layer++)
      x = block(
        x,
        PARTS.map((part) => take(`h.${layer}.${part}`)),
      );
    const logits = np.matmul(normalised(x, take("ln_f.weight")), np.transpose(take("wte.weight")));
    const loss = nn
      .logSoftmax(logits, -1)
      .mul(nn.oneHot(targets, V).astype(np.float32))
      .sum()
      .mul(-1 / N);
    for (const weight of weights) weight.dispose();
    return loss;
  }

  const step = jax.jit((weights, m, v, ids, targets, rate, correction1, correction2) => {
    const [loss, gradients] = jax.valueAndGrad(lossOf)(
      weights.map((weight) => weight.ref),
      ids,
      targets,
    );
    const squares = gradients.map((g) => np.square(g.ref).sum());
    const norm = np.sqrt(squares.reduce((a, b) => a.add(b)));
    const clip = np.minimum(np.array(options.maxGradNorm).div(norm.ref.add(1e-6)), 1);
    const next = weights.map((weight, i) => {
      const g = gradients[i].mul(clip.ref);
      const newM = m[i].mul(options.beta1).add(g.ref.mul(1 - options.beta1));
      const newV = v[i].mul(options.beta2).add(np.square(g).mul(1 - options.beta2));
      const scale = np.sqrt(newV.ref.mul(correction2.ref)).add(options.epsilon);
      const change = newM.ref.mul(correction1.ref).div(scale).mul(rate.ref);
      const kept = decays[i] ? weight.mul(rate.ref.mul(-options.weightDecay).add(1)) : weight;
      return [kept.sub(change), newM, newV];
    });
    for (const used of [clip, rate, correction1, correction2]) used.dispose();
    return [loss, norm, ...[0, 1, 2].map((part) => next.map((one) => one[part]))];
  });

  const array = ({ shape: dims, data }) => np.array(data).reshape(dims);
  let weights = names.map((name) => array(parameters[name]));
  const zeros = () => names.map((name) => np.zeros(parameters[name].shape));
  let [m, v] = [zeros(), zeros()];
  const ids = np.array(Int32Array.from(tokens), { dtype: np.int32 });
  const targets = np.array(labels, { dtype: np.int32 });
  return {
    /** Runs step `n`, counted from 1, and waits for its loss and gradient norm. */
    async run(n) {
      const { learningRate, corrections } = scalars(n);
      const given = [learningRate, ...corrections].map((value) => np.array(value));
      const [loss, norm, ...state] = step(weights, m, v, ids.ref, targets.ref, ...given);
      [weights, m, v] = state;
      const [[lossValue], [normValue]] = await Promise.all([loss.data(), norm.data()]);
      return { loss: lossValue, norm: normValue };
    },
    dispose() {
      for (const one of [...weights, ...m, ...v, ids, targets]) one.dispose();
    },
  };
}
