import { type AdapterKind, type GpuInfo, infoOf, isSoftware } from "../../gpu/device.ts";
import { type Dawn, dawnOptions, loadDawn, stockDawnPath } from "./dawn.ts";
import { embeddedDawnPath } from "./embedded.ts";
import { withQuietStderr } from "./quiet.ts";

export interface FoundAdapter {
  readonly adapter: GPUAdapter;
  /** Dawn's instance, which must be held as long as the adapter or its device is used. */
  readonly instance: GPU;
  readonly kind: AdapterKind;
  readonly driver: string;
  readonly info: GpuInfo;
}

/** The adapter that Dawn would choose among the system's, or undefined when the system has none that Dawn accepts. */
export function defaultSystemAdapter(): Promise<FoundAdapter | undefined> {
  return request(loadDawn(stockDawnPath()), "system");
}

/** Every adapter of the system, hardware first. */
export async function systemAdapters(): Promise<FoundAdapter[]> {
  const dawn = loadDawn(stockDawnPath());
  const found: FoundAdapter[] = [];
  for (const name of await adapterNames(dawn)) {
    const adapter = await request(dawn, "system", [`adapter=${name}`]);
    if (adapter) found.push(adapter);
  }
  return found.sort((a, b) => Number(b.kind === "hardware") - Number(a.kind === "hardware"));
}

/** SwiftShader out of the package that comes with us. Throws a `UserError` where there is none. */
export async function embeddedAdapter(): Promise<FoundAdapter | undefined> {
  return request(loadDawn(await embeddedDawnPath()), "embedded");
}

async function request(
  dawn: Dawn,
  origin: "system" | "embedded",
  options: readonly string[] = [],
): Promise<FoundAdapter | undefined> {
  const instance = dawn.create([...dawnOptions(origin), ...options]);
  // Discovery happens, and prints, before the call returns.
  const adapter = await withQuietStderr(() => instance.requestAdapter({ powerPreference: "high-performance" }));
  if (!adapter) return undefined;
  const info = infoOf(adapter.info);
  const kind = origin === "embedded" ? "embedded" : isSoftware(adapter.info) ? "software" : "hardware";
  return { adapter, instance, kind, info, driver: driverName(info, origin) };
}

// Dawn lists what it has only in the message with which it refuses a name that does not exist.
async function adapterNames(dawn: Dawn): Promise<string[]> {
  const instance = dawn.create([...dawnOptions("system"), "adapter=<none>"]);
  const refusal = await withQuietStderr(() => instance.requestAdapter()).then(
    () => "",
    (reason: unknown) => String(reason),
  );
  return [...new Set(Array.from(refusal.matchAll(/name: '(.*)'$/gm), (match) => match[1] ?? ""))];
}

/** "llvmpipe: Mesa 25.0.7-2 (LLVM 15.0.6) 0.0.1" and where it is from, as "llvmpipe (Mesa 25.0.7, system)". */
export function driverName(info: GpuInfo, origin: "system" | "embedded"): string {
  const { description, device, vendor, architecture } = info;
  const name = device || [vendor, architecture].filter(Boolean).join(" ") || "unnamed GPU";
  if (description.startsWith("SwiftShader")) return `SwiftShader (${origin})`;
  const mesa = /^(\S+): Mesa ([\d.]+)/.exec(description);
  if (mesa?.[1] === "llvmpipe") return `llvmpipe (Mesa ${mesa[2]}, ${origin})`;
  if (mesa) return `${name} (${mesa[1]}, Mesa ${mesa[2]})`;
  // "NVIDIA: 580.159.04 580.159.4.0": the version as people know it, and once more as Vulkan packs it
  const nvidia = /^NVIDIA: (\S+)/.exec(description);
  if (nvidia) return `${name} (NVIDIA ${nvidia[1]})`;
  return description ? `${name} (${description})` : name;
}
