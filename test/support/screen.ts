/** A command on a real pseudo terminal, and the screen that a terminal emulator makes of what it prints. */
import * as pty from "@lydell/node-pty";
import xterm from "@xterm/headless";

export interface ScreenOptions {
  readonly columns: number;
  readonly rows: number;
  /** Lines that are on the screen already. */
  readonly before?: number;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Looks at the screen after each piece of output. */
  readonly onFrame?: (lines: string[]) => void;
}

export interface Screen {
  /** All lines, those that have scrolled away first; without what stood there before. */
  lines(): string[];
  /** What was printed, as it was. */
  raw(): string;
  /** Waits for a line. */
  until(line: RegExp): Promise<void>;
  type(keys: string): void;
  /** While the command is stopped: what it prints for a window that is not there any more belongs nowhere. */
  resize(columns: number, rows: number): Promise<void>;
  /** Ctrl-Z, and what a shell's fg does. */
  stopAndGoOn(): Promise<void>;
  /** As if the window was closed. */
  hangUp(): void;
  /** The exit code, once all that was printed is on the screen. */
  readonly ended: Promise<number>;
}

/** Runs `node ...args`. */
export function openScreen(args: readonly string[], options: ScreenOptions): Screen {
  const { columns, rows, before = 0, onFrame } = options;
  const emulator = new xterm.Terminal({ cols: columns, rows, scrollback: 1000, allowProposedApi: true });
  const lines = (): string[] => {
    const { active } = emulator.buffer;
    const all = Array.from({ length: active.length }, (_, y) => active.getLine(y)!.translateToString(true));
    while (all.at(-1) === "") all.pop();
    const first = all.lastIndexOf(`before ${before}`) + 1;
    return all.slice(first);
  };
  let broken: unknown;
  const waiting = new Set<() => void>();
  const show = (text: string): Promise<void> =>
    new Promise((resolve) => {
      emulator.write(text, () => {
        try {
          onFrame?.(lines());
        } catch (error) {
          broken ??= error;
        }
        for (const look of waiting) look();
        resolve();
      });
    });
  let printed = "";
  let shown = show(Array.from({ length: before }, (_, i) => `before ${i + 1}\r\n`).join(""));
  const { NO_COLOR, CI, FORCE_COLOR, ...inherited } = process.env;
  const child = pty.spawn(process.execPath, [...args], {
    cols: columns,
    rows,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...inherited, NODE_OPTIONS: "", TERM: "xterm-256color", ...options.env },
  });
  child.onData((text) => {
    printed += text;
    shown = show(text);
  });
  const ended = new Promise<number>((resolve, reject) => {
    // What was printed last may come after the news of the end.
    child.onExit(({ exitCode, signal }) => {
      const end = (): void => (broken === undefined ? resolve(signal ? 128 + signal : exitCode) : reject(broken));
      setTimeout(() => void shown.then(end), 50);
    });
  });
  // Whoever waits hears of it; nobody may be waiting any more.
  ended.catch(() => {});
  return {
    lines,
    raw: () => printed,
    until: (line) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (!lines().some((text) => line.test(text))) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
        void ended.then(() => {
          look();
          if (waiting.has(look)) reject(new Error(`it ended without ${line}:\n${lines().join("\n")}`));
        }, reject);
      }),
    type: (keys) => child.write(keys),
    async resize(width, height) {
      process.kill(child.pid, "SIGSTOP");
      // What it had printed by then belongs to the old width. Where the machine is busy, a timer may come before what waits to be read.
      for (let before = -1; before !== printed.length; ) {
        before = printed.length;
        await new Promise((resolve) => setTimeout(resolve, 100));
        await new Promise((resolve) => setImmediate(resolve));
        await shown;
      }
      emulator.resize(width, height);
      child.resize(width, height);
      process.kill(child.pid, "SIGCONT");
    },
    async stopAndGoOn() {
      child.write("\u001a");
      await new Promise((resolve) => setTimeout(resolve, 500));
      process.kill(child.pid, "SIGCONT");
      await new Promise((resolve) => setTimeout(resolve, 100));
    },
    hangUp() {
      // The system sends the signal, as to everyone; the package would add one of its own.
      Object.assign(child, { kill: () => {} });
      (child as unknown as { destroy(): void }).destroy();
    },
    ended,
  };
}
