/** Arrays of any length: as arguments of a call, more than some 100,000 elements overflow the stack. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { transformSync } from "esbuild";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterAll, describe, expect, test } from "vitest";
import { parseAst } from "vitest/node";
import { readPrompts } from "../src/cli/generate-prompts.ts";
import { lossChart } from "../src/cli/loss-chart.ts";
import { formatSamples } from "../src/cli/samples.ts";
import { largest, smallest } from "../src/core/extremes.ts";
import { encodeRecords, linesOf } from "../src/data/records.ts";
import { sequencesOf } from "../src/data/sequence.ts";
import { decodePlansOf } from "../src/generate/decode-plans.ts";
import { generationOptions } from "../src/generate/option-elsewhere.ts";
import { encodePrompts } from "../src/generate/prompts.ts";
import { decodeRows } from "../src/generate/rows.ts";
import { createScorer } from "../src/generate/score.ts";
import { gpt2Config } from "../src/model/config.ts";
import { layoutParameters } from "../src/model/parameters.ts";
import type { RunHistory } from "../src/report/history.ts";
import { summaryRecord } from "../src/report/tensorboard.ts";
import type { Runtime } from "../src/runtime/runtime.ts";
import { byteTokenizer } from "../src/text/byte.ts";
import { createEvaluator } from "../src/train/evaluate.ts";
import { recordRows } from "../src/train/rows.ts";

const MANY = 200_000;
const root = fileURLToPath(new URL("../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "gpt2-large-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Calls with `...` that are never long, by what limits them. */
const SHORT: Readonly<Record<string, readonly string[]>> = {
  "times that a benchmark measured": [
    "src/bench/first-step.ts Math.min(...times)",
    "src/bench/measure.ts Math.min(...times)",
    "src/bench/peers.ts Math.min(...times)",
    "src/bench/peers.ts rows.push(...failures)",
    "src/bench/step-peers.ts Math.min(...times)",
    "src/bench/step.ts Math.min(...queued)",
    "src/bench/wasm.ts Math.min(...times)",
    "src/runtime/tuner.ts Math.min(...left.map((i) => times[i][0]))",
    "src/runtime/tuner.ts Math.min(...times[i])",
  ],
  "inputs, outputs and dispatches of an op, or of a plan": [
    "src/kernels/dispatch.ts Math.max(...bytes)",
    "src/kernels/dispatch.ts Math.min(...bytes)",
    "src/kernels/gpu/matmul/dispatches.ts Math.max(...lengths)",
    "src/kernels/product.ts Math.max(...rows)",
    "src/kernels/product.ts Math.min(...rows.map((row) => Math.floor(traits.maxBindingBytes / row)))",
    "src/kernels/gpu/column-sum.ts Math.max(...dtypes.map(bytesPerElement))",
    "src/runtime/profile.ts times.push(...await timeSome(gpu, buffers, steps.slice(at, at + most)))",
  ],
  "padded lengths, of which there are a few": [
    "src/run/need.ts held.push(...forecastEvaluator(forecast, config, layout, evaluation, rows, options.precision, logits))",
  ],
  "sizes that a device's subgroups were found to have": [
    "src/runtime/gpu.ts Math.min(...sizes)",
    "src/runtime/probe.ts Math.min(...sizes)",
    "src/runtime/probe.ts Math.max(...sizes)",
  ],
  "arguments of a C function, and words that a rank says at a meeting": [
    "src/platform/node/mpi.ts call.async(...args)",
    "src/platform/node/mpi.ts wait(...[from, sendCounts, sendAt, row.float])",
    "src/platform/node/mpi.ts wait(...[received, receiveCounts, receiveAt, row.float, vectors])",
    "src/train/alone.ts Uint32Array.of(...said)",
  ],
  "checks of a fixture": [
    "src/verify/generation.ts checks.push(...compareCase(request, prompts, got))",
    "src/verify/hashed.ts checks.push(...await compareLogits(logits, fixture))",
  ],
  "names in a header, shorter than `SHORT` there": ["src/io/json-bytes.ts String.fromCharCode(...raw)"],
  "places in a template's own text, and marks of an axis": [
    "src/report/html.ts String.raw(...values.map(markupOf))",
    "web/report/page.ts found.push(...marks.map((mark) => Number((mark * power).toPrecision(3))).filter((at) => at >= low && at <= high))",
  ],
};

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

/** Calls whose arguments are spread out of an array, but for those that pass on their own function's rest parameter. */
function spreadCalls(code: string): string[] {
  const found: string[] = [];
  const text = ({ start, end }: Node): string => code.slice(start, end).replace(/\s+/g, " ");
  const visit = (value: unknown, rest: readonly string[]): void => {
    if (Array.isArray(value)) for (const item of value) visit(item, rest);
    const node = value as Node | null;
    if (typeof node?.type !== "string") return;
    const own = ((node.params as Node[] | undefined) ?? []).filter(({ type }) => type === "RestElement");
    const known = [...rest, ...own.map(({ argument }) => text(argument as Node))];
    if (node.type === "CallExpression" || node.type === "NewExpression") {
      const callee = node.callee as Node;
      for (const argument of node.arguments as Node[]) {
        if (argument.type !== "SpreadElement") continue;
        const array = text(argument.argument as Node);
        if (!known.includes(array)) found.push(`${text(callee)}(...${array})`);
      }
      // An op's `apply` takes tensors by their names.
      if (callee.type === "MemberExpression" && text(callee.property as Node) === "apply")
        if (!/Op$/.test(text(callee.object as Node))) found.push(text(node));
    }
    for (const [name, child] of Object.entries(node)) if (name !== "type") visit(child, known);
  };
  visit(parseAst(code), []);
  return found;
}

function sourceFiles(directory: string): string[] {
  return readdirSync(directory).flatMap((name) => {
    const path = join(directory, name);
    if (statSync(path).isDirectory()) return sourceFiles(path);
    return name.endsWith(".ts") && !name.endsWith(".gen.ts") ? [path] : [];
  });
}

describe("no call has the elements of an array as its arguments", () => {
  test("in the sources, unless they are known to be few", () => {
    const found = ["src", "web"]
      .flatMap((name) => sourceFiles(join(root, name)))
      .flatMap((path) => {
        const { code } = transformSync(readFileSync(path, "utf8"), { loader: "ts", target: "esnext" });
        return spreadCalls(code).map((call) => `${relative(root, path).replaceAll("\\", "/")} ${call}`);
      });
    const known = new Set(Object.values(SHORT).flat());
    expect(
      found.filter((call) => !known.has(call)),
      "use largest and smallest of core/extremes.ts, or a loop; or name it above with what limits it",
    ).toEqual([]);
    expect([...known].filter((call) => !found.includes(call))).toEqual([]);
  });

  test("where one has, the search finds it", () => {
    expect(spreadCalls("a.push(...b); Math.max(1, ...f(x)); new C(...d); e.apply(null, g)")).toEqual([
      "a.push(...b)",
      "Math.max(...f(x))",
      "C(...d)",
      "e.apply(null, g)",
    ]);
    expect(spreadCalls("const f = (...a) => g(...a); [...b]; ({ ...c }); addOp.apply({ x })")).toEqual([]);
  });
});

/** Runs that compute nothing: plans whose outputs are zeros. */
function idleRuntime(outputs: (inputs: Readonly<Record<string, ArrayLike<number>>>) => Record<string, Float32Array>) {
  const run = async (inputs: Record<string, ArrayLike<number>>) => outputs(inputs);
  const traits = { software: true };
  return { traits, isWritten: () => true, compile: async () => ({ run, dispose() {} }) } as unknown as Runtime;
}

const byte = byteTokenizer();
const config = gpt2Config({ vocabSize: 257, contextLength: 16, width: 4, layers: 1, heads: 1 });
const layout = layoutParameters(config);

describe(`${MANY} of them`, () => {
  const lines = Array.from({ length: MANY }, (_, i) => `p${i}`);
  const text = new Map<string, string | Uint8Array>([
    ["prompts.txt", `${lines.join("\n")}\n`],
    ["prompts.csv", `prompt\n${lines.join("\n")}\n`],
    ["prompts.jsonl", lines.map((prompt) => `{"prompt":"${prompt}"}`).join("\n")],
    [
      "prompts.parquet",
      new Uint8Array(
        parquetWriteBuffer({ columnData: [{ name: "prompt", data: lines, type: "STRING" }], rowGroupSize: MANY }),
      ),
    ],
  ]);

  test.each([...text.keys()])("prompts, in %s", async (name) => {
    const promptFile = join(folder, name);
    writeFileSync(promptFile, text.get(name)!);
    const { texts: prompts, where } = await readPrompts({ promptFile }, (line) => expect.fail(line));
    expect(prompts).toHaveLength(MANY);
    expect([prompts[0], prompts.at(-1)]).toEqual(["p0", `p${MANY - 1}`]);
    expect(where(MANY - 1)).toMatch(new RegExp(`${name}, (line|row) (${MANY}|${MANY + 1})$`));
  });

  test("prompts are encoded, laid out and planned", () => {
    const encoded = encodePrompts(lines, (line) => [byte.endId!, ...byte.encode(line)]);
    const rows = decodeRows(encoded, generationOptions({ maxNewTokens: 1 }, config), config);
    expect(decodePlansOf(rows, config, { settings: undefined, cache: "f32" }).prompts).toHaveLength(MANY);
  });

  test("sequences are scored", async () => {
    const scorer = createScorer(
      idleRuntime(({ tokens }) => ({ losses: new Float32Array(tokens!.length) })),
      config,
      layout,
    );
    const scores = await scorer.score(Array.from({ length: MANY }, () => [1, 2]));
    expect(scores).toHaveLength(MANY);
  });

  test("records are read, encoded, evaluated and trained on in one batch", async () => {
    const records = linesOf(lines.join("\n"));
    const { sequences } = encodeRecords(records, byte, 8);
    expect(sequences).toHaveLength(MANY);
    const rows = recordRows(sequencesOf(sequences), { rowsPerStep: MANY, seed: 1 });
    expect(rows.at(0).rows).toHaveLength(MANY);
    const runtime = idleRuntime(() => ({ loss: new Float32Array(1) }));
    const { records: evaluated } = await createEvaluator(
      runtime,
      config,
      layout,
      sequencesOf(sequences),
      MANY,
    ).evaluate();
    expect(evaluated).toBe(MANY);
  });

  test("samples are shown, and told to TensorBoard", () => {
    const samples = lines.map((prompt) => ({ prompt, text: "", ended: true }));
    expect(formatSamples(samples, { has: undefined, addresses: false })).toMatch(
      new RegExp(`\\n${MANY.toLocaleString("en-US")} samples: `),
    );
    const record = summaryRecord(
      0,
      1,
      samples.map(({ prompt }) => ({ tag: prompt, scalar: 1 })),
    );
    expect(record.length).toBeGreaterThan(MANY);
  });

  test("log entries are drawn", () => {
    const logs = lines.map((_, i) => ({ step: i + 1, loss: 1 + i / MANY }));
    expect(lossChart({ logs, evaluations: [] } as unknown as RunHistory, 80)).toContain("loss");
  });

  test("numbers have a largest and a smallest one", () => {
    const numbers = Float64Array.from({ length: MANY }, (_, i) => (i * 7919) % MANY);
    expect([largest(numbers), smallest(numbers)]).toEqual([MANY - 1, 0]);
    expect([largest([]), smallest([]), largest([], 1), smallest([5], 3)]).toEqual([-Infinity, Infinity, 1, 3]);
    expect(largest([1, Number.NaN, 2])).toBeNaN();
  });
});
