/** How far a command is, and how long it still takes. */
import type { DataListener } from "../data/text-tokens.ts";
import { byteSize, duration } from "./numbers.ts";
import { type Bar, terminal } from "./terminal.ts";

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

/** Of an evaluation: a bar, or a line every ten seconds where there is no terminal. */
export interface EvalProgress {
  update(done: number, note: string): void;
  stop(): void;
}

const LINE_EVERY_MS = 10_000;

export function createEvalProgress(total: number, unit: string): EvalProgress {
  const pace = createPace(total);
  pace.add(0, performance.now() / 1000);
  const count = (done: number): string => `${done}/${total} ${unit}`;
  const bar = terminal.bar({ total, count, note: [{ text: "compiling", rank: 1 }] });
  let said = performance.now();
  return {
    update(done, note) {
      pace.add(done, performance.now() / 1000);
      const left = `${pace.remaining()} left`;
      bar.update(done, [
        { text: note, rank: 2 },
        { text: left, rank: 1 },
      ]);
      if (terminal.columns !== undefined || performance.now() - said < LINE_EVERY_MS) return;
      said = performance.now();
      terminal.say(`${done} of ${total} ${unit}, ${note}, ${left}`);
    },
    stop: bar.stop,
  };
}

/** Of a download: a bar, or a line at its start where there is no terminal. Nothing where all is there already. */
export interface DownloadBar {
  update(done: number, total: number): void;
  stop(): void;
}

export function createDownloadBar(name: string): DownloadBar {
  let began: { at: number; done: number } | undefined;
  let bar: Bar | undefined;
  return {
    update(done, total) {
      if (!began) {
        // What an earlier run had fetched says nothing of the pace.
        began = { at: performance.now(), done };
        if (terminal.columns === undefined) terminal.say(`downloading ${name}: ${byteSize(total)}`);
        bar = terminal.bar({ total, label: name });
      }
      const seconds = (performance.now() - began.at) / 1000;
      const pace = (done - began.done) / seconds;
      bar?.update(done, [
        { text: `${byteSize(done)} of ${byteSize(total)}`, rank: 2 },
        ...(pace > 0 ? [{ text: `${duration((total - done) / pace)} left`, rank: 1 }] : []),
      ]);
    },
    stop: () => bar?.stop(),
  };
}

/** Of data that is opened: a bar for each pass over it that takes long enough to be seen. */
export function createDataProgress(): { readonly listener: DataListener; stop(): void } {
  let shown: { work: string; bar: Bar; began: number } | undefined;
  const stop = (): void => {
    shown?.bar.stop();
    shown = undefined;
  };
  const listener: DataListener = {
    progress(work, done, total) {
      if (shown?.work !== work) {
        stop();
        shown = { work, bar: terminal.bar({ total, label: work }), began: performance.now() };
      }
      const seconds = (performance.now() - shown.began) / 1000;
      const left = done > 0 ? [{ text: `${duration((seconds / done) * (total - done))} left`, rank: 1 }] : [];
      shown.bar.update(done, left);
    },
    notice: terminal.warn,
  };
  return { listener, stop };
}
