/** What paths mean on each system, as pure functions, so that tests ask for all of them on one. */
import { type PlatformPath, posix, win32 } from "node:path";
import { fileURLToPath } from "node:url";
import { userError } from "../../core/errors.ts";

export function pathsOf(platform: NodeJS.Platform): PlatformPath {
  return platform === "win32" ? win32 : posix;
}

/** The path that was typed, which may be a file: URL. */
export function typedPath(text: string, platform: NodeJS.Platform = process.platform): string {
  if (!/^file:/i.test(text)) return text;
  try {
    return fileURLToPath(text, { windows: platform === "win32" });
  } catch (error) {
    return userError(`${text}: is no path of this machine (${(error as Error).message}); wanted a path`);
  }
}

export interface Surroundings {
  readonly platform: NodeJS.Platform;
  readonly env: NodeJS.ProcessEnv;
  /** The user's own folder, and the system's for temporary files. */
  readonly home: string;
  readonly temporary: string;
  /** The user's number, where the system has such. */
  readonly uid: number | undefined;
}

export interface CachePath {
  readonly path: string;
  /** Lies in a folder that everybody may write to. */
  readonly shared: boolean;
}

/**
 * Where to keep what is made once, best first: $GPT2_CACHE alone, or the user's cache, or the folder for temporary files.
 * The user's cache is $XDG_CACHE_HOME where that is set, %LOCALAPPDATA%, ~/Library/Caches or ~/.cache.
 */
export function cachePaths({ platform, env, home, temporary, uid }: Surroundings): CachePath[] {
  const { join, isAbsolute } = pathsOf(platform);
  if (env.GPT2_CACHE) return [{ path: env.GPT2_CACHE, shared: false }];
  const usual = {
    win32: () => env.LOCALAPPDATA || (home && join(home, "AppData", "Local")),
    darwin: () => home && join(home, "Library", "Caches"),
    other: () => home && join(home, ".cache"),
  }[platform === "win32" || platform === "darwin" ? platform : "other"];
  // A relative one is to be ignored (XDG Base Directory Specification 0.8).
  const xdg = env.XDG_CACHE_HOME && isAbsolute(env.XDG_CACHE_HOME) ? env.XDG_CACHE_HOME : undefined;
  const cache = (platform === "win32" ? undefined : xdg) ?? usual();
  return [
    ...(cache ? [{ path: join(cache, "webgpu-gpt2"), shared: false }] : []),
    // On Windows everybody has one of their own.
    { path: join(temporary, uid === undefined ? "webgpu-gpt2" : `webgpu-gpt2-${uid}`), shared: uid !== undefined },
  ];
}

/** Whether a path may be a pattern such as data/*.jsonl; where a file is called so, it is none. */
export function mayBePattern(path: string): boolean {
  return /[*?[\]{}]/.test(path);
}

/**
 * A pattern cut into the folder that it begins with, named as it is, and the rest, with slashes: what is called `[old]` and
 * is a folder stands for itself.
 */
export function splitPattern(
  pattern: string,
  isFolder: (path: string) => boolean,
  platform: NodeJS.Platform = process.platform,
): { readonly folder: string; readonly rest: string } {
  const { parse } = pathsOf(platform);
  const { root } = parse(pattern);
  const parts = pattern.slice(root.length).split(platform === "win32" ? /[\\/]+/ : /\/+/);
  let folder = root;
  while (parts.length > 1) {
    const next = `${folder}${parts[0]}`;
    if (mayBePattern(parts[0]!) && !isFolder(next)) break;
    folder = `${next}/`;
    parts.shift();
  }
  return { folder, rest: parts.join("/") };
}

const LONGEST_NAME = 100;
/** Names of devices on Windows, with any extension. */
const RESERVED = /^(con|prn|aux|nul|com[\d\u00b9\u00b2\u00b3]|lpt[\d\u00b9\u00b2\u00b3]|conin\$|conout\$)(\.|$)/i;

/** A name that every system takes for a file: none that Windows reserves, no sign that means something in a path or a shell. */
export function fileSafe(name: string): string {
  let safe = name
    .replace(/[<>:"|?*\\/]+/g, "-")
    .replace(/[\p{Cc}\p{Cs}\u2028-\u202e\u2066-\u2069]/gu, "")
    .replace(/^[\s.-]+/, "");
  while (Buffer.byteLength(safe) > LONGEST_NAME) safe = [...safe].slice(0, -1).join("");
  safe = safe.replace(/[\s.-]+$/, "");
  return RESERVED.test(safe) ? `_${safe}` : safe;
}

/** A name for a run of this data: of a pattern, what is not one; `isFile` tells patterns from files that are called like one. */
export function runName(
  data: string | undefined,
  isFile: (path: string) => boolean,
  platform: NodeJS.Platform = process.platform,
): string {
  if (data === undefined) return "run";
  if (data === "-") return "stdin";
  // What a shell has for `<(program)`: a number that says nothing.
  if (platform !== "win32" && /^\/(dev|proc\/self)\/fd\/\d+$/.test(data)) return "pipe";
  const { basename, dirname } = pathsOf(platform);
  const pattern = mayBePattern(data) && !isFile(data);
  const plain = (name: string): string =>
    fileSafe(pattern ? name.replace(/\[[^\]]*\]|\{[^}]*\}|[*?[\]{}]+/g, "") : name);
  const name = plain(basename(data).replace(/\.[^.]*$/, ""));
  if (name || !pattern) return name || "run";
  return plain(basename(dirname(data))) || "run";
}
