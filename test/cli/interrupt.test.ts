import { spawn } from "node:child_process";
import { expect, test } from "vitest";

const program = `
  import { watchInterrupts } from ${JSON.stringify(new URL("../../src/cli/interrupt.ts", import.meta.url).href)};
  const interrupt = watchInterrupts((line) => console.log(line));
  console.log("working");
  while (!interrupt.requested) await new Promise((resolve) => setTimeout(resolve, 5));
  await new Promise((resolve) => setTimeout(resolve, process.argv[1] === "slow" ? 60_000 : 20));
  console.log("saved");
  interrupt.dispose();
  process.exitCode = interrupt.exitCode;
`;

/** Runs the program and sends it `signals`, each after its last line. */
function run(kind: "quick" | "slow", signals: NodeJS.Signals[]): Promise<{ code: number | null; lines: string[] }> {
  const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program, kind], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  const left = [...signals];
  child.stdout.on("data", (data: Buffer) => {
    text += data;
    const next = left.shift();
    if (next) child.kill(next);
  });
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, lines: text.trim().split("\n") })));
}

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const)("%s: the work is finished and saved, the exit code is %i", async (signal, code) => {
  const line = `${signal}: stopping after this step and saving; once more stops at once`;
  expect(await run("quick", [signal])).toEqual({ code, lines: ["working", line, "saved"] });
});

test("the second signal ends the process at once", async () => {
  const { code, lines } = await run("slow", ["SIGINT", "SIGINT"]);
  expect(code).toBe(130);
  expect(lines).not.toContain("saved");
});
