// Compiles wasm/ (AssemblyScript) into src/kernels/wasm.gen.ts: the module as base64 and the names of its kernels, so that
// Node, bundlers and browsers load it without a file beside the code. Compiling takes seconds: not where nothing changed.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));
const target = `${root}src/kernels/wasm.gen.ts`;
const sources = readdirSync(`${root}wasm`)
  .filter((name) => name.endsWith(".ts"))
  .sort();
const digest = createHash("sha256");
for (const path of [...sources.map((name) => `wasm/${name}`), "scripts/embed-wasm.mjs", "package.json"])
  digest.update(`${path}\n${readFileSync(root + path, "utf8")}\n`);
const mark = `// Written by scripts/embed-wasm.mjs from wasm/, ${digest.digest("hex").slice(0, 16)}. Do not edit.\n`;

let old = "";
try {
  old = readFileSync(target, "utf8");
} catch {}
if (!old.startsWith(mark)) await compile();

async function compile() {
  const { default: asc } = await import("assemblyscript/asc");
  let binary;
  const { error, stderr } = await asc.main(
    [
      ...["wasm/index.ts", "--outFile", "kernels.wasm", "--baseDir", root, "-O3", "--noAssert", "--runtime", "stub"],
      ...["--enable", "simd", "--enable", "threads", "--enable", "bulk-memory", "--exportTable"],
      ...["--importMemory", "--noExportMemory", "--sharedMemory", "--initialMemory", "1", "--maximumMemory", "65536"],
      // Numbers of wasm/math.ts lie between the words of wasm/threads.ts and the heap.
      ...["--memoryBase", "512"],
      // "Exchange of v128 values is not supported by all embeddings": no such function is exported.
      ...["--disableWarning", "112"],
    ],
    {
      writeFile: (_name, contents) => {
        binary = contents;
      },
    },
  );
  if (error) {
    process.stderr.write(stderr.toString());
    throw error;
  }
  const names = WebAssembly.Module.exports(new WebAssembly.Module(binary)).flatMap(({ name, kind }) =>
    kind === "function" ? [name] : [],
  );
  const lines = [
    `export const WASM_EXPORTS = [\n${names.map((name) => `  ${JSON.stringify(name)},\n`).join("")}] as const;\n`,
    `export const WASM_MODULE =\n  "${Buffer.from(binary).toString("base64")}";\n`,
  ];
  writeFileSync(target, mark + lines.join(""));
}
