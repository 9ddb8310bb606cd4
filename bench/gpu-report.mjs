// Puts what the parts of bench/gpu.sh left in a folder into one file, gpu.json: `node bench/gpu-report.mjs <folder> <size>`.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";

const [folder = "runs/gpu", size = "gpt2"] = process.argv.slice(2);
const LINES = 60;

/** What is cut short by a time limit is no JSON yet. */
function json(name) {
  try {
    return JSON.parse(readFileSync(join(folder, name), "utf8"));
  } catch {
    return undefined;
  }
}

function text(name) {
  const file = join(folder, name);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours of a terminal
  return existsSync(file) ? readFileSync(file, "utf8").replace(/\u001b\[[0-9;]*m/g, "") : "";
}

/** The measurement that a line is, if it is one. */
function rowIn(line) {
  try {
    const row = JSON.parse(line);
    return typeof row.work === "string" ? [row] : [];
  } catch {
    return [];
  }
}

const parts = text("parts.tsv")
  .trim()
  .split("\n")
  .filter(Boolean)
  .map((line) => {
    const [name, status, seconds, command] = line.split("\t");
    const file = name.replaceAll(" ", "-");
    const measured = json(`${file}.json`);
    const result = status === "0" ? "pass" : /^(124|137)$/.test(status) ? "out of time" : `exit ${status}`;
    const printed = text(`${file}.txt`).trimEnd().split("\n");
    // A part that was cut short has printed some of its rows.
    const rows = (Array.isArray(measured) ? measured : measured?.rows) ?? printed.flatMap(rowIn);
    const output = printed.filter((one) => rowIn(one).length === 0).slice(-LINES);
    return { name, result, seconds: Number(seconds), command, ...(rows.length > 0 ? { rows } : {}), output };
  });

const rowsOf = (name) => parts.find((part) => part.name === name)?.rows ?? [];
const stepOf = (name) => rowsOf(name).find(({ work, tokens_per_s }) => /^step [^:]*$/.test(work) && tokens_per_s);
const brief = (row) =>
  row && {
    work: row.work,
    ms: row.median_ms,
    tokens_per_s: row.tokens_per_s,
    fraction_of_peak: row.model_flops_utilisation,
  };
const largest = (rows, key) =>
  rows.reduce((best, row) => ((row[key] ?? 0) > (best?.[key] ?? 0) ? row : best), undefined);
const peaks = rowsOf("products")
  .filter(({ work }) => work.startsWith("peak: "))
  .map(({ work, gflops_per_s, gb_per_s }) => ({ work, gflops_per_s, gb_per_s }));
const product = largest(
  rowsOf("products").filter(({ work }) => work.startsWith("matmul")),
  "gflops_per_s",
);
const pytorch = rowsOf("pytorch").find(({ system }) => system.endsWith("eager f32"));
const [f32, f16] = ["f32", "f16"].map((type) => stepOf(`step ${type} tuned`) ?? stepOf(`step ${type}`));

const report = {
  about:
    "What bash bench/gpu.sh found: 'brief' first, then the adapters with what the probe saw, then every part with its rows and the end of what it printed. docs/devices.md and docs/performance.md say what the words mean.",
  date: new Date().toISOString(),
  size,
  brief: {
    passed: parts.filter(({ result }) => result === "pass").map(({ name }) => name),
    failed: parts.filter(({ result }) => result !== "pass").map(({ name, result }) => `${name}: ${result}`),
    peaks,
    best_product: product && {
      work: product.work,
      gflops_per_s: product.gflops_per_s,
      fraction_of_peak: product.fraction_of_peak,
    },
    step_f32: brief(f32),
    step_f16: brief(f16),
    decoding: [...rowsOf("decoding"), ...rowsOf("decoding f16")]
      .filter(({ tokens_per_s }) => tokens_per_s)
      .map(({ work, tokens_per_s }) => ({ work, tokens_per_s })),
    pytorch_f32: brief(pytorch),
    times_of_pytorch: pytorch && f32 ? f32.median_ms / pytorch.median_ms : undefined,
  },
  machine: {
    cpu: cpus()[0]?.model.trim(),
    cores: cpus().length,
    memory_bytes: totalmem(),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
  },
  devices: json("devices.json"),
  parts,
};
writeFileSync(join(folder, "gpu.json"), `${JSON.stringify(report, null, 1)}\n`);
