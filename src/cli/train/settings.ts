/** What a command line of `gpt2 train` asks for: the settings of a run, and how and where it is made. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { userError } from "../../core/errors.ts";
import { shellPath } from "../../core/shell.ts";
import { LORA_DEFAULTS } from "../../model/lora.ts";
import { readText, readTextUntil } from "../../node/files.ts";
import { notDirectory } from "../../platform/node/directories.ts";
import { typedPath } from "../../platform/node/paths.ts";
import { nodeFolder } from "../../platform/node/storage.ts";
import { LOCK_FILE, METRICS_FILE, REPORT_FILE, RUN_FILE, TENSORBOARD_FOLDER } from "../../run/files.ts";
import { runsBelow } from "../../run/runs-below.ts";
import { fieldElsewhere } from "../../run/settings/elsewhere.ts";
import { idleSettings } from "../../run/settings/idle.ts";
import { parseSettings, settingsFromJson, settingsToJson } from "../../run/settings/json.ts";
import { findPreset } from "../../run/settings/presets.ts";
import { resolveSettings } from "../../run/settings/resolve.ts";
import {
  BROUGHT,
  DEFAULTS,
  fileName,
  flagName,
  flagWith,
  LASTING,
  SETTING_KEYS,
  type SettingKey,
  type TrainSettings,
} from "../../run/settings/table.ts";
import { EXAMPLE_EMAILS } from "../open-data.ts";
import { checkRunDirectory } from "../run-directory.ts";
import type { RunPlace } from "../run-home.ts";
import { typedSettings } from "../settings/options.ts";
import { withAbsolutePaths, withFoundPaths } from "../settings/paths.ts";
import { terminal } from "../terminal.ts";

/** What is typed of a run, besides its settings. */
export interface TrainFlags extends Readonly<Record<string, unknown>> {
  readonly preset?: string;
  readonly config?: string;
  readonly resume?: string | undefined;
  readonly outputDir?: string;
  readonly device?: string;
  readonly memory?: number;
  readonly dryRun?: boolean;
  readonly tune?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly resumeIfExists?: boolean;
  readonly maxHours?: number;
  readonly collectiveTimeout?: number;
}

export interface TrainOptions extends RunPlace {
  readonly device: string | undefined;
  /** A run to go on with that is finished is left as it is, instead of refused. */
  readonly mayBeFinished?: boolean;
  /** GiB. */
  readonly memory: number | undefined;
  /** Measure kernels first. */
  readonly tune: boolean;
  /** Milliseconds since the start of the process after which to save and end. */
  readonly deadline?: number | undefined;
}

/** `ranks`: how many train together. Rejects with the reason of `signal` once it is aborted. Throws `UserError` where what was typed cannot be done. */
export async function settingsOfCommandLine(
  files: readonly string[],
  flags: TrainFlags,
  ranks: number,
  signal: AbortSignal,
): Promise<{ readonly settings: TrainSettings; readonly options: TrainOptions }> {
  const { device, outputDir, resumeIfExists = false, memory, maxHours } = flags;
  if (ranks > 1 && flags.dryRun) userError("train: --dry-run looks ahead in one process; leave out mpirun", "usage");
  if (resumeIfExists && outputDir === undefined)
    userError("train: --resume-if-exists looks for the run in --output-dir; give that, too", "usage");
  if (resumeIfExists && flags.resume !== undefined)
    userError("train: --resume and --resume-if-exists exclude each other; leave out one", "usage");
  const going = resumeIfExists && outputDir !== undefined && existsSync(join(outputDir, RUN_FILE));
  const resume = going ? outputDir : flags.resume;
  const { settings, said } = await settingsOf(files, { ...flags, resume }, { again: going, ranks, signal });
  for (const line of idleSettings(settings, said)) terminal.warn(line);
  if (ranks === 1 && settings.fastReduce)
    terminal.warn("--fast-reduce does nothing in one process, which sums in the order of its batches");
  if (ranks === 1 && flags.collectiveTimeout !== undefined)
    terminal.warn("--collective-timeout does nothing in one process, which waits for no other");
  if (flags.tune && flags.dryRun) terminal.warn("--tune does nothing with --dry-run, which keeps nothing");
  if (maxHours !== undefined && flags.dryRun)
    terminal.warn("--max-hours does nothing with --dry-run, which takes some steps");
  if (ranks > 1 && [settings.data, settings.evalData].some((files) => files?.includes("-")))
    userError("train: standard input is read once, and by one process; put the data into a file", "usage");
  const unbegun = resumeIfExists && outputDir !== undefined && isUnbegun(outputDir);
  if (resume === undefined && !unbegun) checkRunDirectory(outputDir, { dry: flags.dryRun === true });
  const options: TrainOptions = {
    device,
    outputDir,
    resume,
    mayBeFinished: going,
    memory,
    tune: flags.tune ?? false,
    deadline: maxHours === undefined ? undefined : maxHours * MS_PER_HOUR,
  };
  const begun = { settings, options };
  return ranks === 1 ? begun : { settings: forRanks(settings, said, ranks, { resume, going }), options };
}

/** A run knows how many batches a step has on all ranks together, so that any number of ranks can go on with it. */
function forRanks(
  settings: TrainSettings,
  said: Partial<TrainSettings>,
  ranks: number,
  { resume, going }: { readonly resume: string | undefined; readonly going: boolean },
): TrainSettings {
  const { gradientAccumulationSteps: each } = settings;
  const recorded = resume !== undefined && (going || said.gradientAccumulationSteps === undefined);
  const before = recorded ? readSettings(join(resume, RUN_FILE)).gradientAccumulationSteps : undefined;
  const gradientAccumulationSteps = recorded ? (before ?? each) : each * ranks;
  // More ranks than batches are refused, once the plan is known.
  if (gradientAccumulationSteps % ranks !== 0 && gradientAccumulationSteps > ranks)
    terminal.warn(
      `${gradientAccumulationSteps} batches a step do not divide among ${ranks} ranks: some wait while others compute the last ones`,
    );
  return { ...settings, gradientAccumulationSteps };
}

const MS_PER_HOUR = 3_600_000;

/** The settings of the run, and what a person said of them now. `again`: the command line may be that by which the run began. */
async function settingsOf(
  files: readonly string[],
  { preset, config, resume, outputDir, tune, ...flags }: TrainFlags,
  { again, ranks, signal }: { readonly again: boolean; readonly ranks: number; readonly signal: AbortSignal },
): Promise<{ settings: TrainSettings; said: Partial<TrainSettings> }> {
  const typed = withFiles(typedSettings(flags), files);
  if (resume === undefined) {
    const { settings, file } = await begun({ preset, config }, typed, signal);
    return { settings, said: { ...file, ...typed } };
  }
  for (const [name, value] of Object.entries({ preset, config, tune, "output-dir": outputDir })) {
    if (value !== undefined && !again)
      userError(`train: --resume goes on as its run began; leave out --${name}`, "usage");
  }
  if (files.length > 0 && !again)
    userError(`${files[0]}: a run goes on with its own data; leave this out, or say what it is with --data`, "usage");
  const none = notDirectory(resume);
  if (none !== undefined) userError(`${resume}: ${none}; wanted that of a run, such as runs/emails-1`);
  const file = join(resume, RUN_FILE);
  const above = dirname(resume);
  if (!existsSync(file) && existsSync(join(above, RUN_FILE)))
    userError(
      `${resume}: is a part of a run, which goes on by itself from its newest checkpoint: --resume ${shellPath(above)}`,
    );
  if (!existsSync(file)) {
    const below = await runsBelow(nodeFolder(resume));
    userError(`${resume}: has no ${RUN_FILE}; ${below ?? "is it the directory of a run?"}`);
  }
  const before = readSettings(file);
  rejectOtherModel(resume, before, typed);
  const { data, evalData, model, ...recorded } = before;
  // What is said anew need not be where it was.
  const paths = { data: typed.data ? undefined : data, evalData: typed.evalData ? undefined : evalData, model };
  const found = withFoundPaths(paths, resume, terminal.warn);
  const settings = resolveSettings({ file: { ...recorded, ...found }, typed });
  // How many batches a step has on all ranks together, the run knows; said again are those of one.
  const own: readonly SettingKey[] = again && ranks > 1 ? ["gradientAccumulationSteps"] : [];
  for (const line of changesOf(before, typed, own)) terminal.say(line);
  if (preset !== undefined || config !== undefined) {
    // The file by which it began may be gone, and is not needed.
    const source = { preset, config: config !== undefined && existsSync(config) ? config : undefined };
    const left = await leftOut(before, source, typed, { own, signal });
    if (left.length > 0)
      terminal.warn(
        `${resume}: goes on with its own settings, not with those of ${describeSource({ preset, config })}: ${firstOf(left)}; ` +
          "what shall change, say by its flag",
      );
  }
  return { settings, said: typed };
}

/** Where settings are that are not typed. */
interface Source {
  readonly preset: string | undefined;
  readonly config: string | undefined;
}

/** The settings of a run that begins, and those that are said elsewhere than on the command line. */
async function begun({ preset, config }: Source, typed: Partial<TrainSettings>, signal: AbortSignal) {
  const file = config ? parseSettings(await readTextUntil(config, signal), config, fieldElsewhere) : {};
  return { settings: resolveSettings({ preset, file: { ...dataOf(preset), ...file }, typed }), file };
}

function describeSource({ preset, config }: Source): string {
  const both = [
    ...(config === undefined ? [] : [`--config ${config}`]),
    ...(preset === undefined ? [] : [`--preset ${preset}`]),
  ];
  return both.join(" and ");
}

const MOST_TOLD = 4;

function firstOf(items: readonly string[]): string {
  const more = items.length - MOST_TOLD;
  return [...items.slice(0, MOST_TOLD), ...(more > 0 ? [`and ${more} more`] : [])].join(", ");
}

/** What a preset and a file, but no flag, now say otherwise than a run has it; `own`: what the run alone knows. */
async function leftOut(
  before: Partial<TrainSettings>,
  source: Source,
  typed: Partial<TrainSettings>,
  { own, signal }: { readonly own: readonly SettingKey[]; readonly signal: AbortSignal },
): Promise<string[]> {
  const { settings, file } = await begun(source, typed, signal);
  const said: Partial<TrainSettings> = { ...(source.preset === undefined ? {} : findPreset(source.preset)), ...file };
  // As its files have them, so that paths and two ways to say the same are compared alike.
  const now = settingsFromJson(settingsToJson(withAbsolutePaths(settings)), "settings");
  return SETTING_KEYS.filter(
    (key) => said[key] !== undefined && typed[key] === undefined && !own.includes(key),
  ).flatMap((key) => {
    const [was, is] = [before[key] ?? DEFAULTS[key], now[key]];
    if (is === undefined || String(was) === String(is)) return [];
    return [`${fileName(key)} ${is} (it has ${was ?? "none"})`];
  });
}

/** Throws `UserError` where what its checkpoints are made of is said otherwise than a run has it. */
function rejectOtherModel(run: string, before: Partial<TrainSettings>, typed: Partial<TrainSettings>): void {
  if (typed.model !== undefined && before.model === undefined)
    userError(`${run}: began with a new model, and goes on with it; leave out --model ${typed.model}`, "usage");
  const usual: Partial<TrainSettings> = { ...DEFAULTS, loraTargetModules: LORA_DEFAULTS.targets };
  for (const key of LASTING) {
    const said = typed[key];
    const brought = before.model !== undefined && BROUGHT.includes(key);
    const was = before[key] ?? (brought ? undefined : usual[key]);
    if (said === undefined || String(said) === String(was)) continue;
    const flag = key.startsWith("lora") && before.loraRank === undefined ? "LoRA" : flagName(key);
    const has = brought
      ? "goes on with the tokenizer and sizes of its model"
      : was === undefined || flag === "LoRA"
        ? `has no ${flag}, and goes on so`
        : `has ${flagWith(key, was)}, and goes on so`;
    userError(`${run}: ${has}; leave out ${flagWith(key, said)}`, "usage");
  }
}

/** What a preset trains on that has data of its own. */
function dataOf(preset: string | undefined): Partial<TrainSettings> {
  return preset === "emails" ? { data: [EXAMPLE_EMAILS] } : {};
}

/** Settings that are now other than those that a run went on with, and that do not only say how far it shall go. */
function changesOf(
  before: Partial<TrainSettings>,
  typed: Partial<TrainSettings>,
  own: readonly SettingKey[],
): string[] {
  const length: readonly SettingKey[] = ["maxSteps", "numTrainEpochs", "data", "evalData", ...own];
  const absolute = withAbsolutePaths({ model: typed.model });
  return SETTING_KEYS.filter((key) => typed[key] !== undefined && !length.includes(key)).flatMap((key) => {
    const now = key === "model" ? absolute.model : typed[key];
    const [was, is] = [before[key] ?? DEFAULTS[key], now].map((value) => String(value));
    return was === is ? [] : [`changed   ${flagName(key)} ${is}, before ${was === "undefined" ? "not set" : was}`];
  });
}

/** Files without a flag are data. */
function withFiles(typed: Partial<TrainSettings>, files: readonly string[]): Partial<TrainSettings> {
  return files.length === 0
    ? typed
    : { ...typed, data: [...files.map((file) => typedPath(file)), ...(typed.data ?? [])] };
}

/** Whether a run can begin in a directory: it is not there, or holds no more than one that was killed before its first step. */
function isUnbegun(directory: string): boolean {
  if (!existsSync(directory)) return true;
  if (!statSync(directory).isDirectory()) return false;
  const early = [LOCK_FILE, METRICS_FILE, REPORT_FILE, TENSORBOARD_FOLDER];
  return readdirSync(directory).every((name) => early.some((known) => name === known || name.startsWith(`${known}.`)));
}

function readSettings(path: string): Partial<TrainSettings> {
  return parseSettings(readText(path), path, fieldElsewhere);
}
