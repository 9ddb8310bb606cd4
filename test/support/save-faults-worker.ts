/**
 * The process that `save-faults.ts` makes system calls fail in. Each line on its input is a job, `save <directory> <step>` or
 * `resume <directory>`; each line on its output says how one ended.
 */
import { createInterface } from "node:readline";
import { UserError } from "../../src/core/errors.ts";
import { nodeFolder } from "../../src/platform/node/storage.ts";
import { openNewestGood, saveCheckpoint } from "../../src/run/checkpoints.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { fillTiny, tinyFiles, tinyLayout } from "./tiny-run.ts";

const notices: string[] = [];
const notice = (line: string): void => void notices.push(line);

async function work(job: string): Promise<string> {
  const [what, directory = "", step] = job.split(" ");
  const runtime = createCpuRuntime();
  if (what === "save") {
    await fillTiny(runtime, Number(step));
    await saveCheckpoint(nodeFolder(directory), Number(step), tinyFiles(runtime, Number(step)), { limit: 2, notice });
    return "saved";
  }
  const checkpoint = await openNewestGood(nodeFolder(directory), notice);
  await checkpoint?.restore(runtime, tinyLayout);
  return `resumed ${checkpoint?.step ?? 0}`;
}

// Everything is loaded and has run once before the first fault.
console.log("ready");
for await (const job of createInterface({ input: process.stdin })) {
  notices.length = 0;
  const result = await work(job).catch((error: unknown) =>
    error instanceof UserError ? `refused ${error.message}` : `failed ${(error as Error).stack}`,
  );
  console.log(JSON.stringify({ result, notices }));
}
