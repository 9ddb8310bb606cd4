import { sizeOf } from "../../core/shape.ts";
import { crossEntropyBackwardOp, crossEntropyOp } from "../cross-entropy.ts";
import {
  type Dispatch,
  grid1d,
  gridOf,
  read,
  type Span,
  spansOf,
  storedType,
  storeShader,
  write,
} from "../dispatch.ts";
import type { Traits } from "../traits.ts";
import { gpuKernel } from "./kernel.ts";

const WORKGROUP = 64;

/** Invocations that share a row on a GPU, where it has workgroups of as many: a power of 2. */
const ROW_LANES = 256;

function rowLanes({ maxInvocations }: Traits): number {
  return Math.min(ROW_LANES, 2 ** Math.floor(Math.log2(maxInvocations)));
}

/** Rows of a workgroup where each invocation has one: ROW_WORKGROUP of lib/row_alone.wgsl. */
const ROWS_ALONE = 16;

export const crossEntropyGpu = gpuKernel(crossEntropyOp, {
  gpu: ({ logits }, _outputs, { smoothing, columns }, traits) => {
    const width = logits.shape[1]!;
    const pack = packOf(width, traits);
    return spansOf(sizeOf(logits.shape), traits, width, [logits.dtype]).map((span) => {
      const rows = span.length / width;
      return {
        shader: [
          ...(["lib/grid", `lib/pack${pack}`, "lib/sum"] as const),
          traits.software ? ("lib/row_alone" as const) : ("lib/row_group" as const),
          "cross_entropy/forward" as const,
        ],
        entry: "cross_entropy",
        types: { LOGITS: storedType(logits.dtype, pack) },
        ...(traits.software ? {} : { sizes: { ROW_LANES: rowLanes(traits) } }),
        uniforms: { R: rows, WIDTH: width, V: columns || width, FIRST: span.offset / width, SMOOTHING: smoothing },
        bind: [read("logits", span), read("labels"), write("loss"), write("logSumExp")],
        grid: gridOf(traits.software ? Math.ceil(rows / ROWS_ALONE) : rows, traits),
      };
    });
  },
});

export const crossEntropyBackwardGpu = gpuKernel(crossEntropyBackwardOp, {
  gpu: ({ logits }, { dlogits }, { smoothing, columns }, traits) => {
    const width = dlogits.shape[1]!;
    const pack = packOf(width, traits);
    return spansOf(sizeOf(dlogits.shape), traits, width, [dlogits.dtype]).map((span) => ({
      shader: [
        ...(["lib/grid", `lib/pack${pack}`, storeShader(dlogits.dtype, pack)] as const),
        logits ? "cross_entropy/logits_apart" : "cross_entropy/logits_in_place",
        traits.software ? "cross_entropy/software/backward" : "cross_entropy/gpu/backward",
      ] as const,
      entry: "cross_entropy_backward",
      ...backwardGrid(span, width, pack, traits),
      uniforms: {
        ...{ R: span.length / width, WIDTH: width, V: columns || width },
        ...{ FIRST: span.offset / width, SMOOTHING: smoothing },
      },
      bind: [
        read("labels"),
        read("logSumExp"),
        read("dloss"),
        write("dlogits", span),
        ...(logits ? [read("logits", span)] : []),
      ],
    }));
  },
});

/** How many logits one load brings. Software drivers load one by one anyhow. */
function packOf(width: number, { software }: Traits): 1 | 4 {
  return !software && width % 4 === 0 ? 4 : 1;
}

/** On a GPU workgroups along a row, and rows, folded where there are too many; else one invocation for 4 neighbours, whose rows it finds. */
function backwardGrid(
  span: Span,
  width: number,
  pack: 1 | 4,
  traits: Traits,
): Pick<Dispatch, "grid"> & Partial<Pick<Dispatch, "sizes">> {
  if (traits.software) return { grid: grid1d(Math.ceil(span.length / 4), WORKGROUP, traits) };
  const [y, z] = gridOf(span.length / width, traits);
  const lanes = rowLanes(traits);
  return { grid: [Math.ceil(width / pack / lanes), y, z], sizes: { ROW_LANES: lanes } };
}
