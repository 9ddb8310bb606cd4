/** The playground as a file host has it, and a browser in which tests visit it, each as somebody who was never there. */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { builtPlayground } from "../support/build.ts";
import { launch } from "../support/chromium.ts";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};

/** What makes a page cross-origin isolated, so that it may share memory with its workers. */
const ISOLATED = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };

export interface Host {
  /** The folder that is served. */
  readonly folder: string;
  /** A place of its own for each visitor; `before`: what every script begins with there. `host`: as the browser calls it. */
  place(options?: { readonly before?: string; readonly isolated?: boolean; readonly host?: string }): Place;
  close(): void;
}

export interface Place {
  readonly url: string;
  /** Files that were asked for there, in their order. */
  readonly requests: string[];
}

/** Serves the page below paths of its own and without special headers, but where a place is to be isolated. */
export async function hostPlayground(): Promise<Host> {
  const folder = await builtPlayground();
  const places: { requests: string[]; before: string; isolated: boolean }[] = [];
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    const [, at = "", file = ""] = /^\/some\/place-(\d+)\/(.*)$/.exec(path) ?? [];
    const name = file || "index.html";
    const place = places[Number(at)];
    place?.requests.push(name);
    try {
      if (!place) throw new Error(`${path}: nothing is there`);
      const bytes = readFileSync(join(folder, name));
      const type = TYPES[extname(name)] ?? "application/octet-stream";
      response.writeHead(200, { "content-type": type, ...(place.isolated ? ISOLATED : {}) });
      response.end(type === "text/javascript" && place.before !== "" ? `${place.before};\n${bytes}` : bytes);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    folder,
    place({ before = "", isolated = false, host = "localhost" } = {}) {
      const requests: string[] = [];
      places.push({ requests, before, isolated });
      return { requests, url: `http://${host}:${port}/some/place-${places.length - 1}/` };
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Somebody with a browser profile of their own. */
export interface Visitor extends Place {
  readonly context: BrowserContext;
  /** The folder that is served. */
  readonly folder: string;
  /** What pages complained of: errors, complaints of the console, dialogs. */
  readonly problems: string[];
  /** Opens the page in a tab, with settings as its address has them. */
  open(settings?: string): Promise<Page>;
}

export type VisitOptions = BrowserContextOptions & Parameters<Host["place"]>[0];

export interface Served {
  readonly browser: Browser;
  /**
   * Fails where a page complains of anything that `act` does not take out of `problems`. Without the service worker, which fetches all
   * that the page may ever want, a third of what a visit takes; `serviceWorkers: "allow"`: with it.
   */
  visit(act: (visitor: Visitor) => Promise<void>, options?: VisitOptions): Promise<void>;
  close(): Promise<void>;
}

export async function servePlayground(): Promise<Served> {
  const [host, browser] = await Promise.all([hostPlayground(), launch()]);
  return {
    browser,
    async visit(act, { before, isolated, host: called, ...options } = {}) {
      const place = host.place({
        ...(before === undefined ? {} : { before }),
        ...(called === undefined ? {} : { host: called }),
        isolated: isolated === true,
      });
      const usual = { viewport: { width: 1280, height: 900 }, locale: "en", serviceWorkers: "block" } as const;
      const context = await browser.newContext({ ...usual, ...options });
      // Little less than the test's own limit, so that what never came is named: where all cores are busy, a second is long.
      context.setDefaultTimeout(100_000);
      try {
        const visitor = visitorOf(context, place, host.folder);
        await act(visitor);
        if (visitor.problems.length > 0) throw new Error(`the page complains: ${visitor.problems.join("; ")}`);
      } finally {
        await context.close();
      }
    },
    async close() {
      await browser.close();
      host.close();
    },
  };
}

export function visitorOf(context: BrowserContext, place: Place, folder: string): Visitor {
  const problems: string[] = [];
  return {
    ...place,
    context,
    folder,
    problems,
    async open(settings = "") {
      const page = await context.newPage();
      page.on("pageerror", (error) => problems.push(error.message));
      page.on("console", (message) => {
        if (message.text() === "Service Worker registration blocked by Playwright") return;
        if (message.type() === "error" || message.type() === "warning") problems.push(message.text());
      });
      page.on("dialog", (dialog) => {
        problems.push(`a dialog: ${dialog.message()}`);
        void dialog.dismiss();
      });
      await page.goto(`${place.url}#${settings}`);
      return page;
    },
  };
}
