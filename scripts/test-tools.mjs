// Installs test/tools/package.json: what only tests and `npm run docs` need, so that those who want to train do not wait for it. Nothing to
// do where its lock file is the one that was installed.
import { execFileSync } from "node:child_process";
import { copyFileSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../test/tools/", import.meta.url));
const wanted = `${folder}package-lock.json`;
const installed = `${folder}node_modules/.installed.json`;

const read = (path) => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
};
if (read(installed) !== read(wanted)) {
  execFileSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: folder, stdio: "inherit" });
  copyFileSync(wanted, installed);
}
