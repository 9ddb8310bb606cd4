/** What nobody should give the page: each is told in one line, nothing is lost, and nothing becomes part of the page. */
import { closeSync, ftruncateSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { strToU8, unzipSync, zipSync } from "fflate";
import type { Page } from "playwright-core";
import { afterAll, expect } from "vitest";
import { commandLineOf } from "./command-line.ts";
import {
  begin,
  choose,
  chooseModel,
  download,
  eventually,
  LIST,
  numbersOf,
  outcome,
  paste,
  press,
  QUICK,
  ready,
  statusOf,
  step,
  stored,
} from "./person.ts";
import { describePlayground } from "./visits.ts";

const HOSTILE = `"><img src=x onerror=alert(1)><script>alert(2)</script>`;
const GIB = 2 ** 30;
const folder = mkdtempSync(join(tmpdir(), "gpt2-hostile-"));
afterAll(() => rmSync(folder, { recursive: true }));

type Bytes = string | Uint8Array;

/** A file of 3 GiB that takes none of the disk. */
function huge(name: string, beginning: Bytes): string {
  const path = join(folder, name);
  writeFileSync(path, beginning);
  const file = openSync(path, "r+");
  ftruncateSync(file, 3 * GIB);
  closeSync(file);
  return path;
}

const DATA: readonly (readonly [name: string, bytes: Bytes, message: RegExp])[] = [
  ["empty.txt", "", /empty\.txt: is empty; wanted text/],
  ["blank.txt", "\n \n\n", /blank\.txt: has no (characters|records)|only blank/],
  ["latin.txt", Uint8Array.of(0x61, 0xe9, 0x0a), /latin\.txt, line 1: byte 1 \(0xE9\) is not UTF-8/],
  ["wide.txt", Buffer.from("ab\ncd\nef\n", "utf16le"), /wide\.txt: is UTF-16/],
  ["nul.txt", "a\0b\nc\n", /nul\.txt, line 1: byte 1 is NUL/],
  ["one.txt", "one\n", /there is one record only/],
  ["not.json", "{}", /not\.json: \.json files are not read/],
  ["broken.jsonl", '{"text": "a"}\n{"text"', /broken\.jsonl, line 2: is not JSON/],
  ["proto.jsonl", '{"__proto__": {"text": "x"}}\n', /proto\.jsonl, line 1: wanted a column "text".*got "__proto__"/],
  ["deep.jsonl", `{"text": ${"[".repeat(9999)}${"]".repeat(9999)}}`, /deep\.jsonl, line 1: column "text" is a list/],
  ["html.jsonl", `{"${HOSTILE.replaceAll('"', '\\"')}": 1}\n`, /html\.jsonl, line 1: wanted a column.*<img src=x/],
  ["open.csv", 'text\n"open', /open\.csv, line 2: a quote opens here and is never closed/],
  ["rubbish.parquet", "PAR1 nothing", /rubbish\.parquet: cannot be read as Parquet/],
  [
    "lying.parquet",
    Uint8Array.of(80, 65, 82, 49, 255, 255, 255, 127, 80, 65, 82, 49),
    /lying\.parquet: cannot be read/,
  ],
  ["packed.zip", "PK", /packed\.zip: \.zip files are not read/],
];

const MODEL = unzipSync(new Uint8Array(readFileSync(new URL("fixtures/page-model.zip", import.meta.url))));
const zipped = (change: Record<string, Uint8Array>): Uint8Array => zipSync({ ...MODEL, ...change }, { level: 0 });
const configured = (change: object): Uint8Array => {
  const config = { ...JSON.parse(new TextDecoder().decode(MODEL["config.json"])), ...change };
  return zipped({ "config.json": strToU8(JSON.stringify(config)) });
};

function withHeader(header: string, length = BigInt(header.length)): Uint8Array {
  const bytes = new Uint8Array(8 + header.length);
  new DataView(bytes.buffer).setBigUint64(0, length, true);
  bytes.set(strToU8(header), 8);
  return bytes;
}

/** A zip that says another size of what is in it than it has. */
function lying(zip: Uint8Array, size: number): Uint8Array {
  const central = Buffer.from(zip).indexOf(Buffer.from([0x50, 0x4b, 1, 2]));
  new DataView(zip.buffer).setUint32(central + 24, size, true);
  return zip;
}

const MODELS: readonly (readonly [name: string, bytes: Uint8Array, message: RegExp])[] = [
  [
    "bomb.zip",
    lying(zipSync({ "model.safetensors": new Uint8Array(9) }), 0xf0000000),
    /bomb\.zip: unpacks to more than 2/,
  ],
  ["sly.zip", lying(zipSync({ "model.safetensors": new Uint8Array(2 ** 26) }), 1000), /sly\.zip: model\.safetensors/],
  ["cut.zip", zipped({}).slice(0, -100), /cut\.zip: is no zip that can be read/],
  [
    "twice.zip",
    zipSync({ "a/config.json": strToU8("{}"), "b/config.json": strToU8("{}") }),
    /config\.json: is there twice/,
  ],
  ["none.zip", zipSync({ "readme.md": strToU8("a") }), /none\.zip: no weights among them/],
  [
    "head.zip",
    zipped({ "model.safetensors": withHeader("{}", 2n ** 60n) }),
    /head\.zip: model\.safetensors: header length/,
  ],
  [
    "script.zip",
    zipped({ "model.safetensors": withHeader(HOSTILE) }),
    /script\.zip: model\.safetensors: header does not/,
  ],
  [
    "nothing.zip",
    zipped({ "model.safetensors": withHeader("{}") }),
    /nothing\.zip: model\.safetensors: 16 of 16 tensors/,
  ],
  ["deep.zip", configured({ n_layer: 1e9 }), /deep\.zip: config\.json: n_layer is 1000000000; wanted/],
  [
    "kind.zip",
    configured({ model_type: HOSTILE }),
    /kind\.zip: config\.json: model_type is .*<img src=x.*wanted "gpt2"/,
  ],
  ["page.zip", zipped({ "config.json": strToU8("<html>") }), /page\.zip: config\.json: not valid JSON/],
  ["words.zip", zipped({ "tokenizer.json": strToU8("[]") }), /words\.zip: tokenizer\.json/],
];

const HUGE: readonly (readonly [field: string, name: string, beginning: Bytes, message: RegExp])[] = [
  ["input[type=file]", "huge.txt", "", /huge\.txt: is UTF-16|huge\.txt, line 1: byte 0 is NUL/],
  ["input[type=file]", "huge.jsonl", '{"text": "', /huge\.jsonl/],
  ["input[type=file]", "huge.parquet", "PAR1", /huge\.parquet: cannot be read as Parquet/],
  ["#model-files", "huge.zip", "PK", /huge\.zip: has 3\.00 GiB; unpack it/],
  ["#model-files", "huge.safetensors", withHeader("{}", 2n), /huge\.safetensors: .*tensors|huge\.safetensors: .*bytes/],
];

const LINKS: readonly (readonly [fragment: string, message: RegExp])[] = [
  [`n_layer=1e9&${encodeURIComponent(HOSTILE)}=1`, /cannot be used.*is not a setting|cannot be used.*n_layer is/],
  ["size=__proto__", /cannot be used.*size is __proto__/],
  ["n_embd=1000000", /cannot be used.*more memory than any browser gives/],
];

/** That the page says of it what it should, in one line. */
async function refused(page: Page, name: string, message: RegExp): Promise<void> {
  await eventually(async () => {
    const [found = ""] = await page.locator(".problem").allTextContents();
    return found.includes(name) || message.test(found) ? found : "";
  }, message);
  expect(await page.textContent(".problem")).not.toContain("\n");
  expect(await page.isDisabled("#train")).toBe(true);
}

/** That nothing of what was given is part of the page. */
async function expectHarmless(page: Page): Promise<void> {
  expect(await page.locator("img, section script, iframe").count()).toBe(0);
}

describePlayground("hostile input of the playground", (visit) => {
  visit(
    "files of data that are none, and models that are none, are refused, and the next ones taken",
    async ({ open }) => {
      const page = await open(QUICK);
      await ready(page);
      for (const [name, bytes, message] of DATA) {
        await choose(page, name, bytes);
        await refused(page, name, message);
      }
      await choose(page, "good.txt", LIST);
      await ready(page);
      for (const [name, bytes, message] of MODELS) {
        await chooseModel(page, name, bytes);
        await refused(page, name, message);
      }
      await chooseModel(page, "good.zip", zipped({}));
      await ready(page);
      await expectHarmless(page);
      expect(await page.locator(".alert").count()).toBe(0);
    },
  );

  visit("files of 3 GiB are refused without being read into memory", async ({ open }) => {
    const page = await open(QUICK);
    await paste(page);
    for (const [field, name, beginning, message] of HUGE) {
      const path = huge(name, beginning);
      await page.setInputFiles(field, path);
      await refused(page, name, message);
      rmSync(path);
    }
  });

  visit("names, texts and links of HTML stay texts", async ({ open }) => {
    for (const [fragment, message] of LINKS) {
      const page = await open(fragment);
      await page.waitForSelector(".alert");
      expect(await page.textContent(".alert")).toMatch(message);
      await expectHarmless(page);
      await page.close();
    }
    const page = await open(`${QUICK}&max_steps=4&n_positions=128&eval_steps=2`);
    const lines = Array.from({ length: 20 }, (_, i) => `${HOSTILE}${i}`).join("\n");
    await choose(page, `${HOSTILE}.txt`.replaceAll("/", "_"), lines);
    await page.waitForSelector(".facts");
    await page.click("#train");
    await outcome(page);
    expect(await page.textContent("#run-title")).toContain("<img src=x onerror=alert(1)>");
    await page.fill("#prompt", "<img");
    await page.click("#generate");
    await page.waitForSelector("#results .sample");
    await expectHarmless(page);
  });

  visit("a quota that is exceeded in the middle of a save loses nothing", async ({ open, context, url }) => {
    const page = await open(`${QUICK}&max_steps=40&eval_steps=20&save_steps=8&logging_steps=1`);
    await paste(page);
    const session = await context.newCDPSession(page);
    const quota = (quotaSize?: number) =>
      session.send("Storage.overrideQuotaForOrigin", {
        origin: new URL(url).origin,
        ...(quotaSize === undefined ? {} : { quotaSize }),
      });
    await begin(page);
    await step(page, 9);
    const used = await page.evaluate(async () => (await navigator.storage.estimate()).usage ?? 0);
    // Less than a checkpoint has.
    await quota(used + 20_000);
    await eventually(async () => (await page.locator(".notices, .alert").allTextContents()).join(), /no space left/);
    await eventually(() => page.locator("#pause").count(), 0);
    await expectHarmless(page);
    await quota();
    await eventually(() => statusOf(page), "paused");
    await page.click("#go-on");
    expect(await outcome(page)).toContain("finished");
    await eventually(() => statusOf(page), "finished");
    const whole = await commandLineOf((await stored(page, "about.json"))[0]!, LIST, join(folder, "quota"));
    const { "model.safetensors": weights } = await download(page);
    expect(Buffer.compare(Buffer.from(weights!), whole.weights)).toBe(0);
    for (const [key, value] of numbersOf((await stored(page, "metrics.jsonl"))[0]!))
      expect(value, key).toBe(whole.metrics.get(key));
  });

  visit("stored files that were damaged are told, and can be deleted", async ({ open }) => {
    const page = await open(`${QUICK}&max_steps=2`);
    await paste(page);
    await page.click("#train");
    await outcome(page);
    await page.evaluate(async (title) => {
      async function walk(directory: FileSystemDirectoryHandle): Promise<void> {
        const entries = (directory as unknown as { values(): AsyncIterable<FileSystemHandle> }).values();
        for await (const entry of entries) {
          if (entry.kind === "directory") await walk(entry as FileSystemDirectoryHandle);
          if (!entry.name.startsWith("about.json~")) continue;
          const file = await (entry as FileSystemFileHandle).createWritable({ keepExistingData: true });
          await file.write(JSON.stringify({ format: 1, title }).padEnd(2000));
          await file.close();
        }
      }
      await walk(await navigator.storage.getDirectory());
    }, HOSTILE);
    await page.reload();
    await eventually(() => statusOf(page), "broken");
    expect(await page.textContent(".stored strong")).toMatch(/about\.json: /);
    await expectHarmless(page);
    await press(page, "Delete");
    await press(page, "Really delete");
    await eventually(() => page.locator(".stored li").count(), 0);
    expect(await page.locator(".alert").count()).toBe(0);
  });

  for (const [browser, before] of [
    [
      "whose private window has no files",
      "if (self.StorageManager) StorageManager.prototype.getDirectory = () => Promise.reject(new DOMException('Security error when calling GetDirectory', 'SecurityError'))",
    ],
    ["that has none", "if (self.StorageManager) delete StorageManager.prototype.getDirectory"],
    [
      "that does not write them",
      "if (self.FileSystemFileHandle) delete FileSystemFileHandle.prototype.createSyncAccessHandle",
    ],
  ] as const)
    visit(
      `a browser ${browser} keeps the run in memory, and says so`,
      async ({ open }) => {
        const page = await open(`${QUICK}&max_steps=4`);
        await page.waitForSelector("header .warning");
        expect(await page.textContent("header .warning")).toMatch(
          browser === "that has none" ? /for the page: a run lives until/ : /for the page \(.*\): a run lives until/,
        );
        await paste(page);
        await page.click("#train");
        expect(await outcome(page)).toContain("finished");
        expect(Object.keys(await download(page))).toContain("model.safetensors");
      },
      { before },
    );
});
