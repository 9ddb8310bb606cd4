/**
 * One of several processes that open the same data with the same cache, again and again: `main.js` of the package, the file, how
 * often, and the process number that it believes to have, as in a container. It prints the tokens' digests and what was said.
 */
import { existsSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [dist, file, times, pid, damages] = process.argv.slice(2);
if (pid !== "own") Object.defineProperty(process, "pid", { value: Number(pid) });
const load = (path) => import(pathToFileURL(join(dist, path)).href);
const { openDataFiles } = await load("cli/open-data.js");
const { byteTokenizer } = await load("text/byte.js");
const { charTokenizerOf } = await load("text/char.js");

const options = {
  files: [file],
  maskPrompt: false,
  stream: false,
  evalSplit: 0,
  seed: 1,
  contextLength: 64,
  cached: { from: 0 },
};
const digests = new Set();
const notices = new Set();
// All begin together.
await new Promise((resolve) => process.stdin.once("data", resolve));
for (let time = 0; time < Number(times); time++) {
  const tokenizer = time % 2 === 0 ? byteTokenizer() : async (alphabet) => charTokenizerOf(await alphabet());
  const data = await openDataFiles(options, tokenizer, {
    notice: (line) => notices.add(line.replace(/^.*: (?=.*;)/, "")),
  });
  digests.add(data.report.digest);
  const { sequences } = data.train;
  for (let i = 0; i < sequences.count; i += 97) sequences.read(i);
  await data.close();
  if (damages === "damages") damage(join(process.env.GPT2_CACHE, "data"), time);
}
console.log(JSON.stringify({ digests: [...digests], notices: [...notices] }));
process.exit(0);

/** Puts a damaged file in the place of a good one in each folder that is there; who has the good one open keeps it. */
function damage(folder, time) {
  for (const name of readdirSync(folder)) {
    if (name.includes(".")) continue;
    for (const part of time % 2 ? ["ids.bin", "alphabet.json"] : ["meta.json"]) {
      const path = join(folder, name, part);
      if (!existsSync(path)) continue;
      try {
        writeFileSync(`${path}.damaged`, "12345");
        renameSync(`${path}.damaged`, path);
      } catch (error) {
        // The folder has been taken away in between.
        if (error.code !== "ENOENT") throw error;
      }
    }
  }
}
