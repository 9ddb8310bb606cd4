import { SingleBar } from "cli-progress";
import { createPace } from "./progress.ts";

/** Progress on standard error, which leaves standard output to the results: a bar, or a line every ten seconds. */
export interface EvalProgress {
  update(done: number, note: string): void;
  stop(): void;
}

const LINE_EVERY_MS = 10_000;

export function createEvalProgress(total: number, unit: string): EvalProgress {
  const pace = createPace(total);
  pace.add(0, performance.now() / 1000);
  if (!process.stderr.isTTY) {
    let said = performance.now();
    return {
      update(done, note) {
        pace.add(done, performance.now() / 1000);
        if (performance.now() - said < LINE_EVERY_MS) return;
        said = performance.now();
        console.error(`${done} of ${total} ${unit}, ${note}, ${pace.remaining()} left`);
      },
      stop() {},
    };
  }
  const bar = new SingleBar({
    format: `{bar} {value}/{total} ${unit}  {note}`,
    barCompleteChar: "\u2588",
    barIncompleteChar: "\u2591",
    barsize: 30,
    hideCursor: true,
    clearOnComplete: true,
    stream: process.stderr,
    linewrap: null,
  });
  bar.start(total, 0, { note: "compiling" });
  return {
    update(done, note) {
      pace.add(done, performance.now() / 1000);
      bar.update(done, { note: `${note}  ${pace.remaining()} left` });
    },
    stop: () => bar.stop(),
  };
}
