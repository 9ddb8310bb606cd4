import { describe, expect, test } from "vitest";
import { memoryFolder } from "../../src/storage/memory.ts";
import { readBytes } from "../../src/storage/read.ts";
import { CASES } from "./conformance.ts";

describe("a folder in memory", () => {
  test.each(CASES)("$name", async ({ run }) => {
    const folder = memoryFolder();
    await run(() => folder);
  });

  test("is called as it was asked to be, and two have nothing in common", async () => {
    const [one, other] = [memoryFolder("one"), memoryFolder()];
    await one.folder("a").replace("b", "c");
    expect(one.folder("a").path).toBe("one/a");
    expect(other.folder("a").path).toBe("memory/a");
    expect(await other.list()).toEqual([]);
    await one.lock("lock", () => {});
    expect(await other.isLocked("lock")).toBe(false);
  });

  test("a file grows by many small pieces without a copy for each", async () => {
    const folder = memoryFolder();
    const piece = new Uint8Array(64).fill(7);
    const began = performance.now();
    for (let i = 0; i < 100_000; i++) await folder.append("a", piece);
    // A copy of everything for each piece would be 320 GB.
    expect(performance.now() - began).toBeLessThan(10_000);
    expect((await readBytes(folder, "a")).length).toBe(6_400_000);
  });
});
