import { versionOf } from "./versions.mjs";

/** jax-js (https://github.com/ekzhang/jax-js), its products under `jit` as its documentation advises. */
export async function open({ backend = "webgpu" }) {
  const jax = await import("@jax-js/jax");
  const devices = await jax.init(backend);
  if (!devices.includes(backend)) throw new Error(`jax-js found no ${backend} device`);
  jax.defaultDevice(backend);
  const { numpy: np } = jax;
  return {
    name: "jax-js",
    version: versionOf("@jax-js/jax"),
    async matmul({ size, a, b }) {
      const [left, right] = [np.array(a).reshape([size, size]), np.array(b).reshape([size, size])];
      const product = jax.jit((x, y) => np.matmul(x, y));
      return {
        async runs(count) {
          const results = Array.from({ length: count }, () => product(left.ref, right.ref));
          // Work is queued by asking whether it is ready; all are asked before any is awaited.
          await Promise.all(results.map((result) => result.blockUntilReady()));
          for (const result of results) result.dispose();
        },
        result: async () => product(left.ref, right.ref).data(),
        dispose() {
          left.dispose();
          right.dispose();
        },
      };
    },
    async step(given) {
      const { createStep } = await import("./jax-js-step.mjs");
      return createStep(jax, given);
    },
  };
}
