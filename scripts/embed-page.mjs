// Bundles web/report/ and the chart library into src/report/page.gen.ts, so that a report is one page that needs no file
// beside it, and Node, bundlers and browsers can all write one. The hashes go into the page's Content-Security-Policy.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { buildSync, transformSync } from "esbuild";

const path = (relative) => fileURLToPath(new URL(`../${relative}`, import.meta.url));
const target = path("src/report/page.gen.ts");
const { version } = JSON.parse(readFileSync(path("node_modules/uplot/package.json"), "utf8"));

const { outputFiles } = buildSync({
  entryPoints: [path("web/report/page.ts")],
  bundle: true,
  minify: true,
  format: "iife",
  platform: "browser",
  target: "es2022",
  charset: "ascii",
  write: false,
});
const script = outputFiles[0].text.trim();
const css = ["node_modules/uplot/dist/uPlot.min.css", "web/report/page.css"].map((file) =>
  readFileSync(path(file), "utf8"),
);
const style = transformSync(css.join("\n"), { loader: "css", minify: true, charset: "ascii" }).code.trim();
if (/<\/(script|style)|<!--/i.test(script + style)) throw new Error("embed-page: the page would end its own script");

const hash = (text) => `sha256-${createHash("sha256").update(text).digest("base64")}`;
const page = {
  script,
  style,
  scriptHash: hash(script),
  styleHash: hash(style),
  notice: `Charts: uPlot ${version}, copyright Leon Sorokin, MIT licence.`,
};
const fields = Object.entries(page).map(([name, text]) => `  ${name}: ${JSON.stringify(text)},\n`);
const text = `// Written by scripts/embed-page.mjs from web/report/. Do not edit.\nexport const PAGE = {\n${fields.join("")}} as const;\n`;
let old = "";
try {
  old = readFileSync(target, "utf8");
} catch {}
if (old !== text) writeFileSync(target, text);
