/** What is known of a GPU's registers by who made it: WebGPU does not say how many there are, and a kernel that holds more works in memory. */
import type { Traits } from "../kernels/traits.ts";

interface Adapter {
  readonly vendor: string;
  readonly architecture: string;
  readonly subgroupMinSize: number;
  readonly subgroupMaxSize: number;
}

interface Maker {
  readonly vendor: string;
  readonly architecture?: RegExp;
  readonly sums: Traits["sumsHeld"];
  /** Left out: as many as sums want. */
  readonly few?: true;
  /** Rows of attention want more than there are, or were slow: tiles do not. */
  readonly tiles?: true;
}

/**
 * By Dawn's names. NVIDIA: 255 an invocation, of which four rows of attention take all (an H200 had a tenth of its arithmetic in them); AMD's RDNA and CDNA 256, GCN 64 for each of four subgroups; Apple 128, which 64 sums just fit;
 * Intel 128 of 32 bytes, of Xe2 64, for all of a subgroup; Mali and VideoCore 64. Of others, and where a browser does not tell, nothing is known.
 */
const MAKERS: readonly Maker[] = [
  { vendor: "nvidia", sums: 64, tiles: true },
  // as wgpu has it in Deno: the number of the maker on PCI
  { vendor: "4318", sums: 64, tiles: true },
  { vendor: "amd", architecture: /^[rc]dna/, sums: 64 },
  { vendor: "samsung", architecture: /^rdna/, sums: 64 },
  { vendor: "apple", sums: 64, few: true },
  { vendor: "arm", sums: 16 },
  { vendor: "broadcom", sums: 16 },
];
const UNKNOWN = 32;

export function registersOf(
  { vendor, architecture, subgroupMinSize, subgroupMaxSize }: Adapter,
  control: boolean,
): Pick<Traits, "sumsHeld" | "fewRegisters" | "roomySubgroup" | "attentionByTiles"> {
  // A driver that chooses by itself takes larger subgroups, whose invocations have half as many.
  if (vendor === "intel")
    return control && subgroupMinSize < subgroupMaxSize
      ? { sumsHeld: 32, fewRegisters: true, roomySubgroup: subgroupMinSize, attentionByTiles: true }
      : { sumsHeld: 16, fewRegisters: true };
  const known = MAKERS.find((one) => one.vendor === vendor && (one.architecture?.test(architecture) ?? true));
  const sumsHeld = known?.sums ?? UNKNOWN;
  return {
    sumsHeld,
    fewRegisters: known?.few ?? sumsHeld < 64,
    ...(known?.tiles ? { attentionByTiles: true } : {}),
  };
}
