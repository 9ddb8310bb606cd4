/** Several texts in one field: one a line, each as it is, commas and outer spaces and all. Those that are no lines are written as JSON. */

/** As `readTexts` reads them; of a value that is no list, what a person might mend. */
export function writeTexts(value: unknown): string {
  if (value === undefined) return "";
  if (!isTexts(value)) return typeof value === "string" ? value : JSON.stringify(value);
  const lines = value.join("\n");
  return same(readTexts(lines), value) ? lines : JSON.stringify(value);
}

/** Undefined for none. Blank lines are between texts, and are none. */
export function readTexts(written: string): readonly string[] | undefined {
  const json = listOf(written);
  const texts = json ?? written.split(/\r\n|\r|\n/).filter((line) => line.trim() !== "");
  return texts.length === 0 ? undefined : texts;
}

function listOf(written: string): readonly string[] | undefined {
  if (!/^\s*\["/.test(written)) return undefined;
  try {
    const json: unknown = JSON.parse(written);
    return isTexts(json) ? json : undefined;
  } catch {
    return undefined;
  }
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

function same(a: readonly string[] = [], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, i) => text === b[i]);
}
