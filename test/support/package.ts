/** The package as npm would publish it. */
import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { madeOnce } from "./build.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const execute = promisify(execFile);

const { name, dependencies, optionalDependencies } = JSON.parse(readFileSync(`${root}package.json`, "utf8"));

/** The tarball, packed once for all tests. */
async function packed(): Promise<string> {
  const folder = await madeOnce("tarball", async (place) => {
    // npm's own settings of this run would follow into the other.
    const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.startsWith("npm_")));
    await execute("npm", ["pack", "--ignore-scripts", "--pack-destination", place], { cwd: root, env });
  });
  return join(folder, readdirSync(folder)[0]!);
}

/**
 * Installs the package in an empty folder, without the network: what it depends on, and the types of Node, are the checkout's. Gives
 * the tarball's path.
 */
export async function installPackage(folder: string): Promise<string> {
  const tarball = await packed();
  const installed = join(folder, "node_modules", name);
  mkdirSync(installed, { recursive: true });
  await execute("tar", ["-xzf", tarball, "-C", installed, "--strip-components=1"]);
  for (const dependency of [...Object.keys({ ...dependencies, ...optionalDependencies }), "@types/node"])
    addPackage(folder, dependency);
  return tarball;
}

/** Another one of the checkout's, beside it. */
export function addPackage(folder: string, dependency: string): void {
  const place = join(folder, "node_modules", dependency);
  mkdirSync(dirname(place), { recursive: true });
  symlinkSync(join(root, "node_modules", dependency), place);
}
