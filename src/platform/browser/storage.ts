/**
 * Folders in the browser's origin-private file system (OPFS), for a dedicated worker: only there it writes files in their place.
 *
 * OPFS renames no folders, and a worker may be ended between any two calls. So what is in a folder is what its **index** says: a
 * small file that gives each name its kind, the file or folder that holds it, which is called as nothing else ever was, and a
 * file's length. Everything is made aside, under such a name, and takes effect by one writing of the index: a commit, a move and a
 * removal alike, of files as of folders, and a piece that is appended; a manifest in the folder itself would commit it but
 * neither move nor remove it. The index has two files that are written in turn, each with its number and its SHA-256, so that one
 * of them is whole whenever the other is cut off. What no index names does not exist, and `tidy` removes it.
 *
 * Indices are read and written under locks of the browser (`navigator.locks`), which end with whoever holds them: a page may
 * read what its worker writes.
 */
import { userError } from "../../core/errors.ts";
import type { Entry, Folder, StoredFile, WriteFile } from "../../storage/folder.ts";
import { checkName } from "../../storage/names.ts";
import { createSha256 } from "../../storage/sha256.ts";

/** Where a name's contents are. */
interface Place {
  readonly kind: Entry["kind"];
  /** The name of the file or folder that holds them. */
  readonly at: string;
  /** Bytes of a file that count: what was cut off after them does not. */
  readonly size: number;
}

interface Index {
  /** Of two, the one with the larger number is true. */
  readonly sequence: number;
  /** Which of the two it is; the other is written next. */
  readonly slot: number;
  readonly places: Map<string, Place>;
}

/** A folder that is there. */
interface Directory {
  readonly handle: FileSystemDirectoryHandle;
  /** Its path in OPFS, which never changes and names its locks. */
  readonly key: string;
}

/** What TypeScript knows in workers only. */
interface AccessHandle {
  read(into: Uint8Array, options: { at: number }): number;
  write(bytes: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  getSize(): number;
  flush(): void;
  close(): void;
}

const SLOTS = [".index-0", ".index-1"] as const;
/** Names of what holds contents; nothing else is touched, also where others keep things in the same folder. */
const HELD = /~[0-9a-f]{16}$/;
/** Files of up to so many bytes are in memory once they are open. */
const SMALL_BYTES = 2 ** 16;
/** A worker that was ended gives its locks and files back a little later. */
const ENDING_MS = 2000;
const RETRY_MS = 50;

/** `directory`: by default the root of the private file system. `path`: what messages call it. */
export function opfsFolder(directory?: FileSystemDirectoryHandle, path = "browser storage"): Folder {
  let opened: Promise<Directory> | undefined;
  const root = (): Promise<Directory> => {
    opened ??= openRoot(directory, path);
    return opened;
  };
  return handleOf({ find: root, make: root }, path);
}

/** Where a folder is: as it is now, undefined where there is none; or made, if need be. */
interface Way {
  find(): Promise<Directory | undefined>;
  make(): Promise<Directory>;
}

/**
 * How often this worker has moved or removed folders. Until it does so again, a folder that was found is where it was: to look it up
 * takes a dozen calls of the browser for each folder above it, and a run that logs would do little else.
 */
let moves = 0;

/** `part`: the name of a folder in the one that `above` leads to. */
function wayTo(above: Way, part: string, path: string): Way {
  let known: { readonly directory: Directory; readonly moves: number } | undefined;
  async function remembered<T extends Directory | undefined>(look: () => Promise<T>): Promise<T | Directory> {
    if (known?.moves === moves) return known.directory;
    const before = moves;
    const directory = await look();
    known = directory && { directory, moves: before };
    return directory;
  }
  return {
    find: () =>
      remembered(async () => {
        const parent = await above.find();
        const place = parent && (await shared(parent, readIndex)).places.get(part);
        return place && below(parent, folderPlace(place, path));
      }),
    make: () =>
      remembered(async () => {
        const parent = await above.make();
        const place = await exclusive(parent, async () => {
          const index = await readIndex(parent);
          const there = index.places.get(part);
          if (there) return folderPlace(there, path);
          const made: Place = { kind: "folder", at: held(part), size: 0 };
          await parent.handle.getDirectoryHandle(made.at, { create: true });
          await writeIndex(parent, index, [[part, made]]);
          return made;
        });
        return below(parent, place);
      }),
  };
}

async function openRoot(directory: FileSystemDirectoryHandle | undefined, path: string): Promise<Directory> {
  const { storage, locks } = globalThis.navigator ?? {};
  if (!storage?.getDirectory || !locks) userError(`${path}: this browser keeps no files for a page, or not on http`);
  return refusing(path, async () => {
    const top = await storage.getDirectory();
    const parts = directory ? await top.resolve(directory) : [];
    if (!parts) return userError(`${path}: is no folder of the browser's private file system`);
    return { handle: directory ?? top, key: ["webgpu-gpt2", ...parts].join("/") };
  });
}

function handleOf({ find, make }: Way, path: string): Folder {
  const at = (name: string): string => `${path}/${name}`;

  const within = <T>(name: string | undefined, act: () => Promise<T>): Promise<T> =>
    refusing(name === undefined ? path : at(name), act);

  /** A change of the index: `change` gives new places, undefined for names that go. What held those that went is removed. */
  function update(directory: Directory, change: (places: ReadonlyMap<string, Place>) => Promise<Change[]> | Change[]) {
    return exclusive(directory, async () => {
      const index = await readIndex(directory);
      const changes = await change(index.places);
      if (changes.length === 0) return;
      const after = await writeIndex(directory, index, changes);
      const kept = new Set([...after.values()].map((place) => place.at));
      if (changes.some(([name]) => index.places.get(name)?.kind === "folder")) moves++;
      for (const [name] of changes) {
        const before = index.places.get(name);
        if (before && !kept.has(before.at)) await discard(directory, before.at);
      }
    });
  }

  return {
    path,
    folder(name) {
      checkName(path, name);
      return handleOf(wayTo({ find, make }, name, at(name)), at(name));
    },
    list: () =>
      within(undefined, async () => {
        const directory = await find();
        const { places } = directory ? await shared(directory, readIndex) : { places: new Map<string, Place>() };
        const entries = [...places].map(([name, { kind }]): Entry => ({ name, kind }));
        return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
      }),
    open: (name) =>
      within(name, async () => {
        const directory = await find();
        if (!directory) return userError(`${at(name)}: does not exist`);
        // Nobody replaces it meanwhile.
        return shared(directory, async () => {
          const place = (await readIndex(directory)).places.get(name);
          if (!place) return userError(`${at(name)}: does not exist`);
          if (place.kind !== "file") return userError(`${at(name)}: is not a file`);
          return openFile(at(name), await directory.handle.getFileHandle(place.at), place.size);
        });
      }),
    replace: (name, contents) =>
      within(name, async () => {
        checkName(path, name);
        const directory = await make();
        const bytes = bytesOf(contents);
        await update(directory, async (places) => {
          if (places.get(name)?.kind === "folder") userError(`${at(name)}: is a folder, wanted a file`);
          const place: Place = { kind: "file", at: held(name), size: bytes.length };
          await makeFile(directory, place.at, (file) => writeAt(file, bytes, 0));
          return [[name, place]];
        });
      }),
    append: (name, piece) =>
      within(name, async () => {
        checkName(path, name);
        const directory = await make();
        const bytes = bytesOf(piece);
        await update(directory, async (places) => {
          const known = places.get(name);
          if (known?.kind === "folder") userError(`${at(name)}: is a folder, wanted a file`);
          const { at: file, size } = known ?? { at: held(name), size: 0 };
          const write = (handle: AccessHandle): void => {
            // What a write that failed or was ended left is behind what counts.
            if (handle.getSize() > size) handle.truncate(size);
            writeAt(handle, bytes, size);
            handle.flush();
          };
          if (known) await withAccess(await directory.handle.getFileHandle(file), write);
          else await makeFile(directory, file, write);
          return [[name, { kind: "file", at: file, size: size + bytes.length }]];
        });
      }),
    commit: (name, fill) =>
      within(name, async () => {
        checkName(path, name);
        const there = await find();
        if (there && (await shared(there, readIndex)).places.has(name)) userError(`${at(name)}: exists already`);
        const directory = await make();
        const place: Place = { kind: "folder", at: held(name), size: 0 };
        try {
          await directory.handle.getDirectoryHandle(place.at, { create: true });
          const made = await below(directory, place);
          const files: Change[] = [];
          await fill(writerOf(at(name), made, files));
          if (files.length > 0) await exclusive(made, () => writeIndex(made, EMPTY, files));
          await update(directory, (places) => {
            // Another may have been as quick.
            if (places.has(name)) userError(`${at(name)}: exists already`);
            return [[name, place]];
          });
        } catch (error) {
          await discard(directory, place.at);
          throw error;
        }
      }),
    move: (from, to) =>
      within(from, async () => {
        checkName(path, to);
        const directory = await find();
        if (!directory) return userError(`${at(from)}: does not exist`);
        await update(directory, (places) => {
          const moved = places.get(from);
          if (!moved) return userError(`${at(from)}: does not exist`);
          if (places.has(to)) userError(`${at(to)}: exists already`);
          return [
            [from, undefined],
            [to, moved],
          ];
        });
      }),
    remove: (name) =>
      within(name, async () => {
        const directory = await find();
        if (directory) await update(directory, (places) => (places.has(name) ? [[name, undefined]] : []));
      }),
    tidy: () =>
      within(undefined, async () => {
        const directory = await find();
        if (!directory) return [];
        return exclusive(directory, async () => {
          const { places } = await readIndex(directory);
          const known = new Set([...places.values()].map((place) => place.at));
          const left: string[] = [];
          for await (const name of namesIn(directory.handle)) if (HELD.test(name) && !known.has(name)) left.push(name);
          for (const name of left) await unlessBusy(() => directory.handle.removeEntry(name, { recursive: true }));
          return left.sort();
        });
      }),
    lock: (name) =>
      within(name, async () => {
        checkName(path, name);
        return hold(`${(await make()).key}/${name}`, at(name));
      }),
    isLocked: (name) =>
      within(name, async () => {
        const directory = await find();
        if (!directory) return false;
        const key = `${directory.key}/${name}`;
        return ((await navigator.locks.query()).held ?? []).some((lock) => lock.name === key);
      }),
    bytes: () =>
      within(undefined, async () => {
        const directory = await find();
        return directory ? bytesBelow(directory) : 0;
      }),
    free: () =>
      within(undefined, async () => {
        const { quota, usage } = await navigator.storage.estimate();
        return quota === undefined || usage === undefined ? undefined : Math.max(0, quota - usage);
      }),
  };
}

/** A name, and where its contents are from now on; undefined where it goes. */
type Change = readonly [name: string, place: Place | undefined];

const EMPTY: Index = { sequence: 0, slot: 1, places: new Map() };

/** While nobody writes the folder's index. */
function shared<T>(directory: Directory, act: (directory: Directory) => Promise<T>): Promise<T> {
  return navigator.locks.request(`${directory.key}/`, { mode: "shared" }, () => act(directory)) as Promise<T>;
}

/** While nobody reads the folder's index or writes it. */
function exclusive<T>(directory: Directory, act: () => Promise<T>): Promise<T> {
  return navigator.locks.request(`${directory.key}/`, act) as Promise<T>;
}

/** A name for contents that nothing else ever had; begins as the name that it is of, for people who look. */
function held(name: string): string {
  const id = crypto.getRandomValues(new Uint8Array(8));
  const hex = Array.from(id, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${name.replace(/[^\w.-]/g, "_").slice(0, 60)}~${hex}`;
}

function folderPlace(place: Place, path: string): Place {
  return place.kind === "folder" ? place : userError(`${path}: a part of the path is a file, wanted a folder`);
}

async function below({ handle, key }: Directory, place: Place): Promise<Directory> {
  return { handle: await handle.getDirectoryHandle(place.at), key: `${key}/${place.at}` };
}

/** As the indices say it: of each folder one is read, and no file. */
async function bytesBelow(directory: Directory): Promise<number> {
  const { places } = await shared(directory, readIndex);
  let bytes = 0;
  for (const place of places.values()) {
    if (place.kind === "file") bytes += place.size;
    // One that is removed meanwhile has none.
    else bytes += await below(directory, place).then(bytesBelow).catch(unlessGone);
  }
  return bytes;
}

function unlessGone(error: unknown): number {
  if ((error as DOMException).name !== "NotFoundError") throw error;
  return 0;
}

async function readIndex({ handle }: Directory): Promise<Index> {
  const slots = await Promise.all(SLOTS.map((_, slot) => readSlot(handle, slot)));
  const whole = slots.filter((index) => typeof index === "object");
  // One that is cut off and alone was the first, so that nothing was there before it.
  if (whole.length === 0 && !slots.includes("absent")) throw new DOMException("no whole index", "DataError");
  return whole.reduce((newest, index) => (index.sequence > newest.sequence ? index : newest), EMPTY);
}

async function readSlot(handle: FileSystemDirectoryHandle, slot: number): Promise<Index | "absent" | "cut off"> {
  const file = await handle.getFileHandle(SLOTS[slot]!).catch((error: unknown) => {
    if ((error as DOMException).name !== "NotFoundError") throw error;
  });
  return file === undefined ? "absent" : parseIndex(await (await file.getFile()).text(), slot);
}

/** Gives the places as they are then. Takes effect with the last of its bytes, and not at all where it fails. */
async function writeIndex({ handle }: Directory, before: Index, changes: readonly Change[]): Promise<Index["places"]> {
  const places = new Map(before.places);
  for (const [name, place] of changes) {
    if (place) places.set(name, place);
    else places.delete(name);
  }
  const bytes = new TextEncoder().encode(formatIndex(before.sequence + 1, places));
  const file = await handle.getFileHandle(SLOTS[1 - before.slot]!, { create: true });
  await withAccess(file, (access) => {
    try {
      access.truncate(0);
      writeAt(access, bytes, 0);
      access.flush();
    } catch (error) {
      access.truncate(0);
      throw error;
    }
  });
  return places;
}

function formatIndex(sequence: number, places: Index["places"]): string {
  const json = JSON.stringify({ format: 1, sequence, places: [...places] });
  return `${checksum(json)}\n${json}`;
}

function parseIndex(text: string, slot: number): Index | "cut off" {
  const end = text.indexOf("\n");
  const json = text.slice(end + 1);
  if (end < 0 || checksum(json) !== text.slice(0, end)) return "cut off";
  const { sequence, places } = JSON.parse(json) as { sequence: number; places: [string, Place][] };
  return { sequence, slot, places: new Map(places) };
}

function checksum(text: string): string {
  const hash = createSha256();
  hash.add(new TextEncoder().encode(text));
  return hash.finish().sha256;
}

/** A file's writing, which no other may do at the same time. */
async function withAccess<T>(file: FileSystemFileHandle, act: (access: AccessHandle) => T | Promise<T>): Promise<T> {
  const access = await openAccess(file);
  try {
    return await act(access);
  } finally {
    access.close();
  }
}

async function openAccess(file: FileSystemFileHandle): Promise<AccessHandle> {
  const { createSyncAccessHandle: open } = file as { createSyncAccessHandle?: () => Promise<AccessHandle> };
  if (!open) throw new DOMException("no access handles here", "InvalidAccessError");
  return unlessBusy(() => open.call(file));
}

/** Tries again while another has the file open, who may be ending. */
async function unlessBusy<T>(act: () => Promise<T>): Promise<T> {
  const began = performance.now();
  for (;;) {
    try {
      return await act();
    } catch (error) {
      const busy = (error as DOMException).name === "NoModificationAllowedError";
      if (!busy || performance.now() - began > ENDING_MS) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

/** Makes a file that is flushed, or none. */
async function makeFile(
  directory: Directory,
  name: string,
  fill: (access: AccessHandle) => void | Promise<void>,
): Promise<void> {
  try {
    await withAccess(await directory.handle.getFileHandle(name, { create: true }), async (access) => {
      await fill(access);
      access.flush();
    });
  } catch (error) {
    await discard(directory, name);
    throw error;
  }
}

function writeAt(file: AccessHandle, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length; ) {
    const count = file.write(bytes.subarray(done), { at: at + done });
    if (count === 0) throw new DOMException("no bytes were written", "QuotaExceededError");
    done += count;
  }
  // Where the browser gives no more, some say that all is written, and write less.
  if (file.getSize() < at + bytes.length) throw new DOMException("not all bytes were written", "QuotaExceededError");
}

/** Writes the files of a folder that is being made, and notes each in `files` once it is whole. */
function writerOf(path: string, directory: Directory, files: Change[]): WriteFile {
  return async (name, contents) => {
    checkName(path, name);
    if (files.some(([known]) => known === name)) userError(`${path}/${name}: exists already`);
    const [hash, at] = [createSha256(), held(name)];
    let size = 0;
    await makeFile(directory, at, (access) =>
      contents(async (bytes) => {
        writeAt(access, bytes, size);
        requireSame(access, bytes, size, name);
        hash.add(bytes);
        size += bytes.length;
      }),
    );
    files.push([name, { kind: "file", at, size }]);
    return hash.finish();
  };
}

const READ_BYTES = 2 ** 20;

/** Reads back what was written and compares it: nothing else knows whether it is there. */
function requireSame(file: AccessHandle, bytes: Uint8Array, at: number, name: string): void {
  const buffer = new Uint8Array(Math.min(READ_BYTES, bytes.length));
  for (let done = 0; done < bytes.length; done += buffer.length) {
    const wanted = bytes.subarray(done, done + buffer.length);
    const got = buffer.subarray(0, wanted.length);
    let same = file.read(got, { at: at + done }) === wanted.length;
    for (let i = 0; i < wanted.length && same; i++) same = got[i] === wanted[i];
    if (!same) userError(`${name}: reads back other bytes than were written; check the disk`);
  }
}

/** Removes what no index names; what cannot be removed now is removed by `tidy`. */
async function discard({ handle }: Directory, name: string): Promise<void> {
  await handle.removeEntry(name, { recursive: true }).catch(() => undefined);
}

/** Not by an access handle, of which a file has one at a time: several may read at once, and pages may. */
async function openFile(path: string, handle: FileSystemFileHandle, size: number): Promise<StoredFile> {
  let file = await handle.getFile();
  if (file.size < size) userError(`${path}: has ${file.size} bytes, was written with ${size}`);
  // The browser reads no file that is gone. Those that are replaced are small.
  const whole = size <= SMALL_BYTES ? new Uint8Array(await file.slice(0, size).arrayBuffer()) : undefined;
  return {
    size,
    async read(offset, into) {
      if (offset + into.length > size) userError(`${path}: ended at byte ${size} while it was read`);
      if (whole) return into.set(whole.subarray(offset, offset + into.length));
      const bytes = (): Promise<ArrayBuffer> => file.slice(offset, offset + into.length).arrayBuffer();
      await refusing(path, async () => {
        const got = await bytes().catch(async () => {
          // Something was appended; what was there before is as it was.
          file = await handle.getFile();
          return bytes();
        });
        into.set(new Uint8Array(got));
      });
    },
    async close() {},
  };
}

/** Holds a lock of the browser's until it is released, or its worker ends. */
function hold(key: string, path: string): ReturnType<Folder["lock"]> {
  return new Promise((resolve, reject) => {
    let ours = false;
    const request = navigator.locks.request(key, { signal: AbortSignal.timeout(ENDING_MS) }, () => {
      ours = true;
      return new Promise<void>((free) => {
        resolve({
          async check() {
            if (!ours) userError(`${path}: is a lock no longer, it was released or taken away; stopped`);
          },
          async release() {
            free();
            await request.catch(() => undefined);
          },
        });
      });
    });
    request
      .catch((error: DOMException) => {
        if (ours || error.name !== "TimeoutError") throw error;
        userError(`${path}: another tab or worker is at work there; wait for it, or choose another`);
      })
      .catch(reject)
      .finally(() => {
        ours = false;
      });
  });
}

function bytesOf(contents: string | Uint8Array): Uint8Array {
  return typeof contents === "string" ? new TextEncoder().encode(contents) : contents;
}

function namesIn(handle: FileSystemDirectoryHandle): AsyncIterable<string> {
  return (handle as unknown as { keys(): AsyncIterable<string> }).keys();
}

/** What a browser says when it refuses, as one clear line; anything else as it is. */
async function refusing<T>(path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    const known: Record<string, string> = {
      QuotaExceededError:
        "no space left: the browser gives this site no more; delete what it keeps, or free some of the disk",
      NotFoundError: "was removed while it was used",
      NoModificationAllowedError: "another tab or worker has it open",
      NotReadableError: "cannot be read; has it been replaced?",
      NotAllowedError: "the browser does not allow it",
      SecurityError: "the browser does not allow it",
      TypeMismatchError: "is not what it was; has other code written there?",
      InvalidAccessError: "files are written by dedicated workers only; run this in one (new Worker)",
      DataError: "both copies of the list of what is in it are damaged; restore it, or clear this site's data",
    };
    return userError(`${path}: ${known[error.name] ?? `${error.name}: ${error.message}`}`);
  }
}
