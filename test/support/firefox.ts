import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, type LaunchOptions, launch } from "puppeteer-core";
import { withPage } from "./chromium.ts";

/** Debian's package `firefox-esr`; $GPT2_FIREFOX names another one. */
const FIREFOX = process.env.GPT2_FIREFOX ?? "/usr/bin/firefox-esr";

export const hasFirefox = existsSync(FIREFOX);
if (!hasFirefox) console.warn(`no ${FIREFOX}: nothing is tested in Firefox (apt install firefox-esr)`);

/** WebGPU, which Debian's has switched off, and on drivers that Firefox has not seen to work. */
const WEBGPU = { "dom.webgpu.enabled": true, "gfx.webgpu.ignore-blocklist": true };

/** `runInChromium` in headless Firefox as it comes, driven over WebDriver BiDi. */
export async function runInFirefox(script: string, isolated = false): Promise<string> {
  return runOnFirefox(script, isolated, {});
}

/** The same with WebGPU. `env`: besides this process's, to choose a driver. */
export async function runInFirefoxWithWebGpu(script: string, env: Readonly<Record<string, string>>): Promise<string> {
  const home = mkdtempSync(join(tmpdir(), "firefox-"));
  try {
    return await runOnFirefox(script, false, {
      env: { ...process.env, ...env, HOME: home },
      extraPrefsFirefox: WEBGPU,
    });
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

async function runOnFirefox(script: string, isolated: boolean, options: LaunchOptions): Promise<string> {
  return withPage(script, isolated, async (url) => {
    const how: LaunchOptions = { ...options, browser: "firefox", executablePath: FIREFOX, headless: true };
    const browser: Browser = await launch(how);
    try {
      const page = await browser.newPage();
      const problems: string[] = [];
      page.on("pageerror", (error) => problems.push(String(error)));
      await page.goto(url);
      const result = await page.evaluate(() => (globalThis as unknown as { result: Promise<string> }).result);
      if (problems.length > 0) throw new Error(`the page: ${problems.join("; ")}`);
      return result;
    } finally {
      await browser.close();
    }
  });
}
