import { existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { type Browser, chromium, type LaunchOptions, type Page } from "playwright-core";

/** Debian's package `chromium`; $GPT2_CHROMIUM names another one. */
const CHROMIUM = process.env.GPT2_CHROMIUM ?? "/usr/bin/chromium";

export const hasChromium = existsSync(CHROMIUM);
if (!hasChromium) console.warn(`no ${CHROMIUM}: nothing is tested in a browser (apt install chromium)`);

/** A browser without WebGPU hardware, off the network: its GPU is the SwiftShader that it brings along. */
const FLAGS = [
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  // What is drawn goes through no GPU, which would be software, too.
  "--disable-gpu-compositing",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // A page on another machine, without https.
  "--host-resolver-rules=MAP lan.test 127.0.0.1",
];

/** Bundles a script for a browser; a Node built-in anywhere below it is an error. `entry`: a path from test/. */
export async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`../${entry}`, import.meta.url))],
    bundle: true,
    format: "iife",
    platform: "browser",
    target: "es2022",
    write: false,
    logLevel: "silent",
  });
  return outputFiles[0]!.text;
}

/** What makes a page cross-origin isolated, so that it may share memory with its workers. */
const ISOLATED = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };

/** Serves a page that runs a script to whoever `use` opens. */
export async function withPage<T>(script: string, isolated: boolean, use: (url: string) => Promise<T>): Promise<T> {
  // WebGPU is for secure contexts only; http on localhost counts as one.
  const server = createServer((request, response) => {
    const page = request.url === "/";
    response.writeHead(page || request.url === "/page.js" ? 200 : 404, {
      "content-type": page ? "text/html" : "text/javascript",
      ...(isolated ? ISOLATED : {}),
    });
    response.end(page ? '<!doctype html><script src="/page.js"></script>' : script);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  try {
    return await use(`http://localhost:${port}/`);
  } finally {
    server.close();
  }
}

/** Runs a script in a page of headless Chromium and gives the string that its global `result` settles to. */
export async function runInChromium(script: string, isolated = false): Promise<string> {
  return withPage(script, isolated, async (url) => {
    const browser = await launch();
    try {
      const page = await browser.newPage();
      const problems: string[] = [];
      page.on("pageerror", (error) => problems.push(error.message));
      await page.goto(url);
      const result = await page.evaluate(() => (globalThis as unknown as { result: Promise<string> }).result);
      if (problems.length > 0) throw new Error(`the page: ${problems.join("; ")}`);
      return result;
    } finally {
      await browser.close();
    }
  });
}

/** Opens a file as someone would who was sent it. Any other request, any complaint and any dialog is an error. */
export async function lookAtFile(
  browser: Browser,
  url: string,
  viewport: { readonly width: number; readonly height: number; readonly dark?: boolean; readonly language?: string },
  look: (page: Page) => Promise<void>,
): Promise<void> {
  const { dark, language, ...size } = viewport;
  const page = await browser.newPage({ viewport: size, colorScheme: dark ? "dark" : "light" });
  try {
    if (language !== undefined)
      await page.addInitScript((value) => {
        Object.defineProperty(Object.getPrototypeOf(navigator), "language", { get: () => value });
      }, language);
    const problems: string[] = [];
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("console", (message) => problems.push(message.text()));
    page.on("dialog", (dialog) => {
      problems.push(`a dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on("request", (request) => {
      if (request.url() !== url) problems.push(`a request for ${request.url()}`);
    });
    await page.goto(url);
    await look(page);
    if (problems.length > 0) throw new Error(`the page: ${problems.join("; ")}`);
  } finally {
    await page.close();
  }
}

/** How it is started. */
export function chromiumOptions(): LaunchOptions {
  // Variables that choose a Vulkan driver would choose the browser's too, instead of its own SwiftShader.
  const { VK_ICD_FILENAMES, VK_DRIVER_FILES, ...env } = process.env;
  return { executablePath: CHROMIUM, args: FLAGS, chromiumSandbox: false, env: env as Record<string, string> };
}

export function launch(): Promise<Browser> {
  return chromium.launch(chromiumOptions());
}

/**
 * Has a browser come before other programs where Linux lets a test say so: what they take is no answer's time. One that wants all
 * cores would keep them from the test, too.
 */
export async function prefer(browser: Browser): Promise<void> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const { id } = processInfo.find(({ type }) => type === "browser")!;
  try {
    // Cores are shared between sessions first, and a browser has one of its own, in which all is as it was.
    writeFileSync(`/proc/${id}/autogroup`, "-15");
  } catch {}
}
