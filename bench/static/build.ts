/** The libraries in C of this folder, compiled where they are wanted: once for each text, into a folder that is kept. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, realpathSync, renameSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Compiles `sources`, with `headers` of the same folder, to a shared library and gives its path. */
export function buildLibrary(name: string, sources: readonly string[], headers: readonly string[] = []): string {
  const paths = [...sources, ...headers].map((file) => fileURLToPath(new URL(file, import.meta.url)));
  const hash = createHash("sha256");
  for (const path of paths) hash.update(readFileSync(path));
  const digest = hash.digest("hex").slice(0, 12);
  const folder = join(tmpdir(), `webgpu-gpt2-${name}-${process.getuid?.() ?? 0}-${digest}`);
  const library = join(folder, `${name}.so`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (!existsSync(library)) {
    const made = `${library}.${process.pid}`;
    execFileSync("gcc", ["-O1", "-shared", "-fPIC", "-o", made, ...paths.slice(0, sources.length)]);
    renameSync(made, library);
  }
  return realpathSync(library);
}
