import { createRequire } from "node:module";
import { matmulModel } from "./onnx.mjs";
import { versionOf } from "./versions.mjs";

const CHAIN = 8;

/**
 * onnxruntime-node with the WebGPU of its own Dawn, so not our device, but the same driver. It copies inputs and outputs
 * at every run; a run is therefore a chain of products whose sum alone comes back.
 */
export async function open({ driver }) {
  const require = createRequire(import.meta.url);
  if (driver.vulkanManifest) process.env.VK_ICD_FILENAMES = driver.vulkanManifest;
  const ort = require("onnxruntime-node");
  const known = ort.listSupportedBackends?.().map(({ name }) => name) ?? [];
  if (!known.includes("webgpu")) throw new Error(`this build of onnxruntime-node has ${known.join(", ")} alone`);
  const options = { executionProviders: ["webgpu"], logSeverityLevel: 3 };
  return {
    name: "onnxruntime-node",
    version: versionOf("onnxruntime-node"),
    async matmul({ size, a, b }) {
      const once = await ort.InferenceSession.create(matmulModel(size), options);
      // Shrunk, so that a chain of products neither grows nor vanishes.
      const small = b.map((value) => value / Math.sqrt(size));
      const chain = await ort.InferenceSession.create(matmulModel(size, { chain: CHAIN, b: small }), options);
      const tensor = (data) => new ort.Tensor("float32", data, [size, size]);
      const x = tensor(a);
      return {
        each: CHAIN,
        async runs(count) {
          for (let i = 0; i < count; i++) await chain.run({ a: x });
        },
        result: async () => (await once.run({ a: x, b: tensor(b) })).y.data,
        async dispose() {
          await once.release();
          await chain.release();
        },
      };
    },
  };
}
