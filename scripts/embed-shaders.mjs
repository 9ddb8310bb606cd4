// Writes every shader under shaders/ into src/kernels/shaders.gen.ts, so that Node, bundlers and browsers
// all read the same text without a loader; without comments, which are more than a third of it. The keys are paths without ".wgsl": "gelu", "lib/philox".
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../shaders/", import.meta.url));
const target = fileURLToPath(new URL("../src/kernels/shaders.gen.ts", import.meta.url));
const files = readdirSync(root, { recursive: true })
  .map(String)
  .filter((file) => file.endsWith(".wgsl"))
  .sort();
const withoutComments = (text) =>
  text
    .split("\n")
    .map((line) => line.replace(/\/\/.*/, "").trimEnd())
    .filter((line) => line !== "")
    .map((line) => `${line}\n`)
    .join("");
const entries = files.map((file) => {
  const key = file.slice(0, -".wgsl".length).replaceAll("\\", "/");
  return `  ${JSON.stringify(key)}: ${JSON.stringify(withoutComments(readFileSync(root + file, "utf8")))},\n`;
});
const text = `// Written by scripts/embed-shaders.mjs from shaders/. Do not edit.\nexport const SHADERS = {\n${entries.join("")}} as const;\n`;
let old = "";
try {
  old = readFileSync(target, "utf8");
} catch {}
if (old !== text) writeFileSync(target, text);
