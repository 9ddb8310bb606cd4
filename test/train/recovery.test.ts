import { expect, test } from "vitest";
import { DeviceLostError, UserError } from "../../src/core/errors.ts";
import { withRecovery } from "../../src/train/recovery.ts";

/** A device that is lost in every attempt of `lostIn`, and saves what `savedAt` says before that. */
function work(lostIn: number, savedAt: (attempt: number) => number) {
  const told: string[] = [];
  let [open, saved] = [0, 0];
  const result = withRecovery({
    open: async () => ({ close: () => open--, opened: ++open }),
    async use(_, losses) {
      saved = Math.max(saved, savedAt(losses));
      if (losses < lostIn) throw new DeviceLostError("the device was lost (unknown): x");
      return `done after ${losses}`;
    },
    saved: () => saved,
    mostLosses: 2,
    notice: (line) => void told.push(line),
    pause: 0,
  });
  return { result, told, open: () => open };
}

test("goes on after a loss, on a new device, and closes every one", async () => {
  const { result, told, open } = work(2, () => 0);
  expect(await result).toBe("done after 2");
  expect(open()).toBe(0);
  expect(told).toEqual([
    "the device was lost (unknown): x; going on from the start (1 of 2)",
    "the device was lost (unknown): x; going on from the start (2 of 2)",
  ]);
});

test("gives up where losses bring no new checkpoint in between, but not where they do", async () => {
  await expect(work(3, () => 10).result).rejects.toThrow(DeviceLostError);
  const { result, told } = work(6, (attempt) => 10 * attempt);
  expect(await result).toBe("done after 6");
  expect(told.at(-1)).toBe("the device was lost (unknown): x; going on from step 50 (1 of 2)");
});

test("other errors are passed on, but for an adapter that is not back yet", async () => {
  const failing = (open: () => Promise<{ close(): void }>, use: () => Promise<string>) =>
    withRecovery({ open, use, saved: () => 0, mostLosses: 2, notice: () => {}, pause: 0 });
  const session = { close: () => {} };
  await expect(
    failing(
      async () => session,
      () => Promise.reject(new Error("bug")),
    ),
  ).rejects.toThrow("bug");
  await expect(
    failing(
      () => Promise.reject(new UserError("none")),
      async () => "",
    ),
  ).rejects.toThrow("none");
  let opened = 0;
  const late = failing(
    async () => (++opened === 2 ? Promise.reject(new UserError("none")) : session),
    async () => (opened === 1 ? Promise.reject(new DeviceLostError("lost")) : "back"),
  );
  expect(await late).toBe("back");
});
