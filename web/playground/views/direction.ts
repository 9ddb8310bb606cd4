/**
 * How a text is written, by its first letter. Of a field with thousands of lines Chromium is slow to find out by itself, for each of them
 * again (`dir="auto"`).
 */
export function directionOf(text: string): "rtl" | "ltr" {
  return /^\P{L}*[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/u.test(text.slice(0, 1000)) ? "rtl" : "ltr";
}
