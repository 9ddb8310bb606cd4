/** One run on two ranks: kept by the first, stopped at the other, recovered by both, to the bits of one process. */
import { beforeAll, expect, test } from "vitest";
import { DeviceLostError } from "../../src/core/errors.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { memoryFolder } from "../../src/storage/memory.ts";
import { createTeam, RankFailedError } from "../../src/train/team.ts";
import { openTestRuntime } from "../support/drivers.ts";
import { onRanks } from "../support/ranks.ts";
import { leftBy, MAX_STEPS, trainIn, trainOnRank } from "./scenario.ts";

const open = (): Promise<Runtime> => openTestRuntime("wasm");
let whole: unknown;

beforeAll(async () => {
  const folder = memoryFolder("whole");
  await trainIn(folder, open);
  whole = await leftBy(folder);
});

test("leaves what one process leaves; the other rank has no folder", async () => {
  const [folder, none] = [memoryFolder("run"), memoryFolder("none")];
  const ended = await onRanks(2, (collective) => {
    const team = createTeam(collective);
    return trainOnRank(team.rank === 0 ? folder : none, open, { team });
  });
  expect(ended).toEqual([expect.objectContaining({ reason: "finished", saved: MAX_STEPS }), "finished"]);
  expect(await leftBy(folder)).toEqual(whole);
  expect(await none.list()).toEqual([]);
});

test("a signal at the other rank stops both after one step, which is saved, and one process goes on", async () => {
  const folder = memoryFolder("run");
  const stop = new AbortController();
  const ended = await onRanks(2, (collective) => {
    const team = createTeam(collective);
    const listener = { stepped: ({ step }: { step: number }) => step === 5 && stop.abort(new Error("enough")) };
    return trainOnRank(folder, open, team.rank === 0 ? { team, listener } : { team, signal: stop.signal });
  });
  expect(ended[1]).toBe("interrupted");
  const { saved } = ended[0] as { saved: number };
  expect(ended[0]).toMatchObject({ reason: "interrupted", summary: { step: saved } });
  expect(saved).toBeGreaterThanOrEqual(5);
  expect(saved).toBeLessThan(MAX_STEPS);
  await trainIn(folder, open);
  expect(await leftBy(folder)).toEqual(whole);
});

// Before the first step, while weights are shared; and between steps, where no other rank waits for just that.
test.each([3, 20, 45])("a device that is lost at call %i of the other rank is as if both were", async (call) => {
  const folder = memoryFolder("run");
  const said: string[] = [];
  let calls = 0;
  const losing = async (): Promise<Runtime> => {
    const runtime = await open();
    const lose = (): void => {
      if (++calls === call) throw new DeviceLostError("it fell off");
    };
    return {
      ...runtime,
      writeState(...args) {
        lose();
        runtime.writeState(...args);
      },
      async readState(...args) {
        lose();
        return runtime.readState(...args);
      },
    };
  };
  const listener = { warned: (line: string) => void said.push(line) };
  const ended = await onRanks(2, (collective) => {
    const team = createTeam(collective);
    return trainOnRank(folder, team.rank === 0 ? open : losing, { team, listener });
  });
  expect(ended).toEqual([expect.objectContaining({ reason: "finished" }), "finished"]);
  expect(said).toContainEqual(expect.stringMatching(/^the device of rank 1 was lost; going on from/));
  expect(await leftBy(folder)).toEqual(whole);
});

test("a rank that throws ends both, and the run says that it failed", async () => {
  const folder = memoryFolder("run");
  const ended = await onRanks(2, (collective) => {
    const team = createTeam(collective);
    const broken = async (): Promise<Runtime> => {
      const runtime = await open();
      let runs = 0;
      return {
        ...runtime,
        async compile(tape) {
          const program = await runtime.compile(tape);
          const run: typeof program.run = async (...args) => {
            if (++runs === 9) throw new Error("out of order");
            return program.run(...args);
          };
          return { ...program, run };
        },
      };
    };
    return trainOnRank(folder, team.rank === 0 ? open : broken, { team }).catch((error: unknown) => error);
  });
  expect(ended[0]).toEqual(new RankFailedError(1, 2, "bug"));
  expect(ended[1]).toEqual(new Error("out of order"));
  expect((await leftBy(folder).catch(() => "no model")) as string).toBe("no model");
});
