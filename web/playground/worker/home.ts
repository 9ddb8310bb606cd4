/**
 * Where runs are kept: a folder each in the browser's private files, with what it is about (`about.json`), its data, and `run/`, which is
 * a run's folder as `gpt2 train` makes them. Without private files the same in memory.
 */
import * as v from "valibot";
import { userError } from "../../../src/core/errors.ts";
import type { DataSource } from "../../../src/data/source.ts";
import { checkJson, count, time } from "../../../src/io/check-json.ts";
import { opfsFolder } from "../../../src/platform/browser.ts";
import { parseLines } from "../../../src/report/lines.ts";
import { type FoundCheckpoint, findCheckpoints } from "../../../src/run/checkpoints.ts";
import { LOCK_FILE, METRICS_FILE, MODEL_FOLDER, notFiniteStep } from "../../../src/run/files.ts";
import type { OpenModel } from "../../../src/run/model.ts";
import { STATE_FILE } from "../../../src/run/state.ts";
import type { Folder, StoredFile } from "../../../src/storage/folder.ts";
import { memoryFolder } from "../../../src/storage/memory.ts";
import { bytesIn, exists, readJson, readText } from "../../../src/storage/read.ts";
import type { Base, Input, RunWish, SaidSettings, StorageInfo, StoredRun, StoredStatus } from "../protocol.ts";
import { uniqueName } from "../unique.ts";
import { openBase } from "./base.ts";

const ROOT = "playground";
const ABOUT = "about.json";
const RUN = "run";
/** Held by every worker that is alive, so that the first of them may tidy up. */
const ALIVE = "webgpu-gpt2 playground: at work";

const ABOUT_JSON = v.object({
  format: v.literal(1),
  title: v.string(),
  created: time,
  /** Names of its data, whose files are `data-0`, `data-1`, ... */
  inputs: v.array(v.string()),
  said: v.record(v.string(), v.unknown()),
  maxSteps: count,
  /** The model that it trains on from; its files are `base-0`, `base-1`, ... */
  base: v.optional(v.object({ title: v.string(), files: v.array(v.string()) })),
  /** It was stopped for good. */
  kept: v.boolean(),
});

export type About = v.InferOutput<typeof ABOUT_JSON>;

export interface Home {
  readonly storage: StorageInfo;
  list(): Promise<StoredRun[]>;
  /** Keeps the data of a new run; gives its name. */
  create(about: {
    title: string;
    inputs: readonly Input[];
    said: SaidSettings;
    maxSteps: number;
    base: Base | undefined;
  }): Promise<string>;
  about(id: string): Promise<About>;
  change(id: string, change: Partial<Pick<About, "kept" | "maxSteps">>): Promise<void>;
  /** The data of a run, open. */
  sources(id: string): Promise<DataSource[]>;
  /** What it was asked for, in copies that outlive it. */
  asked(id: string): Promise<RunWish & { readonly title: string }>;
  /** The model that it trains on from, open; close it. */
  base(id: string): Promise<OpenModel | undefined>;
  /** Where `trainRun` is at home. */
  run(id: string): Folder;
  remove(id: string): Promise<void>;
  /** The folder of the model that a run has come to so far; undefined where it is the one that was opened. */
  model(id: string): Promise<Folder | undefined>;
}

export async function openHome(): Promise<Home> {
  const { folder: root, storage } = await openRoot();

  async function about(id: string): Promise<About> {
    if (!(await exists(root, id))) userError("this run does not exist any more: it was deleted in another tab");
    const parsed = checkJson(ABOUT_JSON, await readJson(root.folder(id), ABOUT));
    if (parsed.success) return parsed.data;
    const { path, message } = parsed.problem;
    return userError(`${root.folder(id).path}/${ABOUT}: ${path.join(".")}: ${message}`);
  }

  async function stored(id: string): Promise<StoredRun> {
    const [bytes, run] = [await bytesIn(root.folder(id)), runOf(id)];
    const running = await run.isLocked(LOCK_FILE);
    try {
      const { title, created, said, maxSteps, kept, inputs } = await about(id);
      const saved = (await findCheckpoints(run)).at(0)?.step ?? 0;
      const finished = await exists(run, MODEL_FOLDER);
      // Where there was no space its last checkpoints are not there, and its model is.
      const step = finished && saved < maxSteps ? ((await lastStep(run)) ?? saved) : saved;
      const opened = inputs.length === 0;
      // Of a run that went on from before it and came further, it is past.
      const notFinite = (await run.list())
        .flatMap(({ name }) => notFiniteStep(name) ?? [])
        .find((step) => step > saved);
      const open: StoredStatus = notFinite === undefined ? "paused" : "diverged";
      const ended: StoredStatus = opened ? "opened" : kept ? "kept" : finished ? "finished" : open;
      const status = running ? "running" : ended;
      const model = opened || finished || saved > 0;
      return { id, title, created, status, step, maxSteps, bytes, model, said, notFinite };
    } catch (error) {
      const title = `${id}: ${(error as Error).message}`;
      return { id, title, created: "", status: "broken", step: 0, maxSteps: 0, bytes, model: false, said: {} };
    }
  }

  const runOf = (id: string): Folder => root.folder(id).folder(RUN);

  /** What the data of runs that began here are called, as they were chosen; nobody changes them. */
  const chosen = new Map<string, string>();
  const contentOf = (id: string, file: string): string => chosen.get(`${id}/${file}`) ?? `${id}/${file}`;

  return {
    storage,
    run: runOf,
    about,
    async list() {
      const runs: StoredRun[] = [];
      for (const { name, kind } of await root.list()) {
        if (kind !== "folder") continue;
        try {
          runs.push(await stored(name));
        } catch (error) {
          // Another tab may have removed it meanwhile.
          if (await exists(root, name)) throw error;
        }
      }
      return runs.sort((a, b) => (a.created < b.created ? 1 : -1));
    },
    async create({ title, inputs, said, maxSteps, base }) {
      const created = new Date();
      const id = `${created.toISOString().slice(0, 19).replace(/\D/g, "")}-${uniqueName().slice(0, 8)}`;
      await root.commit(id, async (write) => {
        const store = (name: string, blob: Blob) =>
          write(name, async (put) => {
            for await (const piece of piecesOf(blob)) await put(piece);
          });
        for (const [i, { blob }] of inputs.entries()) await store(`data-${i}`, blob);
        for (const [i, { blob }] of (base?.files ?? []).entries()) await store(`base-${i}`, blob);
        const json: About = {
          format: 1,
          title,
          created: created.toISOString(),
          inputs: inputs.map(({ name }) => name),
          said: { ...said },
          maxSteps,
          ...(base ? { base: { title: base.title, files: base.files.map(({ name }) => name) } } : {}),
          kept: false,
        };
        await write(ABOUT, (put) => put(new TextEncoder().encode(JSON.stringify(json))));
      });
      for (const [i, { content }] of inputs.entries()) if (content) chosen.set(`${id}/data-${i}`, content);
      return id;
    },
    async change(id, change) {
      await root.folder(id).replace(ABOUT, JSON.stringify({ ...(await about(id)), ...change }));
    },
    async sources(id) {
      const { inputs } = await about(id);
      const opened: DataSource[] = [];
      for (const [i, name] of inputs.entries()) {
        const file = `data-${i}`;
        opened.push(await storedSource(root.folder(id), file, name, contentOf(id, file)));
      }
      return opened;
    },
    async asked(id) {
      const { title, inputs, said, base } = await about(id);
      const copy = async (file: string, name: string): Promise<Input> => ({
        name,
        blob: await blobOf(root.folder(id), file),
        content: contentOf(id, file),
      });
      const copies = (kind: string, names: readonly string[]) =>
        Promise.all(names.map((name, i) => copy(`${kind}-${i}`, name)));
      return {
        title,
        said,
        inputs: await copies("data", inputs),
        base: base && { title: base.title, files: await copies("base", base.files) },
      };
    },
    async base(id) {
      const { base } = await about(id);
      if (!base) return undefined;
      const files = new Map<string, StoredFile>();
      const close = async (): Promise<void> => {
        for (const file of files.values()) await file.close();
      };
      for (const [i, name] of base.files.entries()) files.set(name, await root.folder(id).open(`base-${i}`));
      return openBase(base.title, files, close, () => {});
    },
    async remove(id) {
      // Nobody else may be at work there, nor begin.
      const lock = await runOf(id).lock(LOCK_FILE, () => {});
      try {
        await root.remove(id);
      } finally {
        await lock.release();
      }
    },
    async model(id) {
      const run = runOf(id);
      if (await exists(run, MODEL_FOLDER)) return run.folder(MODEL_FOLDER);
      const checkpoints = await findCheckpoints(run);
      const newest = checkpoints.at(0);
      const { inputs } = await about(id);
      if (inputs.length === 0) return undefined;
      if (!newest) return userError(`${(await about(id)).title}: has no checkpoint yet; wait for its first one`);
      return (await bestOf(newest, checkpoints)).folder;
    },
  };
}

/** Of the last line of a run's log; undefined where there is none that can be read. */
async function lastStep(run: Folder): Promise<number | undefined> {
  try {
    const text = await readText(run, METRICS_FILE);
    return parseLines(`${text.trimEnd().split("\n").at(-1)!}\n`, METRICS_FILE).lines.at(-1)?.step;
  } catch {
    return undefined;
  }
}

/** The best checkpoint where evaluations have told which it is, else the newest. */
async function bestOf(newest: FoundCheckpoint, all: readonly FoundCheckpoint[]): Promise<FoundCheckpoint> {
  const state = (await readJson(newest.folder, STATE_FILE).catch(() => null)) as { best?: { step?: unknown } } | null;
  return all.find(({ step }) => step === state?.best?.step) ?? newest;
}

async function openRoot(): Promise<{ folder: Folder; storage: StorageInfo }> {
  const { storage, locks } = navigator as Partial<Navigator>;
  if (!storage?.getDirectory || !locks) {
    const why = globalThis.isSecureContext === false ? { why: "this page is not on https or localhost" } : {};
    return { folder: memoryFolder("memory"), storage: { kind: "memory", ...why } };
  }
  try {
    const folder = opfsFolder(await storage.getDirectory()).folder(ROOT);
    await locks.request(ALIVE, { ifAvailable: true }, async (lock) => {
      if (lock) await folder.tidy();
    });
    // Another worker may be the first of its own, and tidy up: what is made meanwhile would be removed.
    await new Promise<void>((granted, refused) => {
      const forever = (): Promise<never> => {
        granted();
        return new Promise(() => {});
      };
      locks.request(ALIVE, { mode: "shared" }, forever).catch(refused);
    });
    // Some browsers have such files and do not let them be written.
    await folder.replace(".writable", "");
    return { folder, storage: { kind: "opfs" } };
  } catch (error) {
    return { folder: memoryFolder("memory"), storage: { kind: "memory", why: (error as Error).message } };
  }
}

/** Bytes of a piece. */
const PIECE = 2 ** 20;

async function* piecesOf(blob: Blob): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < blob.size; at += PIECE) yield new Uint8Array(await blob.slice(at, at + PIECE).arrayBuffer());
}

/** Of a part of a copy, which the browser may put on the disk before the next is read. */
const PART = 32 * PIECE;

async function blobOf(folder: Folder, name: string): Promise<Blob> {
  const file = await folder.open(name);
  try {
    const parts: Blob[] = [];
    for (let at = 0; at < file.size; at += PART) {
      const bytes = new Uint8Array(Math.min(PART, file.size - at));
      await file.read(at, bytes);
      parts.push(new Blob([bytes]));
    }
    return new Blob(parts);
  } finally {
    await file.close();
  }
}

async function storedSource(folder: Folder, file: string, name: string, content: string): Promise<DataSource> {
  const stored = await folder.open(file);
  const { size } = stored;
  const slice = async (start: number, end: number): Promise<ArrayBuffer> => {
    const bytes = new Uint8Array(end - start);
    await stored.read(start, bytes);
    return bytes.buffer;
  };
  return {
    name,
    size,
    content,
    async *pieces() {
      for (let at = 0; at < size; at += PIECE) yield new Uint8Array(await slice(at, Math.min(size, at + PIECE)));
    },
    slice,
    async checkUnchanged() {},
    close: () => stored.close(),
  };
}
