import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";

/** Shaders without their comments, which are a third of what the page loads. */
function bareShaders(): Plugin {
  return {
    name: "bare-shaders",
    apply: "build",
    enforce: "pre",
    transform(code, id) {
      if (!id.endsWith("/src/kernels/shaders.gen.ts")) return null;
      // One shader a line: its name and its text, as JSON.
      return {
        code: code.replace(/(?<=^ {2}"[^"]*": )".*"/gm, (text) => JSON.stringify(bare(JSON.parse(text)))),
        map: null,
      };
    },
  };
}

function bare(shader: string): string {
  const lines = shader.split("\n").map((line) => line.replace(/\/\/.*/, "").trimEnd());
  return `${lines.filter((line) => line !== "").join("\n")}\n`;
}

/** `npm run web` serves the playground, `npm run web:build` makes a folder of it for any file host. */
export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  // Every address is relative: the folder may lie anywhere.
  base: "./",
  build: {
    outDir: fileURLToPath(new URL("../../dist-web", import.meta.url)),
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
  },
  worker: { format: "es", plugins: () => [bareShaders()] },
});
