import { UserError, userError } from "../core/errors.ts";
import {
  type DeviceRequest,
  type Gpu,
  type GpuLimits,
  limitsOf,
  openGpuFromAdapter,
  type SubgroupMatrixConfig,
} from "../gpu/device.ts";
import { defaultSystemAdapter, embeddedAdapter, type FoundAdapter, systemAdapters } from "./node/adapters.ts";
import { embeddedDriverExists, noEmbeddedDriver } from "./node/embedded.ts";
import { wantedLimits } from "./node/limits.ts";
import { politeWait } from "./node/poll.ts";
import { probed } from "./node/probe.ts";
import { withQuietStderr } from "./node/quiet.ts";
import { whyRefused } from "./node/refusals.ts";

export { expandPaths, openSources } from "./node/data-files.ts";
export {
  type KeptMeasurements,
  keepMeasurements,
  measurementKey,
  readMeasurements,
} from "./node/measurements.ts";
export { freeMemory } from "./node/memory.ts";
export { type NodeFolderOptions, nodeFolder } from "./node/storage.ts";
export { nodeThreads } from "./node/threads.ts";
export { type TokenCacheOptions, tokenCache } from "./node/token-cache.ts";

export interface OpenGpuOptions extends DeviceRequest {
  /**
   * Which adapter: "auto" (hardware, else a software driver of the system, else the embedded one), "hardware", "system"
   * (hardware or software), "embedded", or a part of a driver's name. Left out: $GPT2_ADAPTER, else "auto". Where that gives a
   * software driver, WebAssembly (`createWasmRuntime`) is several times as fast.
   */
  readonly adapter?: string | undefined;
  /** `false`: what kernels rely on is not looked at, and what the adapter says of itself is believed. */
  readonly probe?: boolean | undefined;
}

export interface AdapterReport {
  /** What `openGpu` finds it by. */
  readonly adapter: string;
  readonly driver: string;
  readonly kind: Gpu["kind"];
  readonly description: string;
  readonly limits: GpuLimits;
  readonly features: readonly string[];
  /** Sizes and types in which its subgroups multiply matrices. */
  readonly subgroupMatrices: readonly SubgroupMatrixConfig[];
  readonly verdict: "chosen" | "usable" | "refused";
  readonly why: string;
}

const INSTALL =
  "install your GPU's driver, or a software one (Debian, Ubuntu: apt install mesa-vulkan-drivers libvulkan1), or use --device wasm (openWasm in a program)";

/**
 * Opens a device; close it when done. $GPT2_LIMITS=default asks for no more than WebGPU's default limits. Throws a `UserError`
 * that says what to install when no adapter fits.
 */
export async function openGpu(options: OpenGpuOptions = {}): Promise<Gpu> {
  const wanted = wantedAdapter(options.adapter);
  const other = otherExecutor(wanted);
  if (other) userError(`${wanted} is no adapter but ${other}; choose an adapter: gpt2 devices`, "device");
  const found = await chooseAdapter(wanted);
  if (!found) return userError(await nothingFits(wanted), "device");
  return openFound(found, options);
}

/** Opens the hardware GPU of this machine, if it has one that WebGPU reaches; close it when done. */
export async function openHardware(options: DeviceRequest = {}): Promise<Gpu | undefined> {
  const found = await chooseAdapter("hardware").catch(noDawn);
  return found && openFound(found, options);
}

/** A platform that Dawn's binding does not load on has no adapter. */
function noDawn(reason: unknown): undefined {
  if (!(reason instanceof UserError)) throw reason;
}

async function openFound(found: FoundAdapter, { probe = true, ...options }: OpenGpuOptions): Promise<Gpu> {
  const { adapter, driver, kind } = found;
  instances.add(found.instance);
  const opened = {
    ...options,
    requiredLimits: options.requiredLimits ?? wantedLimits(),
    driver,
    kind,
    wait: politeWait(kind === "hardware" ? EAGER_HARDWARE_MS : EAGER_SOFTWARE_MS),
  };
  const gpu = await withQuietStderr(() => openGpuFromAdapter(adapter, opened));
  return probe ? probed(gpu) : gpu;
}

// An instance must outlive its devices and whatever of theirs Dawn still has to finish after they are closed; when the
// collector may free it cannot be known, so each lives as long as the process. It does not keep the process alive.
const instances = new Set<GPU>();

// A GPU works while we poll, and its waits are short; a software driver needs the core that polling takes from it.
const EAGER_HARDWARE_MS = 2;
const EAGER_SOFTWARE_MS = 0.25;

/** Every adapter of this machine, best first, with the one that `openGpu` chooses marked, and what Dawn refused. */
export async function listAdapters(options: { adapter?: string | undefined } = {}): Promise<AdapterReport[]> {
  const wanted = wantedAdapter(options.adapter);
  const all = await allAdapters();
  const chosen = all.find((found) => fits(found, wanted));
  const usable = all.map((found): AdapterReport => {
    const verdict = found === chosen ? "chosen" : "usable";
    const why = found === chosen ? choiceReason(found, wanted) : `reach it with GPT2_ADAPTER=${selector(found)}`;
    const { driver, kind, info, adapter: opened } = found;
    const features = [...opened.features].sort();
    const { description, subgroupMatrixConfigs: subgroupMatrices } = info;
    const limits = limitsOf(opened.limits);
    return { adapter: selector(found), driver, kind, description, limits, features, subgroupMatrices, verdict, why };
  });
  const refused = (await whyRefused()).map(
    (why): AdapterReport => ({
      adapter: "",
      driver: "a Vulkan driver of the system",
      kind: "software",
      description: "",
      limits: {},
      features: [],
      subgroupMatrices: [],
      verdict: "refused",
      why,
    }),
  );
  return [...usable, ...refused];
}

/** What $GPT2_ADAPTER may name besides adapters. */
function otherExecutor(wanted: string): string | undefined {
  if (/^cpu(-float64)?$/.test(wanted)) return "the reference executor (createCpuRuntime)";
  return /^wasm(:|$)/.test(wanted) ? "WebAssembly (createWasmRuntime)" : undefined;
}

/** What other tools call a GPU. */
const OTHER_NAMES = /^(cuda|mps|xpu|rocm|hip|gpu|metal|vulkan|webgpu)(:\d+)?$/i;

function wantedAdapter(option: string | undefined): string {
  return option || process.env.GPT2_ADAPTER || "auto";
}

async function chooseAdapter(wanted: string): Promise<FoundAdapter | undefined> {
  if (wanted === "embedded") return embeddedAdapter();
  if (!["auto", "hardware", "system"].includes(wanted)) {
    return (await allAdapters()).find((found) => fits(found, wanted));
  }
  // Dawn's own choice is nearly always ours; listing the others costs another look each.
  const first = await defaultSystemAdapter();
  if (first?.kind === "hardware") return first;
  const found = first && (await systemAdapters()).find((other) => fits(other, wanted));
  if (found || wanted !== "auto") return found;
  return embeddedDriverExists() ? embeddedAdapter() : undefined;
}

async function allAdapters(): Promise<FoundAdapter[]> {
  const embedded = embeddedDriverExists() ? await embeddedAdapter() : undefined;
  return [...(await systemAdapters()), ...(embedded ? [embedded] : [])];
}

function fits({ kind, driver, info }: FoundAdapter, wanted: string): boolean {
  if (wanted === "auto") return true;
  if (otherExecutor(wanted)) return false;
  if (wanted === "hardware" || wanted === "embedded") return kind === wanted;
  if (wanted === "system") return kind !== "embedded";
  return `${driver}\n${info.vendor}\n${info.device}\n${info.description}`.toLowerCase().includes(wanted.toLowerCase());
}

function choiceReason(found: FoundAdapter, wanted: string): string {
  if (wanted !== "auto") return `asked for: ${wanted}`;
  if (found.kind === "hardware") return "a hardware GPU goes first";
  return found.kind === "software" ? "no hardware GPU: the system's software driver" : "the system has no adapter";
}

function selector({ kind, driver }: FoundAdapter): string {
  return kind === "software" ? (driver.split(" ")[0] ?? kind) : kind;
}

async function nothingFits(wanted: string): Promise<string> {
  const all = (await allAdapters()).map((found) => found.driver);
  if (all.length > 0 && OTHER_NAMES.test(wanted))
    return `no adapter is called "${wanted}"; any GPU is "hardware", and used by itself; this machine has: ${all.join(", ")}`;
  if (all.length > 0) return `no adapter is "${wanted}"; this machine has: ${all.join(", ")}; or use --device wasm`;
  const refused = await whyRefused();
  const why = refused.length > 0 ? ` (refused: ${refused[0]})` : "";
  const embedded = embeddedDriverExists() ? "" : `; ${noEmbeddedDriver()}`;
  return `no WebGPU adapter on this machine${why}${embedded}; ${INSTALL}`;
}
