import { expect, test } from "vitest";
import { formatLine, keptOnResume, lineListener, parseLines, type RunLine } from "../../src/report/lines.ts";
import { clock, description, log, tell } from "./run.ts";

async function linesOf(from: number, to: number): Promise<RunLine[]> {
  const lines: RunLine[] = [];
  await tell(
    lineListener((line) => lines.push(line), clock()),
    from,
    to,
  );
  return lines;
}

test("every event becomes one line of JSON, with its time, and is read back as it was", async () => {
  const lines = await linesOf(40, 60);
  expect(lines.map(({ kind, step }) => `${kind} ${step}`)).toEqual([
    "start 40",
    "notice 40",
    "log 50",
    "log 60",
    "evaluation 60",
    "samples 60",
    "end 60",
  ]);
  expect(lines[1]).toEqual({
    kind: "notice",
    time: "2026-11-24T12:00:01.000Z",
    step: 40,
    notice: "resumed",
    message: "goes on after step 40",
  });
  const text = lines.map(formatLine).join("");
  expect(text.split("\n")).toHaveLength(lines.length + 1);
  expect(parseLines(text, "metrics.jsonl")).toEqual({ lines, problems: [] });
});

test("numbers that are not finite survive as NaN", () => {
  const lines: RunLine[] = [];
  const listener = lineListener((line) => lines.push(line), clock());
  listener.started(description());
  listener.logged(log(1, { loss: Number.NaN, grad_norm: Number.POSITIVE_INFINITY }));
  expect(parseLines(formatLine(lines[1]!), "m").lines).toEqual([
    { ...lines[1], loss: Number.NaN, grad_norm: Number.NaN },
  ]);
});

test("whatever a sample holds, a line is one line", () => {
  const lines: RunLine[] = [];
  const ends = "\n\r\u0085\u2028\u2029\u000b\u000c\u001c\u001d\u001e";
  const text = `a${ends}\ud800 </script>`;
  lineListener((line) => lines.push(line), clock()).sampled({
    step: 1,
    samples: [{ prompt: text, text, ended: true }],
  });
  const written = formatLine(lines[0]!);
  expect(written.at(-1)).toBe("\n");
  expect([...written.slice(0, -1)].filter((character) => ends.includes(character))).toEqual([]);
  expect(parseLines(written, "m").lines).toEqual(lines);
});

test("damaged lines are named with their number and left out; an unfinished last one is not there yet", async () => {
  const [start, first, second] = (await linesOf(0, 20)).map(formatLine);
  const text = `${start}{"kind":"log","step":\n\n${first}{"kind":"song","step":3}\n${first!.replace('"loss":3.9', '"loss":"x"')}${second!.slice(0, 30)}`;
  const { lines, problems } = parseLines(text, "runs/a/metrics.jsonl");
  expect(lines.map(({ kind }) => kind)).toEqual(["start", "log"]);
  expect(problems).toEqual([
    "runs/a/metrics.jsonl:2: is not JSON; left out",
    expect.stringMatching(/^runs\/a\/metrics.jsonl:5: "kind": .*; left out$/),
    expect.stringMatching(/^runs\/a\/metrics.jsonl:6: "loss": .*; left out$/),
  ]);
});

test("a run that goes on drops lines about later steps and a torn one, and no other", async () => {
  const lines = (await linesOf(0, 60)).map(formatLine);
  const damaged = "not JSON\n";
  const text = [...lines.slice(0, 2), damaged, ...lines.slice(2), '{"kind":"log","step":1'].join("");
  const kept = keptOnResume(text, 40);
  expect(parseLines(kept, "m").lines.map(({ kind, step }) => `${kind} ${step}`)).toEqual([
    "start 0",
    "log 10",
    "log 20",
    "evaluation 20",
    "samples 20",
    "log 30",
    "log 40",
    "evaluation 40",
    "samples 40",
  ]);
  expect(kept).toContain(damaged);
  expect(keptOnResume(text, 0)).toBe("");
});
