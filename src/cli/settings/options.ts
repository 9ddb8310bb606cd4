import { type Command, InvalidArgumentError, Option } from "commander";
import { userError } from "../../core/errors.ts";
import { type Setting, UnwantedValue } from "../../run/settings/kinds.ts";
import {
  fileName,
  flagName,
  SETTING_KEYS,
  SETTINGS,
  type SettingKey,
  type TrainSettings,
} from "../../run/settings/table.ts";

/** Adds a flag for every setting to a command; what is not typed stays undefined, so that layers can tell. */
export function addSettings(command: Command): Command {
  for (const key of SETTING_KEYS) for (const option of optionsOf(key)) command.addOption(option);
  return command;
}

/** The settings that were typed. Throws `UserError` where one was typed by two names. */
export function typedSettings(flags: Readonly<Record<string, unknown>>): Partial<TrainSettings> {
  return Object.fromEntries(
    SETTING_KEYS.flatMap((key) => {
      const names = [fileName(key), ...SETTINGS[key].aliases];
      const given = names.filter((name) => flags[camelCase(name)] !== undefined);
      if (given.length > 1)
        userError(`train: ${given.map(flagOf).join(" and ")} are one setting by two names; leave out one`, "usage");
      return given.map((name) => [key, flags[camelCase(name)]]);
    }),
  ) as Partial<TrainSettings>;
}

function optionsOf(key: SettingKey): Option[] {
  const setting = SETTINGS[key];
  const names = [flagName(key), ...setting.aliases.map(flagOf)];
  const value = setting.placeholder === undefined ? "" : ` ${setting.placeholder}`;
  const shown = setting.default === undefined || setting.default === false ? "" : `, default ${setting.default}`;
  const [first, ...rest] = names;
  const make = (name: string, help: string): Option => {
    const option = new Option(`${name}${value}`, help).helpGroup(setting.group);
    return setting.placeholder === undefined
      ? option
      : option.argParser((typed, before) => parsed(setting, typed, before));
  };
  const also = rest.length === 0 ? "" : `; also ${rest.join(", ")}`;
  // One that is on needs a way to turn it off; both together leave what is not typed undefined.
  const off =
    setting.default === true
      ? [new Option(`--no-${fileName(key).replaceAll("_", "-")}`, "without it").helpGroup(setting.group)]
      : [];
  return [make(first!, `${setting.help}${shown}${also}`), ...rest.map((name) => make(name, "").hideHelp()), ...off];
}

function parsed(setting: Setting<unknown>, typed: string, before: unknown): unknown {
  try {
    return setting.parse(typed, before);
  } catch (error) {
    throw error instanceof UnwantedValue ? new InvalidArgumentError(error.message) : error;
  }
}

function flagOf(name: string): string {
  return `--${name.replaceAll("_", "-")}`;
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
