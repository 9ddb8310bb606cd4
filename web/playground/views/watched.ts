import type { App } from "../app.ts";

/** Who has a run set up again goes where that is told, before the button that trains; on a narrow screen it is far away. */
export function setUpAgain(app: App, id: string): () => Promise<void> {
  return async () => {
    await app.setUpAgain(id);
    // Once it is drawn.
    await new Promise(requestAnimationFrame);
    if (app.state.setUpAs === undefined) return;
    const told = document.getElementById("set-up")!;
    told.focus({ preventScroll: true });
    const { top, bottom } = told.getBoundingClientRect();
    if (top < 0 || bottom > innerHeight / 2) told.scrollIntoView({ block: "center" });
  };
}

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
