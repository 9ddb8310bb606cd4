/** What tabs of this page know of each other: which of them trains what, and how far it is. */

const CHANNEL = "webgpu-gpt2 playground";
/** A browser does not freeze a tab that holds a lock. */
const TRAINS = "webgpu-gpt2 playground: trains";
const TELL_MS = 1000;

export interface Elsewhere {
  readonly id: string;
  readonly title: string;
  readonly step: number;
  readonly maxSteps: number;
  /** It no longer trains there, or is no more. */
  readonly over: boolean;
}

export interface Tabs {
  /** Tells the others, at most once a second unless it is over. */
  tell(run: Elsewhere): void;
  /** While `work` goes on this tab is one that trains. */
  training<T>(work: Promise<T>): Promise<T>;
}

export function openTabs(hear: (run: Elsewhere) => void): Tabs {
  const channel = new BroadcastChannel(CHANNEL);
  channel.onmessage = ({ data }: MessageEvent<Elsewhere>) => hear(data);
  let told = Number.NEGATIVE_INFINITY;
  return {
    tell(run) {
      const now = performance.now();
      if (!run.over && now - told < TELL_MS) return;
      told = now;
      channel.postMessage(run);
    },
    async training(work) {
      void navigator.locks?.request(TRAINS, { mode: "shared" }, () => work.catch(() => {}));
      return work;
    },
  };
}
