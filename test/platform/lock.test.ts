import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { createAppender } from "../../src/platform/node/append.ts";
import { removeLeftovers } from "../../src/platform/node/durable.ts";
import { acquireLock } from "../../src/platform/node/lock.ts";

const parent = mkdtempSync(join(tmpdir(), "gpt2-lock-"));
afterAll(() => rmSync(parent, { recursive: true }));

let folder = "";
const lines: string[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(parent, "run-"));
  lines.length = 0;
});
const lock = () => acquireLock(join(folder, "lock"), (line) => lines.push(line));
/** Writes the lock's file as another process would have it. */
function takenOver(): string {
  const held = JSON.parse(readFileSync(join(folder, "lock"), "utf8"));
  const other = JSON.stringify({ ...held, pid: 4711, machine: "elsewhere", nonce: "0123456789abcdef" });
  writeFileSync(join(folder, "lock"), other);
  return other;
}

describe("a holder that lost its lock", () => {
  test("hears who has it, and leaves it to them", async () => {
    const { check, release } = await lock();
    await check();
    const other = takenOver();
    await expect(check()).rejects.toThrow(
      /lock: is the lock of this process no longer, process 4711 has taken it over; stopped, so that no two write one run$/,
    );
    await release();
    expect(readFileSync(join(folder, "lock"), "utf8")).toBe(other);
  });

  test("hears that it was removed", async () => {
    const { check } = await lock();
    rmSync(join(folder, "lock"));
    await expect(check()).rejects.toThrow(/no longer, it was removed; stopped/);
  });
});

test("one of a thread of this process that was terminated is taken over after five minutes without a sign", async () => {
  await lock();
  await expect(lock()).rejects.toThrow(`process ${process.pid} is at work there; wait for it, or choose another`);
  const past = Date.now() / 1000 - 301;
  utimesSync(join(folder, "lock"), past, past);
  const { check, release } = await lock();
  expect(lines).toEqual(["took over the lock of a thread of this process, which is gone"]);
  await check();
  await release();
});

test("what serves to make a lock, or to take one over, is not tidied away as a save's leftovers are", async () => {
  const working = ["lock.new-0a1b", "lock.claim-0a1b", "lock.old-0a1b"];
  for (const name of [...working, "checkpoint-1.partial-7-0a1b", "model.trash-7-0a1b"])
    writeFileSync(join(folder, name), "");
  expect((await removeLeftovers(folder)).sort()).toEqual(["checkpoint-1.partial-7-0a1b", "model.trash-7-0a1b"]);
  expect(readdirSync(folder).sort()).toEqual([...working].sort());
  // Those of processes that were killed go, ten minutes later.
  const past = Date.now() / 1000 - 601;
  for (const name of working.slice(0, 2)) utimesSync(join(folder, name), past, past);
  const { release } = await lock();
  await release();
  expect(readdirSync(folder)).toEqual(["lock.old-0a1b"]);
});

test("a holder that tidies its folder does not disturb those that ask for the lock", async () => {
  const held = await lock();
  let asking = true;
  const tidying = (async () => {
    while (asking) {
      await removeLeftovers(folder);
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  for (let time = 0; time < 10; time++) {
    const asked = await Promise.allSettled(Array.from({ length: 8 }, lock));
    for (const { status, ...rest } of asked) {
      expect(status).toBe("rejected");
      expect(String((rest as { reason: unknown }).reason)).toContain("is at work there");
    }
  }
  asking = false;
  await tidying;
  await held.check();
});

describe("pieces that are appended to a file", () => {
  const path = () => join(folder, "lines");
  const tear = (text: string) => writeFileSync(path(), text, { flag: "a" });

  test("what a write that failed left of one is cut off before the next", () => {
    const append = createAppender(path());
    append("one\n");
    // As a full disk leaves it.
    tear('{"tor');
    append("two\n");
    append(new TextEncoder().encode("drei €\n"));
    expect(readFileSync(path(), "utf8")).toBe("one\ntwo\ndrei €\n");
  });

  test("go on from what is there, also where somebody has replaced the file by a shorter one", () => {
    writeFileSync(path(), "before\n");
    const append = createAppender(path());
    append("one\n");
    writeFileSync(path(), "x\n");
    append("two\n");
    expect(readFileSync(path(), "utf8")).toBe("x\ntwo\n");
    rmSync(path());
    append("three\n");
    expect(readFileSync(path(), "utf8")).toBe("three\n");
  });
});
