/** What every kind of folder must do. Knows no test runner, since it runs in a browser's worker too. */
import { UserError } from "../../src/core/errors.ts";
import type { Folder } from "../../src/storage/folder.ts";
import { bytesIn, exists, openFiles, readBytes, readJson, readText, setAside } from "../../src/storage/read.ts";
import { digestOf } from "../../src/storage/sha256.ts";
import { FAULTS, faultyFolder } from "../support/faulty-folder.ts";
import { snapshot, tryEach } from "./scenario.ts";

export interface Case {
  readonly name: string;
  /**
   * `open`: the same folder, empty at first, as another process would open it. `closes`: what a process has open stays so until it
   * is closed, as one that is killed would have it closed.
   */
  run(open: () => Folder, closes?: boolean): Promise<void>;
}

export function same(got: unknown, wanted: unknown, what: string): void {
  const [is, should] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (is !== should) throw new Error(`${what}: got ${is}, wanted ${should}`);
}

async function refuses(promise: Promise<unknown>, message: RegExp): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof UserError) || !message.test(error.message) || error.message.includes("\n"))
    throw new Error(`wanted a refusal like ${message}, got ${error instanceof Error ? error.stack : error}`);
}

function bytes(length: number, seed: number): Uint8Array {
  const made = new Uint8Array(length);
  for (let i = 0; i < length; i++) made[i] = (i * seed) % 251;
  return made;
}
/** More than any driver's piece of memory or of reading. */
const LARGE = 5_000_003;

const cases: Record<string, Case["run"]> = {
  async "what is not there is empty, unknown and not removed"(open) {
    const folder = open();
    same(await folder.list(), [], "list");
    same(await folder.folder("a").folder("b").list(), [], "a list below");
    same(await exists(folder, "a"), false, "exists");
    same(await folder.tidy(), [], "tidy");
    same(await folder.folder("a").tidy(), [], "tidy below");
    same(await folder.isLocked("lock"), false, "isLocked");
    await folder.remove("a");
    await folder.folder("a").remove("b");
    await refuses(folder.open("a"), /a: does not exist$/);
    await refuses(folder.folder("a").open("b"), /a.b: does not exist$/);
    await refuses(folder.move("a", "b"), /a: does not exist$/);
    same(await folder.list(), [], "list afterwards");
  },

  async "a small file that is open is read as it was, also where it is replaced meanwhile"(open) {
    const folder = open();
    await folder.replace("about.json", '{"n":0}');
    const file = await folder.open("about.json");
    const reading = Promise.all(Array.from({ length: 20 }, () => readText(open(), "about.json")));
    for (let n = 1; n <= 5; n++) await folder.replace("about.json", `{"n":${n}}`);
    for (const text of await reading) same(/^\{"n":[0-5]\}$/.test(text), true, text);
    const into = new Uint8Array(file.size);
    await file.read(0, into);
    same(new TextDecoder().decode(into), '{"n":0}', "what was opened");
    await file.close();
  },

  async "a file that is replaced holds the new contents, text or bytes, and is read at any place"(open) {
    const folder = open();
    await folder.replace("b.txt", "first, and longer");
    await folder.replace("b.txt", "zweite €");
    await folder.replace("a.bin", bytes(LARGE, 7));
    await folder.replace("empty", "");
    same(
      await open().list(),
      ["a.bin", "b.txt", "empty"].map((name) => ({ name, kind: "file" })),
      "list, by name",
    );
    same(await readText(open(), "b.txt"), "zweite €", "text");
    same((await readBytes(open(), "empty")).length, 0, "an empty file");
    const [file, again] = [await open().open("a.bin"), await folder.open("a.bin")];
    same(file.size, LARGE, "size");
    const wanted = bytes(LARGE, 7);
    for (const [at, length] of [
      [0, 1],
      [1_048_570, 12],
      [4_194_300, 200_000],
      [LARGE - 3, 3],
      [LARGE, 0],
    ] as const) {
      const [into, other] = [new Uint8Array(length), new Uint8Array(length)];
      await Promise.all([file.read(at, into), again.read(at, other)]);
      same([...into], [...wanted.subarray(at, at + length)], `${length} bytes at ${at}`);
      same([...other], [...into], "a second reader");
    }
    await refuses(file.read(LARGE - 3, new Uint8Array(4)), /a\.bin: ended at byte/);
    await Promise.all([file.close(), again.close()]);
  },

  async "contents belong to the folder: what becomes of the caller's array does not matter"(open) {
    const [folder, piece] = [open(), Uint8Array.of(1, 2, 3)];
    await folder.replace("a", piece);
    await folder.append("b", piece);
    await folder.commit("c", (write) =>
      write("d", async (put) => {
        await put(piece);
        piece.fill(9);
        await put(piece);
      }).then(() => undefined),
    );
    piece.fill(8);
    same([...(await readBytes(open(), "a"))], [1, 2, 3], "replaced");
    same([...(await readBytes(open(), "b"))], [1, 2, 3], "appended");
    same([...(await readBytes(open().folder("c"), "d"))], [1, 2, 3, 9, 9, 9], "committed");
  },

  async "pieces are appended in their order, by several handles, also where none waits"(open) {
    const folder = open();
    const all = Array.from({ length: 40 }, (_, i) => `line ${i} ${"x".repeat(i)}\n`);
    await Promise.all(all.slice(0, 20).map((line) => folder.folder("logs").append("a", line)));
    const reader = await open().folder("logs").open("a");
    for (const line of all.slice(20)) await folder.folder("logs").append("a", line);
    same(await readText(open().folder("logs"), "a"), all.join(""), "lines");
    const before = new Uint8Array(reader.size);
    await reader.read(0, before);
    same(new TextDecoder().decode(before), all.slice(0, 20).join(""), "what a reader had opened");
    await reader.close();
    await folder.folder("logs").append("b", bytes(LARGE, 3));
    await folder.folder("logs").append("b", bytes(LARGE, 5));
    const both = await readBytes(open().folder("logs"), "b");
    same([both.length, both[LARGE - 1], both[LARGE]], [2 * LARGE, bytes(LARGE, 3)[LARGE - 1], 0], "large pieces");
    // What is appended goes on from what was put there meanwhile.
    await folder.folder("logs").replace("a", "new and rather longer than what was there before it, as may well be\n");
    await folder.folder("logs").append("a", "end\n");
    same((await readText(open().folder("logs"), "a")).split("\n").slice(1), ["end", ""], "after a replacement");
    await folder.folder("logs").remove("a");
    await folder.folder("logs").append("a", "one\n");
    same(await readText(open().folder("logs"), "a"), "one\n", "after a removal");
  },

  async "a folder is committed whole, with what each file holds"(open) {
    const folder = open().folder("run");
    const digests: unknown[] = [];
    await folder.commit("checkpoint-1", async (write) => {
      const large = bytes(LARGE, 7);
      digests.push(
        await write("large", async (put) => {
          for (let at = 0; at < LARGE; at += 1_000_000) await put(large.subarray(at, at + 1_000_000));
        }),
        await write("abc", (put) => put(new TextEncoder().encode("abc"))),
        await write("empty", async () => {}),
      );
      same(await open().folder("run").list(), [], "a list before it is committed");
      await refuses(open().folder("run").open("checkpoint-1"), /does not exist$/);
    });
    same(
      digests.slice(1),
      [
        { size: 3, sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
        { size: 0, sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
      ],
      "digests",
    );
    same(await open().folder("run").list(), [{ name: "checkpoint-1", kind: "folder" }], "list");
    const { files, close } = await openFiles(open().folder("run").folder("checkpoint-1"), (name) => name !== "empty");
    same([...files.keys()], ["abc", "large"], "files");
    same(await digestOf(files.get("large")!), digests[0], "the digest of what is stored");
    same(await digestOf(files.get("abc")!), digests[1], "the digest of a small one");
    await close();
    const inside = open().folder("run").folder("checkpoint-1");
    await inside.replace("note", "later");
    await inside.remove("empty");
    same(
      (await inside.list()).map(({ name }) => name),
      ["abc", "large", "note"],
      "a committed folder may be changed",
    );
  },

  async "a commit that fails leaves nothing, and its error is the caller's own"(open) {
    const folder = open();
    class Own extends UserError {}
    const own = new Own("weights hold NaN");
    const failing = folder.commit("a", async (write) => {
      await write("b", (put) => put(bytes(10, 1)));
      await write("c", async (put) => {
        await put(bytes(10, 1));
        throw own;
      });
    });
    same((await failing.catch((error) => error)) === own, true, "the same error");
    same(await open().list(), [], "list");
    same(await open().tidy(), [], "nothing is left over");
    await folder.commit("a", async () => {});
    same(await open().list(), [{ name: "a", kind: "folder" }], "an empty folder");
    same(await open().folder("a").list(), [], "what is in it");
  },

  async "what is there is not written over"(open) {
    const folder = open();
    await folder.replace("file", "1");
    await folder.commit("folder", (write) => write("a", async () => {}).then(() => undefined));
    for (const name of ["file", "folder"]) {
      await refuses(
        folder.commit(name, async () => {}),
        new RegExp(`${name}: exists already$`),
      );
      await refuses(folder.move("file", name), new RegExp(`${name}: exists already$`));
      await refuses(folder.move("folder", name), new RegExp(`${name}: exists already$`));
    }
    await refuses(
      folder.commit("twice", async (write) => {
        await write("a", async () => {});
        await write("a", async () => {});
      }),
      /a|twice/,
    );
    await refuses(folder.replace("folder", "2"), /folder: is a/);
    await refuses(folder.append("folder", "2"), /folder: is a/);
    await refuses(folder.open("folder"), /folder: is not a file$/);
    await refuses(folder.folder("file").replace("a", ""), /file.*wanted a/);
    await refuses(folder.folder("file").list(), /file.*wanted a/);
    same(await snapshot(open()), { file: "1", folder: { a: "" } }, "all as before");
  },

  async "names are one part of a path, and no work's that is unfinished"(open) {
    const folder = open();
    for (const name of ["", ".", "..", "a/b", "/", "a\0b", "a.partial-1-0a", "b.trash-77-0a1b"]) {
      for (const act of [
        () => folder.replace(name, ""),
        () => folder.append(name, ""),
        () => folder.commit(name, async () => {}),
        () => folder.commit("c", (write) => write(name, async () => {}).then(() => undefined)),
        () => folder.replace("old", "").then(() => folder.move("old", name)),
        async () => folder.folder(name),
      ])
        await refuses(act(), /is no name|as unfinished work/);
    }
    const odd = ["ä€😀", "a b", "~", "con", "A", "a", "index", "%2e", "-", "x".repeat(200)];
    if (!(await isCaseSensitive(folder))) odd.splice(odd.indexOf("A"), 1);
    await folder.remove("old");
    for (const name of odd) await folder.replace(name, name);
    for (const name of odd) same(await readText(open(), name), name, name);
    same(
      (await open().list()).map(({ name }) => name),
      [...odd].sort(),
      "list",
    );
  },

  async "files and folders are renamed and removed, and others may take their names"(open) {
    const folder = open();
    await folder.replace("a", "1");
    await folder.folder("deep").folder("deeper").replace("x", "2");
    await folder.move("a", "b");
    await folder.move("deep", "moved");
    await folder.folder("moved").move("deeper", "deepest");
    await folder.replace("a", "3");
    same(await snapshot(open()), { a: "3", b: "1", moved: { deepest: { x: "2" } } }, "renamed");
    await folder.remove("moved");
    await folder.remove("b");
    await folder.commit("moved", (write) => write("y", (put) => put(Uint8Array.of(52))).then(() => undefined));
    same(await snapshot(open()), { a: "3", moved: { y: "4" } }, "removed");
    same(await open().tidy(), [], "nothing is left over");
  },

  async "what is set aside gets the first name that is free"(open) {
    const folder = open();
    for (const step of [1, 2, 3]) {
      await folder.commit("model", (write) => write(`${step}`, async () => {}).then(() => undefined));
      same(await setAside(folder, "model"), `model.aside${step > 1 ? `-${step}` : ""}`, "the name given");
    }
    same(
      await snapshot(open()),
      { "model.aside": { 1: "" }, "model.aside-2": { 2: "" }, "model.aside-3": { 3: "" } },
      "folders",
    );
  },

  async "texts and JSON are read, and what is none is named"(open) {
    const folder = open().folder("f");
    await folder.replace("a.json", '{"a":[1,2]}');
    await folder.replace("bad.json", '{"a":');
    await folder.replace("bad.txt", Uint8Array.of(0xff, 0xfe));
    same(await readJson(open().folder("f"), "a.json"), { a: [1, 2] }, "JSON");
    await refuses(readJson(folder, "bad.json"), /f.bad\.json: not valid JSON/);
    await refuses(readText(folder, "bad.txt"), /f.bad\.txt: is not UTF-8/);
    await refuses(readJson(folder, "none.json"), /f.none\.json: does not exist/);
  },

  async "a lock keeps others out until it is released"(open) {
    const notices: string[] = [];
    const take = (name = "lock") =>
      open()
        .folder("run")
        .lock(name, (line) => notices.push(line));
    const lock = await take();
    await lock.check();
    same(await open().folder("run").isLocked("lock"), true, "isLocked");
    await refuses(take(), /run.lock: .* is at work there/);
    const other = await take("other");
    await other.release();
    await lock.release();
    same(await open().folder("run").isLocked("lock"), false, "isLocked once released");
    await refuses(lock.check(), /run.lock: is (a|the) lock .*no longer/);
    const next = await take();
    // Who has released it has nothing more to do with it.
    await lock.release();
    await next.check();
    await next.release();
    same(notices, [], "notices");
    const asked = await Promise.allSettled(Array.from({ length: 8 }, () => take("race")));
    same(asked.filter(({ status }) => status === "fulfilled").length, 1, "of several who ask at once");
    for (const taken of asked) if (taken.status === "fulfilled") await taken.value.release();
  },

  async "the bytes of a folder are those of all files in it, as they are now"(open) {
    same(await bytesIn(open().folder("not").folder("there")), 0, "of nothing");
    await open().append("log", "12345");
    await open().append("log", "678");
    await open().folder("run").replace("b", "1");
    await open()
      .folder("run")
      .commit("c", async (write) => {
        await write("weights", (put) => put(bytes(1000, 7)));
      });
    same(await bytesIn(open()), 1009, "with folders");
    await open().folder("run").remove("c");
    same(await bytesIn(open()), 9, "after a removal");
  },

  async "free space is a number where somebody tells"(open) {
    const free = await open().folder("not").folder("there").free();
    if (free !== undefined && !(free > 0)) throw new Error(`free is ${free}`);
    same(await open().list(), [], "asking makes nothing");
  },

  async "at every operation that fails or is the last, everything is old or new, and work goes on"(open, closes) {
    const burials: (() => void)[] = [];
    for (const fault of FAULTS) {
      const faults = await tryEach(
        () => open().folder("run"),
        (at) => {
          const faulty = faultyFolder(open().folder("run"), at, fault);
          burials.push(faulty.bury);
          return { ...faulty, hit: () => faulty.count() >= at, end: closes ? faulty.bury : () => {} };
        },
      );
      // Nine changes of one operation, and a commit of seven.
      same(faults, 16, `faults, ${fault}`);
    }
    // Files that the killed ones had open are closed now, and not when they are found.
    for (const bury of burials) bury();
    await new Promise((resolve) => setTimeout(resolve, 50));
  },
};

async function isCaseSensitive(folder: Folder): Promise<boolean> {
  await folder.replace("probe", "");
  const sensitive = !(await folder.open("PROBE").then(
    async (file) => file.close().then(() => true),
    () => false,
  ));
  await folder.remove("probe");
  return sensitive;
}

export const CASES: readonly Case[] = Object.entries(cases).map(([name, run]) => ({ name, run }));
