/**
 * Who has a run begin goes where it is watched and paused: the button that was pressed can do nothing more, and on a narrow screen
 * the run is far from it.
 */
export function watched(begin: () => unknown): () => void {
  return () => {
    begin();
    const run = document.getElementById("run")!;
    run.focus({ preventScroll: true });
    const { top } = run.getBoundingClientRect();
    if (top < 0 || top > innerHeight / 2) run.scrollIntoView();
  };
}
