/** What a run is about to do, in English. */
import { counted, grouped } from "../core/units.ts";
import { describeFindings, type Findings } from "../data/findings.ts";

/** A plan in numbers. */
export interface PlanFacts {
  readonly data: {
    /** Records, or one long text or several. */
    readonly kind: "records" | "stream";
    readonly records: number;
    readonly tokens: number;
    /** Tokens that carry loss, where prompts do not. */
    readonly learnt?: number | undefined;
    /** Records that end in the end token. */
    readonly ended: number;
    readonly cut: number;
    /** Tokens. */
    readonly longest: number;
    readonly empty: number;
    readonly duplicates: number;
    readonly findings?: Findings | undefined;
    /** How the end token is written. */
    readonly endText: string;
    /** Share of places; undefined where nothing is padded. */
    readonly padding?: number | undefined;
    /** Where its ids are kept. */
    readonly cache?: string | undefined;
    /** Records or windows to evaluate on. */
    readonly evaluation: number;
  };
  /** Steps between two evaluations. */
  readonly evalSteps: number;
  readonly parameters: number;
  /** Parameters that train. */
  readonly trained: number;
  readonly lora?: { readonly rank: number; readonly alpha: number; readonly targets: readonly string[] } | undefined;
  readonly groups: readonly { readonly name: string; readonly rateFactor: number }[];
  readonly layers: number;
  readonly heads: number;
  readonly width: number;
  readonly places: number;
  readonly vocabulary: number;
  readonly tokenizer: string;
  readonly half: boolean;
  readonly maxSteps: number;
  /** Records, packed rows or windows of a step, in so many batches. */
  readonly rows: number;
  readonly batches: number;
  readonly packed: boolean;
  readonly epochs: number;
  readonly tokensSeen: number;
}

function unitOf({ data }: PlanFacts): string {
  return data.kind === "stream" ? "window" : "record";
}

/** `shown`: how a path is written. */
export function describeData({ data }: PlanFacts, shown: (path: string) => string = (path) => path): string {
  const { records, tokens, learnt, ended, cut, longest, empty, duplicates, kind, cache, findings, padding, endText } =
    data;
  const kept = cache === undefined ? [] : [`kept in ${shown(cache)}`];
  if (kind === "stream")
    return [`${grouped(tokens)} tokens in ${records === 1 ? "one text" : `${grouped(records)} texts`}`, ...kept].join(
      ", ",
    );
  return [
    counted(records, "record"),
    counted(tokens, "token"),
    ...(learnt === undefined ? [] : [`${grouped(learnt)} of them with loss`]),
    `${grouped(ended)} ${ended === 1 ? "ends" : "end"} in the end token`,
    `${grouped(cut)} cut`,
    `longest ${longest}`,
    ...(padding === undefined ? [] : [`${Math.round(100 * padding)} % padding`]),
    ...(empty > 0 ? [`${counted(empty, "empty one")} left out`] : []),
    ...(findings ? describeFindings(findings, endText, grouped) : []),
    ...(duplicates > 0 ? [counted(duplicates, "duplicate")] : []),
    ...kept,
  ].join(", ");
}

export function describeEvaluation(facts: PlanFacts): string {
  return `on ${counted(facts.data.evaluation, unitOf(facts))} every ${counted(facts.evalSteps, "step")}`;
}

export function describeModel(facts: PlanFacts): string {
  const { parameters, layers, heads, width, places, vocabulary, tokenizer, half } = facts;
  return (
    `${grouped(parameters)} parameters: ${counted(layers, "layer")}, ${counted(heads, "head")}, ${width} wide, ` +
    `${places} places, ${grouped(vocabulary)} tokens (${tokenizer})${half ? ", in f16" : ""}`
  );
}

/** Undefined where all of a model trains at one rate. */
export function describeParts({ parameters, trained, lora, groups }: PlanFacts): string | undefined {
  if (trained === parameters && groups.length === 1) return undefined;
  const share = `${grouped(trained)} parameters (${((100 * trained) / parameters).toFixed(2)} % of the model's)`;
  const what = lora ? `LoRA of rank ${lora.rank}, alpha ${lora.alpha}, on ${lora.targets.join(", ")}: ${share}` : share;
  const rates = groups
    .filter(({ rateFactor }) => rateFactor !== 1)
    .map(({ name, rateFactor }) => `${name} at ${rateFactor}`);
  return `${what}${rates.length > 0 ? `; of the learning rate: ${rates.join(", ")}` : ""}`;
}

/** Digits behind the point for a number of epochs: a long list is seen a hundredth of once, which is not 0.0. */
export function epochDigits(epochs: number): number {
  return epochs >= 0.05 ? 1 : Math.min(8, Math.ceil(-Math.log10(epochs)));
}

export function describePlan(facts: PlanFacts): string {
  const { maxSteps, rows, batches, packed, epochs, tokensSeen } = facts;
  return (
    `${counted(maxSteps, "step")} of ${counted(rows, packed ? "packed row" : unitOf(facts))}` +
    `${batches > 1 ? ` in ${batches} batches` : ""}: ${epochs.toFixed(epochDigits(epochs))} epochs, about ${grouped(tokensSeen)} tokens`
  );
}
