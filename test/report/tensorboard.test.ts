import { describe, expect, test } from "vitest";
import { crc32c, maskedCrc32c } from "../../src/report/crc32c.ts";
import { lineListener, type RunLine } from "../../src/report/lines.ts";
import { integerField } from "../../src/report/protobuf.ts";
import { eventFileName, eventsOf, fileStart, summaryRecord } from "../../src/report/tensorboard.ts";
import { clock, description, tell } from "./run.ts";
import { readEvents } from "./tensorboard-reader.ts";

describe("CRC-32C", () => {
  const bytes = (fill: (index: number) => number): Uint8Array => Uint8Array.from({ length: 32 }, (_, i) => fill(i));
  test.each([
    ["32 zeros", bytes(() => 0), 0x8a9136aa],
    ["32 ones", bytes(() => 0xff), 0x62a8ab43],
    ["0 to 31", bytes((i) => i), 0x46dd794e],
    ["31 to 0", bytes((i) => 31 - i), 0x113fdb5c],
    ["123456789", new TextEncoder().encode("123456789"), 0xe3069283],
    ["nothing", new Uint8Array(), 0],
  ])("of %s is what RFC 3720 and the catalogues say", (_, data, crc) => {
    expect(crc32c(data)).toBe(crc);
  });

  test("masked as in TensorFlow: turned by 15 bits, plus 0xa282ead8", () => {
    // crc32c("123456789") = 0xe3069283; its low 15 bits go to the top: 0x2507c60d.
    expect(maskedCrc32c(new TextEncoder().encode("123456789"))).toBe((0x2507c60d + 0xa282ead8) >>> 0);
  });
});

test("whole numbers as variable-length ones, past 32 bits too", () => {
  expect([...integerField(1, 0)]).toEqual([8, 0]);
  expect([...integerField(1, 300)]).toEqual([8, 0xac, 0x02]);
  expect([...integerField(2, 2 ** 35)]).toEqual([16, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]);
  expect(() => integerField(1, -1)).toThrow("0 or more");
  expect(() => integerField(1, 0.5)).toThrow("whole number");
});

test("a file begins with its version and with what voids the steps that it trains again", () => {
  const version = { wallTime: 12.5, step: 0, version: "brain.Event:2", values: [] };
  expect(readEvents(fileStart(12.5, 0))).toEqual([version, { wallTime: 12.5, step: 0, session: 1, values: [] }]);
  expect(readEvents(fileStart(12.5, 40))).toEqual([version, { wallTime: 12.5, step: 41, session: 1, values: [] }]);
});

test("scalars and texts are read back: floats, a step past 32 bits, text that is not ASCII", () => {
  const step = 2 ** 33;
  const written = summaryRecord(1.75, step, [
    { tag: "train/loss", scalar: 2.5 },
    { tag: "eval/loss", scalar: Number.NaN },
    { tag: "samples/1", text: "a\u0000 \u00e9 \u{1f600}" },
  ]);
  expect(readEvents(written)).toEqual([
    {
      wallTime: 1.75,
      step,
      values: [
        { tag: "train/loss", scalar: 2.5 },
        { tag: "eval/loss", scalar: Number.NaN },
        { tag: "samples/1/text_summary", plugin: "text", text: "a\u0000 \u00e9 \u{1f600}" },
      ],
    },
  ]);
});

test("one changed bit anywhere is found by a checksum", () => {
  const written = summaryRecord(1, 2, [{ tag: "train/loss", scalar: 3 }]);
  for (let bit = 0; bit < written.length * 8; bit++) {
    const damaged = written.slice();
    damaged[bit >> 3]! ^= 1 << (bit & 7);
    expect(() => readEvents(damaged), `bit ${bit}`).toThrow(/checksum/);
  }
});

test("a run's lines carry the tags of transformers, with their own steps and times", async () => {
  const lines: RunLine[] = [];
  await tell(
    lineListener((line) => lines.push(line), clock("1970-01-01T00:00:10.000Z")),
    40,
    60,
  );
  const events = lines.flatMap((line) => readEvents(eventsOf(line, description())));
  expect(events.map(({ wallTime, step }) => [wallTime, step])).toEqual([
    [10, 40],
    [11, 40],
    [12, 50],
    [13, 60],
    [14, 60],
    [15, 60],
    [16, 60],
  ]);
  const tags = events.map(({ values }) => values.map(({ tag }) => tag));
  expect(tags[0]).toEqual(["args/text_summary", "model_config/text_summary", "data/text_summary"]);
  expect(tags[1]).toEqual(["notices/resumed/text_summary"]);
  expect(tags[2]).toEqual([
    "train/loss",
    "train/grad_norm",
    "train/learning_rate",
    "train/epoch",
    "train/tokens_per_second",
    "train/skipped_steps",
    "train/num_input_tokens_seen",
  ]);
  expect(tags[4]).toEqual(["eval/loss", "eval/perplexity", "eval/runtime"]);
  expect(events[2]!.values[0]!.scalar).toBe(3.5);
  expect(events[5]!.values[0]!.text).toBe("    alice, after 60");
  expect(events[0]!.values[0]!.text).toContain('\n      "learningRate": 0.001,\n');
});

test("file names are in the order of time, and safe", () => {
  expect(eventFileName(1795487871.9, "my host/\u00e9", 42)).toBe("events.out.tfevents.1795487871.my_host__.42.0");
  expect(eventFileName(5, "", 1) < eventFileName(40, "a", 1)).toBe(true);
});
