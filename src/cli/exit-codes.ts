import { CommanderError } from "commander";
import { DeviceLostError, type ErrorKind, UserError } from "../core/errors.ts";
import { RankLostError } from "../train/collective.ts";
import { RankFailedError } from "../train/team.ts";
import { Interrupted } from "./interrupt.ts";

/** What the process exits with, by what went wrong; docs/exit-codes.md says the same in words. */
export const EXIT_CODES: Readonly<Record<ErrorKind, number>> = {
  input: 1,
  usage: 2,
  memory: 3,
  diverged: 4,
  device: 5,
};

/** Of a process that ends since another one of its run was told to: as if it had been SIGTERM. */
export const STOPPED_CODE = 143;

export const EXIT_CODES_HELP = `
Exit codes: 0 done (also what --help says, and a run that --max-hours ended),
1 an input, a file or a failed check, 2 the command line, 3 out of memory,
4 diverged, 5 no such device or one that was lost, 128+n ended by signal n
(130 Ctrl-C, 143 SIGTERM, 129 a closed terminal).`;

/**
 * How a command ended that threw `error`, and the line to print, if it has not been said; undefined: a bug. `stopped`: why it
 * was to end, if it was; what breaks where work is left off for that is no bug.
 */
export function endOf(
  error: unknown,
  stopped?: unknown,
): { readonly code: number; readonly line?: string } | undefined {
  // Commander has printed what was wrong, or the help that was asked for.
  if (error instanceof CommanderError) return { code: error.exitCode === 0 ? 0 : EXIT_CODES.usage };
  if (error instanceof Interrupted) return { code: error.exitCode, line: error.message };
  if (error instanceof UserError) return { code: EXIT_CODES[error.kind], line: error.message };
  // The rank that cannot go on says why.
  if (error instanceof RankFailedError) return { code: codeOf(error) };
  if (error instanceof RankLostError) return { code: 1, line: error.message };
  if (error instanceof DeviceLostError) return { code: EXIT_CODES.device, line: error.message };
  if (error instanceof RangeError && /allocation failed/i.test(error.message)) {
    const line = `this machine has not enough memory (${error.message}); use a smaller model, batch or context`;
    return { code: EXIT_CODES.memory, line };
  }
  return stopped instanceof Interrupted ? endOf(stopped) : undefined;
}

function codeOf({ failure }: RankFailedError): number {
  if (failure === "stopped") return STOPPED_CODE;
  if (failure === "bug") return 1;
  return failure === "device-lost" ? EXIT_CODES.device : EXIT_CODES[failure];
}
