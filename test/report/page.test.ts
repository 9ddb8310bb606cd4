import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { historyOf } from "../../src/report/history.ts";
import { html, jsonBlock, trusted } from "../../src/report/html.ts";
import { lineListener, type RunLine } from "../../src/report/lines.ts";
import { reportPage } from "../../src/report/page.ts";
import { clock, description, log, tell } from "./run.ts";

async function page(end = 60): Promise<string> {
  const lines: RunLine[] = [];
  const listener = lineListener((line) => lines.push(line), clock());
  await tell(listener, 0, end);
  return reportPage([historyOf("names-1", lines, description())]);
}

test("a template escapes what it is given, and nothing else", () => {
  const list = ["<a>", html`<b>${"&"}</b>`, 3, undefined, false] as const;
  expect(html`<p title="${`"'`}">${list}${trusted("<i>")}</p>`.html).toBe(
    '<p title="&quot;&#39;">&lt;a&gt;<b>&amp;</b>3<i></p>',
  );
  const data = { text: "</script><!--<script>\u2028" };
  const block = jsonBlock("x", data).html;
  expect(block.match(/</g)).toHaveLength(2);
  expect(JSON.parse(/>(.*)</s.exec(block)![1]!)).toEqual(data);
});

test("nothing but the page's own script and style may run, by their hashes", async () => {
  const text = await page();
  const policy = /Content-Security-Policy" content="([^"]*)"/.exec(text)![1]!.replaceAll("&#39;", "'");
  const hash = (part: string): string => `'sha256-${createHash("sha256").update(part).digest("base64")}'`;
  const script = /<script>(.*)<\/script>/s.exec(text)![1]!;
  const style = /<style>(.*)<\/style>/s.exec(text)![1]!;
  expect(policy).toContain(`default-src 'none'; script-src ${hash(script)}; style-src ${hash(style)};`);
  expect(text).not.toMatch(/<(link|img|iframe)|<script src|url\(/i);
});

test("the numbers of a run are in the page's text, with their units", async () => {
  const text = (await page())
    .replace(/<(script|style).*?<\/\1>/gs, "")
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ");
  for (const part of [
    "names-1 interrupted 2026-11-24 12:00:13 UTC",
    "Steps 60 of 100, 60 %; epoch 6.00",
    "Training loss 3.4000 nats a token; lowest 3.4000",
    "Evaluation loss 3.9000 best, at step 60; last 3.9000",
    "Perplexity 49.40",
    "Time 0:13",
    "Tokens 7,200 1,040 a second, median",
    "Device memory 5.0 MiB 12,345 parameters",
    "Step 60 ali ce, after 60 ended by itself",
    "Step 20 ali ce, after 20 cut off",
    "adapter a software driver",
    "learningRate 0.001",
    "trainable parameters 12,345",
    "records 80",
    "width 32",
  ])
    expect(text).toContain(part);
});

test("a page of a very long run stays small, and says what was left out", () => {
  const lines: RunLine[] = [];
  const listener = lineListener((line) => lines.push(line), clock());
  for (let step = 1; step <= 50_000; step++) listener.logged(log(step));
  for (let step = 1; step <= 500; step++)
    listener.sampled({ step, samples: [{ prompt: "a", text: "b".repeat(200), ended: true }] });
  const text = reportPage([historyOf("long", lines, description())]);
  expect(text.length).toBeLessThan(500_000);
  expect(text).toContain("440 steps are left out");
  expect(text).toContain("A point stands for up to 17 log entries");
  for (const step of ["Step 1<", "Step 500<"]) expect(text).toContain(step);
});
