/** The playground as a file host has it, and a browser that looks at it. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { build } from "vite";
import { launch } from "../support/chromium.ts";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};

/** Before every script. */
const WITHOUT_FILES = "if (self.StorageManager) delete StorageManager.prototype.getDirectory;\n";

export interface Served {
  readonly browser: Browser;
  readonly url: string;
  /** The folder that is served. */
  readonly folder: string;
  /** Paths that were asked for, in their order. */
  readonly requests: string[];
  /** The same page, as a browser without private files runs it. */
  readonly bareUrl: string;
  close(): Promise<void>;
}

/** Builds the page, and serves it below a path of its own and without special headers. */
export async function servePlayground(): Promise<Served> {
  const folder = mkdtempSync(join(tmpdir(), "gpt2-playground-"));
  const configFile = fileURLToPath(new URL("../../web/playground/vite.config.ts", import.meta.url));
  const { NODE_ENV } = process.env;
  // As it is published, although a test builds it.
  process.env.NODE_ENV = "production";
  await build({ configFile, logLevel: "error", build: { outDir: folder, emptyOutDir: true } });
  process.env.NODE_ENV = NODE_ENV;
  const requests: string[] = [];
  const server: Server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    requests.push(path);
    const name = path.endsWith("/") ? "index.html" : path.replace(/^\/some\/(place|bare)\//, "");
    try {
      const bytes = readFileSync(join(folder, name));
      const type = TYPES[extname(name)] ?? "application/octet-stream";
      response.writeHead(200, { "content-type": type });
      response.end(type === "text/javascript" && path.startsWith("/some/bare/") ? WITHOUT_FILES + bytes : bytes);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const browser = await launch();
  const origin = `http://localhost:${(server.address() as AddressInfo).port}`;
  return {
    browser,
    folder,
    requests,
    url: `${origin}/some/place/`,
    bareUrl: `${origin}/some/bare/`,
    async close() {
      await browser.close();
      server.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** A page that must not complain: `problems` has errors, complaints of the console and dialogs. */
export async function openPage(
  context: Pick<BrowserContext, "newPage">,
  url: string,
): Promise<{ page: Page; problems: string[] }> {
  const page = await context.newPage();
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") problems.push(message.text());
  });
  page.on("dialog", (dialog) => {
    problems.push(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.goto(url);
  return { page, problems };
}
