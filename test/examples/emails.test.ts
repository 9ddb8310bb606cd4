import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { makeEmails } from "../../examples/make-emails.ts";
import { isWellFormedAddress } from "../../src/text/address.ts";

const text = readFileSync(new URL("../../examples/emails.txt", import.meta.url), "utf8");
const lines = text.split("\n").slice(0, -1);

test("the committed addresses are what their generator gives", () => {
  expect(makeEmails()).toBe(text);
});

test("another seed gives others", () => {
  expect(makeEmails(20, 7)).not.toBe(makeEmails(20, 8));
});

test("there are 2,000, each on a line of its own, distinct and well formed", () => {
  expect(lines).toHaveLength(2000);
  expect(new Set(lines).size).toBe(2000);
  expect(lines.filter((line) => !isWellFormedAddress(line))).toEqual([]);
  expect(lines.filter((line) => !/^[a-z]+[._-]?[a-z]+\d{0,4}@[a-z]+\.(cl|com)$/.test(line))).toEqual([]);
});

test("every form occurs: each separator, initials, numbers, and eleven domains", () => {
  const share = (pattern: RegExp) => lines.filter((line) => pattern.test(line)).length / lines.length;
  for (const form of [/^\w+\.\w+@/, /^[a-z0-9]+@/, /^[a-z]+_[a-z]+/, /^[a-z]+-/, /^[a-z][._-]/, /\d@/]) {
    expect(share(form), String(form)).toBeGreaterThan(0.08);
  }
  expect(new Set(lines.map((line) => line.split("@")[1])).size).toBe(11);
});
