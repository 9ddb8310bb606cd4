import { expect, test } from "vitest";
import { createTape, type Tape } from "../../src/autograd/tape.ts";
import { f32 } from "../../src/kernels/op.ts";
import { scale } from "../../src/kernels/scale.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";

/** y = x, by many changes of its sign, so that it takes a while; s tells what was written into a state. */
function longTape(ops: number): Tape {
  const tape = createTape();
  let value = tape.input("x", f32([20_000]));
  for (let i = 0; i < ops; i++) value = scale(value, -1);
  tape.output("y", value);
  tape.output("s", scale(tape.state("s", f32([1])), 1));
  return tape;
}

const OPS = 2000;

test("timers and signals get their turn during a long run", async () => {
  const program = await createCpuRuntime().compile(longTape(OPS));
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  await program.run({ x: new Float32Array(20_000) });
  clearInterval(timer);
  expect(turns).toBeGreaterThan(0);
});

test("runs, writes and reads happen in the order of the calls, as on a device", async () => {
  const runtime = createCpuRuntime();
  const program = await runtime.compile(longTape(OPS));
  const x = new Float32Array(20_000).fill(1);
  runtime.writeState("s", [1]);
  const first = program.run({ x });
  runtime.writeState("s", [2]);
  const second = program.run({ x });
  x.fill(3); // belongs to the caller again
  const read = runtime.readState("s");
  runtime.clearState("s");
  const third = program.run({ x });
  program.dispose();
  const results = await Promise.all([first, second, third]);
  expect(results.map(({ s }) => s![0])).toEqual([1, 2, 0]);
  expect(results.map(({ y }) => y![0])).toEqual([1, 1, 3]);
  expect((await read)[0]).toBe(2);
});

test("a run that is going on ends where the runtime is closed, and by the reason of its signal", async () => {
  const x = new Float32Array(20_000);
  const closed = createCpuRuntime();
  const cut = (await closed.compile(longTape(OPS))).run({ x });
  closed.close();
  await expect(cut).rejects.toThrow("the runtime was closed");

  const stop = new AbortController();
  const runtime = createCpuRuntime({ signal: stop.signal });
  const program = await runtime.compile(longTape(OPS));
  const stopped = program.run({ x });
  setTimeout(() => stop.abort(new Error("enough")));
  await expect(stopped).rejects.toThrow("enough");
  await expect(program.run({ x })).rejects.toThrow("enough");
});
