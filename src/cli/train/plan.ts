/** The plan of a run of the command line, with model and data opened. */
import { userError } from "../../core/errors.ts";
import type { OpenData } from "../../data/open.ts";
import { modelOfRun } from "../../node/run-model.ts";
import { typedPath } from "../../platform/node/paths.ts";
import { nodeFolder } from "../../platform/node/storage.ts";
import { dataOptionsOf, tokenizerOf } from "../../run/data.ts";
import type { OpenModel } from "../../run/model.ts";
import { planTraining, type TrainPlan } from "../../run/plan.ts";
import { alphabetOfRun, charactersOf } from "../../run/resume.ts";
import type { TrainSettings } from "../../run/settings/table.ts";
import { charTokenizerOf } from "../../text/char.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";
import type { Team } from "../../train/team.ts";
import { openModel } from "../model-source.ts";
import { openDataFiles } from "../open-data.ts";
import { createDataProgress } from "../progress.ts";
import { withAbsolutePaths } from "../settings/paths.ts";
import { terminal } from "../terminal.ts";
import { settingsOfCommandLine, type TrainFlags, type TrainOptions } from "./settings.ts";

/** What a plan is made for. */
export interface PlanFor {
  /** The directory of a run to go on with. */
  readonly resume?: string | undefined;
  /** Nothing is written that stays. */
  readonly dry?: boolean;
  /** Gives up. */
  readonly signal?: AbortSignal;
  /** Ranks that need it all: the first one opens, and keeps, what the others then find. */
  readonly team: Team;
}

export interface OpenPlan {
  readonly plan: TrainPlan;
  /** Closes model and data. */
  close(): Promise<void>;
}

/** A run as it was typed: its plan, and how and where it is made. */
export interface TypedRun extends OpenPlan {
  readonly options: TrainOptions;
}

/** Plans what a command line asks for; `close` what it gives. The first rank reads what there is to read of a run, and says where to begin. */
export async function openTyped(
  files: readonly string[],
  flags: TrainFlags,
  { team, signal }: { readonly team: Team; readonly signal: AbortSignal },
): Promise<TypedRun> {
  const { settings, options } = await team.lead(() => settingsOfCommandLine(files, flags, team.size, signal));
  if (team.size > 1) await (await import("../ranks.ts")).tellOtherWords(team, process.argv.slice(2));
  const { resume } = options;
  return { options, ...(await openPlan(settings, { resume, dry: flags.dryRun === true, signal, team })) };
}

/** Opens model and data of a run, and plans it; `close` what it gives. `given`: on all ranks the same. */
export async function openPlan(
  given: TrainSettings,
  { resume, dry = false, signal, team }: PlanFor,
): Promise<OpenPlan> {
  let model: OpenModel | undefined;
  let plan: TrainPlan | undefined;
  const open = async ({ settings, alphabet }: Found): Promise<void> => {
    model = settings.model === undefined ? undefined : await openModel(settings.model, { signal });
    plan = await planTraining(settings, {
      model,
      tokenizer: alphabet && charTokenizerOf(alphabet.characters, alphabet),
      openData: (wanted, tokenizer) => openTrainingData(wanted, tokenizer, { dry, signal }),
      record: withAbsolutePaths,
    });
  };
  const close = async (): Promise<void> => {
    await plan?.data.close();
    await model?.close();
  };
  try {
    const found = await team.lead(() => findOut(given, resume));
    await team.together(() => (team.rank === 0 ? open(found) : undefined));
    await team.together(() => (team.rank === 0 ? undefined : open(found)));
    return { plan: plan!, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What the first rank says of runs, of which it alone has the directories. */
interface Found {
  readonly settings: TrainSettings;
  readonly alphabet: Alphabet | undefined;
}

async function findOut(given: TrainSettings, resume: string | undefined): Promise<Found> {
  const { model } = given;
  // Of a run that is not done, the checkpoint that is its newest now: later there may be others.
  const settings = model === undefined ? given : { ...given, model: await modelOfRun(typedPath(model), terminal.warn) };
  return { settings, alphabet: await alphabetOf(settings, resume) };
}

/** The characters of a run that learnt some. */
interface Alphabet {
  readonly characters: readonly string[];
  readonly endToken: boolean;
}

async function alphabetOf(settings: TrainSettings, resume: string | undefined): Promise<Alphabet | undefined> {
  const own = resume === undefined ? undefined : await alphabetOfRun(nodeFolder(resume), settings);
  return own && { characters: charactersOf(own), endToken: own.endId !== undefined };
}

/** Opens the data that settings name; `given`: the tokenizer that there is already. */
async function openTrainingData(
  settings: TrainSettings,
  given: Tokenizer | undefined,
  { dry, signal }: { readonly dry: boolean; readonly signal: AbortSignal | undefined },
): Promise<OpenData> {
  const files = settings.data ?? userError("train: wanted --data FILES, or --preset emails, which has some", "usage");
  const progress = createDataProgress();
  try {
    return await openDataFiles(
      { files, ...dataOptionsOf(settings), evalFiles: settings.evalData, cached: { dry } },
      given ?? tokenizerOf(settings),
      { ...progress.listener, signal },
    );
  } finally {
    progress.stop();
  }
}
