/** The browser's side of anywhere.browser.test.ts: the page, and the workers that it starts from the same script. */
import { opfsFolder } from "../../src/platform/browser/storage.ts";
import { openGpu } from "../../src/platform/browser.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import type { Folder } from "../../src/storage/folder.ts";
import { leftBy, trainIn } from "./scenario.ts";

async function openRuntime(): Promise<Runtime> {
  const gpu = await openGpu();
  const runtime = createGpuRuntime(gpu);
  return {
    ...runtime,
    close() {
      runtime.close();
      gpu.close();
    },
  };
}

const folderOf = async (name: string): Promise<Folder> =>
  opfsFolder(await navigator.storage.getDirectory()).folder(name);

const JOBS: Readonly<Record<string, () => Promise<unknown>>> = {
  async stop() {
    const { reason } = await trainIn(await folderOf("run"), openRuntime, { stopAfter: 7 });
    return reason;
  },
  async finish() {
    const folder = await folderOf("run");
    const result = await trainIn(folder, openRuntime);
    return { reason: result.reason, samples: "samples" in result && result.samples, left: await leftBy(folder) };
  },
  /** Says so in the middle of a checkpoint; the page then ends it. */
  async "be killed"() {
    const folder = await folderOf("killed");
    await trainIn(halfwayThrough("checkpoint-6", folder), openRuntime);
  },
  async "go on"() {
    const folder = await folderOf("killed");
    const said: string[] = [];
    const warned = (message: string): void => void said.push(message);
    const from: number[] = [];
    const started = ({ resumedFrom }: { resumedFrom: number }): void => void from.push(resumedFrom);
    const { reason } = await trainIn(folder, openRuntime, { listener: { warned, started } });
    return { reason, from, said, left: await leftBy(folder) };
  },
};

/** A folder whose commit of `name` stops in the middle of a file, and says so. */
function halfwayThrough(name: string, folder: Folder): Folder {
  return {
    ...folder,
    commit: (made, fill) =>
      folder.commit(made, (write) =>
        fill(async (file, contents) => {
          if (made !== name || file !== "model.safetensors") return write(file, contents);
          return write(file, async (put) => {
            await put(new Uint8Array(100));
            postMessage(JSON.stringify("halfway"));
            await new Promise(() => {});
          });
        }),
      ),
  };
}

function inWorker(job: string): Promise<string> {
  const worker = new Worker("/page.js", { name: job });
  return new Promise<string>((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => reject(new Error(`${job}: ${event.message}`));
  }).finally(() => worker.terminate());
}

async function main(): Promise<string> {
  const answers: Record<string, unknown> = {};
  for (const job of Object.keys(JOBS)) answers[job] = JSON.parse(await inWorker(job));
  return JSON.stringify(answers);
}

if (typeof document === "undefined") {
  JOBS[self.name]!().then(
    (answer) => postMessage(JSON.stringify(answer ?? null)),
    (error: Error) => postMessage(JSON.stringify({ failed: error.stack ?? error.message })),
  );
} else Object.assign(globalThis, { result: main() });
