/** How much work a device is given at a time. */

/** A second is what browsers ask for, two what Windows allows: room for work that is slower than the rest of its run. */
const SUBMIT_SECONDS = 0.25;
/** Units a second of a slow integrated GPU, as which a device counts until it was measured. */
const UNKNOWN_RATE = 1e10;
/** A byte that goes to or from memory takes as long as so many floating-point operations. */
const UNITS_PER_BYTE = 4;
/** Of runs that are shorter, mostly waiting was measured, or the clock: they only show that the device is faster than was thought. */
const SHORT_SECONDS = SUBMIT_SECONDS / 4;
/** And not by how much: so many times at most. */
const FASTER = 2;
/** After so long it is measured anew. */
const PERIOD_SECONDS = 10;

/** Cuts runs into submits that no watchdog minds, by the work of their dispatches and what was measured of earlier runs. */
export interface Pace {
  /** Where the submits of a run end, each behind the dispatch before that number. `work`: of each dispatch, in units. */
  cut(work: readonly number[]): number[];
  /** Told of a run that goes to the device's queue; what it gives is to be called when its results are read, or never will be. */
  submitted(work: readonly number[]): (read: boolean) => void;
  /** Told of a run whose results nobody reads. */
  unread(work: readonly number[]): void;
}

/** What an op does, as one number: see `AnyOp.cost`. */
export function unitsOf({ flops, bytes }: { readonly flops: number; readonly bytes: number }): number {
  const units = flops + UNITS_PER_BYTE * bytes;
  return Number.isFinite(units) && units > 0 ? units : 0;
}

/** `share`: of the time that a submit may take, less than 1 where a device was lost before. `clock` gives milliseconds. */
export function createPace(share = 1, clock = (): number => performance.now()): Pace {
  const seconds = SUBMIT_SECONDS * share;
  let rate: number | undefined;
  /** A stretch of time in which the device always had something to do: how much that was, and how much of it is done. */
  let [began, queued, done] = [0, 0, 0];
  let reading = 0;
  /** Whether runs that nobody reads, such as micro-batches, came since the last that was read: they are done before the next one. */
  let unread = false;
  let period = 0;

  function enter(work: readonly number[]): void {
    if (reading === 0 && !unread) {
      [began, queued, done] = [clock(), 0, 0];
      period++;
    }
    for (const units of work) queued += units;
  }

  return {
    cut(work) {
      const most = seconds * (rate ?? UNKNOWN_RATE);
      const ends: number[] = [];
      let sum = 0;
      work.forEach((units, at) => {
        if (sum > 0 && sum + units > most) {
          ends.push(at);
          sum = 0;
        }
        sum += units;
      });
      return [...ends, work.length];
    },
    unread(work) {
      enter(work);
      unread = true;
    },
    submitted(work) {
      enter(work);
      reading++;
      const [upTo, mine] = [queued, period];
      return (read) => {
        reading--;
        unread = false;
        if (!read || mine !== period) return;
        done = Math.max(done, upTo);
        // At least as fast: what else the machine did in that time is counted, too.
        const taken = (clock() - began) / 1000;
        const measured = done / Math.max(taken, 1e-3);
        const known = rate ?? UNKNOWN_RATE;
        if (taken >= SHORT_SECONDS) rate = measured;
        else if (measured > known) rate = Math.min(measured, FASTER * known);
        if (taken < PERIOD_SECONDS) return;
        [began, queued, done] = [clock(), queued - done, 0];
        period++;
      };
    },
  };
}
