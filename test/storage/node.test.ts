import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { nodeFolder } from "../../src/platform/node.ts";
import { exists, openFiles, readText } from "../../src/storage/read.ts";
import { CASES } from "./conformance.ts";

const parent = mkdtempSync(join(tmpdir(), "gpt2-storage-"));
afterAll(() => rmSync(parent, { recursive: true }));

let path = "";
beforeEach(() => {
  path = join(mkdtempSync(join(parent, "case-")), "folder");
});

describe("a folder of the file system", () => {
  test.each(CASES)("$name", async ({ run }) => {
    await run(() => nodeFolder(path));
    const names = existsSync(path) ? readdirSync(path, { recursive: true }).map(String) : [];
    expect(names.filter((name) => /partial|trash|\.new-|\.claim-|\.old-/.test(name))).toEqual([]);
  });

  test("names things as paths", () => {
    expect(nodeFolder("runs").folder("a-1").path).toBe(join("runs", "a-1"));
  });

  test("lists what links lead to, and one that leads nowhere as a file that cannot be opened", async () => {
    mkdirSync(join(path, "real"), { recursive: true });
    writeFileSync(join(path, "blob"), "text");
    for (const [name, to] of [
      ["folder", "real"],
      ["file", "blob"],
      ["gone", "nowhere"],
    ] as const)
      symlinkSync(to, join(path, name));
    expect(await nodeFolder(path).list()).toEqual([
      { name: "blob", kind: "file" },
      { name: "file", kind: "file" },
      { name: "folder", kind: "folder" },
      { name: "gone", kind: "file" },
      { name: "real", kind: "folder" },
    ]);
    expect(await readText(nodeFolder(path), "file")).toBe("text");
    await expect(openFiles(nodeFolder(path), () => true)).rejects.toThrow(/gone: does not exist$/);
    await nodeFolder(path).remove("folder");
    expect(readdirSync(path).sort()).toEqual(["blob", "file", "gone", "real"]);
  });

  test("what killed processes left is not listed, and tidied by name", async () => {
    mkdirSync(join(path, "checkpoint-1.partial-7-0a1b"), { recursive: true });
    writeFileSync(join(path, "run.json.partial-7-0a1b"), "ha");
    writeFileSync(join(path, "run.json"), "whole");
    const folder = nodeFolder(path);
    expect(await folder.list()).toEqual([{ name: "run.json", kind: "file" }]);
    expect((await folder.tidy()).sort()).toEqual(["checkpoint-1.partial-7-0a1b", "run.json.partial-7-0a1b"]);
    expect(readdirSync(path)).toEqual(["run.json"]);
  });

  test("what a write that failed left of a piece is cut off before the next, whichever handle appends", async () => {
    const folder = nodeFolder(path);
    await folder.folder("a").append("lines", "one\n");
    appendFileSync(join(path, "a", "lines"), '{"tor');
    await folder.folder("a").append("lines", "two\n");
    expect(readFileSync(join(path, "a", "lines"), "utf8")).toBe("one\ntwo\n");
  });

  test("who holds a lock is told how to release it at once, until it is released", async () => {
    const cleaners = new Set<() => void>();
    const folder = nodeFolder(path, {
      held(releaseNow) {
        cleaners.add(releaseNow);
        return () => void cleaners.delete(releaseNow);
      },
    });
    const first = await folder.folder("run").lock("lock", () => {});
    expect(cleaners.size).toBe(1);
    await first.release();
    expect(cleaners.size).toBe(0);
    await folder.folder("run").lock("lock", () => {});
    expect(await exists(folder.folder("run"), "lock")).toBe(true);
    for (const clean of cleaners) clean();
    expect(await folder.folder("run").isLocked("lock")).toBe(false);
    expect(readdirSync(join(path, "run"))).toEqual([]);
  });

  test("a system's refusal is one line with the path", async () => {
    writeFileSync(join(parent, "plain"), "");
    const below = nodeFolder(join(parent, "plain", "x"));
    for (const act of [
      () => below.replace("a", ""),
      () => below.append("a", ""),
      () => below.commit("a", async () => {}),
      () => below.lock("a", () => {}),
    ])
      await expect(act()).rejects.toThrow(/^\S*plain\S*: a part of the path is a file, wanted a directory$/);
    await expect(nodeFolder(path).replace("x".repeat(300), "")).rejects.toThrow(/x: the name is too long$/);
  });
});
