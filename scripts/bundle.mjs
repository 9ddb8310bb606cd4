// Bundles what Node runs, the command and the library, into dist/bundle/: of 440 small modules it would look for each by itself, a
// quarter of a second of every start. Both in one go, since they share their chunks: an op of one's own that imports the library and is
// checked by the command has to meet the same kernels. Packages stay outside. Nothing to do where dist/ is as it was.
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const path = (relative) => fileURLToPath(new URL(`../${relative}`, import.meta.url));
const folder = path("dist/bundle/");
const entryPoints = {
  // A thread's own file, which is looked for beside the one that starts it.
  "rank-guard": path("dist/platform/node/rank-guard.js"),
  node: path("dist/node.js"),
  gpt2: path("dist/cli/main.js"),
};

const changed = (file) => {
  try {
    return statSync(file).mtimeMs;
  } catch {
    return 0;
  }
};
// TypeScript writes this only where something has changed.
const sources = Math.max(changed(path("dist/.tsbuildinfo")), changed(fileURLToPath(import.meta.url)));
if (changed(`${folder}gpt2.js`) < sources) await bundle();

async function bundle() {
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    entryPoints,
    outdir: folder,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    packages: "external",
    chunkNames: "[name]-[hash]",
    legalComments: "none",
    write: false,
  });
  mkdirSync(folder, { recursive: true });
  const nameOf = (file) => file.path.slice(folder.length);
  const chunks = outputFiles.filter((file) => !(nameOf(file).replace(/\.js$/, "") in entryPoints));
  const entries = Object.keys(entryPoints).map((name) => outputFiles.find((file) => nameOf(file) === `${name}.js`));
  // The command last, as it says that all is there, and each file whole: whoever starts it meanwhile gets the old one or the new one.
  for (const file of [...chunks, ...entries]) {
    const made = `${file.path}.${process.pid}`;
    writeFileSync(made, file.contents);
    renameSync(made, file.path);
  }
  const names = new Set(outputFiles.map(nameOf));
  for (const name of readdirSync(folder)) if (name.endsWith(".js") && !names.has(name)) rmSync(`${folder}${name}`);
}
