/** Models of the Hugging Face hub, downloaded into the cache that its other tools use. */
import { fileDownloadInfo, HUB_URL, type ListFileEntry, listFiles, modelInfo } from "@huggingface/hub";
import { userError } from "../../core/errors.ts";
import { freeOnDisk } from "./disk.ts";
import { systemError } from "./folder.ts";
import { type RepoCache, repoCache } from "./hub-cache.ts";
import { checkedFetch, isUnreachable } from "./hub-errors.ts";
import { download } from "./resume.ts";

/** As the environment has it, under the names that Hugging Face's own tools read. */
export interface HubSettings {
  readonly endpoint: string;
  readonly token: string | undefined;
  readonly offline: boolean;
  /** Before the first repeat of a request that failed; doubled each time. */
  readonly retryMs: number;
  /** Ends what is on its way; what has come of a file stays, to go on from. */
  readonly signal?: AbortSignal | undefined;
}

export function hubSettings(env: NodeJS.ProcessEnv = process.env): HubSettings {
  const token = env.HF_TOKEN?.trim() || undefined;
  if (token !== undefined && !/^hf_[\w-]+$/.test(token)) userError('HF_TOKEN: wanted a token that begins with "hf_"');
  const endpoint = (env.HF_ENDPOINT || HUB_URL).replace(/\/+$/, "");
  if (!URL.canParse(endpoint)) userError(`HF_ENDPOINT: ${endpoint}; wanted an address such as ${HUB_URL}`);
  const offline = /^(1|true|yes|on)$/i.test(env.HF_HUB_OFFLINE ?? "");
  return { endpoint, token, offline, retryMs: 500 };
}

/** Bytes of a download so far, over all of its files. */
export type OnProgress = (done: number, total: number) => void;

export interface HubModel {
  /** The folder that holds what has been fetched. */
  readonly folder: string;
  readonly commit: string;
  /** Names of the files at the top of the repository. */
  readonly files: ReadonlySet<string>;
  /** Makes files be in `folder`; what is there already is left alone. */
  fetch(names: readonly string[], onProgress?: OnProgress): Promise<void>;
}

/**
 * Finds a model, `owner/name`, at a branch, tag or commit. Offline, and where the hub cannot be reached, it is what the
 * cache has; `note` is then told. Throws `UserError` where there is none.
 */
export async function openHubModel(
  name: string,
  revision: string,
  settings: HubSettings,
  note: (line: string) => void,
): Promise<HubModel> {
  const cache = repoCache(name);
  if (settings.offline) {
    return cached(name, revision, cache, `HF_HUB_OFFLINE is set, and ${name} is not in ${cache.root}; unset it once`);
  }
  try {
    return await online(name, revision, settings, cache);
  } catch (error) {
    if (!isUnreachable(error)) return systemError(cache.root, error);
    const model = await cached(
      name,
      revision,
      cache,
      `${error.message}, and ${name} is not in ${cache.root}; connect once`,
    );
    note(`${error.message}: using ${name} as it is in the cache (HF_HUB_OFFLINE=1 does so without asking)`);
    return model;
  }
}

async function cached(name: string, revision: string, cache: RepoCache, missing: string): Promise<HubModel> {
  const commit = await cache.commitOf(revision);
  const files = new Set(commit === undefined ? [] : await cache.filesOf(commit));
  if (commit === undefined || files.size === 0)
    return userError(`${name} is no directory here; ${missing}, or give a directory`);
  return {
    folder: cache.snapshot(commit),
    commit,
    files,
    async fetch(names) {
      for (const file of names) {
        if (!(await cache.has(commit, file)))
          userError(`${name}: ${file} is not in the cache, whose download was not finished; run once with a network`);
      }
    },
  };
}

async function online(name: string, revision: string, settings: HubSettings, cache: RepoCache): Promise<HubModel> {
  const { endpoint, token, retryMs, signal: ended } = settings;
  const fetch = checkedFetch({ name, revision, endpoint, token, retryMs, signal: ended });
  const access = { hubUrl: endpoint, fetch, ...(token === undefined ? {} : { accessToken: token }) };
  const { sha: commit } = await modelInfo({ ...access, name, revision, additionalFields: ["sha"] });
  const entries = new Map<string, ListFileEntry>();
  for await (const entry of listFiles({ ...access, repo: { type: "model", name }, revision: commit })) {
    if (entry.type === "file" && /^[\w.-]+$/.test(entry.path)) entries.set(entry.path, entry);
  }
  await cache.remember(revision, commit);

  async function fetchOne(entry: ListFileEntry, onBytes: (done: number) => void): Promise<void> {
    const hash = hashOf(entry, name);
    if (!(await cache.hasBlob(hash.digest))) {
      const repo = { type: "model", name } as const;
      const info = await fileDownloadInfo({ ...access, repo, path: entry.path, revision: commit });
      const url = info?.url ?? userError(`${name}: ${entry.path} is gone from the hub; run again`);
      // The token is for the hub alone, wherever a file lies.
      const own = token !== undefined && new URL(url).origin === new URL(endpoint).origin;
      await download(
        {
          name: `${name}: ${entry.path}`,
          size: entry.size,
          hash,
          partial: cache.partial(hash.digest),
          onProgress: onBytes,
          fetch: (from, signal) =>
            fetch(url, {
              signal,
              headers: {
                ...(from > 0 ? { Range: `bytes=${from}-${entry.size - 1}` } : {}),
                ...(own ? { Authorization: `Bearer ${token}` } : {}),
              },
            }),
        },
        retryMs,
        ended,
      );
      await cache.keep(hash.digest);
    }
    onBytes(entry.size);
    await cache.link(hash.digest, commit, entry.path);
  }

  return {
    folder: cache.snapshot(commit),
    commit,
    files: new Set(entries.keys()),
    async fetch(names, onProgress) {
      const missing: ListFileEntry[] = [];
      for (const file of names) {
        const entry = entries.get(file) ?? userError(`${name}: the hub has no ${file} there`);
        if (!(await cache.has(commit, file))) missing.push(entry);
      }
      const total = missing.reduce((sum, { size }) => sum + size, 0);
      await checkSpace(cache.root, total);
      let before = 0;
      for (const entry of missing) {
        await fetchOne(entry, (done) => onProgress?.(before + done, total));
        before += entry.size;
      }
    },
  };
}

/** What the hub says a file is: SHA-256 of a large one, git's own hash of a small one. They name its blob, too. */
function hashOf(entry: ListFileEntry, name: string) {
  if (entry.lfs && /^[0-9a-f]{64}$/.test(entry.lfs.oid)) {
    return { algorithm: "sha256", prefix: "", digest: entry.lfs.oid } as const;
  }
  if (entry.oid && /^[0-9a-f]{40}$/.test(entry.oid) && !entry.lfs) {
    return { algorithm: "sha1", prefix: `blob ${entry.size}\0`, digest: entry.oid } as const;
  }
  return userError(`${name}: the hub gives no hash of ${entry.path}`);
}

async function checkSpace(root: string, bytes: number): Promise<void> {
  if (bytes === 0) return;
  const free = await freeOnDisk(root);
  if (free !== undefined && free < bytes) {
    const gigabytes = (count: number): string => `${(count / 1e9).toFixed(1)} GB`;
    userError(
      `${root}: has ${gigabytes(free)} left, the download takes ${gigabytes(bytes)}; make room or set HF_HOME to another disk`,
    );
  }
}
