/** Settings that were said, checked by the table that the command line's are checked by. */
import { userError } from "../../../src/core/errors.ts";
import { fieldElsewhere } from "../../../src/run/settings/elsewhere.ts";
import { idleSettings } from "../../../src/run/settings/idle.ts";
import { settingsFromJson } from "../../../src/run/settings/json.ts";
import { resolveSettings } from "../../../src/run/settings/resolve.ts";
import type { TrainSettings } from "../../../src/run/settings/table.ts";
import type { SaidSettings } from "../protocol.ts";

/** What a page knows by itself: its data and models are no settings. */
const NOT_HERE = ["data", "eval_data", "model"];

/** Files of data, where they are known, and the model that is trained on from. */
export interface Chosen {
  readonly data?: readonly string[] | undefined;
  readonly base?: string | undefined;
}

/** Throws a `UserError` that names what is wrong. `notices`: of what does nothing in such a run. */
export function settingsOf(
  said: SaidSettings,
  { data, base }: Chosen = {},
): { settings: TrainSettings; notices: string[] } {
  const foreign = NOT_HERE.find((name) => name in said);
  if (foreign) userError(`settings: ${foreign} is chosen on the page, not set`, "usage");
  if ("fast_reduce" in said)
    userError("settings: fast_reduce is for many machines, and a page is one; leave it out", "usage");
  const typed = {
    ...settingsFromJson(said, "settings", fieldElsewhere),
    ...(base === undefined ? {} : { model: base }),
  };
  const settings = resolveSettings({ typed });
  refuseAbsurd(settings);
  return { settings, notices: idleSettings({ ...settings, data }, typed) };
}

/** What no browser holds: said before anything of that size is planned. */
const MOST_BYTES = 2 ** 36;
const MOST_LAYERS = 256;

function refuseAbsurd(settings: TrainSettings): void {
  const { nLayer, nEmbd, nPositions, perDeviceTrainBatchSize } = settings;
  if (nLayer > MOST_LAYERS) userError(`n_layer is ${nLayer}; wanted at most ${MOST_LAYERS} on a page`, "usage");
  // Weights, gradients and two moments.
  const weights = 16 * (12 * nLayer * nEmbd ** 2 + nPositions * nEmbd);
  const activations = 4 * perDeviceTrainBatchSize * nPositions * nEmbd;
  if (weights + activations > MOST_BYTES)
    userError(
      `n_layer ${nLayer}, n_embd ${nEmbd}, n_positions ${nPositions} and per_device_train_batch_size ` +
        `${perDeviceTrainBatchSize} take more memory than any browser gives; make them smaller`,
      "memory",
    );
}
