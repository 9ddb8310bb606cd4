import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { formatRuns } from "../../src/cli/report.ts";
import { readRunDirectory } from "../../src/cli/run-home.ts";
import { nodeFolder } from "../../src/platform/node/storage.ts";
import { factsOf } from "../../src/report/facts.ts";
import { createJournal, metricsListener } from "../../src/run/journal.ts";
import { reportListener } from "../../src/run/report-page.ts";
import { clock, description, log, tell } from "../report/run.ts";
import { gpt2 as run } from "../support/commands.ts";

const runs = mkdtempSync(join(tmpdir(), "gpt2-report-"));
afterAll(() => rmSync(runs, { recursive: true }));

const gpt2 = (...args: string[]) => run(["report", ...args], { cwd: runs });

function newRun(name: string): string {
  const path = join(runs, name);
  mkdirSync(path);
  return path;
}

beforeAll(async () => {
  await tell(metricsListener(nodeFolder(newRun("whole")), clock()), 0, 100);
  // Killed in the middle of a line, with a damaged one before it.
  const killed = newRun("killed");
  await tell(metricsListener(nodeFolder(killed), clock()), 0, 60);
  const metrics = join(killed, "metrics.jsonl");
  truncateSync(metrics, readFileSync(metrics, "utf8").lastIndexOf('{"kind":"end"') + 20);
  writeFileSync(metrics, readFileSync(metrics, "utf8").replace('"loss":3.8,', '"loss":3.8'));
  const told = JSON.parse(readFileSync(join(killed, "run.json"), "utf8"));
  told.settings.learningRate = 3e-4;
  writeFileSync(join(killed, "run.json"), JSON.stringify(told));
});

describe("gpt2 report", () => {
  test("a row a run, what differs, and what is damaged, by file and line", async () => {
    const { code, stdout, stderr } = await gpt2("whole", "killed");
    expect(code).toBe(0);
    expect(stdout).toBe(
      [
        "run     status      steps    loss  lowest    eval    best  at step  perplexity  tokens  tokens/s  time  left out",
        "whole   finished  100/100  3.0000  3.0000  3.5000  3.5000      100       33.12  12,000     1,060  0:21         0",
        "killed  killed     60/100  3.4000  3.4000  3.9000  3.9000       60       49.40   7,200     1,040  0:12         0",
        "",
        "setting       whole  killed",
        "learningRate  0.001  0.0003",
        "",
      ].join("\n"),
    );
    expect(stderr).toBe(`${join("killed", "metrics.jsonl")}:3: is not JSON; left out\n`);
  });

  test("--json gives the same, and --out a page of both", async () => {
    const { code, stdout, stderr } = await gpt2("whole", "killed", "--json", "--out", "both.html");
    expect(code).toBe(0);
    const { runs: facts, differences, problems } = JSON.parse(stdout);
    expect(facts).toMatchObject([
      { name: "whole", status: "finished", best_eval_loss: 3.5, runtime: 21, device_bytes: 5 * 2 ** 20 },
      { name: "killed", status: "killed", step: 60 },
    ]);
    expect(differences).toEqual([{ setting: "learningRate", values: ["0.001", "0.0003"] }]);
    expect(problems).toHaveLength(1);
    expect(stderr).toContain("wrote both.html");
    expect(readFileSync(join(runs, "both.html"), "utf8")).toContain("<h1>whole, killed</h1>");
  });

  test("a directory that is no run is one line and not 0", async () => {
    const { code, stdout, stderr } = await gpt2(".");
    expect(code).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toBe("gpt2: .: is no run, it has no metrics.jsonl; wanted one of those in it: killed, whole\n");
  });

  test.each([
    ["nowhere", "nowhere: does not exist"],
    ["whole/run.json", "run.json: is a file, wanted the directory of a run"],
  ])("%s is refused", async (path, message) => {
    await expect(readRunDirectory(join(runs, path))).rejects.toThrow(message);
  });
});

test("two runs of one name are told apart by their paths; a run.json that is none is told", async () => {
  const path = newRun("odd");
  writeFileSync(join(path, "metrics.jsonl"), "");
  expect(await readRunDirectory(path)).toMatchObject({
    history: { name: "odd", step: 0 },
    problems: [expect.stringMatching("missing")],
  });
  for (const text of ["[]", "null", "{", '{"settings": []}']) {
    writeFileSync(join(path, "run.json"), text);
    expect((await readRunDirectory(path)).problems).toEqual([
      expect.stringMatching("run.json: is no description of a run"),
    ]);
  }
});

describe("report.html while a run goes on", () => {
  test("is written at the start, then at most every 5 seconds, and at the end", async () => {
    const folder = newRun("watched");
    let now = Date.parse("2026-11-24T12:00:00.000Z");
    const listener = reportListener(
      nodeFolder(folder),
      "watched",
      async () => [],
      () => new Date(now),
    );
    const shown = (): string => /Steps<\/dt><dd>(\d+)</.exec(readFileSync(join(folder, "report.html"), "utf8"))![1]!;
    await listener.started(description());
    expect(shown()).toBe("0");
    now += 4900;
    await listener.logged(log(10));
    expect(shown()).toBe("0");
    now += 200;
    await listener.logged(log(20));
    expect(shown()).toBe("20");
    await listener.ended({ step: 21, train_loss: 1, train_runtime: 5, reason: "interrupted" });
    expect(shown()).toBe("21");
  });

  test("knows what the processes before it did", async () => {
    const folder = newRun("continued");
    const plan = { maxSteps: 100, stepsPerEpoch: 30, recordsPerStep: 8, loggingSteps: 10, nonEmbeddingParameters: 1 };
    const files = () =>
      createJournal(nodeFolder(folder), { name: "continued", host: "here", process: 1 }, plan, (message) =>
        expect.fail(message),
      );
    await tell(files(), 0, 70);
    appendFileSync(join(folder, "metrics.jsonl"), '{"torn');
    await tell(files(), 40, 100);
    const page = readFileSync(join(folder, "report.html"), "utf8");
    const [curves] = JSON.parse(/id="runs">(.*?)<\/script>/s.exec(page)![1]!);
    expect(curves.logs.step).toEqual([10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
    expect(curves.notices).toMatchObject([{ step: 40, kind: "resumed" }]);
  });
});

test("in a window a table has the columns that fit, the same in each line, and names as they may be shown", async () => {
  const { history } = await readRunDirectory(join(runs, "whole"));
  const facts = ["one", "\u001b[2Jtwo"].map((name) => ({ ...factsOf(history), name }));
  const plain = (width?: number): string[] => stripVTControlCharacters(formatRuns(facts, width)).split("\n");
  expect(plain()[0]).toMatch(/^run .*lowest.*left out$/);
  for (const width of [40, 60, 80, 130]) {
    const [head, ...rows] = plain(width);
    expect(rows.map((row) => row.length)).toEqual([head!.length, head!.length]);
    expect(head!.length).toBeLessThanOrEqual(width);
    expect(head).toMatch(/^run .*loss/);
    expect(rows[1]).toMatch(/^\\x1b\[2Jtwo /);
  }
});
