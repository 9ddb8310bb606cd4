import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

const FOLDERS = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"];

/** What makes a Vulkan loader find Mesa's driver for the CPU and no other; undefined where it is not installed. */
export const LAVAPIPE: Readonly<Record<string, string>> | undefined = found();

function found(): Record<string, string> | undefined {
  const files = FOLDERS.filter((folder) => existsSync(folder)).flatMap((folder) => {
    return readdirSync(folder)
      .filter((name) => /^lvp_icd.*\.json$/.test(name))
      .map((name) => join(folder, name));
  });
  const [file] = files;
  // As in the tests of kernels: see support/gpu.ts.
  return file === undefined ? undefined : { VK_ICD_FILENAMES: file, VK_DRIVER_FILES: file, GALLIVM_PERF: "nopt" };
}
