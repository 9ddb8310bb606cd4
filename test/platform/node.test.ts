import { execFile, execFileSync, spawnSync } from "node:child_process";
import { chmod, mkdtemp, readdir, readFile, rm, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { driverName } from "../../src/platform/node/adapters.ts";
import { stockDawnPath } from "../../src/platform/node/dawn.ts";
import { embeddedDawnPath } from "../../src/platform/node/embedded.ts";
import { withoutDriverTalk } from "../../src/platform/node/quiet.ts";
import { refusalsIn } from "../../src/platform/node/refusals.ts";
import { listAdapters, openGpu } from "../../src/platform/node.ts";
import { testAdapters } from "../support/gpu.ts";

const DIST = new URL("../../dist/", import.meta.url);

const node = new URL("platform/node.js", DIST).href;
const embedded = testAdapters.includes("embedded");

/** Runs a script in a process of its own; `open` is this project's `openGpu`. */
async function inChild(script: string, env: Record<string, string> = {}) {
  const code = `import { openGpu as open } from ${JSON.stringify(node)};\n${script}`;
  const child = execFile(process.execPath, ["--input-type=module", "-e", code], {
    env: { ...process.env, NODE_OPTIONS: "", ...env },
    timeout: 30_000,
  });
  return new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    let [stdout, stderr] = ["", ""];
    child.stdout?.on("data", (chunk) => (stdout += chunk));
    child.stderr?.on("data", (chunk) => (stderr += chunk));
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

describe.each(testAdapters)("GPT2_LIMITS, on the %s adapter", (adapter) => {
  const limitsWith = async (wanted: string) => {
    vi.stubEnv("GPT2_LIMITS", wanted);
    try {
      const gpu = await openGpu({ adapter });
      gpu.close();
      return gpu.limits;
    } finally {
      vi.unstubAllEnvs();
    }
  };

  test("default: no more than any adapter has; else all that this one has", async () => {
    const [fewest, all] = [await limitsWith("default"), await limitsWith("")];
    expect(fewest).toMatchObject({ maxBufferSize: 2 ** 28, maxStorageBufferBindingSize: 2 ** 27 });
    expect(all.maxBufferSize).toBeGreaterThan(2 ** 28);
    await expect(limitsWith("small")).rejects.toThrow("GPT2_LIMITS is small; wanted default, or adapter");
  });
});

describe.each(testAdapters)("a process that used the %s adapter", (adapter) => {
  test.each(["gpu.close();", "globalThis.kept = gpu; gpu.close();", ""])("ends by itself after: %s", async (end) => {
    const { code, stdout } = await inChild(
      `const gpu = await open({ adapter: "${adapter}" });
       await gpu.wait(() => gpu.device.queue.onSubmittedWorkDone());
       ${end}
       console.log("done");`,
    );
    expect({ code, stdout }).toEqual({ code: 0, stdout: "done\n" });
  });
});

describe.runIf(embedded)("a machine without Vulkan", () => {
  const noVulkan = { VK_ICD_FILENAMES: "/nonexistent.json", GPT2_ADAPTER: "" };

  test("computes on the embedded driver without being asked", async () => {
    const script = "const gpu = await open(); console.log(gpu.driver); gpu.close();";
    expect(await inChild(script, noVulkan)).toMatchObject({ code: 0, stdout: "SwiftShader (embedded)\n" });
  });

  test("says what there is when a hardware GPU is demanded", async () => {
    const script = `await open({ adapter: "hardware" }).catch((e) => console.log(e.name, e.message));`;
    const { stdout } = await inChild(script, noVulkan);
    expect(stdout).toMatch(/^UserError no adapter is "hardware".*SwiftShader \(embedded\).*--device wasm\n$/);
  });
});

describe.runIf(embedded)("what Dawn says while it looks for adapters", () => {
  // Nothing to be found: Dawn then says so on standard error, on every machine.
  const env = { ...process.env, NODE_OPTIONS: "", VK_ICD_FILENAMES: "/nonexistent.json", GPT2_ADAPTER: "" };
  const open = `import { openGpu } from ${JSON.stringify(new URL("platform/node.js", DIST).href)};
    (await openGpu()).close();`;
  const node = (code: string) => [process.execPath, "--input-type=module", "-e", code] as const;

  test("is said, where nobody stops it", () => {
    const look = "require(process.argv[1]).create([]).requestAdapter().then(() => {}, () => {})";
    const { stderr } = spawnSync(process.execPath, ["-e", look, stockDawnPath()], { env, encoding: "utf8" });
    expect(stderr).toMatch(/^Warning: /);
  });

  test.each([
    ["on the main thread", open],
    [
      "in a worker thread",
      `import { Worker } from "node:worker_threads";
       const worker = new Worker(new URL("data:text/javascript," + encodeURIComponent(${JSON.stringify(open)})));
       await new Promise((resolve, reject) => worker.on("exit", resolve).on("error", reject));`,
    ],
    [
      "in two worker threads at once",
      `import { Worker } from "node:worker_threads";
       const source = new URL("data:text/javascript," + encodeURIComponent(${JSON.stringify(open)}));
       await Promise.all([1, 2].map(() => new Promise((resolve, reject) =>
         new Worker(source).on("exit", resolve).on("error", reject))));`,
    ],
  ])("stays out of a socket, %s", (_, code) => {
    const [command, ...args] = node(`${code}\nconsole.error("ours");`);
    const { stderr, status } = spawnSync(command, args, { env, encoding: "utf8" });
    expect({ stderr, status }).toEqual({ stderr: "ours\n", status: 0 });
  });

  test("stays out of a file, in which nothing is written over", async () => {
    const folder = await mkdtemp(join(tmpdir(), "gpt2-stderr-"));
    try {
      const script = `console.log("one"); console.error("two"); ${open}; console.error("three"); console.log("four");`;
      const [command, ...args] = node(script);
      const line = `{ "$0" "$@"; echo five; } >'${folder}/log' 2>&1`;
      spawnSync("sh", ["-c", line, command, ...args], { env });
      expect(await readFile(join(folder, "log"), "utf8")).toBe("one\ntwo\nthree\nfour\nfive\n");
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("stays out of a pipe", () => {
    const [command, ...args] = node(`${open}\nconsole.error("ours");`);
    expect(execFileSync("sh", ["-c", '"$0" "$@" 2>&1 | cat', command, ...args], { env, encoding: "utf8" })).toBe(
      "ours\n",
    );
  });

  test("is told from what others print meanwhile", () => {
    const talk = "Warning: Vulkan x required.\n - While initializing\n    at InitializeImpl (a.cpp:257)\n";
    const more = "error: XDG_RUNTIME_DIR is invalid or not set in the environment.\nMESA-INTEL: warning: y\n";
    expect(withoutDriverTalk(`step 1\n${talk}step 2\n${more}  indented\nlast`)).toBe("step 1\nstep 2\nlast");
  });
});

describe.runIf(embedded)("the embedded driver's cache", () => {
  test("several may fill it at once, and a file that went missing comes back", async () => {
    const cache = await mkdtemp(join(tmpdir(), "gpt2-cache-"));
    try {
      const env = { ...process.env, GPT2_CACHE: cache };
      const paths = await Promise.all([embeddedDawnPath(env), embeddedDawnPath(env), embeddedDawnPath(env)]);
      expect(new Set(paths).size).toBe(1);
      const folder = join(paths[0]!, "..");
      expect((await readdir(folder)).sort()).toEqual(["dawn.node", "libvulkan.so.1"]);
      await unlink(join(folder, "libvulkan.so.1"));
      await embeddedDawnPath(env);
      expect((await readdir(folder)).sort()).toEqual(["dawn.node", "libvulkan.so.1"]);
      expect(await readdir(cache), "no half-made folders").toHaveLength(1);
    } finally {
      await rm(cache, { recursive: true });
    }
  });

  test("a folder that cannot be made is an error that names it", async () => {
    await expect(embeddedDawnPath({ GPT2_CACHE: "/dev/null/cache" })).rejects.toThrow(/\/dev\/null\/cache.*GPT2_CACHE/);
  });

  test("without a usable home it goes to the folder for temporary files, unless others can write there", async () => {
    const { TMPDIR } = process.env;
    const temporary = await mkdtemp(join(tmpdir(), "gpt2-tmp-"));
    try {
      process.env.TMPDIR = temporary;
      const path = await embeddedDawnPath({ HOME: "/dev/null" });
      expect(path).toMatch(`${temporary}/webgpu-gpt2-`);
      await chmod(join(path, "../.."), 0o777);
      await expect(embeddedDawnPath({ HOME: "/dev/null" })).rejects.toThrow(/written by others/);
    } finally {
      if (TMPDIR === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = TMPDIR;
      await rm(temporary, { recursive: true });
    }
  });
});

test.runIf(testAdapters.length > 0)("the report marks one adapter as chosen, the one that openGpu opens", async () => {
  const chosen = (await listAdapters()).filter(({ verdict }) => verdict === "chosen");
  expect(chosen).toHaveLength(1);
  const gpu = await openGpu();
  gpu.close();
  expect(gpu.driver).toBe(chosen[0]?.driver);
  expect(chosen[0]?.limits.maxBufferSize).toBeGreaterThan(2 ** 27);
});

test.runIf(embedded)("an adapter can be chosen by a part of its name", async () => {
  const gpu = await openGpu({ adapter: "swiftsh" });
  gpu.close();
  expect(gpu.kind).toBe("embedded");
});

test("drivers are named for people", () => {
  const rest = { architecture: "", subgroupMinSize: 0, subgroupMaxSize: 0, subgroupMatrixConfigs: [] };
  const name = (vendor: string, device: string, description: string) =>
    driverName({ ...rest, vendor, device, description }, "system");
  expect(name("mesa", "llvmpipe-llvm", "llvmpipe: Mesa 25.0.7-2 (LLVM 15.0.6) 0.0.1")).toBe(
    "llvmpipe (Mesa 25.0.7, system)",
  );
  expect(name("amd", "rx-7900", "radv: Mesa 25.0.7 0.0.1")).toBe("rx-7900 (radv, Mesa 25.0.7)");
  expect(name("nvidia", "nvidia-h200", "NVIDIA: 580.159.04 580.159.4.0")).toBe("nvidia-h200 (NVIDIA 580.159.04)");
  expect(name("apple", "", "Metal driver on macOS 15")).toBe("apple (Metal driver on macOS 15)");
});

test("refusals are the reasons in Dawn's log, not its remarks, nor the absence of drivers", () => {
  const log = `Warning: maxDynamicUniformBuffersPerPipelineLayout artificially reduced from 1000000 to 16 to fit.
Warning: Vulkan shaderUniform*ArrayDynamicIndexing required.
 - While initializing adapter (backend=BackendType::Vulkan)
    at InitializeImpl (PhysicalDeviceVk.cpp:257)
Warning: vkCreateInstance: Found no drivers!
Warning: Couldn't load Vulkan: libvulkan.so: cannot open shared object file: No such file or directory
`;
  expect(refusalsIn(log)).toEqual([expect.stringMatching(/^Vulkan shaderUniform.*too old.*bookworm-backports/)]);
});
