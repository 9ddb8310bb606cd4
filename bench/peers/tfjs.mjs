import { createRequire } from "node:module";
import { versionOf } from "./versions.mjs";

/** TensorFlow.js with its WebGPU backend. */
export async function open() {
  // Its ES modules have imports without endings, which Node does not take.
  const require = createRequire(import.meta.url);
  const tf = require("@tensorflow/tfjs-core");
  require("@tensorflow/tfjs-backend-cpu");
  require("@tensorflow/tfjs-backend-webgpu");
  if (!(await tf.setBackend("webgpu"))) throw new Error("TF.js did not take its webgpu backend");
  await tf.ready();
  return {
    name: "TF.js",
    version: versionOf("@tensorflow/tfjs-backend-webgpu"),
    async matmul({ size, a, b }) {
      const [left, right] = [tf.tensor2d(a, [size, size]), tf.tensor2d(b, [size, size])];
      return {
        async runs(count) {
          for (let i = 0; i < count; i++) tf.matMul(left, right).dispose();
          // It gathers several products before it submits them.
          const backend = tf.backend();
          backend.endComputePassEncoder();
          if (backend.commandEncoder) backend.submitQueue();
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
