import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { userError } from "../../core/errors.ts";

const require = createRequire(import.meta.url);

export interface Dawn {
  /** A new instance of Dawn. It, its adapters and its devices die when this object is collected. */
  create(options: readonly string[]): GPU;
}

/** f16 works on NVIDIA but Dawn hides it; subgroup matrices count as unsafe. */
const ENABLED = "vulkan_enable_f16_on_nvidia,allow_unsafe_apis";
/** Rounded timestamps measure no kernel. */
const DISABLED = "timestamp_quantization";
/**
 * Asked by its extension to begin with zeroed workgroup memory, SwiftShader writes a store for every element into the machine code:
 * two seconds of compiling where there are 16 KiB. Without it Dawn zeroes by a loop in the shader.
 */
const DISABLED_EMBEDDED = `${DISABLED},use_vulkan_zero_initialize_workgroup_memory_extension`;

/** What an instance of Dawn is made with: of two values of one name it takes the last. */
export function dawnOptions(origin: "system" | "embedded"): readonly string[] {
  const disabled = origin === "embedded" ? DISABLED_EMBEDDED : DISABLED;
  return [`enable-dawn-features=${ENABLED}`, `disable-dawn-features=${disabled}`];
}

const PACKAGE = "webgpu";

/** Where the package keeps the binding of this platform, which uses the system's drivers. Who computes in WebAssembly may leave it out. */
export function stockDawnPath(): string {
  const description = `${PACKAGE}/package.json`;
  if (!isInstalled(description))
    userError(`WebGPU is not installed: npm install ${PACKAGE}; --device wasm works without it`, "device");
  const platform = process.platform === "darwin" ? "darwin-universal" : `${process.platform}-${process.arch}`;
  return join(dirname(require.resolve(description)), "dist", platform, "dawn.node");
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
