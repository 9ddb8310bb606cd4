import { setTimeout as sleep } from "node:timers/promises";
import { UserError, userError } from "../../core/errors.ts";

const UNREACHABLE = "the hub is unreachable";

/** Whether the hub did not answer at all: the cache may help, or time. */
export function isUnreachable(error: unknown): error is UserError {
  return error instanceof UserError && error.cause === UNREACHABLE;
}

interface Asked {
  readonly name: string;
  readonly revision: string;
  readonly endpoint: string;
  readonly token: string | undefined;
  readonly retryMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Requests made in all before a server that is busy or broken is given up. */
const TRIES = 4;

/** `fetch` that repeats what may pass by itself, and turns what does not into one clear line. */
export function checkedFetch(asked: Asked): typeof fetch {
  return async (input, init) => {
    for (let tries = 1; ; tries++) {
      const response = await reach(asked, () => fetch(input, withSignal(init, asked.signal)));
      if (response.ok) return response;
      const passing = response.status === 429 || response.status >= 500;
      if (!passing || tries === TRIES) return refused(asked, response);
      await response.body?.cancel();
      await sleep(asked.retryMs * 2 ** (tries - 1));
      asked.signal?.throwIfAborted();
    }
  };
}

/** Who has a signal of its own ends it with this one. */
function withSignal(init: RequestInit = {}, signal: AbortSignal | undefined): RequestInit {
  return signal && !init.signal ? { ...init, signal } : init;
}

async function reach({ endpoint, signal }: Asked, request: () => Promise<Response>): Promise<Response> {
  try {
    return await request();
  } catch (error) {
    signal?.throwIfAborted();
    const { cause } = error as { cause?: { code?: string; message?: string } };
    const why = cause?.code ?? cause?.message ?? (error instanceof Error ? error.message : String(error));
    throw new UserError(`${endpoint} cannot be reached (${why})`, { cause: UNREACHABLE });
  }
}

function refused({ name, revision, endpoint, token }: Asked, response: Response): never {
  const code = response.headers.get("X-Error-Code") ?? "";
  const { status } = response;
  if (code === "GatedRepo" || (status === 403 && code === "")) {
    const who = token === undefined ? "set HF_TOKEN to a token of that account" : "HF_TOKEN must be of that account";
    return userError(`${name}: is gated; accept its conditions at ${endpoint}/${name}, and ${who}`);
  }
  if (code === "RevisionNotFound") return userError(`${name}: has no revision "${revision}"`);
  if (status === 401 && token !== undefined && code === "")
    return userError("HF_TOKEN: is not accepted; make a new one");
  if (status === 401 || status === 404) {
    const unless = token === undefined ? "set HF_TOKEN if it is private" : "or HF_TOKEN may not read it";
    return userError(`${name}: the hub has no such model; check the name, ${unless}`);
  }
  if (status === 429) return userError(`${endpoint}: too many requests; wait a few minutes, or set HF_TOKEN`);
  return userError(`${name}: ${endpoint} answered ${status}; try later`);
}
