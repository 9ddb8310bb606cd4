import type { Gpu } from "../gpu/device.ts";
import { gridOf, read, write } from "../kernels/dispatch.ts";
import { type AnyOp, defineOp, f32 } from "../kernels/op.ts";
import { DEFAULT_TRAITS } from "../kernels/traits.ts";
import { exactly, spread } from "./data.ts";
import type { OpWork } from "./op-work.ts";

const GROUP = 64;
/** Steps of a chain that the shader writes out, one after the other. */
const UNROLLED = 4;
const LANES = 4;
/** What lib and entry points of bench/fma.wgsl have. */
const CHAINS = [1, 2, 4, 8] as const;

/** See shaders/bench/fma.wgsl. settings: [scale, shift]; y: [invocations]. */
const fmaOp = defineOp({
  name: "fma",
  inputs: ["settings"],
  outputs: ["y"],
  attrs: { invocations: GROUP, steps: 1, chains: 1, fused: false },
  shapes: (_inputs, { invocations }) => ({ y: f32([invocations]) }),
  cpu: ({ settings }, { y }, { steps, chains }) => {
    const [scale = 0, shift = 0] = settings.data;
    const ends = Array.from({ length: GROUP }, (_, i) => {
      let sum = 0;
      for (let lane = 0; lane < chains * LANES; lane++) {
        let c = Math.floor(lane / LANES) + [i, 1, 2, 3][lane % LANES]!;
        for (let step = 0; step < steps * UNROLLED; step++) c = c * scale + shift;
        sum += c;
      }
      return sum;
    });
    for (let i = 0; i < y.data.length; i++) y.data[i] = ends[i % GROUP]!;
  },
  gpu: (_inputs, _outputs, { invocations, steps, chains, fused }) => [
    {
      shader: ["bench/fma"],
      entry: `chains${chains}`,
      constants: { N: invocations, STEPS: steps, FUSED: Number(fused) },
      bind: [read("settings"), write("y")],
      grid: [Math.ceil(invocations / GROUP), 1, 1],
    },
  ],
  cost: (_inputs, _outputs, { invocations, steps, chains }) => ({
    flops: 2 * LANES * chains * UNROLLED * steps * invocations,
    bytes: 4 * invocations,
  }),
  cases: [],
});

/** y = x. x, y: [4 N]. */
const copyOp = defineOp({
  name: "copy",
  inputs: ["x"],
  outputs: ["y"],
  shapes: ({ x }) => ({ y: x }),
  cpu: ({ x }, { y }) => y.data.set(x.data),
  gpu: ({ x }, _outputs, _attrs, traits) => [
    {
      shader: ["lib/grid", "bench/copy"],
      entry: "copy",
      constants: { N: x.shape[0]! / LANES },
      bind: [read("x"), write("y")],
      grid: gridOf(Math.ceil(x.shape[0]! / LANES / 512), traits),
    },
  ],
  cost: ({ x }) => ({ flops: 0, bytes: 8 * x.shape[0]! }),
  cases: [],
});

/** The works that the peak is the best of: chains of several numbers, fused or not; and one copy. */
export function peakWorks(
  { kind, limits }: Pick<Gpu, "kind" | "limits">,
  quick: boolean,
): { fma: OpWork[]; copy: OpWork } {
  const hardware = kind === "hardware";
  const invocations = hardware ? 2 ** 20 : 2 ** 14;
  // Enough for some milliseconds: about 100 GFLOP on hardware, 0.5 on a CPU.
  const budget = (hardware ? 1e11 : 5e8) / (quick ? 16 : 1);
  const fma = CHAINS.flatMap((chains) =>
    [true, false].map((fused): OpWork => {
      const steps = Math.max(1, Math.round(budget / (2 * LANES * chains * UNROLLED * invocations)));
      return {
        work: `peak: ${chains * LANES} chains of ${fused ? "fused multiply-adds" : "products and sums"}`,
        op: fmaOp as unknown as AnyOp,
        inputs: { settings: exactly(f32([2]), Float32Array.of(0.75, 0.5)) },
        attrs: { invocations, steps, chains, fused },
      };
    }),
  );
  const most = Math.min(limits.maxStorageBufferBindingSize ?? DEFAULT_TRAITS.maxBindingBytes, 2 ** 30);
  // Past the caches of the machine, unless that takes too long.
  const elements = Math.min(most / 4, (hardware ? 2 ** 26 : 2 ** 24) / (quick ? 16 : 1));
  const copy: OpWork = {
    work: `peak: copy of ${Math.round(elements / 2 ** 18)} MiB`,
    op: copyOp as unknown as AnyOp,
    inputs: { x: spread([elements], 1) },
  };
  return { fma, copy };
}
