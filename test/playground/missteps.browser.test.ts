/** The playground where something is typed, dropped or pressed that cannot be, and where its parts are looked for by keys or on a phone. */
import { readFileSync } from "node:fs";
import type { FileChooser, Page } from "playwright-core";
import { expect } from "vitest";
import {
  begin,
  choose,
  eventually,
  LIST,
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

const MODEL = new URL("fixtures/page-model.zip", import.meta.url);

/** A run of two steps, finished. */
async function finished(page: Page): Promise<void> {
  await paste(page);
  await page.click("#train");
  await outcome(page);
}

/** Drops a file anywhere. */
function drop(page: Page, name: string, bytes: Uint8Array): Promise<void> {
  return page.evaluate(
    ([name, base64]) => {
      const dataTransfer = new DataTransfer();
      const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      dataTransfer.items.add(new File([bytes], name));
      for (const type of ["dragover", "drop"]) dispatchEvent(new DragEvent(type, { dataTransfer, cancelable: true }));
    },
    [name, Buffer.from(bytes).toString("base64")] as const,
  );
}

const topOf = async (page: Page, selector: string): Promise<number> => (await page.locator(selector).boundingBox())!.y;

describePlayground("a misstep on the playground", (visit) => {
  visit("what went wrong is seen wherever one is, and nothing moves for it", async ({ open }) => {
    const page = await open(`${QUICK}&max_steps=2`);
    await finished(page);
    await page.fill("#prompt", "?");
    await page.locator("#generate").scrollIntoViewIfNeeded();
    const before = await topOf(page, "#generate");
    await page.click("#generate");
    await page.waitForSelector(".alert");
    await page.waitForSelector("#generate:enabled");
    expect(await topOf(page, "#generate")).toBeCloseTo(before, 0);
    const { y, height } = (await page.locator(".alert").boundingBox())!;
    expect(y + height).toBeLessThanOrEqual(900.5);
    expect(y).toBeGreaterThan(450);
    // Once it is mended, it is past.
    await page.fill("#prompt", "a");
    await page.click("#generate");
    await page.waitForSelector("#results li");
    expect(await page.locator(".alert").count()).toBe(0);
  });

  visit("a refusal names settings as the page does, shows where they are, and nothing moves", async ({ open }) => {
    // Of places that the example's records fit in.
    const page = await open(`${QUICK}&n_positions=64`);
    await ready(page);
    await page.waitForSelector(".facts");
    const before = await topOf(page, ".dial");
    await choose(page, "people.csv", "email,name\na@b.cl,a\n");
    await page.waitForSelector(".problem");
    expect(await page.textContent(".problem")).toMatch(/say which: text_column\s*$/);
    const wrong = page.locator(".field [aria-invalid=true]");
    expect(await wrong.count()).toBe(1);
    // As it would be typed elsewhere.
    const field = page.locator(".field", { has: page.locator("[aria-invalid=true]") });
    expect(await field.locator("label").textContent()).toBe("text_column");
    expect(await wrong.isVisible()).toBe(true);
    // As far as fonts differ.
    expect(Math.abs((await topOf(page, ".dial")) - before)).toBeLessThan(40);
    await wrong.fill("email");
    await wrong.press("Tab");
    await eventually(() => page.locator(".problem").textContent(), /eval_split holds records out.*or set it to 0/);
    await page.locator("[aria-invalid=true]").fill("0");
    await page.locator("[aria-invalid=true]").press("Tab");
    await ready(page);
    expect(await page.locator("[aria-invalid]").count()).toBe(0);
  });

  visit("numbers for sampling are taken as near as they can be, and only samples are copied", async ({ open }) => {
    const page = await open(`${QUICK}&max_steps=2`);
    await finished(page);
    for (const [name, typed, taken] of [
      ["temperature", "0.85", "0.85"],
      ["topK", "2.5", "3"],
      ["topP", "", "1"],
      ["seed", "1.4", "1"],
      ["minP", "-3", "0"],
      ["count", "3", "3"],
      ["repetitionPenalty", "1,05", "1.05"],
    ]) {
      await page.fill(`#sample-${name}`, typed!);
      await page.keyboard.press("Tab");
      expect(await page.inputValue(`#sample-${name}`), name).toBe(taken);
    }
    await page.click("#generate");
    await page.waitForSelector("#results li:nth-child(3)");
    const [copied, samples] = await page.evaluate(() => {
      getSelection()!.selectAllChildren(document.querySelector("#results ul")!);
      return [
        getSelection()!.toString(),
        [...document.querySelectorAll("#results .sample")].map((sample) => sample.textContent),
      ] as const;
    });
    expect(copied.split("\n").filter(Boolean)).toEqual(samples.filter(Boolean));
    expect(await page.locator(".alert").count()).toBe(0);
  });

  visit(
    "a decimal comma is one, and what may be two numbers is none, in settings and for sampling",
    async ({ open }) => {
      const page = await open(`${QUICK}&max_steps=2`);
      await finished(page);
      const type = async (field: string, text: string): Promise<void> => {
        await page.fill(field, text);
        await page.keyboard.press("Tab");
      };
      const hash = () => page.evaluate(() => decodeURIComponent(location.hash));
      await type("#setting-max_steps", "1,000");
      await eventually(
        () => page.locator(".problem").allTextContents().then(String),
        /max_steps is "1,000"; wanted a whole number.*1000\./,
      );
      expect(await page.inputValue("#setting-max_steps")).toBe("1,000");
      await page.selectOption(".language select", "es");
      await eventually(
        () => page.locator(".problem").allTextContents().then(String),
        /max_steps es "1,000".*sin separador de miles/,
      );
      await type("#setting-max_steps", "20");
      await type("#setting-learning_rate", "0,001");
      await ready(page);
      expect(await hash()).toMatch(/max_steps=20&learning_rate=0.001$/);
      await eventually(() => page.inputValue("#setting-learning_rate"), "0,001");
      expect(await page.inputValue("#sample-temperature")).toBe("0,8");
      await type("#sample-temperature", "1,250");
      await page.keyboard.press("Shift+Tab");
      await page.keyboard.press("ArrowUp");
      expect(await page.inputValue("#sample-temperature")).toBe("1,35");
      await page.fill("#sample-maxNewTokens", "1.000");
      await page.keyboard.press("Enter");
      const told = page.locator("#run ~ section .problem");
      expect(await told.textContent()).toMatch(/^Tokens como máximo: 1\.000 no se puede leer/);
      expect(await page.getAttribute("#sample-maxNewTokens", "aria-invalid")).toBe("true");
      expect(await page.isDisabled("#generate")).toBe(true);
      expect(await page.locator("#results, #coming").count()).toBe(0);
      await type("#sample-maxNewTokens", "4");
      await page.click("#generate");
      await page.waitForSelector("#results li");
      expect(await told.count()).toBe(0);
    },
  );

  visit("a text with commas is one text of a list, by keys and in a link", async ({ open }) => {
    const page = await open(`${QUICK}&max_steps=2&eval_steps=2&sample_prompts=ax0,&sample_prompts=b`);
    await paste(page, LIST.replaceAll("0", ", 0"));
    const field = page.locator("#setting-sample_prompts");
    expect(await field.inputValue()).toBe("ax0,\nb");
    await page.locator("summary", { hasText: "More settings" }).click();
    await page.focus("#setting-sample_prompts");
    await page.keyboard.press("ControlOrMeta+A");
    await page.keyboard.type("a,b");
    await page.keyboard.press("Enter");
    await page.keyboard.type(" c");
    await page.keyboard.press("Tab");
    const said = () => page.evaluate(() => new URLSearchParams(location.hash.slice(1)).get("sample_prompts"));
    await eventually(said, '["a,b"," c"]');
    expect(await field.inputValue()).toBe("a,b\n c");
    expect(await page.textContent(`#help-setting-sample_prompts`)).toContain("one a line");
    // No part of it is cut off.
    expect(await field.evaluate(({ scrollHeight, clientHeight }) => scrollHeight - clientHeight)).toBeLessThanOrEqual(
      0,
    );
    await field.fill("");
    await page.keyboard.press("Tab");
    await eventually(said, null);
  });

  visit("one press mends what a list, a table or a text wants, and a file is chosen by keys", async ({ open }) => {
    const settings = `${QUICK}&max_steps=2`;
    const page = await open(settings);
    await ready(page);
    const press = (name: string) => page.locator(".remedies").getByRole("button", { name, exact: true }).click();
    const use = async (text: string): Promise<void> => {
      await page.fill("#pasted", text);
      await page.click("#pasted ~ button");
    };
    const follow = async (): Promise<void> => {
      await page.evaluate((hash) => {
        location.hash = hash;
      }, settings);
      await eventually(said, "");
    };
    const said = () => page.evaluate(() => location.hash.replace(/^.*max_steps=2&?/, ""));
    const choosers: FileChooser[] = [];
    page.on("filechooser", (chooser) => choosers.push(chooser));
    await page.locator("input[type=file]").first().focus();
    await page.keyboard.press("Enter");
    await eventually(async () => choosers.length, 1);
    const rows = Array.from({ length: 20 }, (_, i) => `n${i},m${i % 3}`).join("\n");
    await choosers[0]!.setFiles({
      name: "people.csv",
      mimeType: "text/csv",
      buffer: Buffer.from(`name,"mail, work"\n${rows}`),
    });
    await page.waitForSelector(".problem");
    // What a browser's own button says is in its own language, and not true of what has been taken.
    expect(await page.locator(".file").first().textContent()).toBe("Choose files");
    await press("The text is in mail, work");
    await ready(page);
    expect(await said()).toBe("text_column=mail%2C+work");
    await use("abc abc");
    await press("Leave text_column out");
    await press("Train without validation");
    await ready(page);
    expect(await said()).toBe("eval_split=0");
    await follow();
    await use("lorem ipsum dolor ".repeat(400));
    await press("It is a text, and no list");
    await ready(page);
    await page.click("#train");
    expect(await outcome(page)).toContain("is finished");
    // Lines that are longer than what is learnt of them.
    await follow();
    await use(Array.from({ length: 30 }, (_, i) => `${i} ${"lorem ipsum ".repeat(30)}`).join("\n"));
    await page.waitForSelector("#cut");
    expect(await page.textContent("#cut")).toMatch(
      /^27 of 27 records are longer than 8 tokens, and only what comes before/,
    );
    await press("It is a text, and no list");
    await eventually(
      () => page.locator(".facts").allTextContents().then(String),
      /tokens in 30 texts|tokens in one text/,
    );
    expect(await page.locator("#cut").count()).toBe(0);
  });

  visit("a prompt may have several lines, and Enter samples it", async ({ open }) => {
    const page = await open("size=tiny&n_embd=16&n_positions=16&max_steps=2&samples=2");
    const lines = Array.from({ length: 40 }, (_, i) => JSON.stringify({ text: `a${i % 7}\nb${i % 3}` }));
    await choose(page, "verse.jsonl", lines.join("\n"));
    await ready(page);
    await page.click("#train");
    await outcome(page);
    await page.focus("#prompt");
    await page.keyboard.type("a1");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("b");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#results li");
    expect(await page.inputValue("#prompt")).toBe("a1\nb");
    expect(await page.textContent("#results .sample b")).toBe("a1\nb");
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("prompt");
  });

  visit("what is pasted or typed is what Train trains on, and its name follows the language", async ({ open }) => {
    const page = await open(`${QUICK}&max_steps=2`);
    await page.waitForSelector(".facts");
    expect(await page.textContent(".chosen")).toBe("Chosen: E-mail example");
    await page.selectOption(".language select", "es");
    await eventually(() => page.textContent(".chosen"), "Elegido: Ejemplo de correos");
    await page.selectOption(".language select", "en");
    await page.focus("#pasted");
    await page.keyboard.type("ax0\nby1\n");
    await page.keyboard.insertText(LIST);
    await page.click("#train");
    await outcome(page);
    const [about = ""] = await stored(page, "about.json");
    expect(JSON.parse(about)).toMatchObject({ title: "pasted text", inputs: ["pasted.txt"] });
    expect(await stored(page, "data-0")).toEqual([`ax0\nby1\n${LIST}`]);
  });

  visit("a table or JSON lines that are pasted are told to look so, and read so by one press", async ({ open }) => {
    const page = await open(`${QUICK}&max_steps=2`);
    await page.waitForSelector(".facts");
    const facts = (): Promise<string | null> => page.locator(".facts dd").first().textContent();
    await page.fill("#pasted", '{"text":"ab"}\n{"text":"ba"}\n{"text":"aab"}\n');
    await page.waitForSelector("#shape");
    expect(await page.textContent("#shape")).toContain("looks like a JSON object");
    expect(await facts()).toContain("2 cut, longest 9");
    // It is no text either.
    expect(await page.locator("#cut").count()).toBe(0);
    await page.click("#read-as");
    await eventually(facts, /longest [34],/);
    expect(await page.locator("#shape").count()).toBe(0);
    expect(await page.textContent(".chosen")).toBe("Chosen: pasted text");
    // Cells as a spreadsheet copies them.
    await page.fill("#pasted", "name\tmail\nab\tx@y\nba\ty@x\n");
    await page.waitForSelector("#shape");
    await page.click("#read-as");
    await page.click("text=The text is in mail");
    await ready(page);
    await page.click("#train");
    await outcome(page);
    const [about = ""] = await stored(page, "about.json");
    expect(JSON.parse(about)).toMatchObject({ inputs: ["pasted.tsv"], said: { text_column: "mail" } });
  });

  visit("a prompt that is too long says so while it is typed, once, and nothing moves", async ({ open }) => {
    const page = await open(`${QUICK}&max_steps=2`);
    await finished(page);
    // Of 8 places the start token has one; half of the others are kept, since 64 new tokens want all.
    const told = (): Promise<string> =>
      page.textContent("#prompt-read").then((text) => text!.replace(/\s+/g, " ").trim());
    expect(await told()).toBe("");
    const away = async (): Promise<number> => (await topOf(page, "#generate")) - (await topOf(page, "#prompt"));
    const before = await away();
    await page.evaluate(() => {
      const heard: string[] = [];
      Object.assign(globalThis, { heard });
      const region = document.querySelector("#prompt-cut")!;
      const watch = new MutationObserver(() => heard.push(region.textContent.trim()));
      watch.observe(region, { childList: true, characterData: true, subtree: true });
    });
    await page.fill("#prompt", "ax0");
    await eventually(told, "3 tokens. The model's context has 8 places.");
    for (const [prompt, count] of [
      ["ax0ax0ax0", 9],
      ["ax0ax0ax0a", 10],
    ] as const) {
      await page.fill("#prompt", prompt);
      await eventually(told, `${count} tokens. Only the last 3 are seen: the model's context has 8 places.`);
    }
    expect(await away()).toBeCloseTo(before, 0);
    await page.fill("#sample-maxNewTokens", "2");
    await page.keyboard.press("Tab");
    await eventually(told, "10 tokens. Only the last 5 are seen: the model's context has 8 places.");
    const heard = await page.evaluate(() => (globalThis as unknown as { heard: string[] }).heard);
    expect([...new Set(heard)].map((text) => text.slice(0, 20))).toEqual([
      "Only the last 3 are ",
      "Only the last 5 are ",
    ]);
    await page.selectOption(".language select", "es");
    await eventually(told, "10 tokens. Solo se ven los últimos 5: el contexto del modelo tiene 8 posiciones.");
    await page.fill("#prompt", "");
    await eventually(told, "");
    expect(await page.getAttribute("#prompt", "aria-describedby")).toBe("prompt-read");
  });

  visit("a page whose script does not come says so, in time, and only then", async ({ context, open, problems }) => {
    await context.route(/\/index-[^/]*\.js$/, (route) => route.abort());
    const page = await open();
    expect(await page.isVisible("#unstarted")).toBe(false);
    await page.waitForSelector("#unstarted:visible");
    expect(await page.textContent("#unstarted")).toMatch(/has not started: .*no ha empezado: /s);
    await eventually(async () => problems.splice(0).length > 0, true);
    await context.unroute(/\/index-[^/]*\.js$/);
    await page.reload();
    await page.waitForSelector("#train");
    expect(await page.isVisible("#unstarted")).toBe(false);
  });

  visit("a text that is dragged goes into a field, a file to the page", async ({ open }) => {
    const page = await open(QUICK);
    await ready(page);
    const taken = (kind: "text" | "file"): Promise<boolean[]> =>
      page.evaluate((kind) => {
        const dataTransfer = new DataTransfer();
        if (kind === "file") dataTransfer.items.add(new File(["a\nb\nc"], "list.txt"));
        else dataTransfer.setData("text/plain", "ax0");
        return ["dragover", "drop"].map((type) => {
          const event = new DragEvent(type, { dataTransfer, cancelable: true, bubbles: true });
          document.querySelector("#pasted")!.dispatchEvent(event);
          return event.defaultPrevented;
        });
      }, kind);
    expect(await taken("text")).toEqual([false, false]);
    expect(await taken("file")).toEqual([true, true]);
    await eventually(() => page.textContent(".chosen"), "Chosen: list.txt");
  });

  visit("a text from right to left is written and shown so", async ({ open }) => {
    const page = await open(`${QUICK}&max_steps=2`);
    const text = "\u05d0\u05d1\u05d2!";
    const direction = (field: string): Promise<string> =>
      page.evaluate((field) => getComputedStyle(document.querySelector(field)!).direction, field);
    await page.fill("#pasted", text);
    expect(await direction("#pasted")).toBe("rtl");
    await choose(page, text, Array.from({ length: 24 }, () => text).join("\n"));
    await eventually(() => page.textContent(".chosen"), `Chosen: ${text}`);
    await ready(page);
    await page.click("#train");
    await outcome(page);
    await page.fill("#prompt", text);
    await eventually(() => direction("#prompt"), "rtl");
    // What ends its name is at its left.
    const [first, last] = await page.evaluate(() => {
      const parts = [...document.querySelector(".stored strong")!.childNodes];
      const node = parts.find((part): part is Text => part instanceof Text && part.data !== "")!;
      return [0, node.data.length - 1].map((at) => {
        const range = document.createRange();
        range.setStart(node, at);
        range.setEnd(node, at + 1);
        return range.getBoundingClientRect().left;
      });
    });
    expect(last).toBeLessThan(first!);
    await page.fill("#prompt", "abc");
    await eventually(() => direction("#prompt"), "ltr");
  });

  visit(
    "a prompt that is wider than its field is seen whole, up to six lines",
    async ({ open }) => {
      const page = await open(`${QUICK}&max_steps=2`);
      await finished(page);
      const box = (): Promise<{ hidden: number; height: number }> =>
        page.evaluate(() => {
          const { scrollHeight, clientHeight } = document.querySelector("#prompt")!;
          return { hidden: scrollHeight - clientHeight, height: clientHeight };
        });
      const one = (await box()).height;
      await page.fill("#prompt", "ax0by1 ".repeat(20));
      const several = await box();
      expect(several.hidden).toBeLessThanOrEqual(0);
      expect(several.height).toBeGreaterThan(2 * one);
      await page.fill("#prompt", "ax0by1 ".repeat(400));
      const many = await box();
      expect(many.hidden).toBeGreaterThan(0);
      expect(many.height).toBeLessThan(6 * one);
    },
    { viewport: { width: 360, height: 740 } },
  );

  visit(
    "no field is so small that a phone would enlarge the page for it",
    async ({ open }) => {
      const page = await open(`${QUICK}&max_steps=2`);
      await finished(page);
      const sizes = await page.evaluate(() => {
        for (const details of document.querySelectorAll("details")) details.open = true;
        return [...document.querySelectorAll("input:not([type=checkbox], [type=range], [type=file]), select, textarea")]
          .map((field) => [field.id, Number.parseFloat(getComputedStyle(field).fontSize)] as const)
          .filter(([, size]) => size < 16);
      });
      expect(sizes).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
    },
    { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true },
  );

  visit(
    "where nothing is kept, tabs do not speak of each other's runs",
    async ({ open }) => {
      const page = await open(`${QUICK}&max_steps=100000000&eval_steps=100000000&save_steps=100000000`);
      const other = await open(QUICK);
      await ready(other);
      await other.evaluate(() => {
        const seen: string[] = [];
        Object.assign(globalThis, { seen });
        new MutationObserver(() => {
          const said = document.querySelector("#run .warning")?.textContent;
          if (said) seen.push(said);
        }).observe(document.body, { childList: true, subtree: true });
      });
      await paste(page);
      await begin(page);
      await new Promise((resolve) => setTimeout(resolve, 2500));
      expect(await other.evaluate(() => (globalThis as unknown as { seen: string[] }).seen)).toEqual([]);
      await page.click("#keep");
      await outcome(page);
    },
    { before: "if (self.StorageManager) delete StorageManager.prototype.getDirectory" },
  );

  for (const [width, height] of [
    [1280, 600],
    [360, 640],
  ] as const)
    visit(
      `who goes on by keys is not led below what went wrong, on ${width} pixels`,
      async ({ open }) => {
        const page = await open(`${QUICK}&max_steps=2`);
        await finished(page);
        await page.fill("#prompt", "?");
        await page.click("#generate");
        await page.waitForSelector(".alert");
        await page.evaluate(() => {
          (document.activeElement as HTMLElement).blur();
          scrollTo(0, 0);
        });
        await page.mouse.click(2, 2);
        const covered: string[] = [];
        let last = "";
        for (let stops = 0; last !== "" || stops === 0; stops++) {
          await page.keyboard.press("Tab");
          const [at = "", below] = await page.evaluate(() => {
            const element = document.activeElement!;
            if (element === document.body || element.closest(".alerts")) return [""];
            const { bottom, top } = element.getBoundingClientRect();
            const edge = document.querySelector(".alerts")!.getBoundingClientRect().top;
            return [element.outerHTML.slice(0, 80), bottom > edge + 1 && top < innerHeight];
          });
          if (below) covered.push(at);
          last = at;
          expect(stops).toBeLessThan(100);
        }
        expect(covered).toEqual([]);
      },
      { viewport: { width, height } },
    );

  visit("who presses a button by keys is not sent to the page's top when it goes or rests", async ({ open }) => {
    const page = await open(`${QUICK}&max_steps=60`);
    await paste(page);
    const at = () => page.evaluate(() => document.activeElement?.id ?? "");
    // All that is said of its progress, from before anything is known of it.
    await page.evaluate(() => {
      const told: string[] = [];
      Object.assign(globalThis, { told });
      const look = () => told.push(document.querySelector("#run .progress")?.textContent ?? "");
      new MutationObserver(look).observe(document.body, { childList: true, subtree: true, characterData: true });
    });
    await page.locator("#train").press("Enter");
    await page.locator("#pause").focus();
    await outcome(page);
    expect(await at()).toBe("run");
    const told = await page.evaluate(() => (globalThis as unknown as { told: string[] }).told.join());
    expect(told).toMatch(/Step \d+ of 60/);
    expect(told).not.toMatch(/ of 0/);
    await page.locator("#generate").press("Enter");
    await page.waitForSelector("#results li");
    await eventually(at, "generate");
    await page.click("#train");
    await outcome(page);
    await eventually(() => page.locator(".stored li").count(), 2);
    await page.getByRole("button", { name: "Show: pasted text" }).last().press("Enter");
    expect(await at()).toBe("run");
  });

  visit("a setting that waits for a model says so, and is taken once there is one", async ({ open }) => {
    const page = await open(`${QUICK}&max_steps=2&lora_rank=2`);
    await paste(page);
    expect(await page.textContent("#waiting")).toMatch(/^lora_rank: only of use with a model to train on from/);
    await drop(page, "page-model.zip", readFileSync(MODEL));
    await page.waitForSelector("#keep-model");
    await eventually(() => page.textContent("#waiting"), /^n_embd, n_positions: not used, since the model/);
    await eventually(() => page.locator(".facts").allTextContents().then(String), /LoRA of rank 2/);
  });

  visit("a run that diverges says where, what helps, and gives away what the step was about", async ({ open }) => {
    const wild = "learning_rate=1e30&warmup_steps=0&max_grad_norm=0&max_skipped_steps=2";
    const page = await open(`${QUICK}&max_steps=60&${wild}`);
    await paste(page);
    await page.click("#train");
    await page.waitForSelector(".alert");
    const told = /2 steps in a row were not finite, the last one \d+ \(.*\); what it was about can be downloaded/;
    expect(await page.textContent(".alert")).toMatch(told);
    await eventually(() => statusOf(page), "diverged");
    await page.reload();
    expect(await page.textContent("#diverged")).toMatch(
      /has diverged: .* no longer finite at step \d+.*lower learning rate/,
    );
    const [file] = await Promise.all([page.waitForEvent("download"), page.click("#not-finite")]);
    const { step, rows, settings } = JSON.parse(readFileSync(await file.path(), "utf8"));
    expect(file.suggestedFilename()).toBe(`not-finite-step-${step}.json`);
    expect(rows).toHaveLength(8);
    expect(settings.learning_rate).toBe(1e30);
    expect(await page.locator(".alert").count()).toBe(0);
    // What helps is at hand: the same run, with another rate.
    await page.click("#anew");
    await eventually(() => page.textContent("#set-up"), /those of pasted text/);
    expect(await page.inputValue("#setting-learning_rate")).toBe("1e+30");
    await page.fill("#setting-learning_rate", "0.001");
    await page.keyboard.press("Tab");
    await ready(page);
    await page.click("#train");
    expect(await outcome(page)).toContain("is finished");
  });

  visit("a link that comes while a run trains is not taken, and the page says so", async ({ open }) => {
    const page = await open(`${QUICK}&max_steps=100000`);
    await paste(page);
    await begin(page);
    await page.evaluate(() => {
      location.hash = "size=large";
    });
    await page.waitForSelector(".alert");
    expect(await page.textContent(".alert")).toContain("a run trains here");
    expect(await page.textContent(".dial strong")).toBe("tiny");
    await page.click("#keep");
    await outcome(page);
  });

  for (const [where, viewport] of [
    ["on a phone", { width: 360, height: 740 }],
    ["on a desk", { width: 1280, height: 900 }],
  ] as const)
    visit(
      `${where} each field tells what it is for, by touch, by keys and to who listens, and nothing moves`,
      async ({ open }) => {
        const page = await open(`${QUICK}&max_steps=2`);
        await finished(page);
        await page.locator("summary", { hasText: "More settings" }).tap();
        const fields = await page
          .locator(":is(input, select, textarea)[id^=setting-], input[id^=sample-]")
          .evaluateAll((all) =>
            all.map((field) => ({
              id: field.id,
              help: document.getElementById(field.getAttribute("aria-describedby") ?? "")?.textContent ?? "",
            })),
          );
        expect(fields.length).toBeGreaterThan(60);
        expect(fields.filter(({ help }) => help.length < 4 || help.includes("--"))).toEqual([]);
        const tip = page.locator("#tip");
        const mark = page.locator(".field:has(#setting-weight_decay) .why");
        await mark.scrollIntoViewIfNeeded();
        const { width, height } = (await mark.boundingBox())!;
        expect(Math.min(width, height)).toBeGreaterThanOrEqual(24);
        const top = await topOf(page, "#setting-weight_decay");
        await page.locator(".field:has(#setting-adam_beta1) .why").tap();
        expect(await tip.textContent()).toContain("decay of the mean of gradients");
        await mark.tap();
        expect(await tip.textContent()).toMatch(/^on matrices; a number, 0 or more$/);
        expect(await tip.isVisible()).toBe(true);
        expect(await topOf(page, "#setting-weight_decay")).toBe(top);
        const box = (await tip.boundingBox())!;
        expect(box.x).toBeGreaterThanOrEqual(0);
        expect(box.x + box.width).toBeLessThanOrEqual(viewport.width);
        // Beside the mark, wherever it was before.
        const { y } = (await mark.boundingBox())!;
        expect(y - (box.y + box.height)).toBeCloseTo(2, 0);
        await mark.tap();
        expect(await tip.isVisible()).toBe(false);
        await mark.tap();
        await page.locator("h2").first().tap();
        expect(await tip.isVisible()).toBe(false);
        // Each field is one stop, and tells by itself.
        await page.focus("#setting-weight_decay");
        await page.keyboard.press("Tab");
        expect(await page.evaluate(() => document.activeElement?.id)).toBe("setting-adam_beta1");
        expect(await tip.textContent()).toContain("decay of the mean of gradients");
        await page.keyboard.press("Escape");
        expect(await tip.isVisible()).toBe(false);
        await page.keyboard.press("Tab");
        expect(await tip.isVisible()).toBe(true);
        await page.locator("#setting-seed").tap();
        expect(await tip.isVisible()).toBe(false);
      },
      { viewport, hasTouch: true },
    );

  visit("an address that is typed over is followed, and one that cannot be changes nothing", async ({ open }) => {
    const page = await open(QUICK);
    await ready(page);
    const go = (fragment: string) =>
      page.evaluate((hash) => {
        location.hash = hash;
      }, fragment);
    const hash = () => page.evaluate(() => location.hash);
    await go("size=medium&max_steps=7");
    await eventually(() => page.textContent(".dial strong"), "medium");
    await eventually(() => page.textContent(".facts"), /7 steps of/);
    await go("size=tiny&n_layer=none");
    await page.waitForSelector(".alert");
    expect(await page.textContent(".alert")).toContain("n_layer is");
    expect(await page.textContent(".dial strong")).toBe("medium");
    await eventually(hash, "#size=medium&max_steps=7");
  });

  visit(
    "a device that is not there is told of, and what is best is computed on",
    async ({ open }) => {
      const page = await open(`${QUICK}&device=webgpu&max_steps=2`);
      await page.waitForSelector(".alert");
      await ready(page);
      expect(await page.textContent("header")).toContain("in WebAssembly");
      expect(await page.evaluate(() => location.hash)).not.toContain("device=");
      await finished(page);
    },
    { before: "if (self.WorkerNavigator) delete WorkerNavigator.prototype.gpu" },
  );

  visit(
    "a worker that does not come, or a part of the page, is told of in one line",
    async ({ context, open, problems }) => {
      await context.route("**/worker-*.js", (route) => route.fulfill({ status: 404 }));
      const page = await open(QUICK);
      await page.waitForSelector("header .problem");
      expect(await page.textContent("header")).toMatch(/worker did not start.*Reload the page/);
      expect(await page.locator(".alert").count()).toBe(0);
      await page.close();
      await context.unrouteAll();
      await context.route(/\/(es|inside)-[^/]*\.js/, (route) => route.fulfill({ status: 404 }));
      const other = await open(QUICK);
      await ready(other);
      await other.selectOption(".language select", "es");
      await other.click("#open-inside");
      await other.waitForSelector(".alert");
      await eventually(() => other.inputValue(".language select"), "en");
      expect(await other.locator(".alert span").allTextContents()).toEqual([
        "A part of the page could not be loaded. Is there a network? Reload the page.",
      ]);
      // The browser's own.
      await eventually(async () => String(problems.filter((problem) => /404/.test(problem)).length), /[1-9]/);
      problems.splice(0, problems.length, ...problems.filter((problem) => !/404/.test(problem)));
    },
  );

  visit("what does not fit is refused with what would, by the names of the page", async ({ open }) => {
    const page = await open(`${QUICK}&n_embd=256&n_layer=4&n_positions=256&per_device_train_batch_size=4096`);
    await choose(page, "long.txt", Array.from({ length: 9000 }, (_, i) => `${i}${"ab".repeat(120)}`).join("\n"));
    await page.waitForSelector(".problem");
    expect(await page.textContent(".problem")).toMatch(
      /training needs more memory than there is \(.*\); what fits: per_device_train_batch_size \d+ gradient_accumulation_steps \d+/,
    );
    expect(await page.locator(".field [aria-invalid]").count()).toBeGreaterThan(0);
  });

  visit("a zip that is dropped is a model, and nothing is dropped on a run", async ({ open }) => {
    const page = await open(`${QUICK}&max_steps=100000`);
    await paste(page);
    await drop(page, "page-model.zip", readFileSync(MODEL));
    await page.waitForSelector("#keep-model");
    await page.locator("form + details button").first().click();
    await ready(page);
    await begin(page);
    await drop(page, "other.txt", Buffer.from("a\nb\n"));
    await step(page, 3);
    expect(await page.textContent(".chosen")).toContain("pasted text");
    await page.click("#keep");
    await outcome(page);
  });

  for (const [button, milliseconds] of [
    ["#pause", 0],
    ["#pause", 40],
    ["#keep", 0],
    ["#keep", 80],
  ] as const)
    visit(`${button} stops a run ${milliseconds} ms after it was asked for`, async ({ open }) => {
      const page = await open(`${QUICK}&max_steps=100000000&eval_steps=100000000&save_steps=100000000`);
      await paste(page);
      await page.evaluate(
        ([button, milliseconds]) => {
          document.querySelector<HTMLElement>("#train")!.click();
          const began = performance.now();
          requestAnimationFrame(function look() {
            const found = document.querySelector<HTMLElement>(button);
            if (found && performance.now() - began >= milliseconds) found.click();
            else requestAnimationFrame(look);
          });
        },
        [button, milliseconds] as const,
      );
      expect(await outcome(page)).toMatch(/was stopped before its first step|is paused, and saved|its best model kept/);
    });

  visit("a deletion that is not meant is taken back", async ({ open }) => {
    const page = await open(`${QUICK}&max_steps=2`);
    await finished(page);
    for (const leave of ["Escape", "Tab"]) {
      await press(page, "Delete");
      await page.waitForSelector("text=Really delete");
      // Who listens is not told that a button is called otherwise.
      await eventually(() => page.textContent("#removing"), "Press again to delete pasted text, or Escape to keep it.");
      await page.keyboard.press(leave);
      await eventually(() => page.locator("text=Really delete").count(), 0);
      await eventually(() => page.textContent("#removing"), "");
    }
    await press(page, "Delete");
    await press(page, "Really delete");
    await eventually(() => page.locator(".stored li").count(), 0);
  });

  visit("a run that is deleted in one tab is gone in the others", async ({ open }) => {
    const page = await open(`${QUICK}&max_steps=2`);
    await finished(page);
    const other = await open();
    await press(other, "Show");
    await other.waitForSelector("#generate:enabled");
    await press(page, "Delete");
    await press(page, "Really delete");
    await eventually(() => other.locator(".stored li").count(), 0);
    await eventually(() => other.locator("#generate").count(), 0);
    expect(await other.locator(".alert").count()).toBe(0);
  });

  visit(
    "a run that begins is shown on a narrow screen, and its buttons are the next for the keyboard",
    async ({ open }) => {
      const page = await open(`${QUICK}&max_steps=100000`);
      await paste(page);
      await page.focus("#train");
      await page.keyboard.press("Enter");
      await page.waitForSelector("#pause");
      await page.keyboard.press("Tab");
      expect(await page.evaluate(() => document.activeElement?.id)).toBe("pause");
      const { y, height } = (await page.locator("#pause").boundingBox())!;
      expect(y).toBeGreaterThanOrEqual(0);
      expect(y + height).toBeLessThanOrEqual(740);
      // What was stopped before is not stored.
      await step(page, 1);
      await page.keyboard.press("Enter");
      await outcome(page);
      await eventually(() => statusOf(page), "paused");
      await page.focus("#go-on");
      await page.keyboard.press("Enter");
      await page.waitForSelector("#pause");
      await page.keyboard.press("Tab");
      expect(await page.evaluate(() => document.activeElement?.id)).toBe("pause");
      await page.click("#keep");
      await outcome(page);
    },
    { viewport: { width: 360, height: 740 } },
  );

  visit(
    "attention is seen where the reader's own colours are forced",
    async ({ open }) => {
      const page = await open(`${QUICK}&max_steps=2`);
      await finished(page);
      await page.click("#open-inside");
      await page.click("#tab-attention");
      await page.fill("#sentence", "ax0by1");
      await page.keyboard.press("Enter");
      await page.waitForSelector(".heat");
      const colours = await page.evaluate(() =>
        [...document.querySelectorAll(".heat td[data-to]")].map((cell) => getComputedStyle(cell).backgroundColor),
      );
      expect(new Set(colours).size).toBeGreaterThan(3);
    },
    { forcedColors: "active" },
  );
});
