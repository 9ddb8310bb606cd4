import { gradientNormOp } from "../gradient-norm.ts";
import { at, real } from "../wasm.ts";
import { wasmKernel } from "./kernel.ts";

/** Elements of a piece. */
const CHUNK = 32768;

export const gradientNormWasm = wasmKernel(gradientNormOp, ({ gradients }, _outputs, { maxNorm }) => {
  const N = gradients.shape[0]!;
  const pieces = Math.ceil(N / CHUNK);
  const rest = [at("loss"), at("scaler"), at("before"), at("stats"), real(maxNorm)];
  return {
    calls: [
      { kernel: "gradientNormParts", args: [N, CHUNK, at("gradients"), at("sums")], pieces },
      { kernel: "gradientNorm", args: [pieces, at("sums"), ...rest], pieces: 1 },
    ],
    // two numbers of 8 bytes for each piece
    scratch: { sums: { dtype: "f32", length: 4 * Math.max(1, pieces) } },
  };
});
