import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { rejectPointer } from "../../src/core/lfs.ts";
import { openSource } from "../../src/platform/node/data-files.ts";

const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${"ab".repeat(32)}\nsize 123\n`;
const encode = (text: string) => new TextEncoder().encode(text);
const MESSAGE = "is a Git LFS pointer, not the file itself, which has 123 bytes; fetch it with: git lfs pull";

test("a pointer is told from a file that only begins so, or is too large", () => {
  expect(() => rejectPointer(encode(pointer), pointer.length, "a")).toThrow(`a: ${MESSAGE}`);
  expect(() => rejectPointer(encode(pointer), 5000, "a")).not.toThrow();
  expect(() => rejectPointer(encode("version https"), 13, "a")).not.toThrow();
  expect(() => rejectPointer(new Uint8Array(0), 0, "a")).not.toThrow();
});

test("data that was not fetched is not trained on", async () => {
  const folder = mkdtempSync(join(tmpdir(), "lfs-"));
  writeFileSync(join(folder, "a.txt"), pointer);
  await expect(openSource(join(folder, "a.txt"))).rejects.toThrow(MESSAGE);
  writeFileSync(join(folder, "a.txt"), "version 1\n");
  await (await openSource(join(folder, "a.txt"))).close();
  rmSync(folder, { recursive: true });
});
