/** The browser's side of opfs.browser.test.ts: the page, and the workers that it starts from the same script. */
import { opfsFolder } from "../../src/platform/browser/storage.ts";
import type { Folder } from "../../src/storage/folder.ts";
import { exists, readText } from "../../src/storage/read.ts";
import { CALL_FAULTS, faultyOpfs } from "../support/faulty-opfs.ts";
import { CASES } from "./conformance.ts";
import { snapshot, tryEach } from "./scenario.ts";

/** Of how many calls one is tried. */
declare const EVERY: number;

/** What a worker does, by name; gives JSON. */
const JOBS: Readonly<Record<string, () => Promise<unknown>>> = {
  /** What went wrong in each case, by its name. */
  async conformance() {
    const wrong: Record<string, string> = {};
    for (const { name, run } of CASES) {
      const directory = await newDirectory();
      await run(() => opfsFolder(directory), true).catch((error: Error) => {
        wrong[name] = error.stack ?? error.message;
      });
    }
    return wrong;
  },

  /** Calls of the browser, in changes of every kind, as the one that ends the worker or is refused. */
  async faults() {
    const tried: Record<string, number> = {};
    for (const fault of CALL_FAULTS) {
      const directory = await newDirectory();
      tried[fault] = await tryEach(
        () => opfsFolder(directory),
        (at) => {
          const faulty = faultyOpfs(directory, at, fault);
          return { ...faulty, folder: opfsFolder(faulty.directory) };
        },
        fault === "half" ? 1 : EVERY,
      );
    }
    return tried;
  },

  /** Comes to the middle of a commit and says so; the page then ends it. */
  async commit() {
    const run = await runFolder();
    await run.lock("lock", () => {});
    await run.replace("run.json", "one");
    await run.commit("checkpoint-1", (write) =>
      write("weights", (put) => put(new Uint8Array(3).fill(49))).then(() => undefined),
    );
    await run.commit("checkpoint-2", async (write) => {
      await write("whole", (put) => put(new Uint8Array(1000)));
      await write("weights", async (put) => {
        await put(new Uint8Array(1_000_000));
        postMessage(JSON.stringify("halfway"));
        for (;;) await put(new Uint8Array(1000));
      });
    });
  },

  async reopen() {
    const run = await runFolder();
    const lock = await run.lock("lock", () => {});
    const found = await snapshot(run);
    const left = await run.tidy();
    await run.commit("checkpoint-2", (write) =>
      write("weights", (put) => put(new Uint8Array(2).fill(50))).then(() => undefined),
    );
    await lock.release();
    return { found, left, after: await snapshot(run) };
  },

  /** Both files of an index damaged are told, and not taken for an empty folder. */
  async damage() {
    const directory = await newDirectory();
    const folder = opfsFolder(directory, "kept");
    await folder.replace("a", "1");
    await folder.replace("b", "2");
    const spoil = async (slot: string): Promise<void> => {
      const file = await directory.getFileHandle(slot);
      const access = await (file as unknown as { createSyncAccessHandle(): Promise<Access> }).createSyncAccessHandle();
      access.write(Uint8Array.of(0), { at: 80 });
      access.close();
    };
    const said: unknown[] = [];
    await spoil(".index-1");
    said.push(await snapshot(folder));
    await spoil(".index-0");
    for (const act of [() => folder.list(), () => folder.tidy(), () => folder.replace("c", "")])
      said.push(await act().catch((error: Error) => error.message));
    // What others keep in the same folder is theirs.
    const other = await newDirectory();
    await other.getFileHandle("theirs.txt", { create: true });
    said.push(await opfsFolder(other).list(), await opfsFolder(other).tidy());
    await other.getFileHandle("theirs.txt");
    return said;
  },
};

interface Access {
  write(bytes: Uint8Array, options: { at: number }): number;
  close(): void;
}

let directories = 0;
async function newDirectory(): Promise<FileSystemDirectoryHandle> {
  const root = await navigator.storage.getDirectory();
  return root.getDirectoryHandle(`case-${++directories}-${Math.random()}`, { create: true });
}

async function runFolder(): Promise<Folder> {
  const root = await navigator.storage.getDirectory();
  return opfsFolder(await root.getDirectoryHandle("runs", { create: true })).folder("run");
}

function inWorker(job: string): Promise<{ readonly answer: string; end(): void }> {
  const worker = new Worker("/page.js", { name: job });
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve({ answer: data, end: () => worker.terminate() });
    worker.onerror = (event) => reject(new Error(`${job}: ${event.message}`));
  });
}

/** What a page itself can do: read what its workers write. */
async function onPage(): Promise<unknown> {
  const run = await runFolder();
  const text = await readText(run, "run.json");
  const writing = await run.replace("a", "b").catch((error: Error) => error.message);
  return { text, writing, exists: await exists(run, "a"), free: ((await run.free()) ?? 0) > 0 };
}

async function main(): Promise<string> {
  const answers: Record<string, unknown> = {};
  for (const job of ["conformance", "faults", "damage", "commit", "reopen"]) {
    const { answer, end } = await inWorker(job);
    end();
    answers[job] = JSON.parse(answer);
  }
  return JSON.stringify({ ...answers, page: await onPage() });
}

if (typeof document === "undefined") {
  // Safari had none for years.
  delete (FileSystemFileHandle.prototype as { createWritable?: unknown }).createWritable;
  const job = JOBS[self.name]!;
  job().then(
    (answer) => postMessage(JSON.stringify(answer ?? null)),
    (error: Error) => postMessage(JSON.stringify({ failed: error.stack ?? error.message })),
  );
} else Object.assign(globalThis, { result: main() });
