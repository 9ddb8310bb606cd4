import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { userError } from "../../core/errors.ts";

const require = createRequire(import.meta.url);

export interface Dawn {
  /** A new instance of Dawn. It, its adapters and its devices die when this object is collected. */
  create(options: readonly string[]): GPU;
}

/** f16 works on NVIDIA but Dawn hides it; subgroup matrices count as unsafe; rounded timestamps measure no kernel. */
export const DAWN_OPTIONS: readonly string[] = [
  "enable-dawn-features=vulkan_enable_f16_on_nvidia,allow_unsafe_apis",
  "disable-dawn-features=timestamp_quantization",
];

/** Where the package `webgpu` keeps the binding of this platform, which uses the system's drivers. */
export function stockDawnPath(): string {
  const platform = process.platform === "darwin" ? "darwin-universal" : `${process.platform}-${process.arch}`;
  return join(dirname(require.resolve("webgpu/package.json")), "dist", platform, "dawn.node");
}

/** The folder of an installed package and its version, whatever its `exports` hide. */
export function installedPackage(name: string): { folder: string; version: string } {
  for (let folder = dirname(require.resolve(name)); folder !== dirname(folder); folder = dirname(folder)) {
    try {
      const { name: found, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      if (found === name) return { folder, version };
    } catch {}
  }
  throw new Error(`the package ${name} has no package.json`);
}

/** Whether a package is there to be found. */
export function isInstalled(name: string): boolean {
  try {
    require.resolve(name);
    return true;
  } catch {
    return false;
  }
}

/** Loads the binding at `path`. Two copies in different folders live side by side, each with a driver loader of its own. */
export function loadDawn(path: string): Dawn {
  try {
    return require(path);
  } catch (reason) {
    const why = reason instanceof Error ? reason.message.split("\n")[0] : reason;
    userError(
      `WebGPU does not load on ${process.platform} ${process.arch}: ${why}; --device wasm works without it`,
      "device",
    );
  }
}
