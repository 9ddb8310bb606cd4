/** The playground in WebKit, Safari's engine: in WebAssembly, without private files, which WebKitGTK does not let pages write. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unzipSync } from "fflate";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fromFragment, saidBy } from "../../web/playground/settings.ts";
import { By, hasWebKit, until, type WebDriver, withWebKit } from "../tools/webkit.ts";
import { commandLineOf } from "./command-line.ts";
import { eventually, LIST, QUICK } from "./person.ts";
import { type Host, hostPlayground } from "./served.ts";

const LIMIT = 120_000;
const SETTINGS = `${QUICK}&max_steps=12&eval_steps=6&save_steps=6&logging_steps=1`;

/** What the page complains of from now on, and the next zip that it gives away. */
const WATCH = `
  globalThis.problems = [];
  addEventListener("error", ({ message }) => problems.push(message));
  addEventListener("unhandledrejection", ({ reason }) => problems.push(String(reason)));
  const make = URL.createObjectURL;
  URL.createObjectURL = (blob) => {
    globalThis.given = blob;
    return make.call(URL, blob);
  };`;

const press = (browser: WebDriver, name: string) =>
  browser.executeScript(
    "for (const button of document.querySelectorAll('button')) if (button.textContent.trim() === arguments[0]) return button.click();",
    name,
  );

const textOf = async (browser: WebDriver, selector: string): Promise<string> =>
  (await browser.findElement(By.css(selector)).getText()).trim();

/** The files of the zip that the first run of the list is downloaded as. */
async function download(browser: WebDriver): Promise<Record<string, Uint8Array>> {
  await press(browser, "Download");
  await eventually(() => browser.executeScript("return globalThis.given instanceof Blob"), true);
  const url = await browser.executeAsyncScript<string>(
    "const reader = new FileReader(); reader.onload = () => arguments[0](reader.result); reader.readAsDataURL(given);",
  );
  return unzipSync(Buffer.from(url.split(",")[1]!, "base64"));
}

describe.runIf(hasWebKit)("the playground in WebKit", () => {
  let host: Host;
  const folder = mkdtempSync(join(tmpdir(), "gpt2-webkit-"));
  beforeAll(async () => {
    host = await hostPlayground();
  }, LIMIT);
  afterAll(() => {
    host?.close();
    rmSync(folder, { recursive: true });
  });

  test(
    "trains in WebAssembly to the command line's bits, samples, and gives the model away",
    () =>
      withWebKit(async (browser) => {
        await browser.get(`${host.place({ isolated: true }).url}#${SETTINGS}`);
        await browser.executeScript(WATCH);
        await browser.wait(until.elementLocated(By.css("header .warning")), LIMIT);
        expect(await textOf(browser, "header summary")).toMatch(
          /in WebAssembly on \d+ threads: this page found no GPU/,
        );
        expect(await textOf(browser, "header .warning")).toMatch(
          /^This browser keeps no files for the page: a run lives/,
        );
        await browser.executeScript("document.querySelector('#pasted').value = arguments[0]", LIST);
        await press(browser, "Use this text");
        await eventually(() => textOf(browser, ".chosen"), /pasted text/);
        await browser.wait(until.elementLocated(By.css("#train:enabled")), LIMIT);
        await browser.findElement(By.css("#train")).click();
        await browser.wait(until.elementLocated(By.css(".outcome:not(:empty), .alert")), LIMIT);
        expect(await textOf(browser, ".outcome, .alert")).toMatch(/finished/);
        await browser.wait(until.elementLocated(By.css("#twenty:enabled")), LIMIT);
        await press(browser, "20 at once");
        await browser.wait(until.elementLocated(By.css("#results li:nth-child(20)")), LIMIT);
        const { "model.safetensors": weights } = await download(browser);
        const about = JSON.stringify({ said: saidBy(fromFragment(SETTINGS)) });
        expect(Buffer.compare(weights!, (await commandLineOf(about, LIST, folder)).weights)).toBe(0);
        expect(await browser.executeScript("return problems")).toEqual([]);
      }),
    LIMIT,
  );
});
