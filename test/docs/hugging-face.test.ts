import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { PAGE, written } from "../../scripts/hugging-face-page.ts";
import { resolveSettings } from "../../src/run/settings/resolve.ts";
import { fileName, SETTING_KEYS } from "../../src/run/settings/table.ts";

const page = readFileSync(PAGE, "utf8");

test("the page has the lists that errors speak from (npx tsx scripts/hugging-face-page.ts writes them)", () => {
  expect(page).toBe(written(page));
});

test("the defaults that it says are the defaults", () => {
  const settings = resolveSettings({ typed: { data: ["a.txt"] } });
  const said = Array.from(page.matchAll(/^\| `(\w+)` +\| ([\d.e-]+) +\|/gm), ([, name, value]) => [
    name,
    Number(value),
  ]);
  expect(said.length).toBeGreaterThan(5);
  const actual = said.map(([name]) => [name, settings[SETTING_KEYS.find((key) => fileName(key) === name)!]]);
  expect(said).toEqual(actual);
});
