/** Settings that are paths: how a run records them, and where one that goes on finds them. */
import { existsSync } from "node:fs";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { globSync } from "tinyglobby";
import { userError } from "../../core/errors.ts";
import { STDIN } from "../../platform/node/data-files.ts";
import { isDirectory } from "../../platform/node/directories.ts";
import { mayBePattern, splitPattern, typedPath } from "../../platform/node/paths.ts";
import { flagName, type TrainSettings } from "../../run/settings/table.ts";

type Paths = Partial<Pick<TrainSettings, "data" | "evalData" | "model">>;

/** The same settings, with paths that mean the same in any directory. A model that is not on the disk is one of the hub. */
export function withAbsolutePaths<S extends Paths>(settings: S): S {
  return mapPaths(settings, {
    data: (path) => (path === STDIN ? path : resolve(typedPath(path))),
    model: (path) => (existsSync(typedPath(path)) ? resolve(typedPath(path)) : path),
  });
}

/**
 * What a run recorded, with paths that are there. A relative one, as older runs have them, is looked for here, and then where
 * `runs/` lies, since most runs were started there; `notice` hears of the latter. Throws `UserError` where data is in neither.
 */
export function withFoundPaths<S extends Paths>(settings: S, run: string, notice: (line: string) => void): S {
  const above = dirname(resolve(run));
  const started = basename(above) === "runs" ? dirname(above) : undefined;
  const find = (path: string): string | undefined => {
    if (isThere(path)) return path;
    const there = started === undefined || isAbsolute(path) ? undefined : join(started, path);
    if (there === undefined || !isThere(there)) return undefined;
    notice(`${path} is taken from ${started}, where ${basename(above)}/ lies`);
    return there;
  };
  const data = (path: string, flag: string): string => {
    if (path === STDIN) return path;
    const where = isAbsolute(path) ? "" : ", relative to where it was started";
    return (
      find(path) ?? userError(`${run}: its data was ${path}${where}, and is not there; say where: ${flag} <files>`)
    );
  };
  return mapPaths(settings, { data, model: (path) => find(path) ?? path });
}

function mapPaths<S extends Paths>(
  settings: S,
  change: { data(path: string, flag: string): string; model(path: string): string },
): S {
  const { data, evalData, model } = settings;
  return {
    ...settings,
    ...(data && { data: data.map((path) => change.data(path, flagName("data"))) }),
    ...(evalData && { evalData: evalData.map((path) => change.data(path, flagName("evalData"))) }),
    ...(model !== undefined && { model: change.model(model) }),
  };
}

function isThere(path: string): boolean {
  if (existsSync(path)) return true;
  if (!mayBePattern(path)) return false;
  const { folder, rest } = splitPattern(path, isDirectory);
  return globSync(rest, { cwd: folder || ".", expandDirectories: false }).length > 0;
}
