import { userError } from "../../core/errors.ts";
import { formatOf } from "../../data/source.ts";
import { isZip } from "../../io/unzip.ts";
import type { ScheduleName } from "../../train/schedule.ts";
import { DEFAULTS, flagName, type SettingKey, type TrainSettings } from "./table.ts";

/** Settings that do nothing beside certain others, or not what one may expect. */
interface Rule {
  readonly keys: readonly SettingKey[];
  readonly idle: (settings: TrainSettings) => boolean;
  /** Follows the flag's name. */
  readonly why: string | ((settings: TrainSettings) => string);
  /** The run would be another one than was asked for, and so is refused; else a line is enough. */
  readonly refused?: boolean;
}

const WITH_FLOOR: readonly ScheduleName[] = ["cosine_with_min_lr", "warmup_stable_decay", "nanogpt"];

const unevaluated = ({ evalData, evalSplit }: TrainSettings): boolean => evalData === undefined && evalSplit === 0;

/** Text and ids have no columns. */
function withoutColumns({ data = [], dataFormat }: TrainSettings): boolean {
  const known = data.filter((path) => path !== "-" || dataFormat !== undefined);
  return (
    known.length > 0 &&
    known.length === data.length &&
    known.every((path) => ["txt", "bin"].includes(formatOf(path, dataFormat)))
  );
}

function ofIds({ data = [], dataFormat }: TrainSettings): boolean {
  return data.some((path) => (path !== "-" || dataFormat !== undefined) && formatOf(path, dataFormat) === "bin");
}

const RULES: readonly Rule[] = [
  {
    keys: ["loadBestModelAtEnd", "earlyStoppingPatience"],
    idle: unevaluated,
    why: "wants something to evaluate on: give --eval-split 0.1 or --eval-data FILES, or leave it out",
    refused: true,
  },
  {
    keys: ["evalSteps", "evalOnStart", "perDeviceEvalBatchSize", "maxEvalSamples", "earlyStoppingThreshold"],
    idle: unevaluated,
    why: "does nothing without --eval-split or --eval-data",
  },
  {
    keys: ["earlyStoppingThreshold"],
    idle: (settings) => !unevaluated(settings) && settings.earlyStoppingPatience === 0,
    why: "does nothing without --early-stopping-patience",
  },
  {
    keys: ["warmupSteps", "warmupRatio"],
    idle: ({ lrSchedulerType }) => lrSchedulerType === "constant",
    why: "does nothing with --lr-scheduler-type constant; constant_with_warmup has a warm-up",
    refused: true,
  },
  {
    keys: ["minLr"],
    idle: ({ lrSchedulerType }) => !WITH_FLOOR.includes(lrSchedulerType),
    why: `is for --lr-scheduler-type ${WITH_FLOOR.join(", ")}; others have no floor`,
    refused: true,
  },
  {
    keys: ["decaySteps"],
    idle: ({ lrSchedulerType }) => lrSchedulerType !== "warmup_stable_decay",
    why: "is for --lr-scheduler-type warmup_stable_decay",
    refused: true,
  },
  {
    keys: ["loraAlpha", "loraDropout", "loraTargetModules"],
    idle: ({ loraRank }) => loraRank === undefined,
    why: "is for LoRA; give --lora-rank as well, such as 8",
    refused: true,
  },
  {
    keys: ["loraRank"],
    idle: ({ model }) => model !== undefined && isZip(model),
    why: "makes corrections that name a zip as what they are of, which PEFT does not open: where Python is to have them, unpack it, and give its folder as --model",
  },
  {
    keys: ["maskPrompt"],
    idle: ({ stream }) => stream,
    why: "does nothing with --stream, which has no prompts",
    refused: true,
  },
  {
    keys: ["maskPrompt"],
    idle: ({ textColumn }) => textColumn !== undefined,
    why: "does nothing with --text-column, which has no prompts",
    refused: true,
  },
  {
    keys: ["packing"],
    idle: ofIds,
    why: "does nothing with files of ids, which are one stream",
  },
  {
    keys: ["maskPrompt", "textColumn", "promptColumn", "completionColumn"],
    idle: withoutColumns,
    why: "is for tables and JSON lines; this data has no columns",
    refused: true,
  },
  {
    keys: ["saveTotalLimit"],
    idle: ({ saveSteps, loadBestModelAtEnd }) => saveSteps === 0 && !loadBestModelAtEnd,
    why: "does nothing with --save-steps 0",
  },
  {
    keys: ["samplePrompts", "sampleLength", "temperature", "topK"],
    idle: ({ samples }) => samples === 0,
    why: "does nothing with --samples 0",
  },
  {
    keys: ["samplePrompts"],
    idle: ({ samples, samplePrompts = [] }) => samples > 0 && samplePrompts.length > samples,
    why: ({ samples, samplePrompts = [] }) =>
      `has ${samplePrompts.length} texts, of which --samples ${samples} leaves out the last ${samplePrompts.length - samples}; ` +
      `--samples ${samplePrompts.length} continues all`,
  },
  {
    keys: ["topK"],
    idle: ({ temperature }) => temperature === 0,
    why: "does nothing with --temperature 0, which is greedy",
  },
];

/**
 * A line for each setting that was said and does nothing in this run. Throws `UserError` where leaving it out would not be
 * the run that was asked for. `said`: by a person; what is as by default says nothing.
 */
export function idleSettings(settings: TrainSettings, said: Partial<TrainSettings>): string[] {
  const lines: string[] = [];
  for (const { keys, idle, why, refused } of RULES) {
    const given = keys.filter((key) => said[key] !== undefined && said[key] !== (DEFAULTS[key] ?? 0));
    if (given.length === 0 || !idle(settings)) continue;
    const because = typeof why === "string" ? why : why(settings);
    const each = given.map((key) => `${flagName(key)} ${because}`);
    if (refused) userError(`train: ${each.join("; ")}`, "usage");
    for (const line of each) lines.push(line);
  }
  return lines;
}
