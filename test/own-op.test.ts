import { expect, test, vi } from "vitest";
import { gradcheckCommand } from "../src/cli/gradcheck.ts";
import {
  type AnyOp,
  checkOp,
  createCpuRuntime,
  createGpuRuntime,
  defineOp,
  f32,
  gridOf,
  type OpCase,
  read,
  rowsAndColumns,
  runOp,
  type Value,
  write,
} from "../src/index.ts";
import { openTestGpu, testAdapters } from "./support/gpu.ts";
import { testInterrupt } from "./support/interrupt.ts";

const { reluSquared, reluSquaredBackward } = (await import(`../examples/${"relu-squared"}.js`)) as Record<
  "reluSquared" | "reluSquaredBackward",
  AnyOp
>;

/** y[r] = the largest of row r, by a workgroup a row. With a library of ours, whose shared memory is counted too. */
const rowMaximum = defineOp({
  name: "rowMaximum",
  inputs: ["x"],
  outputs: ["y"],
  attrs: { text: "" },
  shapes: ({ x }) => ({ y: f32([x.shape[0]!]) }),
  cpu: ({ x }, { y }) => {
    const [rows, columns] = rowsAndColumns(x.shape);
    for (let r = 0; r < rows; r++) y.data[r] = Math.max(...x.data.subarray(r * columns, (r + 1) * columns));
  },
  gpu: ({ x }, _outputs, { text }, traits) => {
    const [rows, columns] = rowsAndColumns(x.shape);
    const code = `
      enable subgroups; // not used: a directive of one's own goes to the front
      struct Uniforms { R: u32, C : i32 /* columns */ , LEAST: f32 };
      @group(0) @binding(15) var<uniform> u: Uniforms;
      @group(0) @binding(0) var<storage, read> x: array<f32>;
      @group(0) @binding(1) var<storage, read_write> y: array<f32>;
      @compute @workgroup_size(ROW_WORKGROUP)
      fn largest(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                 @builtin(local_invocation_index) local: u32) {
        let row = min(row_of(linear_group(group, groups), local), u.R - 1u);
        var mine = u.LEAST;
        for (var c = row_part(local); c < u32(u.C); c += ROW_SHARE) { mine = max(mine, x[row * u32(u.C) + c]); }
        let all = row_maximum(mine, local);
        if (row_leader(local)) { y[row] = all; }
        ${text}
      }`;
    return [
      {
        shader: ["lib/grid", "lib/row_group", { name: "row_maximum", code }],
        entry: "largest",
        sizes: { ROW_LANES: 64 },
        uniforms: { R: rows, C: columns, LEAST: -3e38 },
        bind: [read("x"), write("y")],
        grid: gridOf(rows, traits),
      },
    ];
  },
  cost: ({ x }) => ({ flops: x.shape[0]! * x.shape[1]!, bytes: 4 * x.shape[0]! * x.shape[1]! }),
  cases: [{ inputs: { x: f32([5, 130]) } }],
});

test("an op of one's own is checked by differences, and on the CPU in float32", async () => {
  const report = await checkOp(createCpuRuntime(), reluSquared);
  expect(report).toMatchObject({ op: "reluSquared", cases: 2, where: "", passed: true });
  expect(report.differences).toBeLessThanOrEqual(1);
});

test("a gradient of one's own that is wrong does not pass, and the report says where", async () => {
  const wrong: AnyOp = { ...reluSquared, vjp: (_inputs, _outputs, { y }) => ({ x: y! }) };
  const { passed, where } = await checkOp(createCpuRuntime(), wrong);
  expect(passed).toBe(false);
  expect(where).toMatch(/^dx\[\d+\] of y\[\d+\]: 1, by differences /);
});

test("an op without cases cannot pass by having none", async () => {
  await expect(checkOp(createCpuRuntime(), { ...reluSquared, cases: [] })).rejects.toThrow("reluSquared: has no cases");
});

const { apply: _, ...spec } = reluSquared as AnyOp & { apply: unknown };
test.each<[wrong: object, message: string]>([
  [
    { cpu: undefined },
    "checkOp: cpu of reluSquared is undefined; wanted the reference, a function that fills the outputs",
  ],
  [{ inputs: [] }, "checkOp: inputs of reluSquared is an empty list; wanted a list of names"],
  [{ vjb: () => ({}) }, "checkOp: vjb of reluSquared is no field of a spec; did you mean vjp?"],
  [{ vjp: () => ({}) }, "reluSquared: vjp gives no gradient of any input; leave it out"],
  [{ vjp: () => undefined }, "reluSquared: vjp gives no gradient of any input; leave it out"],
  [
    { vjp: (_i: unknown, _o: unknown, { y }: { y: Value }) => ({ z: y }) },
    "vjp gives a gradient of z, which is no input",
  ],
  [
    {
      vjp: (_i: unknown, _o: unknown, { y }: { y: Value }) => ({
        x: y.recorder.record(rowMaximum as AnyOp, { x: y }, {}).y,
      }),
    },
    "reluSquared: vjp gives x a gradient of [3], wanted [3, 5]",
  ],
  [
    { shapes: () => ({ y: f32([3, Number.NaN]) }) },
    "reluSquared: output y has the shape [3, NaN]; wanted a type such as",
  ],
  [{ shapes: () => ({ y: { dtype: "f32" } }) }, "reluSquared: output y has the shape undefined; wanted a type such as"],
  [{ shapes: () => undefined }, "reluSquared: shapes() gives no type for output y"],
])("a mistake in an op of one's own is named: %o", async (wrong, message) => {
  await expect(checkOp(createCpuRuntime(), defineOp({ ...spec, ...wrong } as never) as never)).rejects.toThrow(message);
});

test.each(testAdapters)("%s runs WGSL of one's own, alone and with libraries of ours", async (adapter) => {
  const runtime = createGpuRuntime(await openTestGpu(adapter));
  for (const op of [reluSquared, reluSquaredBackward, rowMaximum]) {
    expect(await checkOp(runtime, op), op.name).toMatchObject({ passed: true, unchecked: 0 });
  }
  runtime.close();
});

test.each(testAdapters)("%s: mistakes in it are told by op, shader and place", async (adapter) => {
  const runtime = createGpuRuntime(await openTestGpu(adapter));
  const check: OpCase = { inputs: { x: f32([2, 3]) }, attrs: { text: "let oops = 1u + 1.0;" } };
  await expect(runOp(runtime, rowMaximum, check)).rejects.toThrow(/^rowMaximum: shader row_maximum, entry largest: .*/);
  await expect(runOp(runtime, rowMaximum, check)).rejects.toThrow(/no matching overload for 'operator \+/);
  const shaderless: AnyOp = {
    ...reluSquared,
    gpu: () => [
      { ...reluSquared.gpu!(check.inputs, {}, {}, runtime.traits)[0]!, shader: ["lib/nothing" as "lib/grid"] },
    ],
  };
  await expect(runOp(runtime, shaderless, { inputs: { x: f32([2, 3]) } })).rejects.toThrow(
    'there is no shader "lib/nothing"',
  );
  runtime.close();
});

test("uniforms of one's own may be u32, i32 and f32, and nothing else", async () => {
  const runtime = createGpuRuntime(await openTestGpu(testAdapters[0]!));
  const [first] = reluSquared.gpu!({ x: f32([2, 3]) }, {}, {}, runtime.traits);
  const code = "struct Uniforms { N: vec4f }";
  const op: AnyOp = { ...reluSquared, gpu: () => [{ ...first!, shader: [{ name: "vector", code }] }] };
  await expect(runOp(runtime, op, { inputs: { x: f32([2, 3]) } })).rejects.toThrow(
    "the uniform N of vector is vec4f, wanted u32, i32 or f32",
  );
  runtime.close();
});

test("gpt2 gradcheck takes a module of one's own", async () => {
  const printed: string[] = [];
  const print = vi.spyOn(process.stdout, "write").mockImplementation((text) => printed.push(String(text)) > 0);
  const interrupt = testInterrupt();
  try {
    await gradcheckCommand(interrupt).parseAsync(["examples/relu-squared.js", "--device", "cpu", "--json"], {
      from: "user",
    });
    const reports = printed.map((line) => JSON.parse(line));
    expect(reports.map(({ op, passed }) => [op, passed])).toEqual([
      ["reluSquared", true],
      ["reluSquaredBackward", true],
    ]);
  } finally {
    print.mockRestore();
  }
});
