import { userError } from "../../core/errors.ts";
import { nearest } from "../../core/nearest.ts";
import { shown } from "../../core/shown.ts";
import { BROUGHT, EITHER, fileName, SETTING_KEYS, SETTINGS, type SettingKey, type TrainSettings } from "./table.ts";

/** Settings by the names that are understood. */
export type SettingNames = ReadonlyMap<string, SettingKey>;

/** In a file: snake case. */
const FILE_NAMES: SettingNames = new Map(
  SETTING_KEYS.flatMap((key) => [fileName(key), ...SETTINGS[key].aliases].map((name) => [name, key] as const)),
);
/** In a program: `learningRate` or `learning_rate`. */
export const PROGRAM_NAMES: SettingNames = new Map([...SETTING_KEYS.map((key) => [key, key] as const), ...FILE_NAMES]);

/** What another tool's setting of a name and value is here, a remedy; `fieldElsewhere` knows those of Hugging Face. */
export type FieldElsewhere = (name: string, value: unknown) => string | undefined;

/** Whether an object has only names that are settings, so that nobody need know those of other tools. */
export function allAreSettings(json: object, names: SettingNames): boolean {
  return Object.keys(json).every((name) => names.has(name));
}

/**
 * The settings that a JSON object gives, by their names in snake case, or by `names`; null stands for what is not said.
 * `where` opens messages. Throws `UserError` naming the field: one that is unknown, or what it got and what was wanted.
 */
export function settingsFromJson(
  json: unknown,
  where: string,
  elsewhere: FieldElsewhere = () => undefined,
  names: SettingNames = FILE_NAMES,
): Partial<TrainSettings> {
  if (typeof json !== "object" || json === null || Array.isArray(json))
    userError(`${where}: wanted a JSON object of settings, such as {"learning_rate": 5e-5}`);
  const settings: Partial<Record<SettingKey, unknown>> = {};
  const said = new Map<SettingKey, string>();
  const unknown: string[] = [];
  for (const [name, value] of Object.entries(json)) {
    const key = names.get(name);
    if (key === undefined) {
      const remedy = elsewhere(name, value);
      if (remedy === undefined || !isSilent(value))
        unknown.push(`${name} is not a setting; ${remedy ?? remedyFor(name, names)}`);
      continue;
    }
    if (value === null) continue;
    // A single file or prompt needs no list.
    const given = SETTINGS[key].wanted === "a list of texts" && typeof value === "string" ? [value] : value;
    if (!SETTINGS[key].accepts(given))
      userError(`${where}: ${name} is ${written(value)}; wanted ${SETTINGS[key].wanted}`);
    const other = said.get(key);
    if (other !== undefined) userError(`${where}: ${other} and ${name} are the same; leave out one`);
    said.set(key, name);
    settings[key] = given;
  }
  if (unknown.length > 0) userError(`${where}: ${unknown.join("; ")}`);
  return settings as Partial<TrainSettings>;
}

/** The same, out of a file's text. */
export function parseSettings(text: string, where: string, elsewhere?: FieldElsewhere): Partial<TrainSettings> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return userError(`${where}: is not valid JSON (${(error as Error).message.replace(/\s+/g, " ")})`);
  }
  // run.json and training_args.json of a run can be given as they are.
  const inner = typeof json === "object" && json !== null && "settings" in json ? json.settings : json;
  return settingsFromJson(inner, where, elsewhere);
}

/**
 * A resolved configuration as a file has it: what is not set is left out, and so is what another setting says already, so
 * that the file can be given as it is.
 */
export function settingsToJson(settings: TrainSettings): Record<string, unknown> {
  const silent = new Set<SettingKey>(SETTING_KEYS.filter((key) => settings[key] === undefined));
  if (settings.model !== undefined) for (const key of BROUGHT) silent.add(key);
  for (const [a, b] of EITHER) {
    if (settings[a] !== undefined && settings[b] !== undefined) silent.add(settings[a] === 0 ? a : b);
  }
  return Object.fromEntries(
    SETTING_KEYS.filter((key) => !silent.has(key)).map((key) => [fileName(key), settings[key]]),
  );
}

/** Says nothing, as most of what a dump of another tool's settings has. */
function isSilent(value: unknown): boolean {
  const off = Array.isArray(value) ? (value.length > 1 ? value : (value[0] ?? "")) : value;
  return off === null || off === false || off === "" || off === "no" || off === "none";
}

/** As JSON has it; a program may give what JSON has not. */
function written(value: unknown): string {
  const isJson = typeof value === "string" || (typeof value === "object" && value !== null);
  return isJson ? JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? `${inner}n` : inner)) : shown(value);
}

function remedyFor(name: string, names: SettingNames): string {
  const near = nearest(name, [...names.keys()]);
  return near ? `did you mean ${near}?` : "`gpt2 train --help` lists them";
}
