import type { Gpu } from "../../gpu/device.ts";
import { keepMeasurements, measurementKey, readMeasurements } from "./measurements.ts";

/** The device with what was found of it: once for each adapter, driver and set of features, and then kept in the cache folder. */
export async function probed(gpu: Gpu): Promise<Gpu> {
  const { probe, probeFrom, probeVersion } = await import("../../runtime/probe.ts");
  const key = measurementKey(gpu, [probeVersion(), ...[...gpu.features].sort()].join(" "));
  const known = probeFrom((await readMeasurements(key)).data);
  if (known) return { ...gpu, probe: known };
  try {
    const found = await probe(gpu);
    // Where it cannot be kept, the next one looks again.
    await keepMeasurements(key, found).catch(() => {});
    return { ...gpu, probe: found };
  } catch (error) {
    gpu.close();
    throw error;
  }
}
