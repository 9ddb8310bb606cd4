/** The folder in which every Hugging Face tool keeps what it has downloaded of a model, in their common layout. */
import { copyFile, readdir, readFile, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { getHFHubCachePath, getRepoFolderName } from "@huggingface/hub";
import { makeDirectory } from "./directories.ts";
import { makeFile, putFile, writeWholeFile } from "./durable.ts";
import { exists } from "./folder.ts";

export interface RepoCache {
  /** The folder of all repositories: $HF_HUB_CACHE, or hub/ in $HF_HOME, or ~/.cache/huggingface/hub. */
  readonly root: string;
  /** The folder whose files are a commit's. */
  snapshot(commit: string): string;
  /** Where a file of this hash is kept while it comes. */
  partial(hash: string): string;
  has(commit: string, file: string): Promise<boolean>;
  hasBlob(hash: string): Promise<boolean>;
  /** Makes a partial file whole. */
  keep(hash: string): Promise<void>;
  /** Makes a whole file appear in a commit's folder. */
  link(hash: string, commit: string, file: string): Promise<void>;
  /** The commit that a branch or tag was when it was last asked for; a commit is itself. */
  commitOf(revision: string): Promise<string | undefined>;
  remember(revision: string, commit: string): Promise<void>;
  filesOf(commit: string): Promise<string[]>;
}

const COMMIT = /^[0-9a-f]{40}$/;

export function repoCache(name: string): RepoCache {
  const root = getHFHubCachePath();
  const folder = join(root, getRepoFolderName({ name, type: "model" }));
  const blob = (hash: string): string => join(folder, "blobs", hash);
  const snapshot = (commit: string): string => join(folder, "snapshots", commit);
  const partial = (hash: string): string => `${blob(hash)}.incomplete`;
  return {
    root,
    snapshot,
    partial,
    // A link whose blob was deleted counts as missing.
    has: (commit, file) => exists(join(snapshot(commit), file)),
    hasBlob: (hash) => exists(blob(hash)),
    keep: (hash) => putFile(partial(hash), blob(hash)),
    async link(hash, commit, file) {
      const path = join(snapshot(commit), file);
      makeDirectory(dirname(path));
      try {
        await symlink(relative(dirname(path), blob(hash)), path);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === "EEXIST") return;
        // Windows has links for administrators and developers only.
        await makeFile(path, (made) => copyFile(blob(hash), made));
      }
    },
    async commitOf(revision) {
      if (COMMIT.test(revision)) return revision;
      return readFile(join(folder, "refs", revision), "utf8").then(
        (commit) => commit.trim(),
        () => undefined,
      );
    },
    async remember(revision, commit) {
      makeDirectory(join(folder, "blobs"));
      makeDirectory(snapshot(commit));
      if (revision === commit) return;
      const ref = join(folder, "refs", revision);
      makeDirectory(dirname(ref));
      // Another process may be reading it.
      writeWholeFile(ref, commit);
    },
    filesOf: (commit) => readdir(snapshot(commit)).catch(() => []),
  };
}
