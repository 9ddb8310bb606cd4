/** What `gpt2 train --json` prints of a run; docs/runs.md lists it. */
import { lineListener } from "../../report/lines.ts";
import type { RunDescription, RunListener } from "../../train/events.ts";
import { terminal } from "../terminal.ts";

/** A line of JSON for each event. */
export function jsonListener(): RunListener {
  let directory: string | undefined;
  return {
    ...lineListener((line, description) => {
      if (line.kind === "start") terminal.event(planEvent(description, directory));
      else if (line.kind === "end") {
        const { kind, time, ...summary } = line;
        terminal.ending(summary);
      } else terminal.event(line);
    }),
    prepared({ path }) {
      directory = path;
    },
    checkpointSaved({ step, path }) {
      terminal.event({ kind: "checkpoint", time: new Date().toISOString(), step, path });
    },
    modelSaved({ path }) {
      terminal.ending({ model: path });
    },
    completed({ step, samples }) {
      terminal.event({ kind: "samples", time: new Date().toISOString(), step, samples });
    },
  };
}

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
