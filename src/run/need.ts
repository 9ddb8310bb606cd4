import type { ForecastPlan } from "../runtime/need.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { savingBytes } from "../train/checkpoint.ts";
import { forecastEvaluator } from "../train/evaluate.ts";
import { type Fit, type FitRequest, forecastTrainer, type MemoryBudget } from "../train/fit.ts";
import { stepForm } from "../train/form.ts";
import type { TrainPlan } from "./plan.ts";
import { sampleRequest, samplesBetween } from "./sample.ts";

type Device = Pick<Runtime, "forecast" | "traits" | "fused" | "name">;

export interface RunNeed {
  /** The most on the device. */
  readonly deviceBytes: number;
  /** The most at all, as far as it grows with the model. */
  readonly bytes: number;
}

export interface RunFitRequest extends FitRequest {
  need(fit: Fit): RunNeed;
}

/** Asks for the memory of a run. `budget`: what it may take, if anybody says. `resumed`: its weights are read piece by piece. */
export async function fitRequest(
  device: Device,
  plan: TrainPlan,
  options: { readonly budget: MemoryBudget | undefined; readonly resumed: boolean },
): Promise<RunFitRequest> {
  const forecastOf = await generatorForecast(plan);
  const { accumulation: accumulationSteps = 1, batchSize, recompute = false } = plan.options;
  // Fresh weights are made at one go, and lie in the host's memory as long as they are on their way.
  const besides = options.resumed || plan.model ? 0 : 4 * plan.layout.size;
  const known = new Map<string, RunNeed>();
  return {
    wanted: { batchSize, accumulationSteps, recompute, samples: plan.settings.samples > 0 },
    need(fit) {
      const key = JSON.stringify(fit);
      const need = known.get(key) ?? runNeed(device, plan, fit, forecastOf, besides);
      known.set(key, need);
      return need;
    },
    device: device.name,
    budget: options.budget,
  };
}

type ForecastOfGenerator = typeof import("../generate/forecast.ts").forecastGenerator;

/** How to foretell what samples take: what generates is loaded for a run that makes some, and for no other. */
export async function generatorForecast({ settings }: TrainPlan): Promise<ForecastOfGenerator | undefined> {
  return settings.samples > 0 ? (await import("../generate/forecast.ts")).forecastGenerator : undefined;
}

/**
 * The most that a run holds: on its device the plans of training, those of evaluation and of samples in between, which are
 * made when they are first wanted and then stay, and a piece of a checkpoint; or, at the end, the last samples, for which
 * training and evaluation make room. `forecastOf`: `generatorForecast` of the plan. `besides`: what the host takes at the start.
 */
export function runNeed(
  device: Device,
  plan: TrainPlan,
  fit: Fit,
  forecastOf: ForecastOfGenerator | undefined,
  besides = 0,
): RunNeed {
  const { config, layout, settings, options, source, evaluation } = plan;
  const forecast = device.forecast();
  const generators = new Map<string, ForecastPlan>();
  const sample = (count: number): void => {
    if (!forecastOf || !fit.samples || count === 0) return;
    const request = sampleRequest(plan, count);
    forecastOf(forecast, device, config, layout, request.prompts, request.options, generators);
  };
  const { logits, fused } = stepForm(device);
  const held = forecastTrainer(forecast, config, layout, source, { ...options, logits, fused }, fit);
  const start = forecast.peak.bytes + besides;
  if (evaluation) {
    const rows = settings.perDeviceEvalBatchSize ?? fit.batchSize;
    held.push(...forecastEvaluator(forecast, config, layout, evaluation, rows, options.precision, logits));
    sample(samplesBetween(settings));
  }
  forecast.briefly(savingBytes(layout));
  for (const one of held) one.dispose();
  sample(settings.samples);
  const deviceBytes = forecast.peak.bytes;
  return { deviceBytes, bytes: Math.max(start, deviceBytes) };
}
