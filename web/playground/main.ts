/** The playground's page: draws the state whenever it changes, at most once a frame. */
import "../locale.ts";
import "uplot/dist/uPlot.min.css";
import "./style.css";
import { render } from "lit-html";
import { type App, openApp } from "./app.ts";
import { keepFocus } from "./focus.ts";
import { page } from "./views/page.ts";

const root = document.getElementById("page")!;
/** What a run tells is drawn so often: who trains on the CPU needs it. */
const LAZILY_MS = 200;
/** Where the tab is hidden there are no frames, and nobody looks. */
const HIDDEN_MS = 1000;
let framed = false;
let later: ReturnType<typeof setTimeout> | undefined;

function draw(app: App, lazily = false): void {
  if (framed) return;
  if (lazily || document.hidden) {
    later ??= setTimeout(() => show(app), document.hidden ? HIDDEN_MS : LAZILY_MS);
    return;
  }
  framed = true;
  requestAnimationFrame(() => show(app));
}

function show(app: App): void {
  clearTimeout(later);
  later = undefined;
  framed = false;
  const { texts: t, active } = app.state;
  document.documentElement.lang = t.locale;
  // Who waits for it looks at another tab.
  document.title = active
    ? t.tab(Math.floor((100 * active.step) / Math.max(1, active.maxSteps)), active.title)
    : t.title;
  keepFocus(() => render(page(app), root));
}

const app = openApp(draw);

/** A text that is dragged goes into a field, as on any page. */
const bringsFiles = ({ dataTransfer }: DragEvent): boolean => dataTransfer?.types.includes("Files") === true;

addEventListener("dragover", (event) => {
  if (!bringsFiles(event)) return;
  event.preventDefault();
  // What a run is trained on is chosen before it.
  if (app.state.active) event.dataTransfer!.dropEffect = "none";
  else if (!app.state.dropping) app.setDropping(true);
});
addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) app.setDropping(false);
});
addEventListener("drop", (event) => {
  if (!bringsFiles(event)) return;
  event.preventDefault();
  app.setDropping(false);
  app.useDropped([...(event.dataTransfer?.files ?? [])]);
});

addEventListener("beforeunload", (event) => {
  if (app.unsaved) event.preventDefault();
});

// What serves the page while it is worked on has no such file.
if (import.meta.env.PROD) void navigator.serviceWorker?.register("./sw.js").catch(() => {});
