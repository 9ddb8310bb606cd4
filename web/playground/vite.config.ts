import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
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

/** A run's report.html lies in the browser's private files, where nobody opens it: without its script, which is large. */
function noReport(): Plugin {
  return {
    name: "no-report",
    enforce: "pre",
    transform: (_code, id) =>
      id.endsWith("/src/report/page.gen.ts")
        ? {
            code: 'export const PAGE = { script: "", style: "", scriptHash: "", styleHash: "", notice: "" };',
            map: null,
          }
        : null,
  };
}

/** The service worker knows all files by their names, and is another one when any of them is. */
function offline(): Plugin {
  return {
    name: "offline",
    apply: "build",
    writeBundle({ dir = "" }) {
      const names = readdirSync(dir, { recursive: true, withFileTypes: true }).flatMap((entry) =>
        entry.isFile() && entry.name !== "sw.js" ? [join(entry.parentPath, entry.name)] : [],
      );
      const digest = createHash("sha256");
      for (const name of names.sort()) digest.update(name.slice(dir.length)).update(readFileSync(name));
      const files = ["./", ...names.map((name) => `.${name.slice(dir.length).replaceAll("\\", "/")}`)];
      const code = readFileSync(new URL("service-worker.js", import.meta.url), "utf8");
      const head = `const VERSION = "${digest.digest("hex").slice(0, 16)}";\nconst FILES = ${JSON.stringify(files)};\n`;
      writeFileSync(join(dir, "sw.js"), head + code);
    },
  };
}

/** What serves the page while it is worked on brings styles and a socket of its own, which the page's policy forbids. */
function withoutPolicy(): Plugin {
  return {
    name: "without-policy",
    apply: "serve",
    transformIndexHtml: (html) => html.replace(/<meta\s+http-equiv="Content-Security-Policy"[^>]*>/, ""),
  };
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
  plugins: [offline(), withoutPolicy()],
  worker: { format: "es", plugins: () => [bareShaders(), noReport()] },
});
