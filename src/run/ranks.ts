/** What the ranks of a run have to know of each other. */
import { userError } from "../core/errors.ts";
import { createDigest } from "../data/digest.ts";
import type { Team } from "../train/team.ts";
import type { TrainPlan } from "./plan.ts";

/** Throws a `UserError` where ranks do not train the same, or there are more of them than a step has batches. */
export async function checkRanks(team: Team, plan: TrainPlan): Promise<void> {
  const { size } = team;
  const { accumulation = 1 } = plan.options;
  await team.together(() => {
    if (accumulation < size)
      userError(
        `a step of this run has ${accumulation === 1 ? "one batch" : `${accumulation} batches`}, too few for ${size} ranks; ` +
          `use ${accumulation === 1 ? "one process" : `at most ${accumulation} ranks`}, or give --gradient-accumulation-steps and a smaller --batch-size`,
        "usage",
      );
  });
  const { cache: _, ...report } = plan.data.report;
  const { config, options, source } = plan;
  const { stepsPerEpoch, rowsPerStep, longest } = source;
  const digest = digestOf(JSON.stringify([config, options, report, { stepsPerEpoch, rowsPerStep, longest }]));
  const said = await team.meet([digest]);
  const odd = said.findIndex(([, other]) => other !== said[0]![1]);
  await team.together(() => {
    if (odd >= 0)
      userError(
        `rank ${odd} has other data, or another model to begin with, than rank 0; all ranks must see the same files`,
      );
  });
}

/** 32 bits. */
function digestOf(text: string): number {
  const digest = createDigest();
  digest.add(new TextEncoder().encode(text));
  return Number.parseInt(digest.finish().slice(0, 8), 16);
}
