/** Whether `mpirun` or `srun` has started this process as one of several, by its environment. */

/** What whoever starts processes says of this one. */
export interface Launched {
  readonly rank: number;
  readonly size: number;
  /** What the environment calls the rank. */
  readonly variable: string;
  /** All ranks are known to be on this host. */
  readonly allHere: boolean;
  /** Libraries that may be the one that it was started for, the likeliest first. */
  readonly libraries: readonly string[];
}

/** A launcher's names for rank and size, and the libraries of its MPI. */
interface Launcher {
  readonly rank: string;
  readonly size: string;
  /** How many of the ranks are on this host. */
  readonly here?: string;
  readonly libraries: readonly string[];
}

const OPEN_MPI = ["libmpi.so.40", "libmpi.so", "libmpi.dylib"];
const MPICH = ["libmpich.so.12", "libmpi.so.12", "libmpich.so", "libmpi.dylib"];
/** Of any MPI that has the standard ABI of MPI 5; its own library, where there is one, is surely the launcher's. */
const ABI = ["libmpi_abi.so.1", "libmpi_abi.so", "libmpi_abi.dylib"];

/** In the order in which they are asked: Slurm's own, which also an sbatch script's processes might have, come last. */
const LAUNCHERS: readonly Launcher[] = [
  {
    rank: "OMPI_COMM_WORLD_RANK",
    size: "OMPI_COMM_WORLD_SIZE",
    here: "OMPI_COMM_WORLD_LOCAL_SIZE",
    libraries: [...OPEN_MPI, ...ABI],
  },
  { rank: "PMI_RANK", size: "PMI_SIZE", here: "MPI_LOCALNRANKS", libraries: [...MPICH, ...ABI, ...OPEN_MPI] },
  { rank: "PMIX_RANK", size: "SLURM_STEP_NUM_TASKS", libraries: [...OPEN_MPI, ...MPICH, ...ABI] },
  { rank: "SLURM_PROCID", size: "SLURM_STEP_NUM_TASKS", libraries: [...OPEN_MPI, ...MPICH, ...ABI] },
];

/** A library to use instead of those that are looked for. */
export const LIBRARY_VARIABLE = "GPT2_MPI_LIBRARY";

/** What started this process as one of several, by its environment; undefined where it is by itself. */
export function launchedAs(environment: NodeJS.ProcessEnv = process.env): Launched | undefined {
  for (const { rank, size, here, libraries } of LAUNCHERS) {
    const [own, all] = [environment[rank], environment[size]].map((text) => Number(text || Number.NaN));
    if (own === undefined || all === undefined || !Number.isInteger(own) || !Number.isInteger(all)) continue;
    if (all < 2) return undefined;
    const wanted = environment[LIBRARY_VARIABLE];
    const allHere = here !== undefined && Number(environment[here]) === all;
    return { rank: own, size: all, variable: rank, allHere, libraries: wanted ? [wanted] : libraries };
  }
  return undefined;
}
