import { describe, expect, test } from "vitest";
import { backward } from "../../src/autograd/backward.ts";
import { createTape } from "../../src/autograd/tape.ts";
import { adamw } from "../../src/kernels/adamw.ts";
import { add } from "../../src/kernels/add.ts";
import { gelu } from "../../src/kernels/gelu.ts";
import { gradientNorm } from "../../src/kernels/gradient-norm.ts";
import { matmul } from "../../src/kernels/matmul.ts";
import { f32 } from "../../src/kernels/op.ts";
import { STEP } from "../../src/kernels/step.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";

describe("tape", () => {
  test("prints the whole program", () => {
    const tape = createTape();
    const w = tape.view(tape.state("weights", f32([128])), 64, [2, 3]);
    const x = tape.input("x", f32([4, 2]));
    tape.output("y", gelu(matmul(x, w)));
    expect(tape.toString().split("\n")).toEqual([
      "state weights: f32 [128]",
      "input x: f32 [4, 2]",
      expect.stringMatching(/^y %3 \[4, 3\] = matmul\(a=x, b=weights\+64\[2, 3\]\)/),
      'y %4 [4, 3] = gelu(x=%3) {approximate: "tanh"}',
      "output y = %4",
    ]);
  });

  test("shapes are checked while tracing, with a remedy", () => {
    const tape = createTape();
    const [a, b] = [tape.input("a", f32([8, 64])), tape.input("b", f32([32, 64]))];
    expect(() => matmul(a, b)).toThrow("matmul: inner sizes differ, a [8, 64], b [32, 64]; transposeB?");
    expect(() => add(a, b)).toThrow("add: shapes differ, a [8, 64], b [32, 64]");
  });

  test("a name, a view and a placement that cannot be are refused", () => {
    const tape = createTape();
    const x = tape.input("x", f32([64]));
    const state = tape.state("state", f32([100]));
    expect(() => tape.input("x", f32([1]))).toThrow('the name "x" is taken');
    expect(() => tape.view(x, 0, [65])).toThrow("outside");
    expect(() => tape.view(state, 8, [4])).toThrow("multiple of 64");
    expect(() => tape.place(x, state, 0)).toThrow("not computed");
    expect(() => tape.place(add(x, x), state, 64)).toThrow("outside");
    expect(() => add(x, createTape().input("x", f32([64])))).toThrow("another tape");
  });

  test("a state that an op updated cannot be read as it was before", () => {
    const tape = createTape();
    const [parameters, gradients] = [tape.state("p", f32([64])), tape.state("g", f32([64]))];
    const [m, v] = [tape.state("m", f32([64])), tape.state("v", f32([64]))];
    const step = tape.input("step", STEP);
    const view = tape.view(parameters, 0, [8]);
    const stats = gradientNorm(gradients, tape.input("loss", f32([1])), 1);
    const options = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0, decayed: 0 };
    adamw({ parameters, gradients, m, v }, step, stats, options);
    expect(() => add(parameters, gradients)).toThrow("add: a was updated in place by adamw");
    expect(() => gelu(view)).toThrow("gelu: x was updated in place by adamw");
  });
});

describe("backward", () => {
  test("sums the gradients of a value that is used more than once", async () => {
    const tape = createTape();
    const x = tape.input("x", f32([2, 2]));
    const y = add(matmul(x, x), add(x, x));
    const [dx] = backward(tape, [{ value: y, gradient: tape.input("dy", f32([2, 2])) }], [x]);
    tape.output("dx", dx!);
    const program = await createCpuRuntime({ precision: "float64" }).compile(tape);
    const results = await program.run({ x: Float64Array.of(1, 2, 3, 4), dy: Float64Array.of(1, 0, 0, 0) });
    // y00 = x00 x00 + x01 x10 + 2 x00
    expect([...results.dx!]).toEqual([2 * 1 + 2, 3, 2, 0]);
  });

  test("an op without a gradient between loss and parameter is named while tracing", () => {
    const tape = createTape();
    const x = tape.input("x", f32([64]));
    const stats = gradientNorm(x, tape.input("loss", f32([1])), 1);
    const gradient = tape.input("d", f32([4]));
    expect(() => backward(tape, [{ value: stats, gradient }], [x])).toThrow("gradientNorm: has no gradient");
  });

  test("what the seeds do not depend on has no gradient, and costs no op", () => {
    const tape = createTape();
    const [x, z] = [tape.input("x", f32([2, 2])), tape.input("z", f32([2, 2]))];
    const y = matmul(x, z);
    const before = tape.nodes.length;
    const [dx, dother] = backward(
      tape,
      [{ value: y, gradient: tape.input("dy", f32([2, 2])) }],
      [x, tape.input("o", f32([1]))],
    );
    expect(dx).toBeDefined();
    expect(dother).toBeUndefined();
    expect(tape.nodes.length - before).toBe(1);
  });
});
