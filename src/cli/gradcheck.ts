import { Command } from "commander";
import pc from "picocolors";
import { checkJacobian, FINITE_DIFFERENCE_BOUND, traceOp } from "../autograd/gradcheck.ts";
import { UserError, userError } from "../core/errors.ts";
import { OPS } from "../kernels/index.ts";
import type { AnyOp } from "../kernels/op.ts";
import { type Comparison, compareOp, needsHalves } from "../runtime/compare.ts";
import { createCpuRuntime } from "../runtime/cpu.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Interrupt } from "./interrupt.ts";
import { DEVICE_HELP, type OpenRuntime, withRuntime } from "./runtime.ts";

/** Relative L2 distance allowed between the device's float32 and the CPU's float64. */
const DEVICE_BOUND = 1e-5;

interface OpReport {
  readonly op: string;
  readonly cases: number;
  /** Worst error by differences over its allowance; undefined for an op without a gradient. */
  readonly differences?: number;
  readonly device: Comparison;
  readonly where: string;
  /** Cases in f16, which this device does not have: by differences only. */
  readonly unchecked: number;
}

export function gradcheckCommand(interrupt: Interrupt): Command {
  return new Command("gradcheck")
    .description("Check every op: gradients against finite differences in float64, then this device against the CPU.")
    .argument("[ops...]", "names of ops; all of them if left out")
    .option("--all", "all ops (the default)")
    .option("--device <name>", DEVICE_HELP)
    .option("--json", "print one JSON object an op")
    .action(async (names: string[], options: { device?: string; json?: boolean }) => {
      const ops = names.length === 0 ? OPS : names.map(findOp);
      interrupt.watch();
      const { signal } = interrupt;
      const use = async (runtime: OpenRuntime): Promise<void> => {
        const { rtol, atol } = FINITE_DIFFERENCE_BOUND;
        if (!options.json) {
          console.log(
            `${runtime.name}: gradients by differences rtol ${rtol} atol ${atol}, device within ${DEVICE_BOUND}`,
          );
          console.log(`  ${"op".padEnd(24)}cases  differences  device`);
        }
        let failed = 0;
        for (const op of ops) {
          const report = await checkOne(op, runtime, signal);
          const good = (report.differences ?? 0) <= 1 && report.device.error <= DEVICE_BOUND;
          if (!good) failed++;
          console.log(options.json ? JSON.stringify({ ...report, passed: good }) : line(report, good));
        }
        if (!options.json && !runtime.traits.f16)
          console.log("  f16: this device has none (shader-f16); cases in f16 were checked by differences only");
        if (failed > 0) throw new UserError(`gradcheck: ${failed} of ${ops.length} ops failed`);
      };
      await withRuntime(options.device, use, { signal });
    });
}

function findOp(name: string): AnyOp {
  const op = OPS.find((candidate) => candidate.name === name);
  return op ?? userError(`there is no op "${name}"; there are ${OPS.map((known) => known.name).join(", ")}`, "usage");
}

async function checkOne(op: AnyOp, runtime: Runtime, signal: AbortSignal): Promise<OpReport> {
  let differences: number | undefined;
  let device: Comparison = { error: 0, tensor: "" };
  let where = "";
  let unchecked = 0;
  for (const check of op.cases) {
    const reference = createCpuRuntime({ precision: "float64", signal });
    if (op.vjp) {
      const opTape = traceOp(op, check);
      const program = await reference.compile(opTape.tape);
      const worst = await checkJacobian(opTape, check, (inputs) => program.run(inputs));
      if (worst.ratio > 1) where = worst.where;
      differences = Math.max(differences ?? 0, worst.ratio);
    }
    if (needsHalves(op, check) && !runtime.traits.f16) {
      unchecked++;
      continue;
    }
    const comparison = await compareOp(runtime, reference, op, check);
    if (comparison.error > device.error) device = comparison;
  }
  return {
    op: op.name,
    cases: op.cases.length,
    ...(differences === undefined ? {} : { differences }),
    device,
    where,
    unchecked,
  };
}

function line({ op, cases, differences, device, where }: OpReport, good: boolean): string {
  const byDifferences = differences === undefined ? "-" : `${(differences * 100).toFixed(1)} %`;
  const verdict = good ? pc.green("passed") : pc.red(`FAILED ${where} ${device.tensor}`);
  return `  ${op.padEnd(24)}${String(cases).padStart(5)}  ${byDifferences.padStart(11)}  ${device.error.toExponential(1)}  ${verdict}`;
}
