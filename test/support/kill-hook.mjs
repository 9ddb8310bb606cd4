/**
 * Loaded before the program (`node --import`), kills it where $GPT2_KILL_AT says: `op:N` before the N-th op that the CPU
 * computes, `file:N` before or `file:N:after` after the N-th call that a checkpoint makes of the file system. The last line on
 * standard error says where that was.
 */
import fs from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

const [kind, at, moment] = (process.env.GPT2_KILL_AT ?? "none:0").split(":");
let calls = 0;
// Those of the program itself, which is compiled or not.
const { OPS } = await import(
  process.argv[1].endsWith(".ts") ? "../../src/kernels/index.ts" : "../../dist/kernels/index.js"
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
