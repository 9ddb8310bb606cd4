import { userError } from "../core/errors.ts";
import type { DeviceRequest, Gpu } from "../gpu/device.ts";

export { opfsFolder } from "./browser/storage.ts";
export { browserThreads } from "./browser/threads.ts";

export interface OpenGpuOptions extends DeviceRequest {
  readonly powerPreference?: GPUPowerPreference | undefined;
  /** False: what it does wrong is not looked for; true where absent. */
  readonly probe?: boolean | undefined;
}

/** Opens the browser's WebGPU; close it when done. Throws a `UserError` where the browser or the page has none. */
export async function openGpu(options: OpenGpuOptions = {}): Promise<Gpu> {
  const { gpu } = globalThis.navigator ?? {};
  if (!gpu) {
    const why =
      globalThis.isSecureContext === false ? "this page is not on https or localhost" : "this browser has none";
    return userError(`WebGPU is missing: ${why}; a current Chrome, Edge, Safari or Firefox has it, on https`, "device");
  }
  const adapter = await gpu.requestAdapter({ powerPreference: options.powerPreference ?? "high-performance" });
  if (!adapter)
    return userError("WebGPU has no adapter here; is the browser's graphics acceleration switched off?", "device");
  // Only pages with an adapter load it.
  const { infoOf, isSoftware, openGpuFromAdapter } = await import("../gpu/device.ts");
  const { vendor, architecture, device, description } = infoOf(adapter.info);
  const name = description || device || [vendor, architecture].filter(Boolean).join(" ") || "unnamed GPU";
  const opened = await openGpuFromAdapter(adapter, {
    ...options,
    driver: `${name} (browser)`,
    kind: isSoftware(adapter.info) ? "software" : "hardware",
    wait: (start) => start(),
  });
  if (options.probe === false) return opened;
  const { probed } = await import("./browser/probe.ts");
  return probed(opened);
}
