/** examples/page.html, as someone opens it who has installed the package. */
import { copyFileSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, createServer, preview } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasChromium, launch } from "../support/chromium.ts";
import { installPackage } from "../support/package.ts";
import { By, hasWebKit, until, withWebKit } from "../tools/webkit.ts";

const examples = fileURLToPath(new URL("../../examples/", import.meta.url));

describe("page.html", () => {
  let folder = "";
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "examples-page-"));
    await installPackage(folder);
    for (const name of readdirSync(examples)) copyFileSync(examples + name, join(folder, name));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.runIf(hasChromium)("trains in a worker, draws, samples, and gives the model away", async () => {
    // What its first lines say to do, on a port that is free and with caches of its own.
    const server = await createServer({ root: folder, configFile: false, logLevel: "error", server: { port: 0 } });
    await server.listen();
    const browser = await launch();
    try {
      const page = await browser.newPage({ viewport: { width: 360, height: 740 }, isMobile: true });
      const problems: string[] = [];
      page.on("pageerror", (error) => problems.push(error.message));
      page.on("console", (message) => {
        if (message.type() === "error" || message.type() === "warning") problems.push(message.text());
      });
      await page.goto(`${server.resolvedUrls!.local[0]}page.html`);
      await page.fill("#steps", "10");
      await page.click("#train");
      await page.waitForSelector("#save:not([hidden])", { timeout: 50_000 });
      expect(await page.title()).toMatch(/^step 10, loss \d\.\d{3}$/);
      const lines = (await page.locator("#log").textContent())!.split("\n");
      expect(lines.length).toBeGreaterThan(10);
      expect(lines[0]).toMatch(/^computes on /);
      const [download] = await Promise.all([page.waitForEvent("download"), page.click("#save")]);
      expect(download.suggestedFilename()).toBe("model.zip");
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
      await page.fill("#steps", "100000");
      await page.click("#train");
      await page.click("#stop");
      await page.waitForSelector("#train:enabled");
      expect(await page.textContent("#log")).toMatch(/^computes on |^stopped: as asked$/m);
      expect(problems).toEqual([]);
    } finally {
      await browser.close();
      await server.close();
    }
  });

  test.runIf(hasWebKit)("built for a file host, it does in WebKit, too", async () => {
    const input = join(folder, "page.html");
    await build({
      ...{ root: folder, configFile: false, logLevel: "error" },
      build: { target: "es2022", rolldownOptions: { input } },
      worker: { format: "es" },
    });
    const server = await preview({ root: folder, configFile: false, logLevel: "error", preview: { port: 0 } });
    try {
      await withWebKit(async (browser) => {
        await browser.get(`${server.resolvedUrls!.local[0]}page.html`);
        await browser.executeScript("document.querySelector('#steps').value = '10'");
        await browser.findElement(By.css("#train")).click();
        await browser.wait(until.elementLocated(By.css("#save:not([hidden])")), 100_000);
        expect(await browser.getTitle()).toMatch(/^step 10, loss \d\.\d{3}$/);
        expect(await browser.findElement(By.css("#log")).getText()).toMatch(/^computes on WebAssembly/);
        await browser.executeScript("document.querySelector('#steps').value = '100000'");
        await browser.findElement(By.css("#train")).click();
        await browser.wait(until.titleMatches(/^step [2-9]/), 100_000);
        await browser.findElement(By.css("#stop")).click();
        await browser.wait(until.elementLocated(By.css("#stop:disabled")), 20_000);
      });
    } finally {
      await server.close();
    }
  });
});
