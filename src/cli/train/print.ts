import pc from "picocolors";
import { sizeOf } from "../../core/shape.ts";
import { byteSize, counted } from "../../core/units.ts";
import { describeFindings, endTextOf } from "../../data/findings.ts";
import { parameterCount } from "../../model/config.ts";
import { trainedEntries } from "../../model/parameters.ts";
import type { TrainPlan } from "../../run/plan.ts";
import { contextsFor } from "../../train/contexts.ts";
import type { LogEntry, PreparedEntry } from "../../train/events.ts";
import type { Team } from "../../train/team.ts";
import { duration, grouped } from "../numbers.ts";
import { type Field, printable } from "../terminal.ts";

/** What a run is about to do, a line for each part. */
export function describePlan(plan: TrainPlan, adapter: string): string[] {
  const { settings, config, source, options, data, evaluation } = plan;
  const { batchSize, accumulation = 1, maxSteps } = options;
  const rows = batchSize * accumulation;
  const unit = plan.data.train.kind === "stream" ? "window" : "record";
  const per = settings.packing ? "packed row" : unit;
  const epochs = maxSteps / source.stepsPerEpoch;
  const tokens = data.report.tokens * epochs;
  return [
    `adapter   ${pc.bold(adapter)}`,
    `data      ${describeData(plan)}`,
    ...(evaluation
      ? [`evaluate  on ${counted(evaluation.count, unit)} every ${counted(settings.evalSteps, "step")}`]
      : []),
    `model     ${grouped(parameterCount(config))} parameters: ${counted(config.layers, "layer")}, ${counted(config.heads, "head")}, ` +
      `${config.width} wide, ${config.contextLength} places, ${grouped(config.vocabSize)} tokens (${settings.tokenizer})` +
      `${options.precision === "f16" ? ", in f16" : ""}`,
    ...describeParts(plan),
    `plan      ${counted(maxSteps, "step")} of ${counted(rows, per)}` +
      `${accumulation > 1 ? ` in ${accumulation} batches` : ""}: ${epochs.toFixed(1)} epochs, about ${grouped(tokens)} tokens`,
  ];
}

/** Of a run that several ranks train. */
export function describeRanks({ size, name }: Pick<Team, "size" | "name">, { options }: TrainPlan): string {
  const { accumulation = 1 } = options;
  const each = Math.ceil(accumulation / size);
  const most = accumulation % size === 0 ? "" : "at most ";
  return `ranks     ${size} (${name}), ${most}${counted(each, "batch", "batches")} of each step on each`;
}

/** Nothing where all of a model trains at one rate. */
function describeParts({ config, layout }: TrainPlan): string[] {
  const { lora, groups } = layout;
  const trained = trainedEntries(layout).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const all = parameterCount(config);
  if (trained === all && groups.length === 1) return [];
  const share = `${grouped(trained)} parameters (${((100 * trained) / all).toFixed(2)} % of the model's)`;
  const what = lora ? `LoRA of rank ${lora.rank}, alpha ${lora.alpha}, on ${lora.targets.join(", ")}: ${share}` : share;
  const rates = groups
    .filter(({ rateFactor }) => rateFactor !== 1)
    .map((group) => `${group.name} at ${group.rateFactor}`);
  return [`trains    ${what}${rates.length > 0 ? `; of the learning rate: ${rates.join(", ")}` : ""}`];
}

function describeData({ data, settings, source, options, tokenizer }: TrainPlan): string {
  const { records, tokens, ended, cut, longest, empty, duplicates = 0, kind, cache, findings } = data.report;
  const kept = cache === undefined ? "" : `, kept in ${printable(cache)}`;
  if (kind === "stream")
    return `${grouped(tokens)} tokens in ${records === 1 ? "one text" : `${grouped(records)} texts`}${kept}`;
  const contexts = contextsFor(source.longest, settings.nPositions);
  const padding = settings.packing
    ? ""
    : `, ${Math.round(100 * data.padding(options.batchSize, (places) => contexts.find((c) => c >= places) ?? places))} % padding`;
  const found = findings ? describeFindings(findings, endTextOf(tokenizer) ?? "", grouped) : [];
  return (
    `${counted(records, "record")}, ${counted(tokens, "token")}, ${grouped(ended)} end in the end token, ${grouped(cut)} cut, ` +
    `longest ${longest}${padding}${empty > 0 ? `, ${grouped(empty)} empty ones left out` : ""}` +
    `${found.map((line) => `, ${line}`).join("")}` +
    `${duplicates > 0 ? `, ${grouped(duplicates)} duplicates` : ""}${kept}`
  );
}

export function describeMemory({ deviceBytes, dispatches }: Omit<PreparedEntry, "path">): string {
  return `memory    ${byteSize(deviceBytes)} on the device at most${dispatches > 0 ? `, ${counted(dispatches, "dispatch", "dispatches")} a step` : ""}`;
}

/** `left`: where no bar says how long it still takes. */
export function formatLog(entry: LogEntry, maxSteps: number, left?: string): Field[] {
  const step = String(entry.step).padStart(String(maxSteps).length);
  return [
    { text: `step ${step}/${maxSteps}` },
    { text: `loss ${entry.loss.toFixed(4)}` },
    { text: `grad_norm ${entry.grad_norm.toFixed(3)}`, rank: 3 },
    { text: `learning_rate ${entry.learning_rate.toExponential(2)}`, rank: 4 },
    { text: `epoch ${entry.epoch.toFixed(2)}`, rank: 2 },
    { text: `${grouped(entry.tokens_per_second)} tokens/s`, rank: 1 },
    ...(left === undefined ? [] : [{ text: `${left} left` }]),
  ];
}

/** Of a dry run: what one would want to know before an evening's run. */
export function describeEstimate(secondsPerStep: number, maxSteps: number, measured: number): string {
  const perSecond = `${(1 / secondsPerStep).toFixed(2)} steps/s`;
  return `time      about ${duration(secondsPerStep * maxSteps)} (${perSecond}, the median of ${measured} steps; evaluation and saving not counted)`;
}
