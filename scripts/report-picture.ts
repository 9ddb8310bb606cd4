/** Takes the README's picture of a report: `npx tsx scripts/report-picture.ts RUN/report.html`, with Chromium. */
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [report = "report.html"] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.GPT2_CHROMIUM ?? "/usr/bin/chromium",
  chromiumSandbox: false,
});
const page = await browser.newPage({ viewport: { width: 1000, height: 760 }, colorScheme: "light" });
await page.goto(pathToFileURL(resolve(report)).href);
await page.waitForTimeout(500);
await page.screenshot({ path: fileURLToPath(new URL("../docs/images/report.png", import.meta.url)) });
await browser.close();
