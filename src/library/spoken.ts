/** What is said below in the words of the command line, as a program says it: it wrote `maxSteps`, and no `--max-steps`. */
import { NotFiniteError, UserError } from "../core/errors.ts";
import { flagName, SETTING_KEYS, SETTINGS } from "../run/settings/table.ts";

const NAMES: ReadonlyMap<string, string> = new Map([
  ...SETTING_KEYS.flatMap((key) => [
    [flagName(key), key] as const,
    ...SETTINGS[key].aliases.map((alias) => [`--${alias.replaceAll("_", "-")}`, key] as const),
  ]),
  // What is an argument here, or an option of a call.
  ["--data", "data"],
  ["--eval-data", "{ train, evaluate }"],
  ["--model", "loadModel"],
  ["--adapter", "adapter"],
  ["--device", "device"],
  ["--output-dir", "storage"],
]);

const PHRASES: readonly (readonly [command: RegExp, program: string])[] = [
  [/--eval-data FILES/g, "--eval-data"],
  [/ as --model\b/g, " to loadModel"],
  [/, or name it with --config\b/g, ""],
  [/, --prompt-format\b/g, ""],
];

/** A whole command is to be typed as it stands, and so is what holds dashes by itself, as a path may. */
const FLAG_OR_COMMAND = /gpt2 (?:train|generate|merge|eval)\b[^;`]*|(?<![^\s(`])--[a-z0-9-]*[a-z0-9](?!\.?\w|[/\\])/g;

/** A line for whoever wrote a program; `call` is what was called, where the command is `train`. */
export function asProgram(message: string, call = "finetune"): string {
  let told = message.replace(/^train(?=: )/, call);
  for (const [command, program] of PHRASES) told = told.replace(command, program);
  return told.replace(FLAG_OR_COMMAND, (word) => NAMES.get(word) ?? word);
}

/** What `act` gives, for `call`; a `UserError` of it speaks as a program does. */
export async function speaking<T>(call: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const message = asProgram(error.message, call);
    if (message === error.message) throw error;
    if (error instanceof NotFiniteError) throw new NotFiniteError(message);
    throw new UserError(message, { kind: error.kind, cause: error });
  }
}
