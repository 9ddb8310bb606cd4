import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Command } from "commander";
import pc from "picocolors";
import { FINITE_DIFFERENCE_BOUND } from "../autograd/gradcheck.ts";
import { UserError, userError } from "../core/errors.ts";
import { OPS } from "../kernels/index.ts";
import type { AnyOp } from "../kernels/op.ts";
import type { OpenRuntime } from "../run/session.ts";
import { checkOp, DEVICE_BOUND, type OpReport } from "../verify/check-op.ts";
import type { Interrupt } from "./interrupt.ts";
import { DEVICE_HELP, withRuntime } from "./runtime.ts";
import { type Line, terminal } from "./terminal.ts";

export function gradcheckCommand(interrupt: Interrupt): Command {
  return new Command("gradcheck")
    .description("Check every op: gradients against finite differences in float64, then this device against the CPU.")
    .argument("[ops...]", "names of ops, or modules (./my-op.js) that export ops of your own; all of ours if left out")
    .option("--all", "all ops (the default)")
    .option("--device <name>", DEVICE_HELP)
    .option("--json", "print one JSON object an op")
    .action(async (names: string[], options: { device?: string; json?: boolean }) => {
      terminal.begin({ lost: "go-on" });
      const ops = names.length === 0 ? OPS : (await Promise.all(names.map(findOps))).flat();
      interrupt.watch();
      const { signal } = interrupt;
      const use = async (runtime: OpenRuntime): Promise<void> => {
        const { rtol, atol } = FINITE_DIFFERENCE_BOUND;
        if (!options.json) {
          terminal.result(
            `${runtime.name}: gradients by differences rtol ${rtol} atol ${atol}, device within ${DEVICE_BOUND}`,
          );
          terminal.result(row("op", "cases", "differences", "device", " ".repeat("passed".length)));
        }
        let failed = 0;
        for (const op of ops) {
          const report = await checkOp(runtime, op, signal);
          if (!report.passed) failed++;
          if (options.json) terminal.json(report);
          else terminal.result(line(report));
        }
        if (!options.json && !runtime.traits.f16)
          terminal.result("  f16: this device has none (shader-f16); cases in f16 were checked by differences only");
        if (failed > 0) throw new UserError(`gradcheck: ${failed} of ${ops.length} ops failed`);
      };
      await withRuntime(options.device, use, { signal });
    });
}

async function findOps(name: string): Promise<AnyOp[]> {
  if (/\.[cm]?[jt]s$/.test(name)) return opsIn(name);
  const op = OPS.find((candidate) => candidate.name === name);
  return [op ?? userError(`there is no op "${name}"; there are ${OPS.map((known) => known.name).join(", ")}`, "usage")];
}

/** What a module exports that `defineOp` made. */
async function opsIn(file: string): Promise<AnyOp[]> {
  if (!existsSync(file)) userError(`${file}: does not exist; wanted a module that exports ops, or names of ours`);
  const module: Record<string, unknown> = await import(pathToFileURL(resolve(file)).href).catch((error: Error) =>
    userError(`${file}: cannot be loaded as a module: ${error.message.split("\n")[0]}`),
  );
  const ops = Object.values(module).filter(isOp);
  return ops.length > 0 ? ops : userError(`${file}: exports no op; export what defineOp gives`);
}

function isOp(value: unknown): value is AnyOp {
  const op = value as Partial<AnyOp> | undefined | null;
  return typeof op?.name === "string" && typeof op.cpu === "function" && Array.isArray(op.cases);
}

function line({ op, cases, differences, device, where, passed }: OpReport): Line {
  const byDifferences = differences === undefined ? "-" : `${(differences * 100).toFixed(1)} %`;
  const verdict = passed ? pc.green("passed") : pc.red(`FAILED ${where} ${device.tensor}`);
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
