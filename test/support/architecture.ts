import { posix } from "node:path";

/** What stands below the library: all that works anywhere. */
const BELOW_LIBRARY = [
  "run",
  "verify",
  "report",
  "train",
  "generate",
  "data",
  "io",
  "text",
  "model",
  "runtime",
  "gpu",
  "autograd",
  "kernels",
  "storage",
  "core",
];

/** What each folder of src/ may import besides itself: the picture in docs/architecture.md, from the bottom up. */
export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  storage: ["core"],
  kernels: ["core"],
  autograd: ["kernels", "core"],
  gpu: ["core"],
  runtime: ["autograd", "gpu", "kernels", "core"],
  model: ["autograd", "kernels", "core"],
  text: ["core"],
  io: ["text", "model", "core"],
  data: ["text", "core"],
  train: ["data", "io", "text", "model", "runtime", "autograd", "kernels", "core"],
  report: ["train", "data", "io", "core"],
  generate: ["data", "io", "text", "model", "runtime", "autograd", "kernels", "core"],
  run: [
    "storage",
    "report",
    "train",
    "generate",
    "data",
    "io",
    "text",
    "model",
    "runtime",
    "autograd",
    "kernels",
    "core",
  ],
  verify: ["train", "generate", "data", "io", "text", "model", "runtime", "autograd", "kernels", "core"],
  bench: ["train", "generate", "data", "model", "runtime", "gpu", "autograd", "kernels", "core"],
  platform: ["train", "data", "storage", "runtime", "gpu", "core"],
  library: [...BELOW_LIBRARY],
  node: ["index", "library", "platform", ...BELOW_LIBRARY],
  browser: ["index", "library", "platform", ...BELOW_LIBRARY],
  index: ["library", ...BELOW_LIBRARY],
  cli: ["node", "library", "platform", "bench", ...BELOW_LIBRARY],
};

/** Which packages may be imported where; in the folders that are not listed, none. They must work in a browser. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  storage: ["@noble/hashes"],
  io: ["fflate", "valibot"],
  report: ["valibot"],
  run: ["valibot"],
  data: ["papaparse", "hyparquet", "hyparquet-compressors"],
};

/** The command line, node/ and Node's part of platform/ may use Node and any package that is a dependency. */
const NODE_ONLY = /^src\/(cli\/|(platform\/)?node(\/|\.ts$))/;

/** Names and texts of source files by path from the repository's root: "src/core/shape.ts". */
export type Sources = ReadonlyMap<string, string>;

/** Every rule that `files` break, one line each; none if all is well. */
export function violationsIn(files: Sources): string[] {
  const graph = new Map([...files].map(([path, text]) => [path, importsOf(text)]));
  const broken: string[] = [];
  for (const [path, specifiers] of graph) {
    for (const specifier of specifiers) {
      const why = specifier.startsWith(".")
        ? wrongFile(path, resolve(path, specifier), files)
        : wrongPackage(path, specifier);
      if (why) broken.push(`${path} imports ${specifier}: ${why}`);
    }
  }
  const edges = new Map([...graph].map(([path, to]) => [path, to.map((specifier) => resolve(path, specifier))]));
  return [...broken, ...cyclesIn(edges).map((cycle) => `a cycle: ${cycle.join(" -> ")}`)];
}

/** The module specifiers of a file: static, re-exported, for types only, and dynamic. */
export function importsOf(text: string): string[] {
  const patterns = [
    /^\s*(?:import|export)\b[^"'`;]*?\bfrom\s*["']([^"']+)["']/gm,
    /^\s*import\s*["']([^"']+)["']/gm,
    /\bimport\(\s*["']([^"']+)["']\s*\)/g,
  ];
  return [...new Set(patterns.flatMap((pattern) => Array.from(text.matchAll(pattern), (match) => match[1]!)))];
}

function resolve(from: string, specifier: string): string {
  return specifier.startsWith(".") ? posix.join(posix.dirname(from), specifier) : specifier;
}

/** "kernels" for src/kernels/gpu/matmul.ts, "index" for src/index.ts. */
function layerOf(path: string): string {
  return path.split("/")[1]?.replace(/\.ts$/, "") ?? path;
}

function wrongFile(from: string, to: string, files: Sources): string | undefined {
  if (!files.has(to)) return "there is no such file in src/";
  const [layer, target] = [layerOf(from), layerOf(to)];
  const allowed = MAY_IMPORT[layer];
  if (!allowed) return `${layer}/ is not in the table of layers (test/support/architecture.ts)`;
  if (layer !== target && !allowed.includes(target)) return `${layer} may import ${allowed.join(", ") || "nothing"}`;
  if (NODE_ONLY.test(to) && !NODE_ONLY.test(from)) return "that file needs Node, this one must run in a browser";
  return undefined;
}

function wrongPackage(from: string, specifier: string): string | undefined {
  if (NODE_ONLY.test(from)) return undefined;
  if (specifier.startsWith("node:")) return "only src/cli/, src/node* and src/platform/node* may use Node";
  const allowed = PACKAGES[layerOf(from)] ?? [];
  const name = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
  return allowed.includes(name) ? undefined : `packages allowed here: ${allowed.join(", ") || "none"}`;
}

/** One cycle for each edge that closes one, in the order of the files. */
function cyclesIn(edges: ReadonlyMap<string, readonly string[]>): string[][] {
  const cycles: string[][] = [];
  const done = new Set<string>();
  const path: string[] = [];
  function visit(file: string): void {
    const at = path.indexOf(file);
    if (at >= 0) {
      cycles.push([...path.slice(at), file]);
      return;
    }
    if (done.has(file)) return;
    path.push(file);
    for (const next of edges.get(file) ?? []) visit(next);
    path.pop();
    done.add(file);
  }
  for (const file of edges.keys()) visit(file);
  return cycles;
}
