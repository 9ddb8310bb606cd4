/** The playground's page: draws the state whenever it changes, at most once a frame. */
import "uplot/dist/uPlot.min.css";
import "./style.css";
import { render } from "lit-html";
import { type App, openApp } from "./app.ts";
import { page } from "./views/page.ts";

const root = document.getElementById("page")!;
let due = false;

function draw(app: App): void {
  if (due) return;
  due = true;
  // Where the tab is hidden there are no frames, and nobody looks.
  const soon = document.hidden ? (act: () => void) => setTimeout(act, 1000) : requestAnimationFrame;
  soon(() => {
    due = false;
    document.documentElement.lang = app.state.texts.locale;
    document.title = app.state.texts.title;
    render(page(app), root);
  });
}

const app = openApp(draw);
draw(app);

addEventListener("dragover", (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  if (!app.state.dropping) app.setDropping(true);
});
addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) app.setDropping(false);
});
addEventListener("drop", (event) => {
  event.preventDefault();
  app.setDropping(false);
  app.useFiles([...(event.dataTransfer?.files ?? [])]);
});
