import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { writeCache } from "../../src/platform/node/cache-files.ts";
import { putFolder } from "../../src/platform/node/durable.ts";
import { GPT2 } from "../support/build.ts";

const folder = mkdtempSync(join(tmpdir(), "gpt2-race-"));
afterAll(() => rmSync(folder, { recursive: true }));

const racer = fileURLToPath(new URL("../support/cache-racer.mjs", import.meta.url));
const dist = dirname(dirname(GPT2));
const file = join(folder, "data.txt");
writeFileSync(file, Array.from({ length: 3000 }, (_, i) => `line ${i % 1000}`).join("\n"));

/** Several processes on a cache that is empty; gives what each says at its end. `damages`: the first one does. */
async function race(cache: string, pids: readonly string[], times: number, damages = false) {
  const env = { ...process.env, GPT2_CACHE: cache, NODE_OPTIONS: "" };
  const children = pids.map((pid, i) =>
    spawn(process.execPath, [racer, dist, file, String(times), pid, damages && i === 0 ? "damages" : "none"], { env }),
  );
  const ended = children.map(outputOf);
  for (const child of children) child.stdin!.write("go\n");
  return (await Promise.all(ended)).map(({ code, output }) => {
    expect(output, output).toMatch(/^\{"digests"/);
    expect(code).toBe(0);
    return JSON.parse(output) as { digests: string[]; notices: string[] };
  });
}

function outputOf(child: ChildProcess): Promise<{ code: number | null; output: string }> {
  let output = "";
  child.stdout!.on("data", (chunk) => (output += chunk));
  child.stderr!.on("data", (chunk) => (output += chunk));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, output })));
}

describe("several processes that tokenise the same data at once", () => {
  test("of equal numbers, as in containers: all get the same tokens, and leave one folder of each kind", async () => {
    const cache = join(folder, "equal");
    const results = await race(cache, ["7", "7", "7"], 4);
    for (const { digests, notices } of results) {
      expect(digests).toEqual(results[0]!.digests);
      expect(digests).toHaveLength(2);
      expect(notices).toEqual([]);
    }
    const names = readdirSync(join(cache, "data"));
    expect(names.filter((found) => found.includes("."))).toEqual([]);
    expect(names).toHaveLength(3);
  });

  test("of numbers of their own: all get them though one damages what is there, time and again", async () => {
    const results = await race(join(folder, "damaged"), ["own", "own", "own"], 6, true);
    for (const { digests, notices } of results) {
      expect(digests).toEqual(results[0]!.digests);
      for (const notice of notices) expect(notice).toMatch(/the data is tokenised again$/);
    }
  });
});

describe("a folder that is put in its place", () => {
  const make = (name: string, contents: string): string => {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, "a"), contents);
    return join(folder, name);
  };
  const holds = (wanted: string) => (path: string) => readdirSync(path).includes(wanted);

  test("leaves a good one there, and takes a bad one away whole", async () => {
    const target = make("target", "old");
    await putFolder(make("second", "new"), target, holds("a"));
    expect(readdirSync(join(folder, "second"))).toEqual(["a"]);
    await putFolder(join(folder, "second"), target, holds("b"));
    expect(readdirSync(folder).filter((name) => /^(second|target)/.test(name))).toEqual(["target"]);
  });

  test("puts back what another has put there between its look and its hand", async () => {
    const target = make("between", "bad");
    let looks = 0;
    await putFolder(make("mine", "mine"), target, (path) => {
      // Bad at the first look; by the time that it is renamed, another process's good one is there.
      if (++looks === 1) {
        rmSync(target, { recursive: true });
        make("between", "theirs");
        return false;
      }
      return holds("a")(path);
    });
    expect(readdirSync(join(folder, "mine"))).toEqual(["a"]);
    expect(readdirSync(folder).filter((name) => name.startsWith("between"))).toEqual(["between"]);
  });

  test("is the caller's own work, whatever name another process writes under", async () => {
    const path = join(folder, "written");
    const fill = (text: string) => async (append: (name: string) => Promise<(bytes: Uint8Array) => Promise<void>>) => {
      const write = await append("a");
      await new Promise((resolve) => setTimeout(resolve, 20));
      await write(new TextEncoder().encode(text));
      return text;
    };
    const texts = ["one", "two", "three"];
    expect(await Promise.all(texts.map((text) => writeCache(path, holds("a"), fill(text))))).toEqual(texts);
    expect(readdirSync(path)).toEqual(["a"]);
    expect(readdirSync(folder).filter((name) => name.startsWith("written"))).toEqual(["written"]);
  });
});
