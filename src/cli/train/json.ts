/** What `gpt2 train --json` prints of a run; docs/runs.md lists it. */
import type { RunDescription } from "../../train/events.ts";

/** `directory`: of the run, where something is written. */
export function planEvent(description: RunDescription, directory?: string): object {
  const { adapter, version, settings, config, data } = description;
  return {
    kind: "plan",
    time: new Date().toISOString(),
    step: description.resumedFrom,
    ...(directory === undefined ? {} : { directory }),
    adapter,
    version,
    parameters: description.parameters,
    trainable_parameters: description.trainableParameters,
    max_steps: description.maxSteps,
    device_bytes: description.deviceBytes,
    data,
    config,
    settings,
  };
}
