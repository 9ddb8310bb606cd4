import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Peer } from "../bench/peers.ts";
import type { Row } from "../bench/row.ts";
import { userError } from "../core/errors.ts";
import { counted } from "../core/units.ts";
import type { Gpu } from "../gpu/device.ts";
import { embeddedDawnPath } from "../platform/node/embedded.ts";

/** As far from src/cli as from dist/cli. A package installed from a registry has no such folder. */
const FOLDER = new URL("../../bench/peers/", import.meta.url);
const INSTALL = "ONNXRUNTIME_NODE_INSTALL=skip npm --prefix bench/peers ci";

interface Peers {
  openPeers(
    given: { device: GPUDevice; driver: { vulkanManifest?: string } },
    only?: readonly string[],
  ): Promise<Peer[]>;
}

/**
 * The libraries of bench/peers, or only those named, on this device. From here on the process has the globals of a browser, and the device
 * cannot be destroyed until `releasePeers`.
 */
export async function openPeers(gpu: Gpu, only?: readonly string[]): Promise<Peer[]> {
  requirePeers();
  const peers = (await import(new URL("index.mjs", FOLDER).href)) as Peers;
  return peers.openPeers({ device: gpu.device, driver: await driverOf(gpu) }, only);
}

/** Throws a `UserError` where the libraries to compare with are not installed. */
export function requirePeers(): void {
  if (!existsSync(fileURLToPath(new URL("index.mjs", FOLDER)))) {
    userError(
      "--peers wants a checkout of the repository, whose bench/peers/ has the libraries to compare with",
      "usage",
    );
  }
  if (!existsSync(fileURLToPath(new URL("node_modules", FOLDER)))) {
    userError(`--peers wants the libraries to compare with: ${INSTALL}`);
  }
}

/**
 * WebAssembly beside what else computes on this CPU, in turns: jax-js and TF.js in WebAssembly, and where Python has them PyTorch,
 * transformers' Trainer and its generate. `kind`: of works. In a process of its own, whose threads are nobody else's.
 */
export async function* cpuPeers(
  kind: "product" | "step" | "decode",
  { quick }: { readonly quick: boolean },
  signal: AbortSignal,
): AsyncGenerator<Row, void> {
  requirePeers();
  const script = fileURLToPath(new URL("cpu.mjs", FOLDER));
  const args = [script, "--json", "--only", kind, "--samples", quick ? "1" : "7"];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"], signal });
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += chunk;
  });
  const ended = new Promise<number | null>((resolve) => {
    child.on("error", () => resolve(null));
    child.on("close", resolve);
  });
  let over = false;
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const row = JSON.parse(line) as Omit<Row, "device"> & { readonly threads?: number };
      yield { ...row, device: `CPU, ${counted(row.threads ?? 1, "thread")}` } as Row;
    }
    over = true;
  } finally {
    // Who stops asking leaves nobody measuring.
    if (!over) child.kill();
  }
  const code = await ended;
  if (code !== 0 && !signal.aborted) {
    const why =
      said
        .trim()
        .split("\n")
        .findLast((line) => /Error|error/.test(line)) ?? `exit code ${code}`;
    userError(`bench: the comparison on the CPU failed: ${why.trim()}`);
  }
}

/** Gives the device back to whoever opened it. */
export function releasePeers(gpu: Gpu): void {
  Reflect.deleteProperty(gpu.device, "destroy");
}

/** A library with a Dawn of its own finds the embedded driver by a manifest, as the Vulkan loader wants one. */
async function driverOf(gpu: Gpu): Promise<{ vulkanManifest?: string }> {
  if (gpu.kind !== "embedded") return {};
  const library = join(dirname(await embeddedDawnPath()), "libvulkan.so.1");
  const path = join(mkdtempSync(join(tmpdir(), "gpt2-bench-")), "swiftshader.json");
  const manifest = { file_format_version: "1.0.0", ICD: { library_path: library, api_version: "1.3.0" } };
  writeFileSync(path, JSON.stringify(manifest));
  return { vulkanManifest: path };
}
