/**
 * Loaded before the program (`node --import`), kills it where $GPT2_KILL_AT says: `op:N` before the N-th op that the CPU
 * computes, `file:N` before or `file:N:after` after the N-th call that a checkpoint makes of the file system. The last line on
 * standard error says where that was. `lose:N` kills no process but a device, after each N-th submit that it gets;
 * `poison:N` makes the results of the N-th op NaN, `poison:N:on` those of all from then on; `throw:N` throws in place of the N-th op.
 * Of ranks that MPI has started only that of $GPT2_KILL_RANK is meant, where there is such a number.
 */
import fs from "node:fs";
import promises from "node:fs/promises";
import Module, { syncBuiltinESMExports } from "node:module";

const { GPT2_KILL_AT = "none:0", GPT2_KILL_RANK, OMPI_COMM_WORLD_RANK, PMI_RANK } = process.env;
const meant = GPT2_KILL_RANK === undefined || GPT2_KILL_RANK === (OMPI_COMM_WORLD_RANK ?? PMI_RANK);
const [kind, at, moment] = (meant ? GPT2_KILL_AT : "none:0").split(":");
let calls = 0;
// Those of the program itself: it is compiled, and shares its modules with the library, or it is not.
const { OPS } = await import(
  process.argv[1].endsWith(".ts") ? "../../src/kernels/index.ts" : "../../dist/bundle/node.js"
);

function kill(where) {
  fs.writeSync(2, `killed ${JSON.stringify(where)}\n`);
  process.kill(process.pid, "SIGKILL");
}

if (kind === "op") {
  // What the step in progress has done so far.
  const done = { steps: 0, ops: 0, backward: 0 };
  for (const op of OPS) {
    const { cpu, name } = op;
    op.cpu = (...args) => {
      if (++calls === Number(at)) kill({ kind, ...done, next: name });
      cpu(...args);
      done.ops++;
      if (name === "embeddingBackward") done.backward++;
      if (name === "adamw") Object.assign(done, { steps: done.steps + 1, ops: 0, backward: 0 });
    };
  }
}

if (kind === "throw") {
  for (const op of OPS) {
    const { cpu, name } = op;
    op.cpu = (...args) => {
      if (++calls === Number(at)) {
        fs.writeSync(2, `killed ${JSON.stringify({ kind, next: name })}\n`);
        throw new Error(`${name}: thrown on purpose`);
      }
      cpu(...args);
    };
  }
}

if (kind === "poison") {
  for (const op of OPS) {
    const { cpu, name } = op;
    // The norm is what sees it, and AdamW is what it must not get into.
    if (name === "gradientNorm" || name === "adamw") continue;
    op.cpu = (inputs, outputs, attrs) => {
      cpu(inputs, outputs, attrs);
      calls++;
      if (calls !== Number(at) && !(moment === "on" && calls > Number(at))) return;
      for (const { data } of Object.values(outputs)) data.fill(Number.NaN);
    };
  }
}

if (kind === "file") {
  const counted = (name, call) =>
    async function (...args) {
      const mine = ++calls === Number(at);
      if (mine && moment !== "after") kill({ kind, next: name });
      const result = await call.apply(this, args);
      if (mine) kill({ kind, after: name });
      return result;
    };
  const isOurs = (path) => /checkpoint-\d+/.test(String(path));
  const { open } = promises;
  for (const name of ["open", "mkdir", "rename", "rm", "stat"]) {
    const call = promises[name];
    const watched = counted(name, call);
    promises[name] = (path, ...args) => (isOurs(path) ? watched : call).call(promises, path, ...args);
  }
  const probe = await open(new URL(import.meta.url), "r");
  const handles = Object.getPrototypeOf(probe);
  await probe.close();
  // Handles are opened for checkpoints and for data, which is read before the first step: what is written is ours.
  for (const name of ["write", "sync", "read"]) handles[name] = counted(name, handles[name]);
  syncBuiltinESMExports();
}

if (kind === "lose") {
  const load = Module._load;
  Module._load = function (request, ...rest) {
    const loaded = load.call(this, request, ...rest);
    if (!String(request).endsWith(".node") || typeof loaded.create !== "function") return loaded;
    return { ...loaded, create: (options) => losing(loaded.create(options)) };
  };
}

/** A GPU whose devices are destroyed after so many submits. */
function losing(gpu) {
  const requestAdapter = gpu.requestAdapter.bind(gpu);
  gpu.requestAdapter = async (options) => {
    const adapter = await requestAdapter(options);
    const requestDevice = adapter?.requestDevice.bind(adapter);
    if (adapter)
      adapter.requestDevice = async (descriptor) => {
        const device = await requestDevice(descriptor);
        const { queue } = device;
        const submit = queue.submit.bind(queue);
        queue.submit = (commands) => {
          submit(commands);
          if (++calls % Number(at) === 0) device.destroy();
        };
        return device;
      };
    return adapter;
  };
  return gpu;
}
