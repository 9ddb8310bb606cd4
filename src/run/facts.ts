/** What a run is about to do, in numbers: what is said of it before it begins, in whatever language. */
import { sizeOf } from "../core/shape.ts";
import { endTextOf } from "../data/findings.ts";
import { parameterCount } from "../model/config.ts";
import { trainedEntries } from "../model/parameters.ts";
import type { PlanFacts } from "../report/plan-words.ts";
import { contextFor, contextsFor } from "../train/contexts.ts";
import type { TrainPlan } from "./plan.ts";

export function factsOf(plan: TrainPlan): PlanFacts {
  const { settings, config, layout, source, options, data, evaluation, tokenizer } = plan;
  const { records, tokens, learnt, ended, cut, longest, empty, duplicates = 0, kind, cache, findings } = data.report;
  const { batchSize, accumulation = 1, maxSteps } = options;
  const contexts = contextsFor(source.longest, settings.nPositions);
  const padding = (): number => data.padding(batchSize, (places) => contextFor(contexts, places));
  const epochs = maxSteps / source.stepsPerEpoch;
  return {
    data: {
      ...{ kind, records, tokens, ended, cut, longest, empty, duplicates, findings, cache },
      learnt: settings.maskPrompt ? learnt : undefined,
      endText: endTextOf(tokenizer) ?? "",
      padding: kind === "stream" || settings.packing ? undefined : padding(),
      evaluation: evaluation?.count ?? 0,
    },
    evalSteps: settings.evalSteps,
    parameters: parameterCount(config),
    trained: trainedEntries(layout).reduce((sum, { shape }) => sum + sizeOf(shape), 0),
    lora: layout.lora && { rank: layout.lora.rank, alpha: layout.lora.alpha, targets: layout.lora.targets },
    groups: layout.groups.map(({ name, rateFactor }) => ({ name, rateFactor })),
    layers: config.layers,
    heads: config.heads,
    width: config.width,
    places: config.contextLength,
    vocabulary: config.vocabSize,
    tokenizer: settings.tokenizer,
    half: options.precision === "f16",
    maxSteps,
    rows: batchSize * accumulation,
    batches: accumulation,
    packed: settings.packing,
    epochs,
    tokensSeen: tokens * epochs,
  };
}
