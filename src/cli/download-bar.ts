import { SingleBar } from "cli-progress";
import { byteSize, duration } from "./numbers.ts";

/** Shows a download on standard error: a bar on a terminal, else a line at its start. Nothing where all is there already. */
export interface DownloadBar {
  update(done: number, total: number): void;
  stop(): void;
}

export function createDownloadBar(name: string): DownloadBar {
  if (!process.stderr.isTTY) {
    let said = false;
    return {
      update(_done, total) {
        if (!said) console.error(`downloading ${name}: ${byteSize(total)}`);
        said = true;
      },
      stop() {},
    };
  }
  const bar = new SingleBar({
    format: `${name} {bar} {percentage}%  {amount}  {left}`,
    barCompleteChar: "\u2588",
    barIncompleteChar: "\u2591",
    barsize: 30,
    hideCursor: true,
    clearOnComplete: true,
    stream: process.stderr,
    linewrap: null,
  });
  let began: { at: number; done: number } | undefined;
  return {
    update(done, total) {
      if (!began) {
        // What an earlier run had fetched says nothing of the pace.
        began = { at: performance.now(), done };
        bar.start(total, done, { amount: "", left: "" });
      }
      const seconds = (performance.now() - began.at) / 1000;
      const pace = (done - began.done) / seconds;
      const left = pace > 0 ? `${duration((total - done) / pace)} left` : "";
      bar.update(done, { amount: `${byteSize(done)} of ${byteSize(total)}`, left });
    },
    stop: () => bar.stop(),
  };
}
