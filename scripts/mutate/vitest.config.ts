// Vitest with one shader replaced: $GPT2_MUTANT is a JSON file { shader, text }. With $GPT2_SHADERS_USED, a file, each test
// adds a line of which shaders it read.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const { GPT2_MUTANT, GPT2_SHADERS_USED } = process.env;

export default defineConfig({
  root: fileURLToPath(new URL("../..", import.meta.url)),
  plugins: [
    {
      name: "mutant",
      enforce: "pre",
      transform(code: string, id: string) {
        // what one test has joined, another would not read
        if (GPT2_SHADERS_USED && id.endsWith("/src/kernels/wgsl.ts")) {
          const without = code.replace("knownSources.set(key, source);", "");
          if (without === code) throw new Error("src/kernels/wgsl.ts: what keeps sources is called something else");
          return without;
        }
        if (!id.endsWith("/src/kernels/shaders.gen.ts")) return undefined;
        let text = code.replace("export const SHADERS", "const ORIGINAL");
        if (GPT2_MUTANT) {
          const mutant = readFileSync(GPT2_MUTANT, "utf8");
          text += `const { shader, text } = ${mutant};\nexport const SHADERS = { ...ORIGINAL, [shader]: text };\n`;
        } else {
          // not what lists them all, for a name of them all
          text += `let listed;
          export const SHADERS = new Proxy(ORIGINAL, {
            getOwnPropertyDescriptor(all, name) {
              listed = name;
              return Reflect.getOwnPropertyDescriptor(all, name);
            },
            get(all, name) {
              if (name !== listed) globalThis.shadersUsed?.add(name);
              listed = undefined;
              return all[name];
            },
          });\n`;
        }
        return text;
      },
    },
  ],
  test: {
    include: ["test/**/*.test.ts"],
    pool: "forks",
    // Then every file notes what its tests read.
    isolate: GPT2_SHADERS_USED !== undefined,
    maxWorkers: 1,
    testTimeout: 200_000,
    hookTimeout: 200_000,
    ...(GPT2_SHADERS_USED ? { setupFiles: ["scripts/mutate/note-shaders.ts"] } : {}),
  },
});
