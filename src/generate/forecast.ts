import { packSettings } from "../kernels/sample-settings.ts";
import type { Gpt2Config } from "../model/config.ts";
import { usualCache } from "../model/decode.ts";
import type { ParameterLayout } from "../model/parameters.ts";
import type { Forecast, ForecastPlan } from "../runtime/need.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { decodePlansOf, decodeTapes, rowsThatFit } from "./decode-plans.ts";
import { type GenerateOptions, readOptions } from "./options.ts";
import { decodeRows } from "./rows.ts";

/**
 * What a generator holds once it has sampled these prompts, by plan: `known` are those that it holds already, and is added
 * to. Caches of keys and values are states, which stay. Not for beams.
 */
export function forecastGenerator(
  forecast: Forecast,
  runtime: Pick<Runtime, "traits" | "name">,
  config: Gpt2Config,
  layout: ParameterLayout,
  prompts: readonly (readonly number[])[],
  given: GenerateOptions,
  known: Map<string, ForecastPlan>,
): void {
  const options = readOptions(given, config);
  const { topLogProbabilities: top, cache = usualCache(layout) } = options;
  const rows = decodeRows(prompts, options, config);
  const all = rows.flatMap((row) => Array.from({ length: options.numReturnSequences }, () => row));
  for (let at = 0; at < all.length; ) {
    const group = all.slice(at, at + rowsThatFit(all.slice(at), config, runtime, { top, cache }));
    const settings = packSettings({ ...options, firstRow: at }).length;
    for (const [key, tape] of decodeTapes(decodePlansOf(group, config, { settings, top, cache }), config, layout)) {
      if (!known.has(key)) known.set(key, forecast.compile(tape()));
    }
    at += group.length;
  }
}
