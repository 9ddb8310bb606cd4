import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, launch } from "puppeteer-core";
import { withPage } from "../support/chromium.ts";

export type { Page } from "puppeteer-core";

/** Debian's package `firefox-esr`; $GPT2_FIREFOX names another one. */
const FIREFOX = process.env.GPT2_FIREFOX ?? "/usr/bin/firefox-esr";

export const hasFirefox = existsSync(FIREFOX);
if (!hasFirefox) console.warn(`no ${FIREFOX}: nothing is tested in Firefox (apt install firefox-esr)`);

/** Settings with which it has WebGPU, and the software driver of the system that it then uses: lavapipe. */
const WEBGPU = { "dom.webgpu.enabled": true, "gfx.webgpu.ignore-blocklist": true };
const LAVAPIPE = "/usr/share/vulkan/icd.d/lvp_icd.json";

export const hasFirefoxGpu = hasFirefox && existsSync(LAVAPIPE);

/** Headless Firefox as it comes, or with WebGPU; driven over WebDriver BiDi. */
export function launchFirefox(
  { webgpu = false, ...prefs }: Record<string, boolean> = {},
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Browser> {
  return launch({
    browser: "firefox",
    executablePath: FIREFOX,
    headless: true,
    extraPrefsFirefox: { ...prefs, ...(webgpu ? WEBGPU : {}) },
    // Most of a first step is lavapipe's compiling: see quicklyCompiling in gpu.ts.
    env: webgpu ? { ...env, VK_ICD_FILENAMES: LAVAPIPE, VK_DRIVER_FILES: LAVAPIPE, GALLIVM_PERF: "nopt" } : { ...env },
  });
}

/** `runInChromium` in headless Firefox as it comes. */
export async function runInFirefox(script: string, isolated = false): Promise<string> {
  return runOn(() => launchFirefox(), script, isolated);
}

/** The same with WebGPU. `env`: besides this process's, to choose a driver. */
export async function runInFirefoxWithWebGpu(script: string, env: Readonly<Record<string, string>>): Promise<string> {
  const home = mkdtempSync(join(tmpdir(), "firefox-"));
  try {
    const open = () => launchFirefox({ webgpu: true }, { ...process.env, ...env, HOME: home });
    return await runOn(open, script, false);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

function runOn(open: () => Promise<Browser>, script: string, isolated: boolean): Promise<string> {
  return withPage(script, isolated, async (url) => {
    const browser = await open();
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
