/**
 * Every system call of a save, and of a resume, made to fail in turn: `npx tsx scripts/save-faults.ts [save] [resume]`. Linux
 * with strace. For each kind of call and each N, the N-th call of that kind gets an error, or the process is killed when it
 * is made; a disk that lies writes less than it says. After each: the run resumes without help, from a checkpoint whose
 * every bit is right, no more than one save behind; and the next save works and leaves nothing but checkpoints.
 */
import { FAULTS, tryFaults } from "../test/support/save-faults.ts";

const asked = process.argv.slice(2) as ("save" | "resume")[];
const { counts, ended, wrong } = await tryFaults(asked.length > 0 ? asked : ["save", "resume"], FAULTS, (done) =>
  console.error(`${done}: done`),
);
const total = [...counts.values()].reduce((a, b) => a + b, 0);
for (const [what, count] of counts) console.log(`${what}: ${count}`);
const { done, refused, killed } = ended;
console.log(
  `${total} faults: ${done} times done all the same, ${refused} refused in one line, ${killed} processes killed`,
);
for (const line of wrong) console.log(`WRONG ${line}`);
console.log(`${wrong.length} left a run that does not go on as it should`);
if (wrong.length > 0 || total === 0) process.exitCode = 1;
