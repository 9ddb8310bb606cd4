import { SingleBar } from "cli-progress";
import { duration } from "./numbers.ts";

/** A progress bar on a terminal; nothing on a pipe or a file, where log lines carry the remaining time instead. */
export interface Progress {
  update(step: number, note: string): void;
  /** Prints a line above the bar. */
  log(line: string): void;
  stop(): void;
}

export function createProgress(total: number): Progress {
  if (!process.stdout.isTTY) return { update() {}, log: (line) => console.log(line), stop() {} };
  const bar = new SingleBar({
    format: "{bar} {value}/{total}  {note}",
    barCompleteChar: "\u2588",
    barIncompleteChar: "\u2591",
    barsize: 30,
    hideCursor: true,
    clearOnComplete: true,
    stream: process.stdout,
    linewrap: null,
  });
  bar.start(total, 0, { note: "compiling" });
  return {
    update: (step, note) => bar.update(step, { note }),
    log(line) {
      process.stdout.write(`\r\u001b[K${line}\n`);
      bar.render();
    },
    stop: () => bar.stop(),
  };
}

/** Seconds left, from the pace of the last steps: the first ones compile and say little. */
export function createPace(total: number, window = 50) {
  const times: { step: number; at: number }[] = [];
  return {
    add(step: number, at: number): void {
      times.push({ step, at });
      if (times.length > window) times.shift();
    },
    remaining(): string {
      const [first, last] = [times[0], times.at(-1)];
      if (!first || !last || last.step === first.step) return "?";
      return duration(((last.at - first.at) / (last.step - first.step)) * (total - last.step));
    },
  };
}
