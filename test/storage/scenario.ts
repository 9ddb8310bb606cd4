/** Changes of every kind, and what must hold wherever one of them breaks off. */
import type { Folder, WriteFile } from "../../src/storage/folder.ts";
import { exists, readText } from "../../src/storage/read.ts";

/** What a folder holds, to the bottom. */
interface Contents {
  [name: string]: string | Contents;
}

interface Change {
  readonly name: string;
  /** Makes what the change needs, or removes what is in its way. */
  readonly before?: (folder: Folder) => Promise<unknown>;
  /** May be done again where it was not done. `n` differs from time to time. */
  readonly act: (folder: Folder, n: number) => Promise<unknown>;
  /** What the folder then holds. */
  readonly after: (contents: Contents, n: number) => Contents;
}

const text = (contents: string): Uint8Array => new TextEncoder().encode(contents);

async function checkpoint(write: WriteFile): Promise<void> {
  await write("weights", async (put) => {
    await put(text("weights, "));
    await put(text("and more of them"));
  });
  await write("manifest", (put) => put(text("all")));
}
const CHECKPOINT = { manifest: "all", weights: "weights, and more of them" };

async function commitUnlessThere(folder: Folder, name: string): Promise<void> {
  if (!(await exists(folder, name))) await folder.commit(name, checkpoint);
}

function renamed(contents: Contents, from: string, to: string): Contents {
  const { [from]: moved, ...rest } = contents;
  return { ...rest, [to]: moved! };
}

function without(contents: Contents, name: string): Contents {
  const { [name]: _, ...rest } = contents;
  return rest;
}

const CHANGES: readonly Change[] = [
  {
    name: "replace a file",
    before: async (folder) => (await exists(folder, "file")) || folder.replace("file", "first"),
    act: (folder, n) => folder.replace("file", `contents ${n}`),
    after: (contents, n) => ({ ...contents, file: `contents ${n}` }),
  },
  {
    name: "make a file",
    before: (folder) => folder.remove("made"),
    act: (folder) => folder.replace("made", "1"),
    after: (contents) => ({ ...contents, made: "1" }),
  },
  {
    name: "append",
    before: async (folder) => (await exists(folder, "log")) || folder.append("log", "one\n"),
    act: (folder, n) => folder.append("log", `line ${n}\n`),
    after: (contents, n) => ({ ...contents, log: `${contents.log}line ${n}\n` }),
  },
  {
    name: "append to no file",
    before: (folder) => folder.remove("first"),
    act: (folder) => folder.append("first", "line\n"),
    after: (contents) => ({ ...contents, first: "line\n" }),
  },
  {
    name: "commit",
    before: (folder) => folder.remove("checkpoint"),
    act: (folder) => folder.commit("checkpoint", checkpoint),
    after: (contents) => ({ ...contents, checkpoint: CHECKPOINT }),
  },
  {
    name: "rename a file",
    async before(folder) {
      await folder.replace("from", "moved");
      await folder.remove("to");
    },
    act: (folder) => folder.move("from", "to"),
    after: (contents) => renamed(contents, "from", "to"),
  },
  {
    name: "rename a folder",
    async before(folder) {
      await commitUnlessThere(folder, "old");
      await folder.remove("old.aside");
    },
    act: (folder) => folder.move("old", "old.aside"),
    after: (contents) => renamed(contents, "old", "old.aside"),
  },
  {
    name: "remove a file",
    before: (folder) => folder.replace("useless", ""),
    act: (folder) => folder.remove("useless"),
    after: (contents) => without(contents, "useless"),
  },
  {
    name: "remove a folder",
    before: (folder) => commitUnlessThere(folder, "excess"),
    act: (folder) => folder.remove("excess"),
    after: (contents) => without(contents, "excess"),
  },
  { name: "tidy", act: (folder) => folder.tidy(), after: (contents) => contents },
];

export async function snapshot(folder: Folder): Promise<Contents> {
  const all: Contents = {};
  for (const { name, kind } of await folder.list())
    all[name] = kind === "file" ? await readText(folder, name) : await snapshot(folder.folder(name));
  return all;
}

const sorted = (contents: Contents): string =>
  JSON.stringify(Object.fromEntries(Object.entries(contents).sort(([a], [b]) => (a < b ? -1 : 1))));

export interface Attempt {
  readonly folder: Folder;
  /** Whether what was to befall it has. */
  hit(): boolean;
  readonly killed: Promise<void>;
  /** What the operating system does for a process that is dead. */
  end(): void;
}

/**
 * Each change with a fault at its first operation, its second, and so on. Where it is refused the folder must be as before; where
 * the process is killed, as before or as after; and then it must be possible to tidy up and to do the change. Gives how many
 * faults there were; throws what is wrong. `attempt`: the folder with a fault at operation `at`; `open`: as it is; `every`: only so many
 * operations apart, from the first on, the next change from its second, and so on.
 */
export async function tryEach(open: () => Folder, attempt: (at: number) => Attempt, every = 1): Promise<number> {
  let faults = 0;
  for (const [i, { name, before, act, after }] of CHANGES.entries()) {
    for (const entry of await open().list()) await open().remove(entry.name);
    for (let at = 1 + (i % every); ; at += every) {
      await before?.(open());
      const old = await snapshot(open());
      const [was, wanted] = [sorted(old), sorted(after(old, at))];
      const { folder, hit, killed, end } = attempt(at);
      const ended = await Promise.race([
        act(folder, at).then(
          () => "done" as const,
          (error: Error) => error,
        ),
        killed.then(() => "killed" as const),
      ]);
      end();
      if (ended instanceof Error && !/refused|no space left/.test(ended.message)) throw ended;
      const how = ended instanceof Error ? "refused" : ended;
      const allowed = { done: [wanted], refused: [was], killed: [was, wanted] }[how];
      const told = `${name}, ${how} at operation ${at}`;
      const found = sorted(await snapshot(open()));
      if (!allowed.includes(found)) throw new Error(`${told}: is ${found}, wanted ${allowed.join(" or ")}`);
      if (!hit()) break;
      faults++;
      await open().tidy();
      if (found !== wanted) await act(open(), at);
      const last = sorted(await snapshot(open()));
      if (last !== wanted) throw new Error(`${told}: done again, it is ${last}, wanted ${wanted}`);
    }
    const left = await open().tidy();
    if (left.length > 0) throw new Error(`${name}: done, there is left ${left}`);
  }
  return faults;
}
