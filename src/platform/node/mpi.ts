/** Ranks that `mpirun` or `srun` starts, connected by the MPI that started them, whose functions are called through koffi. */
import { createRequire } from "node:module";
import { basename, extname } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { userError } from "../../core/errors.ts";
import {
  addInto,
  type Collective,
  chunkOf,
  type ElementRange,
  RankLostError,
  type RankSums,
  WORDS,
} from "../../train/collective.ts";
import { type Launched, LIBRARY_VARIABLE } from "./launched.ts";
import type { GuardDuty } from "./rank-guard.ts";

const require = createRequire(import.meta.url);

type Handle = number | bigint;
/** A C function; `async` runs it on another thread, and calls back. */
interface Native {
  (...args: unknown[]): number;
  readonly async: (...args: unknown[]) => void;
}

/** What of a library's constants and types is not the same in all: an MPI is one row of these. */
interface Row {
  readonly name: string;
  /** How C has a handle. */
  readonly handle: "intptr_t" | "int";
  readonly world: Handle;
  readonly byte: Handle;
  readonly float: Handle;
  readonly int: Handle;
  readonly sum: Handle;
  /** MPI_STATUS_IGNORE and MPI_STATUSES_IGNORE. */
  readonly statusIgnore: number;
  /** MPI_THREAD_MULTIPLE. */
  readonly threads: number;
  requests(count: number): BigInt64Array | Int32Array;
}

/** Has UCX, below many an MPI, leave the functions for memory as they are; what it sends is then registered anew each time. */
const UCX_HOOKS = { UCX_MEM_EVENTS: "n", UCX_MEM_MMAP_HOOK_MODE: "none" };

interface Mpi {
  readonly row: Row;
  call(name: keyof typeof SIGNATURES): Native;
}

/** HANDLE stands for a handle. */
const SIGNATURES = {
  MPI_Init_thread: "int MPI_Init_thread(void *, void *, int, _Out_ int *)",
  MPI_Comm_rank: "int MPI_Comm_rank(HANDLE, _Out_ int *)",
  MPI_Comm_size: "int MPI_Comm_size(HANDLE, _Out_ int *)",
  MPI_Comm_dup: "int MPI_Comm_dup(HANDLE, void *)",
  MPI_Isend: "int MPI_Isend(void *, int, HANDLE, int, int, HANDLE, void *)",
  MPI_Irecv: "int MPI_Irecv(void *, int, HANDLE, int, int, HANDLE, void *)",
  MPI_Test: "int MPI_Test(void *, _Out_ int *, intptr_t)",
  MPI_Testsome: "int MPI_Testsome(int, void *, _Out_ int *, void *, intptr_t)",
  MPI_Cancel: "int MPI_Cancel(void *)",
  MPI_Request_free: "int MPI_Request_free(void *)",
  MPI_Bcast: "int MPI_Bcast(void *, int, HANDLE, int, HANDLE)",
  MPI_Alltoallv: "int MPI_Alltoallv(void *, void *, void *, HANDLE, void *, void *, void *, HANDLE, HANDLE)",
  MPI_Allgatherv: "int MPI_Allgatherv(intptr_t, int, HANDLE, void *, void *, void *, HANDLE, HANDLE)",
  MPI_Allreduce: "int MPI_Allreduce(intptr_t, void *, int, HANDLE, HANDLE, HANDLE)",
  MPI_Reduce_local: "int MPI_Reduce_local(void *, void *, int, HANDLE, HANDLE)",
  MPI_Abort: "int MPI_Abort(HANDLE, int)",
  MPI_Finalize: "int MPI_Finalize()",
} as const;

/** The version of the standard ABI whose constants are here. */
const ABI_VERSION = 1;
/** MPI_IN_PLACE, by the kind of handles. */
const IN_PLACE = { intptr_t: 1, int: -1 } as const;

interface Koffi {
  config(options: object): unknown;
  load(name: string | null, options?: object): KoffiLibrary;
  address(pointer: unknown): bigint;
}

interface KoffiLibrary {
  func(signature: string): Native;
  symbol(name: string, type: string): unknown;
}

function loadKoffi(): Koffi {
  try {
    return require("koffi") as Koffi;
  } catch {
    return userError(
      "ranks: MPI is called through koffi, an optional dependency that is not installed here; npm install koffi",
      "device",
    );
  }
}

function openLibrary({ libraries }: Launched): Mpi {
  const koffi = loadKoffi();
  // UCX replaces functions that the process's other threads are in: with Node, one start in a dozen ended in a fault.
  for (const [name, value] of Object.entries(UCX_HOOKS)) process.env[name] ??= value;
  // MPICH needs more stack than koffi's threads have.
  koffi.config({ async_stack_size: 2 ** 20 });
  let library: KoffiLibrary | undefined;
  let opened = "";
  const refusals: string[] = [];
  for (const name of libraries) {
    try {
      library = koffi.load(name, { global: true });
      opened = name;
      break;
    } catch (error) {
      refusals.push(`${name} (${(error as Error).message.split("\n")[0]})`);
    }
  }
  if (!library)
    return userError(
      `ranks: found no MPI; tried ${refusals.join(", ")}; install Open MPI or MPICH, or say where its library is: ${LIBRARY_VARIABLE}=/path/libmpi.so`,
      "device",
    );
  const found = library;
  const row = isAbi(opened) ? abiRow(found) : rowOf(koffi, found);
  const calls = new Map<string, Native>();
  const call = (name: keyof typeof SIGNATURES): Native => {
    const known = calls.get(name) ?? found.func(SIGNATURES[name].replaceAll("HANDLE", row.handle));
    calls.set(name, known);
    return known;
  };
  return { row, call };
}

/** Begins MPI together with all other ranks, and gives two communicators of our own, so that no call of anybody else's gets in between. */
function begin({ row, call }: Mpi, { rank, size, variable, allHere }: Launched, timeout: number) {
  const limit = START_TIMEOUTS * timeout;
  const late = `gpt2: rank ${rank} of ${size}: not all ranks have begun within ${limit / 1000} s; where they need longer, raise --collective-timeout`;
  const [patience, longPatience] = [PATIENCE, LONG_PATIENCE].map((share) => share * timeout) as [number, number];
  const ranks = { rank, size, variable, allHere, patience, longPatience };
  return guarded({ limit, late, ranks }, () => {
    const provided = [0];
    check(call("MPI_Init_thread")(null, null, row.threads, provided), "MPI_Init_thread");
    if (provided[0]! < row.threads)
      userError(`ranks: this ${row.name} cannot be called from several threads (MPI_THREAD_MULTIPLE)`, "device");
    const [own, all] = ["MPI_Comm_rank", "MPI_Comm_size"].map((name) => {
      const found = [0];
      check(call(name as "MPI_Comm_rank")(row.world, found), name);
      return found[0]!;
    }) as [number, number];
    if (all !== size)
      userError(
        `ranks: ${size} processes were started, and ${row.name} knows of ${all}: the launcher is another MPI's; ` +
          "start them with its own mpirun, or with srun --mpi=pmix or --mpi=pmi2",
        "usage",
      );
    const dup = (): Handle => {
      const made = row.requests(1);
      check(call("MPI_Comm_dup")(row.world, made), "MPI_Comm_dup");
      return made[0]!;
    };
    return { rank: own, words: dup(), vectors: dup() };
  });
}

/** Calls C on another thread. */
function asynchronously(call: Native, name: string, args: readonly unknown[]): Promise<void> {
  return new Promise((resolve, reject) => {
    call.async(...args, (error: unknown, code: number) => {
      if (error || code !== 0) reject(error ?? new Error(`ranks: ${name} gave ${code}`));
      else resolve(held());
    });
    // What C reads and writes must not be collected meanwhile.
    const held = (): void => void args.length;
  });
}

/** Open MPI's handles are addresses of its symbols, MPICH's numbers. */
function rowOf(koffi: Koffi, library: KoffiLibrary): Row {
  const address = (name: string): bigint | undefined => {
    try {
      return koffi.address(library.symbol(name, "void *"));
    } catch {
      return undefined;
    }
  };
  const world = address("ompi_mpi_comm_world");
  if (world !== undefined) {
    const [byte, float, int, sum] = ["ompi_mpi_byte", "ompi_mpi_float", "ompi_mpi_int", "ompi_mpi_op_sum"].map(
      (name) => address(name)!,
    ) as [bigint, bigint, bigint, bigint];
    return {
      ...{ name: "Open MPI", handle: "intptr_t", world, byte, float, int, sum, statusIgnore: 0, threads: 3 },
      requests: (count) => new BigInt64Array(count),
    };
  }
  return {
    ...{ name: "MPICH", handle: "int", world: 0x44000000, byte: 0x4c00010d, float: 0x4c00040a, int: 0x4c000405 },
    ...{ sum: 0x58000003, statusIgnore: 1, threads: 3 },
    requests: (count) => new Int32Array(count),
  };
}

/** Told by its name, as the standard has it: behind it is an MPI that may have handles of its own as well. */
function isAbi(library: string): boolean {
  return basename(library).startsWith("libmpi_abi.");
}

/** MPI 5.0, appendix A: pointers, those of what is predefined with values below 4096. */
function abiRow(library: KoffiLibrary): Row {
  const [major, minor] = [[0], [0]];
  check(library.func("int MPI_Abi_get_version(_Out_ int *, _Out_ int *)")(major, minor), "MPI_Abi_get_version");
  if (major[0] !== ABI_VERSION)
    userError(`ranks: libmpi_abi has version ${major[0]} of the ABI, wanted ${ABI_VERSION}`, "device");
  return {
    ...{ name: "MPI's ABI", handle: "intptr_t", world: 0x101, byte: 0x247, float: 0x210, int: 0x209, sum: 0x21 },
    ...{ statusIgnore: 0, threads: 4096 },
    requests: (count) => new BigInt64Array(count),
  };
}

function check(code: number, what: string): void {
  if (code !== 0) throw new Error(`ranks: ${what} gave ${code}`);
}

/** In a message between two ranks: what it is, and words. */
const MESSAGE_WORDS = 1 + WORDS;
const BEAT = 0;
const MEETING = 1;
const TAG = 1;
/** A rank says that it is there so often, at least. */
const BEAT_MS = 500;
/** Looks for messages, where nobody waits for one. */
const IDLE_MS = 100;
/** Whoever waits looks again at once for so long, then every millisecond: others need the processor. */
const EAGER_MS = 2;
/** Bytes of one broadcast. */
const BROADCAST_BYTES = 2 ** 26;
/** Of the time-out, after which a silent rank is given up: the rest is left to end the job in. */
const PATIENCE = 0.7;
/** Whoever is not the one to speak waits longer. */
const LONG_PATIENCE = 0.85;
/** Ranks begin one after another, on machines that may be busy: they have so many time-outs for it. */
const START_TIMEOUTS = 6;
/** Sums of fewer elements are not worth a call of C. */
const FEW = 4096;

export interface MpiOptions {
  /** Milliseconds within which the job ends where a rank is not heard of any more. */
  readonly timeout: number;
}

/**
 * The ranks that were started with this process. Words go from each rank to each other one, so that who waits knows for whom; vectors
 * go by MPI's collectives, on another thread, once all ranks have come to them.
 */
export function openMpi(launched: Launched, { timeout }: MpiOptions): Collective {
  const mpi = openLibrary(launched);
  const { row, call } = mpi;
  const { size } = launched;
  const { rank, words, vectors } = begin(mpi, launched, timeout);
  let ended = false;
  // Whoever goes without a word would let the others wait, and MPICH's mpirun would call it a success.
  process.once("exit", (code) => {
    if (!ended) abort(code || 1);
  });

  /** Runs a call that may wait for other ranks on another thread. */
  function wait(name: keyof typeof SIGNATURES, ...args: unknown[]): Promise<void> {
    return whileHeard(asynchronously(call(name), name, args));
  }

  const mail = createMail();

  /** Messages from and to all other ranks. */
  function createMail() {
    const peers = Array.from({ length: size }, (_, peer) => peer).filter((peer) => peer !== rank);
    const received = peers.map(() => new Uint32Array(MESSAGE_WORDS));
    const receiving = row.requests(peers.length);
    const slot = (i: number) => receiving.subarray(i, i + 1);
    const met = peers.map((): Uint32Array[] => []);
    const heard = peers.map(() => performance.now());
    /** Until a rank has been heard of first, it may still be starting. */
    let sending: {
      readonly to: number;
      readonly request: BigInt64Array | Int32Array;
      readonly message: Uint32Array;
    }[] = [];
    const indices = new Int32Array(peers.length);
    let looked = performance.now();
    let beaten = 0;

    const receive = (i: number): void =>
      check(call("MPI_Irecv")(received[i], 4 * MESSAGE_WORDS, row.byte, peers[i], TAG, words, slot(i)), "MPI_Irecv");
    peers.forEach((_, i) => {
      receive(i);
    });

    function send(kind: number, said: Uint32Array): void {
      for (const to of peers) {
        // One that takes no messages need not get more of those that only say that we are there.
        if (kind === BEAT && sending.some((one) => one.to === to)) continue;
        const message = new Uint32Array(MESSAGE_WORDS);
        message[0] = kind;
        message.set(said.subarray(0, WORDS), 1);
        const request = row.requests(1);
        check(call("MPI_Isend")(message, 4 * MESSAGE_WORDS, row.byte, to, TAG, words, request), "MPI_Isend");
        sending.push({ to, request, message });
      }
      sent();
    }

    function sent(): void {
      const done = [0];
      sending = sending.filter(({ request }) => {
        check(call("MPI_Test")(request, done, row.statusIgnore), "MPI_Test");
        return done[0] === 0;
      });
    }

    /** Takes what has come, says that we are there, and looks whether somebody is silent. */
    function look(): void {
      const now = performance.now();
      // After a rest of our own, such as that of a machine that slept, nobody is to be judged at once.
      const rest = now - looked;
      if (rest > timeout / 4)
        heard.forEach((at, i) => {
          heard[i] = at + rest;
        });
      looked = now;
      const count = [0];
      check(call("MPI_Testsome")(peers.length, receiving, count, indices, row.statusIgnore), "MPI_Testsome");
      for (let n = 0; n < count[0]!; n++) {
        const i = indices[n]!;
        heard[i] = now;
        if (received[i]![0] === MEETING) met[i]!.push(received[i]!.slice(1));
        receive(i);
      }
      if (now - beaten > Math.min(BEAT_MS, timeout / 8)) {
        beaten = now;
        send(BEAT, new Uint32Array(WORDS));
      } else if (sending.length > 0) sent();
    }

    return {
      look,
      send: (said: Uint32Array) => send(MEETING, said),
      /** Whether all have come, and what they say. */
      all(): readonly Uint32Array[] | undefined {
        if (met.some((one) => one.length === 0)) return undefined;
        return met.map((one) => one.shift()!);
      },
      /** The first rank that has been silent for so long. */
      silent(milliseconds: number): number | undefined {
        const now = performance.now();
        const at = heard.findIndex((then) => now - then > milliseconds);
        return at < 0 ? undefined : peers[at];
      },
      quiet(): void {
        beaten = Number.POSITIVE_INFINITY;
      },
      stop(): void {
        for (let i = 0; i < peers.length; i++) {
          call("MPI_Cancel")(slot(i));
          call("MPI_Request_free")(slot(i));
        }
      },
    };
  }

  // Beats come from here also while nothing is waited for.
  const beats = setInterval(() => mail.look(), Math.min(IDLE_MS, timeout / 16));
  beats.unref();

  /** What `work` gives; rejects where a rank falls silent meanwhile. */
  async function whileHeard<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const settled = work.finally(() => {
      done = true;
    });
    settled.catch(() => {});
    while (!done) {
      await Promise.race([settled, new Promise((resolve) => setTimeout(resolve, IDLE_MS))]);
      if (!done) judge();
    }
    return settled;
  }

  /** Throws where a rank has been silent for too long. */
  function judge(): void {
    const silent = mail.silent(PATIENCE * timeout);
    // Of those that notice one speaks: the first rank that is there.
    const first = silent === 0 ? 1 : 0;
    const late = rank === first ? silent : mail.silent(LONG_PATIENCE * timeout);
    if (late !== undefined)
      throw new RankLostError(
        late,
        `rank ${late} of ${size} has not been heard of for ${Math.round((PATIENCE * timeout) / 100) / 10} s: it was killed or stopped, or its machine is out of reach`,
      );
  }

  async function exchange(said: Uint32Array): Promise<readonly Uint32Array[]> {
    mail.send(said);
    const began = performance.now();
    for (;;) {
      mail.look();
      const others = mail.all();
      if (others)
        return others.toSpliced(
          rank,
          0,
          Uint32Array.from({ length: WORDS }, (_, i) => said[i] ?? 0),
        );
      judge();
      const eager = performance.now() - began < EAGER_MS;
      await new Promise<void>((resolve) => (eager ? setImmediate(resolve) : setTimeout(resolve, 1)));
    }
  }

  function sumsOf(length: number): RankSums {
    const [given, sums] = [new Float32Array(length), new Float32Array(length)];
    let received = new Float32Array(0);
    const ranks = Array.from({ length: size }, (_, other) => other);
    const inPlace = IN_PLACE[row.handle];
    const part = (all: Float32Array, { offset, length }: ElementRange) => all.subarray(offset, offset + length);

    async function add(
      range: Parameters<RankSums["add"]>[0],
      { first, count }: Parameters<RankSums["add"]>[1],
      from: Float32Array = given,
    ): Promise<void> {
      const mine = chunkOf(range, rank, size);
      if (received.length < mine.length * size) received = new Float32Array(mine.length * size);
      const chunks = ranks.map((other) => chunkOf(range, other, size));
      // What a rank without a batch has is not looked at, and need not travel.
      const sendCounts = Int32Array.from(chunks, ({ length }) => (rank < count ? length : 0));
      const sendAt = Int32Array.from(chunks, ({ offset }) => offset);
      const receiveCounts = Int32Array.from(ranks, (other) => (other < count ? mine.length : 0));
      const receiveAt = Int32Array.from(ranks, (other) => other * mine.length);
      await wait(
        "MPI_Alltoallv",
        ...[from, sendCounts, sendAt, row.float],
        ...[received, receiveCounts, receiveAt, row.float, vectors],
      );
      const sum = part(sums, mine);
      if (first) sum.fill(0);
      for (let other = 0; other < count; other++)
        await accumulate(sum, received.subarray(other * mine.length, (other + 1) * mine.length));
    }

    /** sum += x, on another thread where that is worth it. */
    async function accumulate(sum: Float32Array, x: Float32Array): Promise<void> {
      if (x.length < FEW) addInto(sum, x);
      else await wait("MPI_Reduce_local", x, sum, x.length, row.float, row.sum);
    }

    return {
      given,
      sums,
      add,
      async share(range) {
        const chunks = ranks.map((other) => chunkOf(range, other, size));
        const counts = Int32Array.from(chunks, ({ length }) => length);
        const at = Int32Array.from(chunks, ({ offset }) => offset);
        await wait("MPI_Allgatherv", inPlace, 0, row.float, sums, counts, at, row.float, vectors);
      },
      anyhow: {
        async add(range, first, from) {
          const sum = part(sums, range);
          if (!from) return void (first && sum.fill(0));
          if (first) sum.set(part(from, range));
          else await accumulate(sum, part(from, range));
        },
        async share(range) {
          await wait("MPI_Allreduce", inPlace, part(sums, range), range.length, row.float, row.sum, vectors);
        },
      },
      free() {
        received = new Float32Array(0);
      },
    };
  }

  /** Ends all processes; whatever happens in it, this one ends. */
  function abort(exitCode: number): void {
    ended = true;
    guarded({ limit: ABORT_MS }, () => call("MPI_Abort")(row.world, exitCode));
  }

  return {
    rank,
    size,
    name: row.name,
    exchange,
    async broadcast(bytes) {
      for (let from = 0; from < bytes.length; from += BROADCAST_BYTES) {
        const piece = bytes.subarray(from, from + BROADCAST_BYTES);
        await wait("MPI_Bcast", piece, piece.length, row.byte, 0, vectors);
      }
    },
    sums: sumsOf,
    async leave() {
      if (ended) return;
      await exchange(new Uint32Array(WORDS));
      // All are here: beats end, and what was sent before these words has come when they have.
      clearInterval(beats);
      mail.quiet();
      await exchange(new Uint32Array(WORDS));
      mail.stop();
      // All have come, but one may still be killed in it.
      guarded({ limit: timeout }, () => call("MPI_Finalize")());
      ended = true;
    },
    abort,
  };
}

const ABORT_MS = 2000;

/** Beside this file, compiled or not. */
const GUARD = new URL(`./rank-guard${extname(fileURLToPath(import.meta.url))}`, import.meta.url);

/** Calls a function of C that waits for other ranks, on this thread, as MPI wants its first and its last one. */
function guarded<T>(duty: GuardDuty, act: () => T): T {
  const guard = new Worker(GUARD, { workerData: duty });
  guard.unref();
  try {
    return act();
  } finally {
    void guard.terminate();
  }
}
