import { createRequire } from "node:module";
import { dirname } from "node:path";
import { versionOf } from "./versions.mjs";

/** TensorFlow.js with its WebGPU backend, or that in WebAssembly (XNNPACK), which takes one thread in Node. */
export async function open({ backend = "webgpu" }) {
  // Its ES modules have imports without endings, which Node does not take.
  const require = createRequire(import.meta.url);
  const tf = require("@tensorflow/tfjs-core");
  require("@tensorflow/tfjs-backend-cpu");
  const { setWasmPaths } = require(`@tensorflow/tfjs-backend-${backend}`);
  setWasmPaths?.(`${dirname(require.resolve("@tensorflow/tfjs-backend-wasm"))}/`);
  if (!(await tf.setBackend(backend))) throw new Error(`TF.js did not take its ${backend} backend`);
  await tf.ready();
  return {
    name: "TF.js",
    version: versionOf(`@tensorflow/tfjs-backend-${backend}`),
    async matmul({ size, a, b }) {
      const [left, right] = [tf.tensor2d(a, [size, size]), tf.tensor2d(b, [size, size])];
      return {
        async runs(count) {
          for (let i = 0; i < count; i++) tf.matMul(left, right).dispose();
          if (backend !== "webgpu") return;
          // It gathers several products before it submits them.
          const webgpu = tf.backend();
          webgpu.endComputePassEncoder();
          if (webgpu.commandEncoder) webgpu.submitQueue();
        },
        async result() {
          const product = tf.matMul(left, right);
          const data = await product.data();
          product.dispose();
          return data;
        },
        dispose: () => tf.dispose([left, right]),
      };
    },
  };
}
