/**
 * A mistake that the person at the keyboard can mend: bad input, a bad option, a machine without an adapter.
 * The command line prints its message as one line, without a stack, and exits with 1. Everything else is a bug.
 */
export class UserError extends Error {
  override name = "UserError";
}

/** Weights or moments hold a number that is not finite, so that they are not saved: the run has diverged. */
export class NotFiniteError extends UserError {
  override name = "NotFiniteError";
}

/** The device went away: its driver was reset or removed, or someone destroyed it. What lay on it is lost; open another. */
export class DeviceLostError extends Error {
  override name = "DeviceLostError";
}

/** What was asked for, or was still awaited, when the runtime or its device was closed by whoever owns it. */
export class ClosedError extends Error {
  override name = "ClosedError";
}

/** Throws a `UserError` whose message says where it happened, what was got, what was wanted and what to do. */
export function userError(message: string): never {
  throw new UserError(message);
}
