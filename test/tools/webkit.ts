/** WebKit, which is what Safari is made of: Debian's WebKitGTK, which has neither WebGPU nor files of a page that one can write. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Builder, Capabilities, type WebDriver } from "selenium-webdriver";
import { withPage } from "../support/chromium.ts";

export { By, until, type WebDriver } from "selenium-webdriver";

/** Of Debian's packages `webkit2gtk-driver` and `xvfb`; the browser is a part of the library. */
const [DRIVER, SCREEN] = ["/usr/bin/WebKitWebDriver", "/usr/bin/xvfb-run"];
const BROWSER = "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser";

export const hasWebKit = [DRIVER, SCREEN, BROWSER].every((file) => existsSync(file));
if (!hasWebKit) console.warn(`no ${DRIVER}: nothing is tested in WebKit (apt install webkit2gtk-driver xvfb xauth)`);

/** Opens a window on a screen of its own for the length of `use`. */
export async function withWebKit<T>(use: (browser: WebDriver) => Promise<T>): Promise<T> {
  const home = mkdtempSync(join(tmpdir(), "webkit-"));
  const { driver, port } = await startDriver(home);
  let browser: WebDriver | undefined;
  try {
    const options = { binary: BROWSER, args: ["--automation"] };
    const wanted = new Capabilities({ browserName: "MiniBrowser", "webkitgtk:browserOptions": options });
    browser = await new Builder().usingServer(`http://127.0.0.1:${port}`).withCapabilities(wanted).build();
    await browser.manage().setTimeouts({ script: 100_000, pageLoad: 60_000 });
    return await use(browser);
  } finally {
    await browser?.quit().catch(() => {});
    const ended = new Promise((resolve) => driver.once("exit", resolve));
    // With all that it has started: the screen, too.
    if (driver.exitCode === null && process.kill(-driver.pid!, "SIGTERM")) await ended;
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Takes another port where the first one is not free. */
async function startDriver(home: string): Promise<{ driver: ChildProcess; port: number }> {
  for (let tries = 0; ; tries++) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const env = {
      ...process.env,
      ...{
        HOME: home,
        XDG_CACHE_HOME: home,
        XDG_DATA_HOME: home,
        XDG_CONFIG_HOME: home,
        XDG_RUNTIME_DIR: home,
        TMPDIR: home,
      },
      // Its numbers want a language, and Safari has memory that threads share by itself.
      ...{ LC_ALL: "en_US.UTF-8", JSC_useSharedArrayBuffer: "1", WEBKIT_DISABLE_COMPOSITING_MODE: "1" },
    };
    const args = ["-a", "-s", "-screen 0 1280x1000x24", DRIVER, `--port=${port}`];
    const driver = spawn(SCREEN, args, { env, stdio: "ignore", detached: true });
    for (let waits = 0; waits < 200 && driver.exitCode === null; waits++) {
      const status = await fetch(`http://127.0.0.1:${port}/status`).catch(() => undefined);
      if (status?.ok) return { driver, port };
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    if (driver.exitCode === null) process.kill(-driver.pid!, "SIGTERM");
    if (tries === 3) throw new Error(`${DRIVER} does not start`);
  }
}

/** `runInChromium` in WebKit. */
export function runInWebKit(script: string, isolated = false): Promise<string> {
  return withPage(script, isolated, (url) =>
    withWebKit(async (browser) => {
      await browser.get(url);
      const { result, error } = await browser.executeAsyncScript<{ result?: string; error?: string }>(
        "const [tell] = [...arguments].slice(-1);" +
          "Promise.resolve(globalThis.result).then((result) => tell({ result }), (error) => tell({ error: String(error) }));",
      );
      if (result === undefined) throw new Error(`the page: ${error ?? "it has no result"}`);
      return result;
    }),
  );
}
