import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { Interrupted } from "../../src/cli/interrupt.ts";
import { testInterrupt } from "../support/interrupt.ts";

const program = `
  import { createInterrupt } from ${JSON.stringify(new URL("../../dist/cli/interrupt.js", import.meta.url).href)};
  const interrupt = createInterrupt();
  interrupt.watch((by) => console.log(by + ": stopping"));
  interrupt.beforeEnd(() => console.log("cleaned up"));
  console.log("working");
  while (!interrupt.requested) await new Promise((resolve) => setTimeout(resolve, 5));
  await new Promise((resolve) => setTimeout(resolve, process.argv[1] === "slow" ? 60_000 : 20));
  console.log("saved");
  interrupt.dispose();
  process.exitCode = interrupt.exitCode;
`;

/** Runs the program and sends it `signals`, each after its last line and `pause` milliseconds. */
function run(kind: "quick" | "slow", signals: NodeJS.Signals[], pause = 0) {
  const child = spawn(process.execPath, ["--input-type=module", "-e", program, kind], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  const left = [...signals];
  child.stdout.on("data", (data: Buffer) => {
    text += data;
    const next = left.shift();
    if (next) setTimeout(() => child.kill(next), pause);
  });
  return new Promise<{ code: number | null; signal: string | null; lines: string[] }>((resolve) =>
    child.on("close", (code, signal) => resolve({ code, signal, lines: text.trim().split("\n") })),
  );
}

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const)("%s: the work is finished and saved, the exit code is %i", async (by, code) => {
  expect(await run("quick", [by])).toEqual({ code, signal: null, lines: ["working", `${by}: stopping`, "saved"] });
});

test("the second signal cleans up and ends the process at once, by its usual meaning", async () => {
  const { signal, lines } = await run("slow", ["SIGINT", "SIGTERM"], 400);
  expect(signal).toBe("SIGTERM");
  expect(lines).toEqual(["working", "SIGINT: stopping", "cleaned up"]);
});

test("what npm and timeout(1) pass on of a signal that has come already is no second one", async () => {
  const { code, lines } = await run("quick", ["SIGINT", "SIGINT"]);
  expect(code).toBe(130);
  expect(lines).toContain("saved");
});

test("who learns otherwise that the terminal is gone asks for the same", () => {
  const interrupt = testInterrupt();
  const told: string[] = [];
  interrupt.watch((by) => void told.push(by));
  expect(interrupt.exitCode).toBe(0);
  interrupt.request("SIGHUP");
  interrupt.request("SIGINT");
  expect(told).toEqual(["SIGHUP"]);
  expect(interrupt).toMatchObject({ requested: true, exitCode: 129 });
  expect(interrupt.signal.reason).toBeInstanceOf(Interrupted);
});

test("no test leaves one that watches: the tests' process ends by a signal, of which it would speak", () => {
  const root = fileURLToPath(new URL("../", import.meta.url));
  const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter(
    (name) => name.endsWith(".ts") && !name.includes("node_modules"),
  );
  const made = files.filter((name) => readFileSync(join(root, name), "utf8").includes("= createInterrupt()"));
  expect(made.sort()).toEqual(["cli/interrupt.test.ts", "support/interrupt.ts"]);
});
