/** The Vulkan layer of layer.c, built where it is wanted, and the environment in which a process finds it. */
import { execFileSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { buildLibrary } from "./build.ts";

const HEADER = "/usr/include/vulkan/vk_layer.h";

/** What this machine lacks to ask any compiler; undefined where nothing is missing. */
export function missingForLayer(): string | undefined {
  if (process.platform !== "linux") return "Linux";
  if (!existsSync(HEADER)) return "Vulkan's headers (Debian, Ubuntu: libvulkan-dev)";
  try {
    execFileSync("gcc", ["--version"], { stdio: "ignore" });
  } catch {
    return "gcc";
  }
  return undefined;
}

/**
 * Sets up this process: what the driver's compiler makes of each pipeline of a device opened from now on is written to that file.
 * `checks`: accesses to buffers are checked, as Dawn asks for.
 */
export function recordPipelines(records: string, checks: boolean): void {
  const layers = buildLayer();
  Object.assign(process.env, {
    VK_LAYER_PATH: layers,
    VK_INSTANCE_LAYERS: LAYER_NAME,
    MESA_SHADER_CACHE_DISABLE: "true",
    PIPELINE_RECORDS: records,
    PIPELINE_CHECKS: checks ? "1" : "0",
    XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR || tmpdir(),
  });
}

const LAYER_NAME = "VK_LAYER_pipeline_records";

/** Compiles the layer and gives the folder that it and its manifest are in. */
function buildLayer(): string {
  const library = buildLibrary("layer", ["layer.c"]);
  const layer = {
    name: LAYER_NAME,
    type: "GLOBAL",
    library_path: library,
    api_version: "1.3.0",
    implementation_version: "1",
    description: "statistics and machine code of compute pipelines; nothing runs",
  };
  const folder = dirname(library);
  writeFileSync(join(folder, "layer.json"), JSON.stringify({ file_format_version: "1.2.0", layer }));
  return folder;
}
