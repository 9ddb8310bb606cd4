import { Command } from "commander";
import pc from "picocolors";
import { checkJacobian, FINITE_DIFFERENCE_BOUND, traceOp } from "../autograd/gradcheck.ts";
import { UserError, userError } from "../core/errors.ts";
import { OPS } from "../kernels/index.ts";
import type { AnyOp } from "../kernels/op.ts";
import { type Comparison, compareOp, needsHalves } from "../runtime/compare.ts";
import { createCpuRuntime } from "../runtime/cpu.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { DEVICE_HELP, withRuntime } from "./runtime.ts";
import { type Line, terminal } from "./terminal.ts";

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

export function gradcheckCommand(): Command {
  return new Command("gradcheck")
    .description("Check every op: gradients against finite differences in float64, then this device against the CPU.")
    .argument("[ops...]", "names of ops; all of them if left out")
    .option("--all", "all ops (the default)")
    .option("--device <name>", DEVICE_HELP)
    .option("--json", "print one JSON object an op")
    .action(async (names: string[], options: { device?: string; json?: boolean }) => {
      terminal.begin({ lost: "go-on" });
      const ops = names.length === 0 ? OPS : names.map(findOp);
      await withRuntime(options.device, async (runtime) => {
        const { rtol, atol } = FINITE_DIFFERENCE_BOUND;
        if (!options.json) {
          terminal.result(
            `${runtime.name}: gradients by differences rtol ${rtol} atol ${atol}, device within ${DEVICE_BOUND}`,
          );
          terminal.result(row("op", "cases", "differences", "device", " ".repeat("passed".length)));
        }
        let failed = 0;
        for (const op of ops) {
          const report = await checkOne(op, runtime);
          const good = (report.differences ?? 0) <= 1 && report.device.error <= DEVICE_BOUND;
          if (!good) failed++;
          if (options.json) terminal.json({ ...report, passed: good });
          else terminal.result(line(report, good));
        }
        if (!options.json && !runtime.traits.f16)
          terminal.result("  f16: this device has none (shader-f16); cases in f16 were checked by differences only");
        if (failed > 0) throw new UserError(`gradcheck: ${failed} of ${ops.length} ops failed`);
      });
    });
}

function findOp(name: string): AnyOp {
  const op = OPS.find((candidate) => candidate.name === name);
  return op ?? userError(`there is no op "${name}"; there are ${OPS.map((known) => known.name).join(", ")}`);
}

async function checkOne(op: AnyOp, runtime: Runtime): Promise<OpReport> {
  let differences: number | undefined;
  let device: Comparison = { error: 0, tensor: "" };
  let where = "";
  let unchecked = 0;
  for (const check of op.cases) {
    const reference = createCpuRuntime({ precision: "float64" });
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

function line({ op, cases, differences, device, where }: OpReport, good: boolean): Line {
  const byDifferences = differences === undefined ? "-" : `${(differences * 100).toFixed(1)} %`;
  const verdict = good ? pc.green("passed") : pc.red(`FAILED ${where} ${device.tensor}`);
  return row(op, String(cases), byDifferences, device.error.toExponential(1), verdict);
}

function row(op: string, cases: string, differences: string, device: string, verdict: string): Line {
  return [
    `  ${op.padEnd(22)}`,
    { text: cases.padStart(5), rank: 3 },
    { text: differences.padStart(11), rank: 2 },
    { text: device.padEnd(7), rank: 1 },
    verdict,
  ];
}
