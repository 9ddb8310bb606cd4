import { userError } from "../core/errors.ts";
import type { Entry, Folder, StoredFile, WriteFile } from "./folder.ts";
import { checkName } from "./names.ts";
import { createSha256 } from "./sha256.ts";

/** Bytes of a file's pieces but for the last, which has fewer. */
const PIECE = 2 ** 20;

/** Contents as pieces, so that a file of gigabytes needs no array of its size. */
interface MemoryFile {
  readonly kind: "file";
  readonly pieces: Uint8Array[];
  size: number;
}

interface MemoryTree {
  readonly kind: "folder";
  readonly entries: Map<string, MemoryFile | MemoryTree>;
}

/** What all handles on one tree share. */
interface Memory {
  readonly root: MemoryTree;
  /** Paths of locks, and whose they are. */
  readonly locks: Map<string, object>;
}

/** A folder that is gone when nobody holds it any more. `path`: what messages call it. */
export function memoryFolder(path = "memory"): Folder {
  return handleOf({ root: newTree(), locks: new Map() }, path, []);
}

/** `parts`: the names from the root to the folder, which may not be there. */
function handleOf(memory: Memory, path: string, parts: readonly string[]): Folder {
  const at = (name: string): string => `${path}/${name}`;
  const key = (name: string): string => [...parts, name].join("/");

  /** The folder as it is now; undefined where there is none. */
  function tree(): MemoryTree | undefined {
    let found = memory.root;
    for (const part of parts) {
      const next = found.entries.get(part);
      if (next === undefined) return undefined;
      if (next.kind === "file") return userError(`${path}: a part of the path is a file, wanted a folder`);
      found = next;
    }
    return found;
  }

  function makeTree(): MemoryTree {
    let found = memory.root;
    for (const part of parts) {
      const next = found.entries.get(part) ?? newTree();
      if (next.kind === "file") return userError(`${path}: a part of the path is a file, wanted a folder`);
      found.entries.set(part, next);
      found = next;
    }
    return found;
  }

  function fileToWrite(name: string): MemoryFile | undefined {
    checkName(path, name);
    const found = tree()?.entries.get(name);
    if (found?.kind === "folder") userError(`${at(name)}: is a folder, wanted a file`);
    return found as MemoryFile | undefined;
  }

  return {
    path,
    folder(name) {
      checkName(path, name);
      return handleOf(memory, at(name), [...parts, name]);
    },
    async list() {
      const entries = [...(tree()?.entries ?? [])].map(([name, { kind }]): Entry => ({ name, kind }));
      return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    async open(name) {
      const found = tree()?.entries.get(name);
      if (!found) return userError(`${at(name)}: does not exist`);
      return found.kind === "file" ? openFile(at(name), found) : userError(`${at(name)}: is not a file`);
    },
    async replace(name, contents) {
      fileToWrite(name);
      const file = newFile();
      add(file, bytesOf(contents));
      makeTree().entries.set(name, file);
    },
    async append(name, piece) {
      const file = fileToWrite(name) ?? newFile();
      add(file, bytesOf(piece));
      makeTree().entries.set(name, file);
    },
    async commit(name, fill) {
      checkName(path, name);
      if (tree()?.entries.has(name)) userError(`${at(name)}: exists already`);
      const made = newTree();
      await fill(writerOf(at(name), made));
      // Another may have been as quick.
      if (tree()?.entries.has(name)) userError(`${at(name)}: exists already`);
      makeTree().entries.set(name, made);
    },
    async move(from, to) {
      checkName(path, to);
      const { entries } = tree() ?? newTree();
      const moved = entries.get(from);
      if (!moved) return userError(`${at(from)}: does not exist`);
      if (entries.has(to)) userError(`${at(to)}: exists already`);
      entries.delete(from);
      entries.set(to, moved);
    },
    async remove(name) {
      tree()?.entries.delete(name);
    },
    tidy: async () => [],
    async lock(name) {
      checkName(path, name);
      const [place, own] = [key(name), {}];
      if (memory.locks.has(place)) userError(`${at(name)}: another is at work there; wait for it, or choose another`);
      makeTree();
      memory.locks.set(place, own);
      const held = (): boolean => memory.locks.get(place) === own;
      return {
        async check() {
          if (!held()) userError(`${at(name)}: is a lock no longer, it was released; stopped`);
        },
        async release() {
          if (held()) memory.locks.delete(place);
        },
      };
    },
    isLocked: async (name) => memory.locks.has(key(name)),
    free: async () => undefined,
  };
}

const newTree = (): MemoryTree => ({ kind: "folder", entries: new Map() });
const newFile = (): MemoryFile => ({ kind: "file", pieces: [], size: 0 });

function bytesOf(contents: string | Uint8Array): Uint8Array {
  return typeof contents === "string" ? new TextEncoder().encode(contents) : contents;
}

/** Copies bytes to a file's end; all pieces but the last are full, and the last has room to grow. */
function add(file: MemoryFile, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) {
    const start = file.size % PIECE;
    if (start === 0) file.pieces.push(new Uint8Array(Math.min(PIECE, bytes.length - done)));
    const count = Math.min(PIECE - start, bytes.length - done);
    let last = file.pieces.at(-1)!;
    if (last.length < start + count) {
      const grown = new Uint8Array(Math.min(PIECE, 2 * (start + count)));
      grown.set(last);
      file.pieces[file.pieces.length - 1] = grown;
      last = grown;
    }
    last.set(bytes.subarray(done, done + count), start);
    file.size += count;
    done += count;
  }
}

/** As it is now: what is appended later is not in it. */
function openFile(path: string, file: MemoryFile): StoredFile {
  const { size } = file;
  return {
    size,
    async read(offset, into) {
      if (offset + into.length > size) userError(`${path}: ended at byte ${size} while it was read`);
      for (let done = 0; done < into.length; ) {
        const [piece, start] = [Math.floor((offset + done) / PIECE), (offset + done) % PIECE];
        const count = Math.min(PIECE - start, into.length - done);
        into.set(file.pieces[piece]!.subarray(start, start + count), done);
        done += count;
      }
    },
    async close() {},
  };
}

function writerOf(path: string, { entries }: MemoryTree): WriteFile {
  return async (name, contents) => {
    checkName(path, name);
    if (entries.has(name)) userError(`${path}/${name}: exists already`);
    const [file, digest] = [newFile(), createSha256()];
    await contents(async (bytes) => {
      add(file, bytes);
      digest.add(bytes);
    });
    entries.set(name, file);
    return digest.finish();
  };
}
