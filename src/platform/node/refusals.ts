import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { stockDawnPath } from "./dawn.ts";

/**
 * Why Dawn refused drivers of the system, one line a reason. Dawn says that only on the process's stderr, so a child
 * process looks again and we read what it prints. Empty where nothing was refused.
 */
export async function whyRefused(): Promise<string[]> {
  const look = "require(process.argv[1]).create([]).requestAdapter().then(() => {}, () => {})";
  const child = await promisify(execFile)(process.execPath, ["-e", look, stockDawnPath()], {
    env: { ...process.env, NODE_OPTIONS: "" },
    timeout: 20_000,
  }).catch((reason: { stderr?: string }) => reason);
  return refusalsIn(child.stderr ?? "");
}

// Remarks about an adapter that works, and the ways to say that there is no driver at all.
const NO_REFUSAL = /artificially reduced|^vkCreateInstance|cannot open shared object file/;

/** The reasons among the lines of Dawn's log. */
export function refusalsIn(log: string): string[] {
  const warnings = Array.from(log.matchAll(/^(?:Warning|Error): (.*)$/gm), (match) => (match[1] ?? "").trim());
  const reasons = warnings.filter((line) => !NO_REFUSAL.test(line));
  return [...new Set(reasons)].map((line) =>
    // Debian 12's Mesa 22 lacks this; its backports have a Mesa that works.
    line.includes("shaderUniform*ArrayDynamicIndexing")
      ? `${line.replace(/\.$/, "")}: the driver is too old (Debian 12: take mesa-vulkan-drivers from bookworm-backports)`
      : line,
  );
}
