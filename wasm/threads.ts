// How threads share a job: a word in memory says where its pieces end, and each thread takes the next one until there is none.
// Tickets are counted on from job to job and never reset, so that a thread that comes late cannot take a piece of another job:
// it takes a ticket only if that is still the next, and while one of a job's tickets is free the job's words do not change.
// src/runtime/wasm/control.ts writes them; the words lie in lines of the cache of their own.

/** Ticket behind the job's last piece; written after all else of a job. */
const END: usize = 64;
const KERNEL: usize = 128;
const ARGS: usize = 132;
/** Ticket of the job's first piece. */
const START: usize = 136;
/** Where threads have memory of their own, and bytes of each. */
const SCRATCH: usize = 140;
const SCRATCH_BYTES: usize = 144;
/** Pages that the memory had when the job began. */
const PAGES: usize = 148;
/** The next ticket. */
const NEXT: usize = 192;
/** Pieces done since the beginning. */
const DONE: usize = 256;
/** Threads that wait to be woken. */
const SLEEPING: usize = 320;

/** Looks so often for a new job before it sleeps: some 60 us, as long as what is done between two jobs of a step, or as waking up takes. */
const LOOKS: i32 = 60000;

/** Does the next piece of the job, if there is one. */
export function help(thread: i32): bool {
  for (;;) {
    const end = atomic.load<i32>(END);
    const kernel = atomic.load<i32>(KERNEL);
    const args = atomic.load<i32>(ARGS);
    const start = atomic.load<i32>(START);
    const scratch = atomic.load<i32>(SCRATCH) + thread * atomic.load<i32>(SCRATCH_BYTES);
    const ticket = atomic.load<i32>(NEXT);
    if (end - ticket <= 0) return false;
    if (atomic.cmpxchg<i32>(NEXT, ticket, ticket + 1) != ticket) continue;
    // An engine may tell a thread late of what another one grew: what looks at the size before it writes, as filling does, would end it.
    if (memory.size() < atomic.load<i32>(PAGES)) memory.grow(0);
    call_indirect<void>(kernel, <usize>args, ticket - start, <usize>scratch);
    if (atomic.add<i32>(DONE, 1) + 1 == end) atomic.notify(DONE, 1);
    return true;
  }
}

/** Waits a little for all pieces of the job; false: they are not done yet. */
export function finished(): bool {
  const end = atomic.load<i32>(END);
  for (let i = 0; i < LOOKS; i++) if (atomic.load<i32>(DONE) == end) return true;
  return false;
}

/** What a thread does all its life. */
export function serve(thread: i32): void {
  for (;;) {
    const end = atomic.load<i32>(END);
    while (help(thread)) {}
    let looks = 0;
    while (looks < LOOKS && atomic.load<i32>(END) == end) looks++;
    if (looks < LOOKS) continue;
    atomic.add<i32>(SLEEPING, 1);
    atomic.wait<i32>(END, end, -1);
    atomic.sub<i32>(SLEEPING, 1);
  }
}
