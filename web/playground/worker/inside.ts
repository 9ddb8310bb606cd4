/** What the page shows of the engine itself: the device, a step's ops, attention, and the checks of `gpt2 verify` and `gpt2 gradcheck`. */
import { userError } from "../../../src/core/errors.ts";
import { OPS } from "../../../src/kernels/index.ts";
import type { Model } from "../../../src/library/model.ts";
import { openGpu } from "../../../src/platform/browser.ts";
import { factsOf } from "../../../src/run/facts.ts";
import type { TrainPlan } from "../../../src/run/plan.ts";
import { profileStep } from "../../../src/run/step-profile.ts";
import { builtInFixture } from "../../../src/verify/built-in.ts";
import { checkOp, type OpReport } from "../../../src/verify/check-op.ts";
import { verify } from "../../../src/verify/verify.ts";
import type { AdapterReport, AttentionReport, GradcheckReport, StepReport, VerifyReport } from "../protocol.ts";
import type { Devices } from "./devices.ts";

/** How long a step is timed, op by op. */
const PROFILE_SECONDS = 1;
/** More would be no picture. */
const MOST_SHOWN = 64;

const seconds = (since: number): number => (performance.now() - since) / 1000;

export async function adapterOf(devices: Devices): Promise<AdapterReport> {
  const { userAgent, hardwareConcurrency: cores, deviceMemory } = navigator as Navigator & { deviceMemory?: number };
  const runtime = await devices.open();
  const { tuning: _, ...traits } = runtime.traits;
  runtime.close();
  const known = {
    device: devices.info,
    traits,
    browser: {
      userAgent,
      cores,
      ...(deviceMemory === undefined ? {} : { memory: deviceMemory }),
      crossOriginIsolated: globalThis.crossOriginIsolated === true,
    },
  };
  if (devices.info.kind !== "webgpu") return known;
  const gpu = await openGpu();
  const { info, limits, features } = gpu;
  gpu.close();
  return { ...known, info: { ...info }, limits: { ...limits }, features: [...features].sort() };
}

export async function profileOf(plan: TrainPlan, devices: Devices, signal: AbortSignal): Promise<StepReport> {
  const began = performance.now();
  const runtime = await devices.open({ signal });
  try {
    const budget = devices.budget();
    const profile = await profileStep(runtime, plan, { budget, seconds: PROFILE_SECONDS, signal });
    return { ...profile, facts: factsOf(plan), seconds: seconds(began) };
  } finally {
    runtime.close();
  }
}

export async function attentionOf(model: Model, text: string): Promise<AttentionReport> {
  const { length } = model.tokenizer.encode(text);
  if (length >= MOST_SHOWN)
    userError(`the text has ${length} tokens; at most ${MOST_SHOWN - 1} can be shown, give a part of it`);
  const { tokens, layers } = await model.attention(text);
  return { text, tokens, heads: model.config.heads, layers: layers.map(({ weights }) => weights) };
}

export async function verifyOn(devices: Devices, signal: AbortSignal): Promise<VerifyReport> {
  const began = performance.now();
  const runtime = await devices.open({ signal });
  try {
    const fixture = await builtInFixture(signal);
    const checks = await verify(runtime, fixture);
    return { fixture: fixture.name, checks, seconds: seconds(began) };
  } finally {
    runtime.close();
  }
}

export async function gradcheckOn(
  devices: Devices,
  signal: AbortSignal,
  told: (done: number, all: number, report: OpReport) => void,
): Promise<GradcheckReport> {
  const began = performance.now();
  const runtime = await devices.open({ signal });
  const ops: OpReport[] = [];
  try {
    for (const op of OPS) {
      signal.throwIfAborted();
      const report = await checkOp(runtime, op, signal);
      ops.push(report);
      told(ops.length, OPS.length, report);
    }
    return { ops, f16: runtime.traits.f16, seconds: seconds(began) };
  } finally {
    runtime.close();
  }
}
