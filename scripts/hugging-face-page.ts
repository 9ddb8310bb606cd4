/** Writes the lists of docs/coming-from-hugging-face.md out of the tables that errors speak from: `npx tsx scripts/hugging-face-page.ts`. */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ELSEWHERE } from "../src/generate/option-elsewhere.ts";
import { OPTION_NAMES } from "../src/generate/option-table.ts";
import { settingElsewhere } from "../src/run/settings/elsewhere.ts";
import { fileName, SETTING_KEYS } from "../src/run/settings/table.ts";

const path = (name: string): string => fileURLToPath(new URL(`../${name}`, import.meta.url));
export const PAGE = path("docs/coming-from-hugging-face.md");

const code = (name: string): string => `\`${name}\``;

/** Names, and what to do instead, in the words of the errors. */
function list(remedies: readonly (readonly [name: string, remedy: string])[]): string {
  const items = new Map<string, string[]>();
  for (const [name, remedy] of remedies) items.set(remedy, [...(items.get(remedy) ?? []), code(name)]);
  return [...items].map(([remedy, names]) => `- ${names.join(", ")}: ${remedy}`).join("\n");
}

/** The names that a section of elsewhere.ts has, by the beginning of its comment. */
function namesUnder(heading: string): string[] {
  const source = readFileSync(path("src/run/settings/elsewhere.ts"), "utf8");
  const section = source.split(/^ {2}\/\/ /m).find((part) => part.startsWith(heading));
  if (section === undefined) throw new Error(`elsewhere.ts has no section "${heading}"`);
  return Array.from(section.matchAll(/^ {2}(\w+)[:,]/gm), (match) => match[1]!);
}

function settingsOf(heading: string): string {
  return list(namesUnder(heading).map((name) => [name, settingElsewhere(name, "", (key) => code(fileName(key)))!]));
}

/** What stands between `<!-- name -->` and `<!-- end -->`. */
export const SECTIONS: Readonly<Record<string, () => string>> = {
  settings: () => SETTING_KEYS.map((key) => code(fileName(key))).join(", "),
  arguments: () => settingsOf("transformers.TrainingArguments"),
  "run_clm.py": () => settingsOf("its run_clm.py"),
  config: () => settingsOf("GPT2Config"),
  "peft and trl": () => settingsOf("PEFT, TRL"),
  options: () => OPTION_NAMES.map(code).join(", "),
  "other options": () => list(Object.entries(ELSEWHERE).map(([name, remedy]) => [name, remedy(code)])),
};

/** The page with its lists as they should be. */
export function written(page: string): string {
  return Object.entries(SECTIONS).reduce((text, [name, section]) => {
    const place = new RegExp(`<!-- ${name.replaceAll(".", "\\.")} -->\n[\\s\\S]*?<!-- end -->`);
    if (!place.test(text)) throw new Error(`the page has no place for "${name}"`);
    return text.replace(place, () => `<!-- ${name} -->\n\n${section()}\n\n<!-- end -->`);
  }, page);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(PAGE, written(readFileSync(PAGE, "utf8")));
