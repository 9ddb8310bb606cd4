import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { textSource } from "../../src/data/memory-source.ts";
import { bundle, hasChromium, runInChromium } from "../support/chromium.ts";
import { DROPPED, openDropped } from "./dropped.ts";

test.runIf(hasChromium)("files that are dropped on a page are opened to the ids and reports of Node", async () => {
  const found = JSON.parse(await runInChromium(await bundle("browser/dropped-page.ts"))) as unknown[];
  expect(found).toEqual(JSON.parse(JSON.stringify(await openDropped(textSource))));
  expect(found).toHaveLength(DROPPED.length + 1);
  expect(found.at(-1)).toMatch(/^bad.txt, line 2: byte 2 \(0xFF\) is not UTF-8/);
});

/** What a script's bundle holds that is there from its start, and what is loaded when it is asked for. */
async function partsOf(entry: string): Promise<{ start: string[]; later: string[] }> {
  const { metafile } = await build({
    entryPoints: [fileURLToPath(new URL(`../../${entry}`, import.meta.url))],
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    write: false,
    metafile: true,
    outdir: "out",
    logLevel: "silent",
  });
  const { outputs } = metafile;
  const chunks = new Set<string>();
  const follow = (path: string): void => {
    if (chunks.has(path)) return;
    chunks.add(path);
    for (const { path: next, kind } of outputs[path]!.imports) if (kind === "import-statement") follow(next);
  };
  follow(Object.keys(outputs).find((path) => outputs[path]!.entryPoint?.endsWith(entry))!);
  const inputs = (paths: string[]) => paths.flatMap((path) => Object.keys(outputs[path]!.inputs));
  return { start: inputs([...chunks]), later: inputs(Object.keys(outputs).filter((path) => !chunks.has(path))) };
}

test.each([
  ["src/data/open.ts", ["papaparse/", "hyparquet/", "hyparquet-compressors/"]],
  ["src/index.ts", ["papaparse/", "hyparquet/", "hyparquet-compressors/", "gpt2-tokens.gen.ts"]],
])("%s: what reads tables, Parquet and GPT-2's vocabulary is loaded when it is asked for", async (entry, packages) => {
  const { start, later } = await partsOf(entry);
  for (const name of packages) {
    const has = (inputs: readonly string[]) => inputs.some((input) => input.includes(`/${name}`));
    expect([name, has(start), has(later)]).toEqual([name, false, true]);
  }
});
