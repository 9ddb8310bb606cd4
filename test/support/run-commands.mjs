/**
 * Runs commands, or other programs, one after another in this process, each with modules of the command line of its own, and sends back what each
 * has printed and its exit code: a process for each, and shaders compiled for each, would take most of the time.
 */
import { register } from "node:module";
import { Readable } from "node:stream";
import { pathToFileURL } from "node:url";
import { shareDevices } from "./shared-dawn.mjs";

// Each command gets modules of src/cli/ of its own, which may keep what they know of the one command of a process.
const hooks = `export async function resolve(specifier, context, next) {
  const found = await next(specifier, context);
  const copy = /[?]command=\\d+$/.exec(context.parentURL ?? "")?.[0];
  return copy && found.url.includes("/dist/cli/") ? { ...found, url: found.url + copy } : found;
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

for (const emitter of [process, process.stdout, process.stderr]) emitter.setMaxListeners(0);

let alone = false;
let stray;
process.on("unhandledRejection", (error) => {
  stray = error;
});

async function run({ program, args, input = "", cwd, env = {}, own = false }, n, main) {
  alone = own;
  stray = undefined;
  const printed = { stdout: "", stderr: "" };
  const restore = Object.keys(printed).map((name) => {
    const stream = process[name];
    const { write } = stream;
    stream.write = (text, ...rest) => {
      printed[name] += typeof text === "string" ? text : Buffer.from(text).toString();
      rest.find((one) => typeof one === "function")?.();
      return true;
    };
    return () => {
      stream.write = write;
    };
  });
  Object.defineProperty(process, "stdin", { value: Readable.from(input === "" ? [] : [input]), configurable: true });
  const before = { ...process.env };
  const place = process.cwd();
  Object.assign(process.env, env);
  if (cwd !== undefined) process.chdir(cwd);
  process.argv = [process.execPath, main, ...args];
  process.exitCode = undefined;
  const began = performance.now();
  const cpu = process.cpuUsage();
  let thrown;
  try {
    await import(`${pathToFileURL(program ?? main).href}?command=${n}`);
    // What was left unawaited shows now.
    await new Promise((resolve) => setTimeout(resolve, 1));
  } catch (error) {
    thrown = error;
  } finally {
    for (const again of restore) again();
    process.chdir(place);
    for (const name of Object.keys(env)) delete process.env[name];
    Object.assign(process.env, before);
  }
  const bug = thrown ?? stray;
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return {
    code: bug ? 1 : Number(process.exitCode ?? 0),
    stdout: printed.stdout,
    stderr: bug ? `${printed.stderr}${bug?.stack ?? bug}\n` : printed.stderr,
    seconds,
    cpuSeconds: (user + system) / 1e6,
  };
}

let main;
let count = 0;
let turn = Promise.resolve();
process.on("message", (message) => {
  if (message.bindings) {
    main = message.main;
    for (const binding of message.bindings) shareDevices(binding, () => alone);
    return;
  }
  turn = turn.then(async () => process.send(await run(message, count++, main)));
});
process.on("disconnect", () => process.exit(0));
