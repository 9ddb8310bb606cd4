import { createTape } from "../autograd/tape.ts";
import { userError } from "../core/errors.ts";
import { largest } from "../core/extremes.ts";
import { createDecoder } from "../generate/decoder.ts";
import { createGenerator, type Generated } from "../generate/generate.ts";
import { generationOptions } from "../generate/option-elsewhere.ts";
import type { GenerateOptions } from "../generate/options.ts";
import { nextTokenDistribution } from "../generate/processors.ts";
import { ARENA, writeArena } from "../model/arena.ts";
import { declareParameters, layoutParameters, type ParameterLayout, packParameters } from "../model/parameters.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Check, Fixture } from "./fixture.ts";

/** What transformers' generate() gave for one request. */
interface Case {
  readonly name: string;
  readonly input_ids: readonly (readonly number[])[];
  readonly attention_mask: readonly (readonly number[])[];
  readonly options: Readonly<Record<string, unknown>>;
  readonly sequences: readonly (readonly number[])[];
  readonly sequences_scores?: readonly number[];
}

/** A fixture's `generate.json`. */
export interface GenerationFixture {
  /** What ln_f's gain is multiplied by before generating, so that the distributions are less flat. */
  readonly ln_f_scale: number;
  readonly cases: readonly Case[];
  readonly input_ids: readonly (readonly number[])[];
  /** What is left of the distribution after each of `input_ids`, by id; the others have no probability. */
  readonly filters: readonly {
    readonly options: Readonly<Record<string, unknown>>;
    readonly probabilities: readonly Readonly<Record<string, number>>[];
  }[];
}

/** Scores are sums of float32 log-probabilities; probabilities were written with seven digits. */
export const GENERATION_BOUNDS = { sequences: 0, score: 1e-4, probability: 1e-5 } as const;

export function readGenerationFixture(
  name: string,
  files: ReadonlyMap<string, Uint8Array>,
): GenerationFixture | undefined {
  const bytes = files.get("generate.json");
  if (!bytes) return undefined;
  try {
    const fixture: GenerationFixture = JSON.parse(new TextDecoder().decode(bytes));
    if (Array.isArray(fixture.cases) && Array.isArray(fixture.filters)) return fixture;
  } catch {}
  return userError(`${name}/generate.json: wanted an object with cases and filters`);
}

/** Generates what the fixture asks for on `runtime`, whose parameters it overwrites, and compares. */
export async function verifyGeneration(
  runtime: Runtime,
  { config, parameters }: Pick<Fixture, "config" | "parameters">,
  fixture: GenerationFixture,
): Promise<Check[]> {
  const layout = layoutParameters(config);
  await writeParameters(runtime, layout, parameters, fixture.ln_f_scale);
  const generator = createGenerator(runtime, config, layout);
  const decoder = createDecoder(runtime, config, layout);
  const checks: Check[] = [];
  try {
    for (const request of fixture.cases) {
      const prompts = request.input_ids.map((ids, row) => ids.filter((_, i) => request.attention_mask[row]![i] === 1));
      const got = await generator.generate(prompts, optionsOf(request.options));
      checks.push(...compareCase(request, prompts, got));
    }
    const rows = fixture.input_ids.map((prompt) => ({ prompt, least: 0, most: prompt.length + 1 }));
    const { first } = await decoder.logits(rows);
    for (const { options, probabilities } of fixture.filters) {
      const rules = generationOptions({ topK: 0, ...optionsOf(options) }, config);
      const error = largest(
        probabilities.map((wanted, row) => {
          const logits = Array.prototype.slice.call(first, row * config.vocabSize, (row + 1) * config.vocabSize);
          const got = nextTokenDistribution(logits, rows[row]!.prompt, rules);
          return largest(got.map((p, id) => Math.abs(p - (wanted[id] ?? 0))));
        }),
      );
      const name = `filter ${JSON.stringify(options)}`;
      checks.push({ name, error, bound: GENERATION_BOUNDS.probability, measure: "absolute" });
    }
  } finally {
    generator.dispose();
    decoder.dispose();
  }
  return checks;
}

async function writeParameters(
  runtime: Runtime,
  layout: ParameterLayout,
  parameters: ReadonlyMap<string, Float32Array>,
  scale: number,
): Promise<void> {
  const tape = createTape();
  declareParameters(tape, layout);
  (await runtime.compile(tape)).dispose();
  const scaled = new Map(parameters).set(
    "ln_f.weight",
    parameters.get("ln_f.weight")!.map((gain) => gain * scale),
  );
  writeArena(runtime, layout, ARENA.parameters, packParameters(layout, scaled));
}

/** transformers' names are ours with underscores; a pad token is what we need none of. */
function optionsOf(options: Readonly<Record<string, unknown>>): GenerateOptions {
  const named = Object.entries(options).map(([name, value]): [string, unknown] => [
    name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()),
    value,
  ]);
  return Object.fromEntries(named.filter(([name]) => name !== "padTokenId"));
}

function compareCase(request: Case, prompts: readonly (readonly number[])[], got: readonly Generated[]): Check[] {
  const perPrompt = got.length / prompts.length;
  const padding = request.options.pad_token_id;
  const width = request.input_ids[0]!.length;
  const wrong = got.filter(({ ids, endId }, i) => {
    const output = endId === undefined ? ids : [...ids, endId];
    const wanted = request.sequences[i]!.slice(width);
    return wanted.length < output.length || wanted.some((id, at) => id !== (output[at] ?? padding));
  });
  const missing = Math.abs(got.length - request.sequences.length) + (Number.isInteger(perPrompt) ? 0 : 1);
  const checks: Check[] = [
    {
      name: `generate ${request.name}`,
      error: wrong.length + missing,
      bound: GENERATION_BOUNDS.sequences,
      measure: "sequences",
    },
  ];
  if (request.sequences_scores) {
    const error = largest(request.sequences_scores.map((score, i) => Math.abs(score - (got[i]?.score ?? Number.NaN))));
    checks.push({
      name: `scores ${request.name}`,
      error: Number.isNaN(error) ? Number.POSITIVE_INFINITY : error,
      bound: GENERATION_BOUNDS.score,
      measure: "absolute",
    });
  }
  return checks;
}
