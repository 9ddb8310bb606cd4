import { ALONE } from "./collective.ts";
import type { Team } from "./team.ts";

/** One process as a team: there is nobody to wait for, and nobody to tell. */
export const ALONE_TEAM: Team = {
  rank: 0,
  size: 1,
  name: ALONE.name,
  async meet(said = [], failure) {
    if (failure) throw failure.error;
    return [Uint32Array.of(0, ...said)];
  },
  together: async (work) => work(),
  lead: async (work) => work(),
  broadcast: ALONE.broadcast,
  sums: ALONE.sums,
  inTurn: (work) => work(),
  with: () => ALONE_TEAM,
  knows: () => false,
};
