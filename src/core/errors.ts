/**
 * What a `UserError` is about: something that was read or could not be written; what was asked for, whatever the files say;
 * memory that there is not; a run that has diverged; a device that there is not, or that cannot do it.
 */
export type ErrorKind = "input" | "usage" | "memory" | "diverged" | "device";

export interface UserErrorOptions extends ErrorOptions {
  /** "input" where absent. */
  readonly kind?: ErrorKind;
}

/**
 * A mistake that the person at the keyboard can mend: bad input, a bad option, a machine without an adapter.
 * The command line prints its message as one line, without a stack, and its kind decides the exit code. Everything else is a bug.
 */
export class UserError extends Error {
  override name = "UserError";
  readonly kind: ErrorKind;

  constructor(message: string, { kind = "input", ...options }: UserErrorOptions = {}) {
    super(message, options);
    this.kind = kind;
  }
}

/** Weights or moments hold a number that is not finite, so that they are not saved: the run has diverged. */
export class NotFiniteError extends UserError {
  override name = "NotFiniteError";

  constructor(message: string) {
    super(message, { kind: "diverged" });
  }
}

/** The device went away: its driver was reset or removed, or someone destroyed it. What lay on it is lost; open another. */
export class DeviceLostError extends Error {
  override name = "DeviceLostError";
}

/** Somebody asked for the work to end: the reason of an `AbortSignal`. Whoever explains errors passes it on as it is. */
export class StoppedError extends Error {
  override name = "StoppedError";
}

/** What was asked for, or was still awaited, when the runtime or its device was closed by whoever owns it. */
export class ClosedError extends Error {
  override name = "ClosedError";
}

/** Throws a `UserError` whose message says where it happened, what was got, what was wanted and what to do. */
export function userError(message: string, kind: ErrorKind = "input"): never {
  throw new UserError(message, { kind });
}

/** Messages about what lies at a path, with the path before them. */
export async function within<T>(path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof UserError) || error.message.startsWith(path)) throw error;
    throw new UserError(`${path}: ${error.message}`, { kind: error.kind, cause: error });
  }
}
