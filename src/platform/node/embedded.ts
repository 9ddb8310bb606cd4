import { access, constants, copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { brotliDecompress } from "node:zlib";
import { extract } from "tar-stream";
import { userError } from "../../core/errors.ts";
import { cacheFolders } from "./cache.ts";
import { putFolder } from "./cache-files.ts";
import { installedPackage, stockDawnPath } from "./dawn.ts";

const DRIVER = "libvk_swiftshader.so";
const FILES = ["dawn.node", "libvulkan.so.1"] as const;

/** SwiftShader comes as a Linux x64 library only. */
export function embeddedDriverExists(): boolean {
  return process.platform === "linux" && process.arch === "x64";
}

/**
 * The path of a binding whose only driver is SwiftShader, made on first use (half a second, 28 MB).
 *
 * Dawn looks for `libvulkan.so.1` in its own real folder first, so a folder that holds a copy of `dawn.node` beside the
 * driver under that name is all it takes. A copy, since a link to the stock file would count as the same loaded library.
 */
export async function embeddedDawnPath(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  if (!embeddedDriverExists()) {
    userError(
      `the embedded driver exists for Linux x64 only, this is ${process.platform} ${process.arch}; use --device wasm`,
      "device",
    );
  }
  const dawn = installedPackage("webgpu");
  const chromium = installedPackage("@sparticuz/chromium");
  const archive = join(chromium.folder, "bin", "swiftshader.tar.br");
  const problems: string[] = [];
  for (const root of cacheFolders(env)) {
    try {
      await root.make();
      const folder = join(root.path, `dawn-${dawn.version}-swiftshader-${chromium.version}`);
      if (!(await isComplete(folder))) await fill(folder, archive);
      return join(folder, FILES[0]);
    } catch (reason) {
      problems.push(reason instanceof Error ? reason.message : String(reason));
    }
  }
  userError(
    `the embedded driver cannot be unpacked: ${problems.join("; ")}; set GPT2_CACHE to a folder with 30 MB free`,
  );
}

/** Makes `folder` in one rename, so that it never exists by halves and two processes may do it at once. */
async function fill(folder: string, archive: string): Promise<void> {
  const fresh = await mkdtemp(`${folder}.new-`);
  try {
    await writeFile(join(fresh, "libvulkan.so.1"), await archiveEntry(archive, DRIVER));
    await copyFile(stockDawnPath(), join(fresh, "dawn.node"), constants.COPYFILE_FICLONE);
    await putFolder(fresh, folder, isComplete);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

async function isComplete(folder: string): Promise<boolean> {
  const found = await Promise.allSettled(FILES.map((file) => access(join(folder, file))));
  return found.every((file) => file.status === "fulfilled");
}

async function archiveEntry(archive: string, name: string): Promise<Buffer> {
  const entries = extract();
  entries.end(await promisify(brotliDecompress)(await readFile(archive)));
  for await (const entry of entries) {
    if (entry.header.name === name) {
      const bytes = await buffer(entry);
      return bytes;
    }
    entry.resume();
  }
  throw new Error(`${archive} has no ${name}`);
}
