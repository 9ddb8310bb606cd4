/** The Vulkan layer of layer.c, built where it is wanted, and the environment in which a process finds it and an AMD GPU that is not there. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const SOURCE = fileURLToPath(new URL("layer.c", import.meta.url));
const DRIVER = "/usr/share/vulkan/icd.d/radeon_icd.json";
const HEADER = "/usr/include/vulkan/vk_layer.h";

/** What this machine lacks to compile for AMD's GPUs; undefined where nothing is missing. */
export function missingForAmd(): string | undefined {
  if (process.platform !== "linux") return "Linux";
  if (!existsSync(DRIVER)) return "Mesa's RADV (Debian, Ubuntu: mesa-vulkan-drivers)";
  if (!existsSync(HEADER)) return "Vulkan's headers (Debian, Ubuntu: libvulkan-dev)";
  try {
    execFileSync("gcc", ["--version"], { stdio: "ignore" });
  } catch {
    return "gcc";
  }
  return undefined;
}

/** A GPU by RADV's name for it, and the file that `layer.c` writes. Sets up this process: the device opened next is that GPU. */
export function pretendAmd(family: string, records: string): void {
  Object.assign(process.env, { VK_DRIVER_FILES: DRIVER, RADV_FORCE_FAMILY: family });
  recordPipelines(records);
}

/** Sets up this process: what the driver's compiler makes of each pipeline from now on is written there. */
export function recordPipelines(records: string): void {
  const layers = buildLayer();
  Object.assign(process.env, {
    VK_LAYER_PATH: layers,
    VK_INSTANCE_LAYERS: LAYER_NAME,
    MESA_SHADER_CACHE_DISABLE: "true",
    PIPELINE_RECORDS: records,
    XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR || tmpdir(),
  });
}

const LAYER_NAME = "VK_LAYER_pipeline_records";

/** Compiles the layer, once for each text of it, and gives the folder that it and its manifest are in. */
function buildLayer(): string {
  const digest = createHash("sha256").update(readFileSync(SOURCE)).digest("hex").slice(0, 12);
  const folder = join(tmpdir(), `webgpu-gpt2-layer-${process.getuid?.() ?? 0}-${digest}`);
  const library = join(folder, "layer.so");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (!existsSync(library)) {
    const made = `${library}.${process.pid}`;
    execFileSync("gcc", ["-O1", "-shared", "-fPIC", "-o", made, SOURCE]);
    renameSync(made, library);
  }
  const layer = {
    name: LAYER_NAME,
    type: "GLOBAL",
    library_path: library,
    api_version: "1.3.0",
    implementation_version: "1",
    description: "statistics and machine code of compute pipelines; nothing runs",
  };
  writeFileSync(join(folder, "layer.json"), JSON.stringify({ file_format_version: "1.2.0", layer }));
  return folder;
}
