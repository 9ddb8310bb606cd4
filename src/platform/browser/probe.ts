import type { Gpu } from "../../gpu/device.ts";
import { probe, probeFrom, probeVersion } from "../../runtime/probe.ts";

/** Where a page keeps what was found of devices. */
const CACHE = "webgpu-gpt2 devices";
/** A page does not hear of a new driver, so that what was found of the old one does not count for ever. */
const KEPT_MS = 7 * 24 * 60 * 60 * 1000;

/** The device with what was found of it: once for each browser, adapter and set of features, and then kept for a week. */
export async function probed(gpu: Gpu): Promise<Gpu> {
  const { driver, kind, info, features } = gpu;
  const { userAgent } = globalThis.navigator;
  const key = JSON.stringify([probeVersion(), userAgent, driver, kind, info, [...features].sort()]);
  // Where nothing can be kept, as in some private windows, the next one looks again.
  const cache = await globalThis.caches?.open(CACHE).catch(() => undefined);
  const address = `https://webgpu-gpt2.invalid/${encodeURIComponent(key)}`;
  const kept = await cache
    ?.match(address)
    .then((answer) => answer?.json())
    .catch(() => undefined);
  const known = Date.now() - kept?.time < KEPT_MS ? probeFrom(kept?.data) : undefined;
  if (known) return { ...gpu, probe: known };
  try {
    const found = await probe(gpu);
    await cache?.put(address, Response.json({ time: Date.now(), data: found })).catch(() => {});
    return { ...gpu, probe: found };
  } catch (error) {
    gpu.close();
    throw error;
  }
}
