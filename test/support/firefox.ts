import { existsSync } from "node:fs";
import { type Browser, launch } from "puppeteer-core";
import { withPage } from "./chromium.ts";

/** Debian's package `firefox-esr`; $GPT2_FIREFOX names another one. */
const FIREFOX = process.env.GPT2_FIREFOX ?? "/usr/bin/firefox-esr";

export const hasFirefox = existsSync(FIREFOX);
if (!hasFirefox) console.warn(`no ${FIREFOX}: nothing is tested in Firefox (apt install firefox-esr)`);

/** `runInChromium` in headless Firefox as it comes, driven over WebDriver BiDi. */
export async function runInFirefox(script: string, isolated = false): Promise<string> {
  return withPage(script, isolated, async (url) => {
    const browser: Browser = await launch({ browser: "firefox", executablePath: FIREFOX, headless: true });
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
