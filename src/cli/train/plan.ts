/** The plan of a run of the command line, with model and data opened. */
import { userError } from "../../core/errors.ts";
import type { OpenData } from "../../data/open.ts";
import { nodeFolder } from "../../platform/node/storage.ts";
import { dataOptionsOf, tokenizerOf } from "../../run/data.ts";
import type { OpenModel } from "../../run/model.ts";
import { planTraining, type TrainPlan } from "../../run/plan.ts";
import { alphabetOfRun, charactersOf } from "../../run/resume.ts";
import type { TrainSettings } from "../../run/settings/table.ts";
import { charTokenizerOf } from "../../text/char.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";
import { ALONE_TEAM } from "../../train/alone.ts";
import type { Team } from "../../train/team.ts";
import { openModel } from "../model-source.ts";
import { openDataFiles } from "../open-data.ts";
import { createDataProgress } from "../progress.ts";
import { withAbsolutePaths } from "../settings/paths.ts";

/** What a plan is made for. */
export interface PlanFor {
  /** The directory of a run to go on with. */
  readonly resume?: string | undefined;
  /** Nothing is written that stays. */
  readonly dry?: boolean;
  /** Gives up. */
  readonly signal?: AbortSignal;
  /** Ranks that need it all: the first one opens, and keeps, what the others then find. */
  readonly team?: Team | undefined;
}

export interface OpenPlan {
  readonly plan: TrainPlan;
  /** Closes model and data. */
  close(): Promise<void>;
}

/** Opens model and data of a run, and plans it; `close` what it gives. */
export async function openPlan(
  settings: TrainSettings,
  { resume, dry = false, signal, team = ALONE_TEAM }: PlanFor = {},
): Promise<OpenPlan> {
  let alphabet: Alphabet | undefined;
  let model: OpenModel | undefined;
  let plan: TrainPlan | undefined;
  const open = async (): Promise<void> => {
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
    alphabet = await team.lead(() => alphabetOf(settings, resume));
    await team.together(() => (team.rank === 0 ? open() : undefined));
    await team.together(() => (team.rank === 0 ? undefined : open()));
    return { plan: plan!, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The characters of a run that learnt some, of which the first rank alone has the directory. */
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
