import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, expect, test } from "vitest";
import { copyStream } from "../../src/platform/node/stream-copy.ts";

const folder = mkdtempSync(join(tmpdir(), "stream-copy-"));
afterAll(() => rmSync(folder, { recursive: true }));

const PIECE = Buffer.alloc(2 ** 16, "words ");

/** Pieces, without an end where their number is left out. */
function* pieces(count = Number.POSITIVE_INFINITY): Generator<Buffer> {
  for (let i = 0; i < count; i++) yield PIECE;
}

/** Copies to a disk of `room` bytes; gives the bytes that came. */
async function copied(from: Iterable<Buffer>, room: number | undefined, signal?: AbortSignal): Promise<number> {
  const path = join(folder, "data");
  let free = room;
  const counted = function* () {
    for (const piece of from) {
      yield piece;
      if (free !== undefined) free -= piece.length;
    }
  };
  await copyStream(Readable.from(counted()), { name: "standard input", path, folder, signal, free: async () => free });
  return readFileSync(path).length;
}

test("a stream that ends is copied whole, where half of the disk holds it or nobody knows", async () => {
  expect(await copied(pieces(40), 100 * PIECE.length)).toBe(40 * PIECE.length);
  expect(await copied(pieces(40), undefined)).toBe(40 * PIECE.length);
  expect(await copied([], 0)).toBe(0);
});

test("one without an end stops once it is larger than what it leaves free, and says how much was read", async () => {
  await expect(copied(pieces(), 100 * PIECE.length)).rejects.toThrow(
    /^standard input: 3\.[1-6] MiB were read and it goes on, [23]\.\d MiB are free in .*, where it is copied; has it an end\? If so, write it into a file, or .* TMPDIR$/,
  );
});

test("its signal ends it with its reason", async () => {
  const stop = new AbortController();
  const stopping = function* () {
    yield PIECE;
    stop.abort(new Error("stopped"));
    yield* pieces();
  };
  await expect(copied(stopping(), undefined, stop.signal)).rejects.toThrow("stopped");
});
