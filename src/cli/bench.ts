import { Command } from "commander";
import { benchKernels, measurePeak } from "../bench/kernels.ts";
import type { Row } from "../bench/row.ts";
import { UserError } from "../core/errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { openGpu } from "../platform/node.ts";
import { printRow } from "./bench-print.ts";

interface BenchFlags {
  readonly device?: string;
  readonly json?: boolean;
  readonly quick?: boolean;
}

const DEVICE_HELP = "auto, hardware, system, embedded, or part of an adapter's name; see `gpt2 devices`";

export function benchCommand(): Command {
  return new Command("bench")
    .description("Measure this machine: kernels, a training step, generation, each beside what the adapter can do.")
    .addCommand(
      part("kernels", "Every op at GPT-2's shapes: checked against the reference, then timed.").action(
        (flags: BenchFlags) => withRows(flags, kernels),
      ),
    );
}

function part(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option("--device <name>", DEVICE_HELP)
    .option("--json", "print one JSON object a measurement")
    .option("--quick", "fewer samples of smaller works: a look, not a measurement");
}

async function* kernels(gpu: Gpu, flags: BenchFlags): AsyncGenerator<Row, void> {
  const options = { quick: flags.quick === true };
  const { peak, rows } = await measurePeak(gpu, options);
  yield* rows;
  yield* benchKernels(gpu, peak, options);
}

/** Opens the device, prints rows as they come, and ends with an error if a result was wrong. */
async function withRows<F extends BenchFlags>(
  flags: F,
  bench: (gpu: Gpu, flags: F) => AsyncGenerator<Row, void>,
): Promise<void> {
  const gpu = await openGpu({ adapter: flags.device });
  const failed: Row[] = [];
  try {
    if (!flags.json) console.log(gpu.driver);
    for await (const row of bench(gpu, flags)) {
      if (row.failed !== undefined) failed.push(row);
      if (flags.json) console.log(JSON.stringify(row, fiveDigits));
      else printRow(row);
    }
  } finally {
    gpu.close();
  }
  const ours = failed.filter(({ system }) => system === "webgpu-gpt2");
  if (ours.length > 0) throw new UserError(`bench: ${ours.length} works failed, ${ours[0]?.work} first`);
}

/** More digits than were measured only make a file longer. */
function fiveDigits(_key: string, value: unknown): unknown {
  return typeof value === "number" ? Number(value.toPrecision(5)) : value;
}
