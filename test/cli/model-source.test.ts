import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { openModel } from "../../src/cli/model-source.ts";
import { terminal } from "../../src/cli/terminal.ts";
import { layoutParameters, unpackParameters } from "../../src/model/parameters.ts";
import { nodeFolder } from "../../src/platform/node/storage.ts";
import { saveModel } from "../../src/run/save-model.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { type FakeHub, type FakeHubOptions, startHub } from "../support/hub.ts";
import { bitsOf, modelFiles, parametersOf, sharded, smallConfig, withHalves } from "../support/models.ts";

// What is repeated is repeated at once.
vi.mock("node:timers/promises", () => ({ setTimeout: async () => {} }));

const name = "openai-community/gpt2";
const commit = "607a30d783dfa663caf39e06633721c8d4cfcd7e";
const files = modelFiles();
const weights = files.get("model.safetensors")!;
let folder = "";
let notes: string[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "model-source-"));
  notes = [];
  for (const variable of ["HF_TOKEN", "HF_HUB_OFFLINE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_ENDPOINT"]) {
    vi.stubEnv(variable, undefined);
  }
  vi.stubEnv("HF_HOME", folder);
  for (const method of ["say", "warn"] as const)
    vi.spyOn(terminal, method).mockImplementation((line: unknown) => void notes.push(String(line)));
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

/** The parameters of what `source` names, through a runtime as a command has it. */
async function parameters(source: string, options = {}) {
  const model = await openModel(source, options);
  const runtime = createCpuRuntime();
  const layout = layoutParameters(model.config);
  await model.load(runtime, layout);
  await model.close();
  return unpackParameters(layout, (await runtime.readState("parameters")) as Float32Array<ArrayBuffer>);
}

function writeAll(folder: string, contents: ReadonlyMap<string, Uint8Array>): string {
  for (const [file, bytes] of contents) writeFileSync(join(folder, file), bytes);
  return folder;
}

async function withHub<T>(options: Partial<FakeHubOptions>, use: (hub: FakeHub) => Promise<T>): Promise<T> {
  const hub = await startHub({ name, commit, files, ...options });
  vi.stubEnv("HF_ENDPOINT", hub.endpoint);
  try {
    return await use(hub);
  } finally {
    await hub.close();
  }
}

describe("a model on the disk", () => {
  test("is a directory, a run, or one file", async () => {
    writeAll(folder, files);
    const wanted = bitsOf(parametersOf(smallConfig));
    expect(bitsOf(await parameters(folder))).toEqual(wanted);
    expect(bitsOf(await parameters(join(folder, "model.safetensors")))).toEqual(wanted);
  });

  test.each([
    ["f32", files],
    ["f16", withHalves(files, "F16")],
    ["bf16", withHalves(files, "BF16")],
    ["in parts", sharded(files)],
  ])("%s: loaded, saved and loaded again is the same to the last bit", async (_title, contents) => {
    const first = writeAll(folder, contents);
    const model = await openModel(first);
    const runtime = createCpuRuntime();
    const layout = layoutParameters(model.config);
    await model.load(runtime, layout);
    await model.close();
    const saved = join(folder, "saved");
    await saveModel(runtime, layout, model, nodeFolder(folder), "saved");
    expect(bitsOf(await parameters(saved))).toEqual(bitsOf(await parameters(first)));
    const second = await openModel(saved);
    await saveModel(runtime, layout, second, nodeFolder(folder), "again");
    await second.close();
    for (const file of readdirSync(saved)) {
      expect(readFileSync(join(folder, "again", file)).equals(readFileSync(join(saved, file))), file).toBe(true);
    }
    expect(readdirSync(folder).filter((file) => file.includes("partial"))).toEqual([]);
    await expect(saveModel(runtime, layout, model, nodeFolder(folder), "saved")).rejects.toThrow(/exists already/);
  });

  test("that cannot be saved whole leaves nothing behind", async () => {
    const model = await openModel(writeAll(folder, files));
    const layout = layoutParameters(model.config);
    const broken = { ...createCpuRuntime(), readState: () => Promise.reject(new Error("device lost")) };
    await expect(saveModel(broken, layout, model, nodeFolder(folder), "saved")).rejects.toThrow(/device lost/);
    await model.close();
    expect(readdirSync(folder).filter((file) => file.startsWith("saved"))).toEqual([]);
  });

  test("with another config is what that says", async () => {
    writeAll(folder, files);
    const other = join(folder, "other.json");
    writeFileSync(
      other,
      JSON.stringify({ ...JSON.parse(String(readFileSync(join(folder, "config.json")))), n_head: 2 }),
    );
    const model = await openModel(join(folder, "model.safetensors"), { config: other });
    expect(model.config.heads).toBe(2);
    await model.close();
  });

  test.each([
    ["nowhere", /nowhere: there is no such file or directory; wanted one, or gpt2, .* or owner\/name of the hub/],
    ["a/b/c", /there is no such file/],
    ["../no-such-model", /there is no such file/],
    ["a/b@../../c", /there is no such file/],
  ])("%s is refused in one line", async (source, message) => {
    await expect(openModel(source)).rejects.toThrow(message);
  });
});

describe("a model of the hub", () => {
  const blob = () => join(folder, "hub", "models--openai-community--gpt2");

  test("is downloaded into the cache that Hugging Face's tools share, once", async () => {
    await withHub({}, async (hub) => {
      expect(bitsOf(await parameters("gpt2"))).toEqual(bitsOf(parametersOf(smallConfig)));
      const snapshot = join(blob(), "snapshots", commit);
      expect(readFileSync(join(blob(), "refs", "main"), "utf8")).toBe(commit);
      expect(readdirSync(snapshot).sort()).toEqual([...files.keys()].sort());
      expect(readlinkSync(join(snapshot, "model.safetensors"))).toMatch(/^\.\.\/\.\.\/blobs\/[0-9a-f]{64}$/);
      const before = hub.requests.length;
      await parameters("openai-community/gpt2");
      expect(
        hub.requests.slice(before).filter(({ line }) => line.includes("resolve") || line.includes("STORE")),
      ).toEqual([]);
    });
    expect(notes).toEqual([expect.stringMatching(/^downloading openai-community\/gpt2: \d+ KiB$/)]);
  });

  test("in parts is downloaded by its index", async () => {
    await withHub({ files: new Map([...sharded(files), ["pytorch_model.bin", new Uint8Array(9000)]]) }, async (hub) => {
      expect(bitsOf(await parameters("gpt2"))).toEqual(bitsOf(parametersOf(smallConfig)));
      expect(hub.requests.some(({ line }) => line.includes("pytorch_model"))).toBe(false);
    });
  });

  test("whose connection breaks goes on where it broke", async () => {
    await withHub({ cutAfter: (request) => (request < 3 ? 50_000 : undefined) }, async (hub) => {
      expect(bitsOf(await parameters("gpt2"))).toEqual(bitsOf(parametersOf(smallConfig)));
      const ranges = hub.requests
        .filter(({ line }) => line === "STORE /model.safetensors")
        .map(({ headers }) => headers.range);
      const last = weights.length - 1;
      expect(ranges.filter((range) => range !== "bytes=0-0")).toEqual([
        undefined,
        `bytes=50000-${last}`,
        `bytes=100000-${last}`,
        `bytes=150000-${last}`,
      ]);
    });
  });

  test("that was interrupted goes on in the next run, also where a server knows no ranges", async () => {
    for (const ignoreRanges of [false, true]) {
      const partial = () => {
        const blobs = join(blob(), "blobs");
        return join(blobs, readdirSync(blobs).find((file) => file.endsWith(".incomplete"))!);
      };
      await withHub({ cutAfter: (request) => (request === 0 ? 70_000 : 0) }, async () => {
        await expect(parameters("gpt2")).rejects.toThrow(
          /model\.safetensors: broke off at byte 70000 of \d+ .*; run again to go on/,
        );
      });
      expect(readFileSync(partial()).equals(weights.subarray(0, 70_000))).toBe(true);
      await withHub({ ignoreRanges }, async (hub) => {
        expect(bitsOf(await parameters("gpt2"))).toEqual(bitsOf(parametersOf(smallConfig)));
        expect(hub.requests.some(({ headers }) => headers.range?.startsWith("bytes=70000-"))).toBe(true);
      });
      rmSync(blob(), { recursive: true });
    }
  }, 30_000);

  test("that came damaged is not kept", async () => {
    await withHub({}, async () => {
      const hub = await startHub({
        name,
        commit,
        files: new Map(files).set(
          "model.safetensors",
          weights.map((byte) => byte ^ 1),
        ),
      });
      // The list is the true one, the file is not.
      const intercepted = {
        intercept: (path: string, _: unknown, response: import("node:http").ServerResponse) => {
          if (!path.includes("/resolve/") || !path.endsWith("model.safetensors")) return false;
          response.writeHead(302, { Location: `${hub.endpoint}${path}` }).end();
          return true;
        },
      };
      await withHub(intercepted, async () => {
        await expect(parameters("gpt2")).rejects.toThrow(
          /model\.safetensors: came damaged \(its sha256 is wrong\) and was removed; run again/,
        );
      });
      await hub.close();
      expect(readdirSync(join(blob(), "blobs")).filter((file) => file.endsWith(".incomplete"))).toEqual([]);
    });
  });

  test("is asked for with HF_TOKEN, which goes to the hub alone", async () => {
    vi.stubEnv("HF_TOKEN", "hf_secret");
    await withHub({}, async (hub) => {
      await parameters("gpt2");
      for (const { line, headers } of hub.requests) {
        expect(headers.authorization, line).toBe(line.startsWith("STORE") ? undefined : "Bearer hf_secret");
      }
    });
    vi.stubEnv("HF_TOKEN", "secret");
    await expect(openModel("gpt2")).rejects.toThrow(/^HF_TOKEN: wanted a token that begins with "hf_"$/);
  });

  test("offline is what the cache has, and asks nobody", async () => {
    await withHub({}, async (hub) => {
      vi.stubEnv("HF_HUB_OFFLINE", "1");
      await expect(openModel("gpt2")).rejects.toThrow(
        /HF_HUB_OFFLINE is set, and openai-community\/gpt2 is not in .*unset it once, or give a directory/,
      );
      expect(hub.requests).toEqual([]);
      vi.stubEnv("HF_HUB_OFFLINE", "0");
      await parameters("gpt2");
      const before = hub.requests.length;
      vi.stubEnv("HF_HUB_OFFLINE", "1");
      expect(bitsOf(await parameters("gpt2"))).toEqual(bitsOf(parametersOf(smallConfig)));
      expect(hub.requests).toHaveLength(before);
    });
  });

  test("is what the cache has where the hub cannot be reached, and says so", async () => {
    vi.stubEnv("HF_ENDPOINT", "http://127.0.0.1:9");
    await expect(openModel("gpt2")).rejects.toThrow(
      /cannot be reached \(.*\), and .* is not in .*connect once, or give a directory/,
    );
    await withHub({}, () => parameters("gpt2"));
    vi.stubEnv("HF_ENDPOINT", "http://127.0.0.1:9");
    expect(bitsOf(await parameters("gpt2"))).toEqual(bitsOf(parametersOf(smallConfig)));
    expect(notes.at(-1)).toMatch(
      /cannot be reached .*: using openai-community\/gpt2 as it is in the cache \(HF_HUB_OFFLINE=1/,
    );
  });

  const answer = (status: number, code: string) => ({
    intercept: (_path: string, _: unknown, response: import("node:http").ServerResponse) => {
      response.writeHead(status, code === "" ? {} : { "X-Error-Code": code }).end();
      return true;
    },
  });
  test.each([
    [
      "does not exist",
      401,
      "RepoNotFound",
      undefined,
      /gpt2: the hub has no such model; check the name, set HF_TOKEN if it is private/,
    ],
    ["may not be read", 404, "RepoNotFound", "hf_x", /no such model; check the name, or HF_TOKEN may not read it/],
    ["is gated", 401, "GatedRepo", undefined, /is gated; accept its conditions at http.*gpt2, and set HF_TOKEN/],
    ["is gated for this account", 403, "GatedRepo", "hf_x", /is gated; .* HF_TOKEN must be of that account/],
    ["has no such revision", 404, "RevisionNotFound", undefined, /gpt2: has no revision "main"/],
    ["is asked for with an old token", 401, "", "hf_x", /^HF_TOKEN: is not accepted/],
  ])("that %s is one clear line", async (_title, status, code, token, message) => {
    if (token) vi.stubEnv("HF_TOKEN", token);
    await withHub(answer(status, code), async () => {
      await expect(openModel("gpt2")).rejects.toThrow(message);
    });
  });

  test("that has only a pickled checkpoint says what to do", async () => {
    const pickled = new Map([
      ["config.json", files.get("config.json")!],
      ["pytorch_model.bin", new Uint8Array(5000)],
    ]);
    await withHub({ files: pickled }, async () => {
      await expect(openModel("gpt2")).rejects.toThrow(
        /wanted model\.safetensors\. Load and save it once with transformers/,
      );
    });
  });
});
