/**
 * All that the command line prints goes through here: lines and one bar below them, on a terminal of any size, a pipe or a file.
 * Writing never throws out of a run: what cannot be written is known to `finish`.
 */
import { closeSync } from "node:fs";
import { createInterface, type Interface } from "node:readline/promises";
import { isatty } from "node:tty";
import { stripVTControlCharacters } from "node:util";
import { Option } from "commander";
import pc from "picocolors";
import stringWidth from "string-width";
import wrapAnsi from "wrap-ansi";
import { UserError } from "../core/errors.ts";

/** A part of a line. Where the line does not fit, parts of the highest `rank` are left out first, those without one never. */
export interface Field {
  readonly text: string;
  readonly rank?: number;
}

/**
 * A text that is folded at spaces where it does not fit; fields, of which the least important are left out; or lines that are
 * left as they are, for the terminal to wrap.
 */
export type Line = string | readonly (string | Field)[] | { readonly verbatim: string };

/** What a command's output is for. */
export interface TerminalMode {
  /** Where words go that tell what goes on; results go to standard output. */
  readonly words: "stdout" | "stderr";
  /** Only warnings, errors and results. */
  readonly quiet: boolean;
  /** `event` prints, and words go to standard error. */
  readonly events: boolean;
  /**
   * Where standard output cannot be written any more: `stop`, since the output is all there is; `go-on` to the end, since the
   * exit code says something, too; `ignore`: a run has files. In all but the last the exit code says so.
   */
  readonly lost: "stop" | "go-on" | "ignore";
  /** Nothing but why the command ends: another process speaks for both. */
  readonly silent: boolean;
  /** Which of several processes this one is, in the line that says why the command ends; none of them draws on a terminal. */
  readonly who: string | undefined;
}

export interface Terminal {
  readonly mode: TerminalMode;
  /** Columns of the window that words go to; undefined where they go to no window. */
  readonly columns: number | undefined;
  /** As `columns`, of the window that results go to. */
  readonly resultColumns: number | undefined;
  /** A command says once what its output is for; what it leaves out is as in `DEFAULT_MODE`. */
  begin(mode: Partial<TerminalMode>): void;
  /** Words about what goes on. */
  say(line: Line): void;
  /** Something that may be wrong; foreign text in it may be anything. */
  warn(message: string): void;
  /** Why a command ends, on standard error. */
  error(message: string): void;
  /** What the command was asked for. Throws where nobody can read it any more, so that a command stops working for nobody. */
  result(line: Line): void;
  /** A piece of generated text: exact in a pipe or a file, `printable` on a terminal. */
  text(piece: string): void;
  /** A line of JSON on standard output. */
  json(value: unknown, form?: JsonForm): void;
  /** A line of JSON about a run, where somebody asked for them. */
  event(value: object): void;
  /** Fields of the last event, which `finish` prints once the exit code is known. */
  ending(fields: object): void;
  /** The one bar, below all lines. A bar that is begun replaces the one before. */
  bar(options: BarOptions): Bar;
  /** Reads lines from standard input; on a terminal each is asked for, and edited, on standard error. */
  questions(prompt: string): Interface;
  /** `listener` hears that the terminal is gone: its window was closed. */
  onGone(listener: () => void): void;
  /** Waits for all that was printed, and gives the exit code: `exitCode`, or 1 where a result could not be written. */
  finish(exitCode: number): Promise<number>;
}

export interface JsonForm {
  /** Spaces of indentation; without, all is on one line. */
  readonly space?: number;
  /** As JSON.stringify takes it. */
  readonly replacer?: (key: string, value: unknown) => unknown;
}

export interface BarOptions {
  readonly total: number;
  /** Before the bar. */
  readonly label?: string;
  /** What is counted, behind the numbers; left out: percent are shown. */
  readonly count?: (done: number) => string;
  readonly note?: readonly Field[];
}

export interface Bar {
  update(done: number, note?: readonly Field[]): void;
  /** Takes it away. */
  stop(): void;
}

/** What a terminal needs of `process.stdout`. */
export interface OutputStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  /** Node's own: asks the system for the size, which it otherwise only does once a signal has come through the event loop. */
  _refreshSize?(): void;
  write(text: string, done?: (error?: Error | null) => void): boolean;
  on(event: "error", listener: (error: NodeJS.ErrnoException) => void): unknown;
  on(event: "resize", listener: () => void): unknown;
}

/** The reader of standard output went away, as in `gpt2 devices | head -1`: the command ends without a word. */
export class ReaderGoneError extends Error {
  override name = "ReaderGoneError";
}

const DEFAULT_MODE: TerminalMode = {
  ...{ words: "stderr", quiet: false, events: false, lost: "stop" },
  ...{ silent: false, who: undefined },
};

/** Bytes; what has no line ends would fill the memory. */
const LONGEST_ANSWER = 2 ** 24;

/** Columns that a text takes. Most texts are plain, of which a list may hold 100,000. */
export function widthOf(text: string): number {
  return /^[\x20-\x7e]*$/.test(text) ? text.length : stringWidth(text);
}

/** Of a window that does not say. */
const USUAL_COLUMNS = 80;
const MOST_BAR = 30;
const LEAST_BAR = 10;
const LEAST_MS_BETWEEN_BARS = 80;
const APART = "  ";
const ESCAPE = "\u001b";
/** To the start of the line, and nothing from there on. */
const ERASE = `\r${ESCAPE}[J`;

/** Controls but tab and newline; C1, which are escape sequences in one character; marks that turn the direction of text. */
const HOSTILE = "[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u2028-\\u202e\\u2066-\\u2069]";
const HOSTILE_CHARACTER = new RegExp(HOSTILE, "g");
/** A colour, or one of those. */
const COLOUR_OR_HOSTILE = new RegExp(`${ESCAPE}\\[[\\d;]*m|${HOSTILE}`, "g");

/**
 * Text from anywhere as a terminal may show it: what would be obeyed instead of shown is spelt out, `\x1b`. Tabs and newlines
 * stay; a carriage return before a newline goes.
 */
export function printable(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(HOSTILE_CHARACTER, spelt);
}

function spelt(character: string): string {
  const code = character.charCodeAt(0).toString(16);
  return code.length <= 2 ? `\\x${code.padStart(2, "0")}` : `\\u${code}`;
}

/** JSON whose texts no terminal obeys, and no reader of lines takes for a line's end; the same value when parsed. */
function jsonText(value: unknown, { space, replacer }: JsonForm = {}): string {
  return JSON.stringify(value, replacer, space).replace(
    HOSTILE_CHARACTER,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** The fields that fit into `columns`, those of the highest rank left out first. */
export function fitted(fields: readonly (string | Field)[], columns: number): string {
  const kept = fields.map((field): Field => (typeof field === "string" ? { text: field } : field));
  const joined = (): string => kept.map(({ text }) => text).join(APART);
  while (widthOf(joined()) > columns) {
    const ranks = kept.map(({ rank = 0 }) => rank);
    const highest = ranks.reduce((most, rank) => Math.max(most, rank), 0);
    if (highest === 0) break;
    kept.splice(ranks.lastIndexOf(highest), 1);
  }
  return joined();
}

/** Behind the colours that a folded line takes up again. */
const LEADING_SPACES = new RegExp(`^((?:${ESCAPE}\\[[\\d;]*m)*) +`);

/** A text in lines of at most `columns`, broken at spaces only; later lines begin below what follows the first gap. */
export function folded(text: string, columns: number): string {
  return text
    .split("\n")
    .map((line) => {
      if (widthOf(line) <= columns) return line;
      const gap = /^\s*\S+ {2,}|^\s*/.exec(stripVTControlCharacters(line))![0].length;
      const indent = gap < columns / 2 ? Math.max(gap, 2) : 2;
      // The first line has no indent to be wrapped with, so that the others must make room for theirs.
      const [first = "", ...rest] = wrapAnsi(line, columns, { trim: false }).split("\n");
      if (rest.length === 0) return first;
      const others = wrapAnsi(rest.join(""), columns - indent, { trim: false }).split("\n");
      const below = others.map((other) => " ".repeat(indent) + other.replace(LEADING_SPACES, "$1"));
      return [first, ...below].map((shown) => shown.trimEnd()).join("\n");
    })
    .join("\n");
}

function textOf(content: Line, columns: number): string {
  if (typeof content === "string") return folded(content, columns);
  if ("verbatim" in content) return content.verbatim;
  return folded(fitted(content, columns), columns);
}

interface Output {
  readonly tty: boolean;
  columns(): number;
  write(text: string): void;
  failure(): NodeJS.ErrnoException | undefined;
  /** All that was written has gone, or never will. */
  flushed(): Promise<void>;
  onResize(listener: () => void): void;
}

/** These may pass; every other error means that nobody reads. */
const PASSING = new Set(["ENOSPC", "EDQUOT", "EFBIG", "EAGAIN", "EINTR"]);

function openOutput(name: "stdout" | "stderr", failed: (error: NodeJS.ErrnoException) => void): Output {
  const stream: OutputStream = process[name];
  let failure: NodeJS.ErrnoException | undefined;
  const fail = (error: NodeJS.ErrnoException): void => {
    const first = failure === undefined;
    failure = error;
    if (first) failed(error);
  };
  const gone = (): boolean => failure !== undefined && !PASSING.has(failure.code ?? "");
  stream.on("error", fail);
  return {
    tty: stream.isTTY === true && process.env.TERM !== "dumb",
    columns() {
      // A bar drawn for a window that was wider a moment ago would take two rows.
      stream._refreshSize?.();
      return stream.columns || USUAL_COLUMNS;
    },
    write(text) {
      if (gone()) return;
      try {
        stream.write(text);
      } catch (error) {
        fail(error as NodeJS.ErrnoException);
      }
    },
    failure: () => failure,
    async flushed() {
      if (!gone()) await new Promise<void>((resolve) => stream.write("", () => resolve()));
      // Errors are told of a turn later than the callbacks.
      await new Promise((resolve) => setImmediate(resolve));
    },
    onResize: (listener) => void stream.on("resize", listener),
  };
}

/**
 * Node aborts where it cannot give a terminal its settings back at the end (ResetStdio in node.cc), as when the window was
 * closed, and the exit code is lost. A descriptor that is closed it passes over.
 */
function forgetClosedTerminals(): void {
  const terminals = [0, 1, 2].filter((descriptor) => isatty(descriptor));
  process.once("exit", () => {
    for (const descriptor of terminals) if (!isatty(descriptor)) closeSync(descriptor);
  });
}

/** The terminal of this process; nothing is touched before the first line. */
export function createTerminal(): Terminal {
  let mode = DEFAULT_MODE;
  let [midLine, held] = [false, ""];
  let shown: { readonly draw: () => void } | undefined;
  let ending: object | undefined;
  let gone: (() => void) | undefined;
  const opened = new Map<string, Output>();

  const output = (name: "stdout" | "stderr"): Output => {
    const known = opened.get(name);
    if (known) return known;
    if (opened.size === 0) forgetClosedTerminals();
    const opening = openOutput(name, (error) => {
      if (error.code === "EIO") gone?.();
      // The one line that says why the others are missing.
      if (mode.lost === "ignore" && name === "stdout")
        output("stderr").write(`gpt2: ${whyNot(error)}; going on without it\n`);
    });
    // Open MPI gives each of its processes a terminal, wherever it then writes what comes out.
    const fresh = mode.who === undefined ? opening : { ...opening, tty: false };
    fresh.onResize(() => shown?.draw());
    opened.set(name, fresh);
    return fresh;
  };
  const words = (): Output => output(mode.events || mode.quiet ? "stderr" : mode.words);

  /** Everything but the bar itself is written here: above the bar, and never behind a line that has not ended. */
  const write = (to: Output, text: string): void => {
    if (to.tty && shown) words().write(ERASE);
    to.write(text);
    if (to.tty) {
      midLine = !text.endsWith("\n");
      if (!midLine) shown?.draw();
    }
  };
  const line = (to: Output, content: Line): void => {
    const safe = (text: string): string =>
      text.replace(COLOUR_OR_HOSTILE, (found) => (found.length > 1 ? found : spelt(found)));
    const columns = to.tty ? to.columns() : Number.POSITIVE_INFINITY;
    const text = safe(textOf(content, columns)).trimEnd();
    const broken = to.tty && midLine ? "\n" : "";
    const coloured = to.tty || process.env.FORCE_COLOR;
    write(to, `${broken}${coloured ? text : stripVTControlCharacters(text)}\n`);
  };
  const throwIfGone = (): void => {
    const failure = mode.lost === "stop" ? output("stdout").failure() : undefined;
    if (failure) throw failure.code === "EPIPE" ? new ReaderGoneError() : new UserError(whyNot(failure));
  };

  return {
    get mode() {
      return mode;
    },
    get columns() {
      return words().tty ? words().columns() : undefined;
    },
    get resultColumns() {
      return output("stdout").tty ? output("stdout").columns() : undefined;
    },
    begin(wanted) {
      // Which process this is stays so, whatever its command then says.
      const { silent, who } = mode;
      mode = { ...DEFAULT_MODE, silent, who, ...wanted };
      if (mode.silent) mode = { ...mode, events: false };
    },
    say(content) {
      if (!mode.quiet && !mode.silent) line(words(), content);
    },
    warn(message) {
      if (!mode.silent) line(words(), pc.yellow(printable(message)));
    },
    error(message) {
      const who = mode.who === undefined ? "" : `${mode.who}: `;
      line(output("stderr"), `gpt2: ${who}${printable(message)}`);
      if (mode.events) ending = { reason: "error", ...ending, message };
    },
    result(content) {
      if (mode.silent) return;
      throwIfGone();
      line(mode.events ? words() : output("stdout"), content);
    },
    text(piece) {
      throwIfGone();
      const to = output("stdout");
      if (!to.tty) return to.write(piece);
      const whole = held + piece;
      // Until it is seen whether a newline follows.
      held = whole.endsWith("\r") ? "\r" : "";
      write(to, printable(whole.slice(0, whole.length - held.length)));
    },
    json(value, form) {
      throwIfGone();
      write(output("stdout"), `${jsonText(value, form)}\n`);
    },
    event(value) {
      if (mode.events) write(output("stdout"), `${jsonText(value)}\n`);
    },
    ending(fields) {
      ending = { ...ending, ...fields };
    },
    bar({ total, label, count, note = [] }) {
      const to = words();
      if (!to.tty || mode.quiet || mode.silent) return { update() {}, stop() {} };
      let [done, notes, drawnAt] = [0, note, 0];
      const draw = (): void => {
        drawnAt = performance.now();
        const counted = count ? count(done) : `${Math.floor((100 * done) / Math.max(1, total))} %`;
        // The last column stays free: a cursor behind it is on the next row for some terminals.
        to.write(`${ERASE}${barLine({ share: done / Math.max(1, total), label, counted, notes }, to.columns() - 1)}\r`);
      };
      const bar = { draw };
      if (shown) to.write(ERASE);
      shown = bar;
      process.once("exit", stop);
      function stop(): void {
        process.off("exit", stop);
        if (shown !== bar) return;
        shown = undefined;
        to.write(ERASE);
      }
      draw();
      return {
        update(at, now = notes) {
          [done, notes] = [at, now];
          if (shown === bar && !midLine && performance.now() - drawnAt >= LEAST_MS_BETWEEN_BARS) draw();
        },
        stop,
      };
    },
    questions(prompt) {
      output("stderr"); // whose errors are heard from here on
      const { isTTY = false } = process.stdin;
      const lines = createInterface({
        input: process.stdin,
        output: process.stderr,
        terminal: isTTY,
        prompt: isTTY ? prompt : "",
      });
      // Node pauses it after Ctrl-Z, for whoever goes on to say so; nothing else would keep the process alive.
      lines.on("SIGCONT", () => lines.resume());
      let length = 0;
      process.stdin.on("data", (piece) => {
        const end = piece.lastIndexOf("\n");
        length = end < 0 ? length + piece.length : piece.length - end;
        if (length > LONGEST_ANSWER)
          process.stdin.destroy(new UserError(`standard input: a line is longer than ${LONGEST_ANSWER} bytes`));
      });
      return lines;
    },
    onGone(listener) {
      gone = listener;
    },
    async finish(exitCode) {
      const code = (): number => {
        const failure = mode.lost === "ignore" ? undefined : output("stdout").failure();
        return failure && failure.code !== "EPIPE" ? exitCode || 1 : exitCode;
      };
      if (mode.events) {
        const usual = exitCode === 0 ? "finished" : exitCode > 128 ? "interrupted" : "error";
        const { reason = usual, ...rest }: { reason?: string } = ending ?? {};
        const last = { kind: "end", time: new Date().toISOString(), reason, exit_code: code(), ...rest };
        write(output("stdout"), `${jsonText(last)}\n`);
      }
      await output("stdout").flushed();
      const failure = output("stdout").failure();
      if (code() !== exitCode && failure) line(output("stderr"), `gpt2: ${whyNot(failure)}`);
      await output("stderr").flushed();
      return code();
    },
  };
}

interface BarState {
  /** Of the whole, 0 to 1. */
  readonly share: number;
  readonly label: string | undefined;
  readonly counted: string;
  readonly notes: readonly Field[];
}

/** A row of at most `columns`; nothing where not even the numbers fit. */
function barLine({ share, label, counted, notes }: BarState, columns: number): string {
  const before = label === undefined ? [] : [{ text: label, rank: 50 }];
  const fields = [...before, { text: counted }, ...notes];
  // Numbers say more than the bar, the bar more than what can be read in the log above.
  const withBar = fitted(fields, columns - LEAST_BAR - APART.length);
  const room = columns - widthOf(withBar) - APART.length;
  if (room < LEAST_BAR) {
    const without = fitted(fields, columns);
    return widthOf(without) <= columns ? without : "";
  }
  const size = Math.min(MOST_BAR, room);
  const full = Math.round(size * Math.min(1, Math.max(0, share)));
  const graphic = "\u2588".repeat(full) + "\u2591".repeat(size - full);
  const kept = label !== undefined && withBar.startsWith(label) ? label : undefined;
  return kept === undefined ? `${graphic}${APART}${withBar}` : `${kept}${APART}${graphic}${withBar.slice(kept.length)}`;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: "no space left on the disk",
  EDQUOT: "the quota of this user is used up",
  EFBIG: "the file would become too large",
  EPIPE: "its reader went away",
  EIO: "the terminal is closed",
  EBADF: "it is closed",
};

function whyNot({ code = "", message }: NodeJS.ErrnoException): string {
  return `standard output could not be written: ${REASONS[code] ?? message}`;
}

/** `--quiet`. */
export function quietOption(): Option {
  return new Option("--quiet", "print only warnings, errors and the result");
}

/** What all commands print to. */
export const terminal: Terminal = createTerminal();
