import { expect, test } from "vitest";
import { userError } from "../../src/core/errors.ts";
import { MODEL_FOLDER } from "../../src/run/files.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import type { Folder } from "../../src/storage/folder.ts";
import { memoryFolder } from "../../src/storage/memory.ts";
import { openTestRuntime } from "../support/drivers.ts";
import { leftBy, MAX_STEPS, trainIn } from "./scenario.ts";

const open = (): Promise<Runtime> => openTestRuntime("wasm");

test("a model that could not be saved is in the last checkpoint, says the error, and comes out of it", async () => {
  const [whole, folder] = [memoryFolder("whole"), memoryFolder("run")];
  await trainIn(whole, open);
  const full: Folder = {
    ...folder,
    commit: (name, fill) =>
      name === MODEL_FOLDER ? userError(`run/${name}: no space left on the disk`) : folder.commit(name, fill),
  };
  await expect(trainIn(full, open)).rejects.toThrow(
    `the model was not saved: run/model: no space left on the disk; checkpoint-${MAX_STEPS} has all of it; mend that, and resume the run`,
  );
  await trainIn(folder, open);
  expect(await leftBy(folder)).toEqual(await leftBy(whole));
});
