import { matmulModel } from "./onnx.mjs";
import { versionOf } from "./versions.mjs";

/** onnxruntime-web with its WebGPU execution provider, inputs and outputs staying on the device. */
export async function open({ device }) {
  // By its path: the package gives Node a build without WebGPU.
  const ort = await import(
    new URL("node_modules/onnxruntime-web/dist/ort.webgpu.bundle.min.mjs", import.meta.url).href
  );
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  ort.env.webgpu.device = device;
  return {
    name: "onnxruntime-web",
    version: versionOf("onnxruntime-web"),
    async matmul({ size, a, b }) {
      const dims = [size, size];
      const session = await ort.InferenceSession.create(matmulModel(size), {
        executionProviders: ["webgpu"],
        preferredOutputLocation: "gpu-buffer",
      });
      const used = await ort.env.webgpu.device;
      if (used !== device) throw new Error("onnxruntime-web runs on a device of its own");
      const upload = (data) => {
        const gpuBuffer = device.createBuffer({ size: data.byteLength, usage: 0x8c });
        device.queue.writeBuffer(gpuBuffer, 0, data);
        return ort.Tensor.fromGpuBuffer(gpuBuffer, { dataType: "float32", dims });
      };
      const feeds = { a: upload(a), b: upload(b) };
      return {
        async runs(count) {
          for (let i = 0; i < count; i++) (await session.run(feeds)).y.dispose();
        },
        async result() {
          const { y } = await session.run(feeds);
          return y.getData(true);
        },
        dispose: () => session.release(),
      };
    },
  };
}
