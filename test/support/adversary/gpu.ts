import type { Gpu } from "../../../src/gpu/device.ts";
import { withDevice } from "../device.ts";
import { type Adversary, adversaryLibrary } from "./library.ts";
import { applyEdits, bodyless, type Edit, functionsOf, type Site, sitesOf, withoutComments } from "./sites.ts";

/** Rewritten sources of this process, by device, adversary and source. */
const rewritten = new WeakMap<GPUDevice, Map<string, Promise<string>>>();

/** The same device, whose shaders compute as badly as WGSL allows an implementation to. */
export function adversarialGpu(gpu: Gpu, adversary: Adversary): Gpu {
  const cache = rewritten.get(gpu.device) ?? new Map<string, Promise<string>>();
  rewritten.set(gpu.device, cache);
  const sources = new WeakMap<GPUShaderModule, string>();

  function createShaderModule({ code }: GPUShaderModuleDescriptor): GPUShaderModule {
    const module = gpu.device.createShaderModule({ code });
    sources.set(module, code);
    return module;
  }

  async function createComputePipelineAsync(descriptor: GPUComputePipelineDescriptor): Promise<GPUComputePipeline> {
    const source = sources.get(descriptor.compute.module)!;
    const key = `${adversary}\n${source}`;
    const known = cache.get(key) ?? rewrite(gpu, source, adversary);
    cache.set(key, known);
    const module = gpu.device.createShaderModule({ code: await known });
    return gpu.device.createComputePipelineAsync({ ...descriptor, compute: { ...descriptor.compute, module } });
  }

  return withDevice(gpu, { createShaderModule, createComputePipelineAsync } as Partial<GPUDevice>);
}

/** Which way a site takes, -1 for none, by its function's text: functions come back in many sources. */
const decided = new Map<string, number>();

/** `source` with each site rewritten in the first way that compiles; integer divisions and the like stay as they are. */
export async function rewrite(gpu: Gpu, source: string, adversary: Adversary): Promise<string> {
  const library = adversaryLibrary(adversary);
  const sites = sitesOf(source);
  const keys = keysOf(source, sites);
  const compiles = async (code: string): Promise<boolean> => {
    const module = gpu.device.createShaderModule({ code });
    const { messages } = await gpu.wait(() => module.getCompilationInfo());
    return messages.every(({ type }) => type !== "error");
  };
  // What types a place has, its own function tells: of the others it needs what they give.
  const functions = bodyless(library, -1).split(/^(?=fn )/m);
  const namedIn = (way: readonly Edit[]): string =>
    functions
      .filter((one) => way.some(({ text }) => text !== "" && one.startsWith(`fn ${text.replace("(", "")}(`)))
      .join("");
  const decide = async ({ at, ways }: Site, key: string): Promise<void> => {
    if (decided.has(key)) return;
    const alone = bodyless(source, at);
    for (const [number, way] of ways.entries()) {
      if (await compiles(applyEdits(alone, way) + namedIn(way))) {
        decided.set(key, number);
        return;
      }
    }
    decided.set(key, -1);
  };
  gpu.device.pushErrorScope("validation");
  try {
    // a second time without what other sources said, in case a name has another type there
    for (const attempt of ["with", "without"]) {
      if (attempt === "without") for (const key of keys) decided.delete(key);
      await Promise.all(sites.map((site, i) => decide(site, keys[i]!)));
      const chosen = sites.flatMap(({ ways }, i) => ways[decided.get(keys[i]!)!] ?? []);
      const whole = applyEdits(source, chosen) + library;
      if (await compiles(whole)) return whole;
    }
  } finally {
    await gpu.wait(() => gpu.device.popErrorScope());
  }
  throw new Error(`the adversary's rewriting does not compile:\n${source}`);
}

function keysOf(source: string, sites: readonly Site[]): string[] {
  const aliases = [...source.matchAll(/^alias .*$/gm)].map(([line]) => line).join("\n");
  const functions = functionsOf(withoutComments(source));
  return sites.map(({ at, ways }) => {
    const { start, end } = functions.find((one) => one.start < at && at < one.end)!;
    return [aliases, source.slice(start, end), at - start, ways[0]![0]!.text].join("\n");
  });
}
