/** AMD's GPUs, which are not there: Mesa's RADV compiles for any of them that it is told to. */
import { existsSync } from "node:fs";
import { missingForLayer } from "./layer.ts";

const DRIVER = "/usr/share/vulkan/icd.d/radeon_icd.json";

/** As RADV names them: GCN, CDNA, RDNA to RDNA 4. */
export const AMD_FAMILIES = [
  ...["tonga", "iceland", "carrizo", "fiji", "stoney", "polaris10", "polaris11", "polaris12", "vegam"],
  ...["vega10", "raven", "vega12", "vega20", "raven2", "renoir", "mi100", "mi200", "gfx940"],
  ...["navi10", "navi12", "navi14", "navi21", "navi22", "navi23", "vangogh", "navi24", "rembrandt"],
  ...["raphael_mendocino", "navi31", "navi32", "navi33", "phoenix", "phoenix2"],
  ...["gfx1150", "gfx1151", "gfx1152", "gfx1153", "gfx1200", "gfx1201"],
];

/** What this machine lacks to compile for AMD's GPUs; undefined where nothing is missing. */
export function missingForAmd(): string | undefined {
  return missingForLayer() ?? (existsSync(DRIVER) ? undefined : "Mesa's RADV (Debian, Ubuntu: mesa-vulkan-drivers)");
}

/** A GPU by RADV's name for it. Sets up this process: the device opened next is that GPU. */
export function pretendAmd(family: string): void {
  Object.assign(process.env, { VK_DRIVER_FILES: DRIVER, RADV_FORCE_FAMILY: family });
}
