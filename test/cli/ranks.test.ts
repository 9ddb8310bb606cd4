/** `gpt2 train` as people start it on several devices: under the MPIs of this machine. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchedAs } from "../../src/platform/node/launched.ts";
import { contentsOf, gpt2, TINY_FLAGS, writeRecords } from "../support/killed-run.ts";
import { startJob, testMpis } from "../support/mpi.ts";
import { buildAbi, hasCompiler, throughAbi } from "../support/mpi-abi.ts";

const main = fileURLToPath(new URL("../../dist/bundle/gpt2.js", import.meta.url));
const parent = mkdtempSync(join(tmpdir(), "gpt2-ranks-"));
const data = join(parent, "data.txt");
const common = `--data ${data} --max-steps 6 ${TINY_FLAGS} --batch-size 2 --device wasm:1 --eval-split 0.2 --eval-steps 3`;
const whole = join(parent, "whole");

/** Losses of the steps that a run has logged. */
function lossesOf(directory: string): number[] {
  const logged = [...contentsOf(directory)].filter(([name]) => /^log /.test(name)).sort();
  return logged.map(([, numbers]) => Number.parseFloat(numbers));
}

afterAll(() => rmSync(parent, { recursive: true }));

describe.skipIf(testMpis.length === 0)("with the bits of one process", () => {
  beforeAll(async () => {
    writeRecords(data);
    const args = `train ${common} --gradient-accumulation-steps 4 --output-dir ${whole}`;
    const { code, output } = await gpt2(main, args, "none");
    expect(output).toContain("trained in");
    expect(code).toBe(0);
  });

  test.each(testMpis)("2 ranks under $name, stopped at one of them, and gone on with by one process", async (mpi) => {
    const directory = join(parent, mpi.name.replace(" ", "-"));
    const args = `train ${common} --gradient-accumulation-steps 2 --output-dir ${directory} --max-hours 0.00001`;
    const stopped = startJob(mpi, 2, main, args.split(" "));
    expect(await stopped.ended, stopped.output()).toMatchObject({ code: 0 });
    // One of them speaks.
    expect(stopped.output().match(/^ranks {5}2 \(/gm)).toHaveLength(1);
    expect(stopped.output()).toMatch(/--max-hours are over: stopped/);
    const { code, output } = await gpt2(main, `train --resume ${directory} --device wasm:1`, "none");
    expect(code, output).toBe(0);
    const [got, wanted] = [contentsOf(directory), contentsOf(whole)];
    for (const [name, value] of wanted) expect([name, got.get(name)]).toEqual([name, value]);
  });

  let ordered: Promise<number[]> | undefined;
  /** The losses of one process, whichever MPI they are held against. */
  function inOrder(): Promise<number[]> {
    ordered ??= (async () => {
      const directory = join(parent, "ordered");
      const alone = `train ${common} --gradient-accumulation-steps 9 --fast-reduce --output-dir ${directory}`;
      const { code, output } = await gpt2(main, alone, "none");
      expect(code, output).toBe(0);
      expect(output).toMatch(/--fast-reduce does nothing in one process/);
      return lossesOf(directory);
    })();
    return ordered;
  }

  test.each(testMpis)(
    "3 ranks under $name sum in any order: a run that stays so, and nearly the losses of one process",
    async (mpi) => {
      const directory = join(parent, `fast-${mpi.rank}`);
      // Digests of what trains are compared at each step: a rank that had other sums would end the run.
      const args = `train ${common} --gradient-accumulation-steps 3 --fast-reduce --output-dir ${directory} --max-hours 0.00001`;
      const begun = startJob(mpi, 3, main, args.split(" "));
      expect(await begun.ended, begun.output()).toMatchObject({ code: 0 });
      expect(begun.output()).toMatch(/^ranks {5}3 \(.*\), 3 batches of each step on each, summed in any order$/m);
      const gone = startJob(mpi, 3, main, `train --resume ${directory} --device wasm:1`.split(" "));
      expect(await gone.ended, gone.output()).toMatchObject({ code: 0 });
      expect(gone.output()).toMatch(/summed in any order$/m);

      const [got, wanted] = [lossesOf(directory), await inOrder()];
      expect(wanted).toHaveLength(6);
      expect(got).toHaveLength(wanted.length);
      for (const [i, loss] of wanted.entries()) expect(got[i]).toBeCloseTo(loss, 4);
    },
  );

  test.each(hasCompiler ? testMpis : [])("2 ranks through MPI 5's standard ABI, behind which is $name", async (mpi) => {
    const environment = throughAbi(buildAbi(parent), mpi);
    const directory = join(parent, `abi-${mpi.rank}`);
    const args = `train ${common} --gradient-accumulation-steps 2 --output-dir ${directory}`;
    const job = startJob(mpi, 2, main, args.split(" "), environment);
    expect(await job.ended, job.output()).toMatchObject({ code: 0 });
    expect(job.output()).toMatch(/^ranks {5}2 \(MPI's ABI\)/m);
    const [got, wanted] = [contentsOf(directory), contentsOf(whole)];
    for (const [name, value] of wanted) expect([name, got.get(name)]).toEqual([name, value]);
    // What only larger sums call; the command compares them itself.
    const sums = startJob(mpi, 2, main, "bench reduce --most 100000 --quick".split(" "), environment);
    expect(await sums.ended, sums.output()).toMatchObject({ code: 0 });
    expect(sums.output()).toMatch(/reduce anyhow 0.1M/);
  });

  test.each(testMpis)(
    "under $name settings are those of rank 0; a rank that was given others is named",
    async (mpi) => {
      const directory = join(parent, `words-${mpi.rank}`);
      const rank = (rate: string): string =>
        `train ${common} --output-dir ${directory} --learning-rate ${rate} --quiet`;
      const job = startJob(
        mpi,
        1,
        main,
        `${rank("0.01")} : -n 1 ${process.execPath} ${main} ${rank("0.02")}`.split(" "),
      );
      expect(await job.ended, job.output()).toMatchObject({ code: 0 });
      expect(job.output()).toMatch(
        /^rank 1 was given other words than rank 0, whose settings are those of all ranks$/m,
      );
      const run = JSON.parse(readFileSync(join(directory, "run.json"), "utf8"));
      expect(run.settings).toMatchObject({ learning_rate: 0.01 });
    },
  );

  test.each(testMpis)("under $name a rank without its device ends all, and is named in one line", async (mpi) => {
    const job = startJob(
      mpi,
      2,
      main,
      `train ${common} --output-dir ${join(parent, "none")} --device nosuch`.split(" "),
    );
    const { code } = await job.ended;
    expect(code).toBe(5);
    expect(job.output().match(/^gpt2: .*$/gm)).toEqual([expect.stringMatching(/^gpt2: rank 0 of 2: .*nosuch/)]);
  });
});

test.each(testMpis)("under $name a rank that is stopped before it has begun is missed, and named", async (mpi) => {
  const job = startJob(mpi, 3, main, "bench reduce --most 100000 --collective-timeout 5".split(" "));
  let pid: number | undefined;
  while (pid === undefined) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    pid = job.pidOf(1);
  }
  process.kill(pid, "SIGSTOP");
  const { code } = await job.ended;
  expect(code).not.toBe(0);
  expect(job.output().match(/^gpt2: .*$/m)?.[0]).toMatch(
    // Both others look; one of them is first.
    /^gpt2: rank [02] of 3: rank 1 of 3 has not run for 3.5 s while others waited/,
  );
  expect(job.left()).toBe(0);
});

test.each(testMpis)("under $name a rank that ends before it has begun is missed, and named", async (mpi) => {
  const leaves = `if (process.env.${mpi.rank} === "1") process.exit(0)`;
  const imports = ["--import", `data:text/javascript,${encodeURIComponent(leaves)}`];
  const job = startJob(mpi, 2, main, "bench reduce --most 100000 --collective-timeout 5".split(" "), {}, imports);
  const { code } = await job.ended;
  expect(code).not.toBe(0);
  expect(job.output().match(/^gpt2: .*$/m)?.[0]).toMatch(/^gpt2: rank 0 of 2: rank 1 of 2 has not run .* it has ended/);
  expect(job.left()).toBe(0);
});

test.each<[string, NodeJS.ProcessEnv, { rank: number; size: number } | undefined]>([
  ["Open MPI", { OMPI_COMM_WORLD_RANK: "1", OMPI_COMM_WORLD_SIZE: "4" }, { rank: 1, size: 4 }],
  ["MPICH", { PMI_RANK: "0", PMI_SIZE: "2" }, { rank: 0, size: 2 }],
  ["srun with PMIx", { PMIX_RANK: "3", SLURM_STEP_NUM_TASKS: "8", SLURM_PROCID: "3" }, { rank: 3, size: 8 }],
  ["srun", { SLURM_STEP_NUM_TASKS: "8", SLURM_PROCID: "5" }, { rank: 5, size: 8 }],
  ["a batch script, which is one process", { SLURM_NTASKS: "8", SLURM_PROCID: "0" }, undefined],
  ["one rank", { OMPI_COMM_WORLD_RANK: "0", OMPI_COMM_WORLD_SIZE: "1" }, undefined],
  ["nobody", {}, undefined],
])("knows by its environment that it was started by %s", (_, environment, wanted) => {
  const found = launchedAs(environment);
  expect(found && { rank: found.rank, size: found.size }).toEqual(wanted);
});
