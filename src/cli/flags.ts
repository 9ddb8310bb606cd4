import { existsSync } from "node:fs";
import type { Command, Option } from "commander";
import { nearest } from "../core/nearest.ts";
import { shellPath } from "../core/shell.ts";
import { typedPath } from "../platform/node/paths.ts";

/** What a command says of words that are none of its own. */
export interface Elsewhere {
  /** What to do instead of a flag, in snake case, that other tools have. */
  flag?(name: string, value: string | undefined): string | undefined;
  /** What to do instead of a word that belongs to no flag. */
  word?(word: string): string;
}

/**
 * What was typed, for commander: flags with hyphens (`--learning_rate` is `--learning-rate`), flags that are on or off without
 * their value (`--stream=yes`, `--load_best_model_at_end True`), paths out of file: URLs. Values stay as they are, whatever
 * they look like. Ends with one line that names every flag that is none.
 */
export function readWords(typed: readonly string[], program: Command, elsewhere: Record<string, Elsewhere>): string[] {
  const words: string[] = [];
  const unknown: { readonly flag: string; readonly value: string | undefined }[] = [];
  const loose: string[] = [];
  let command = program;
  let severalOf: Option | undefined;
  for (let i = 0; i < typed.length; i++) {
    const word = typed[i]!;
    if (word === "--") {
      words.push(word);
      for (const file of typed.slice(i + 1)) {
        words.push(file);
        loose.push(file);
      }
      break;
    }
    if (!mayBeFlag(word) || isNegative(word)) {
      if (severalOf) {
        words.push(asValue(command, severalOf, word));
        continue;
      }
      const nested = command.commands.find((candidate) => candidate.name() === word);
      if (nested && loose.length === 0) command = nested;
      else loose.push(word);
      words.push(word);
      continue;
    }
    severalOf = undefined;
    const { flag, value } = parts(word);
    const option = optionOf(command, flag);
    const next = typed[i + 1];
    const hasNext = next !== undefined && (!mayBeFlag(next) || isNegative(next));
    if (option === "help") {
      words.push(flag);
    } else if (!option) {
      unknown.push({
        flag: word.startsWith("--") ? word.split("=")[0]! : word,
        value: value ?? (hasNext ? next : undefined),
      });
      if (value === undefined && hasNext) i++;
    } else if (option.required || option.optional) {
      if (value !== undefined) {
        words.push(`${flag}=${asValue(command, option, value)}`);
        continue;
      }
      words.push(flag);
      // One that is required takes what follows, even where that looks like a flag.
      if (option.required ? next !== undefined : hasNext) {
        words.push(asValue(command, option, next!));
        i++;
      }
      if (option.variadic) severalOf = option;
    } else {
      const said = value ?? (next !== undefined && /^(true|false|yes|no)$/i.test(next) ? typed[++i] : undefined);
      for (const given of switched(command, option, flag, said)) words.push(given);
    }
  }
  const own = command.parent === program ? elsewhere[command.name()] : undefined;
  // A command that is none has no flags either.
  if (command.commands.length > 0) rejectCommand(command, loose);
  rejectUnknown(command, unknown, own);
  if (command.commands.length === 0) rejectLoose(command, loose, own);
  return words;
}

/** Whether words switch a flag on, as far as can be told before they are read: the last one that names it counts. */
export function isOn(words: readonly string[], flag: string): boolean {
  const end = words.indexOf("--");
  const own = end < 0 ? words : words.slice(0, end);
  const at = own.findLastIndex((word) => parts(word).flag === flag);
  return at >= 0 && !OFF.test(parts(own[at]!).value ?? own[at + 1] ?? "");
}

function mayBeFlag(word: string): boolean {
  return word.length > 1 && (word.startsWith("-") || /^[\u2012-\u2015\u2212]/.test(word));
}

function isNegative(word: string): boolean {
  return /^-(\d+|\d*\.\d+)(e[+-]?\d+)?$/.test(word);
}

function parts(word: string): { readonly flag: string; readonly value: string | undefined } {
  const [, name = word, value] = /^(--[^=]+)(?:=(.*))?$/s.exec(word) ?? [];
  return { flag: name.startsWith("--") ? name.replaceAll("_", "-") : name, value };
}

function optionOf(command: Command, flag: string): Option | "help" | undefined {
  for (let at: Command | null = command; at; at = at.parent) {
    const found = at.options.find((option) => option.long === flag || option.short === flag);
    if (found) return found;
  }
  return flag === "--help" || flag === "-h" ? "help" : undefined;
}

/** A value as it is, but for a path that is a file: URL. A path that is empty is an unset variable of a script. */
function asValue(command: Command, option: Option, value: string): string {
  if (!/[<[](file|directory|run|source)/.test(option.flags)) return value;
  if (value === "") return command.error(`error: ${option.long} is empty; wanted a path, or leave it out`, USAGE);
  return typedPath(value);
}

const OFF = /^(false|no|off|0)$/i;

/** A flag that is on or off, by what was said of it. */
function switched(command: Command, option: Option, flag: string, said: string | undefined): string[] {
  if (said === undefined || /^(true|yes|on|1)$/i.test(said)) return [flag];
  if (!OFF.test(said)) return command.error(`error: ${flag} is on or off; got ${said}`, USAGE);
  if (option.negate) return [flag.replace(/^--no-/, "--")];
  const off = `--no-${flag.slice(2)}`;
  return command.options.some(({ long }) => long === off) ? [off] : [];
}

const USAGE = { code: "commander.unknownOption", exitCode: 1 };

function rejectUnknown(
  command: Command,
  unknown: readonly { readonly flag: string; readonly value: string | undefined }[],
  { flag: remedy }: Elsewhere = {},
): void {
  if (unknown.length === 0) return;
  const known = command.options.filter(({ hidden }) => !hidden).flatMap(({ long }) => long ?? []);
  const lines = unknown.map(({ flag, value }) => {
    const plain = flag.replace(/^[\u2012-\u2015\u2212-]+/, "--").replaceAll("_", "-");
    if (plain !== flag.replaceAll("_", "-") && known.includes(plain))
      return `${flag}: flags begin with two hyphens: ${plain}`;
    const name = plain.slice(2).replaceAll("-", "_");
    const instead = remedy?.(name, value);
    if (instead !== undefined) return `${flag}: ${instead}`;
    const near = nearest(plain, known);
    return `${flag}: there is no such option${near ? `, did you mean ${near}?` : `; \`${pathOf(command)} --help\` lists them`}`;
  });
  command.error(`error: ${lines.join("; ")}`, USAGE);
}

function rejectLoose(command: Command, loose: readonly string[], { word: remedy }: Elsewhere = {}): void {
  const [first] = loose;
  const most = command.registeredArguments.some(({ variadic }) => variadic)
    ? Number.POSITIVE_INFINITY
    : command.registeredArguments.length;
  if (first === undefined || loose.length <= most) return;
  const said = remedy?.(first) ?? `is no option of ${pathOf(command)}; \`${pathOf(command)} --help\` lists them`;
  command.error(`error: ${first}: ${said}`, { ...USAGE, code: "commander.excessArguments" });
}

function rejectCommand(command: Command, words: readonly string[]): void {
  const known = [...command.commands.map((nested) => nested.name()), "help"];
  // "help" is about the word after it.
  const word = words.slice(0, words[0] === "help" ? 2 : 1).find((word) => !known.includes(word));
  if (word === undefined) return;
  const near = nearest(word, known);
  const remedy = near ? `did you mean ${near}?` : `there are ${known.join(", ")}`;
  command.error(`error: ${word}: there is no such command, ${remedy}`, { ...USAGE, code: "commander.unknownCommand" });
}

function pathOf(command: Command): string {
  return command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();
}

/** For commands about a model: what a word without a flag may have been meant as. */
export function modelOr(other: (word: string) => string): (word: string) => string {
  return (word) =>
    existsSync(word) && !/\.(txt|jsonl|csv|tsv|parquet|bin|md)$/i.test(word)
      ? `give a model with --model ${shellPath(word)}`
      : other(word);
}
