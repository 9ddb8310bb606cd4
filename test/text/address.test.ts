import fc from "fast-check";
import { expect, test } from "vitest";
import { isWellFormedAddress } from "../../src/text/address.ts";

const good = [
  "ana@usach.cl",
  "m.perez_23@gmail.com",
  "juan-pablo.soto@ing.uchile.cl",
  "A+tag@Example.COM",
  "o'higgins@x.cl",
  "1@2.io",
  `${"a".repeat(64)}@b.cl`,
  `a@${"b".repeat(63)}.cl`,
];
test.each(good)("%s is well formed", (address) => expect(isWellFormedAddress(address)).toBe(true));

const bad = [
  "",
  "@",
  "ana",
  "ana@",
  "@usach.cl",
  "ana@usach",
  "ana@@usach.cl",
  "ana@usach@cl",
  "ana@usach.cl.com.",
  ".ana@usach.cl",
  "ana.@usach.cl",
  "a..na@usach.cl",
  "ana@.cl",
  "ana@usach..cl",
  "ana@-usach.cl",
  "ana@usach-.cl",
  "ana@usach.c",
  "ana@usach.c1",
  "ana@us_ach.cl",
  "ana soto@usach.cl",
  " ana@usach.cl",
  "ana@usach.cl\n",
  "ana@usach.cl\nana@usach.cl",
  "maría@usach.cl",
  "ana@ñandu.cl",
  "ana<ana@usach.cl>",
  "<|endoftext|>",
  `${"a".repeat(65)}@b.cl`,
  `a@${"b".repeat(64)}.cl`,
  `a@${"b.".repeat(126)}cl`,
];
test.each(bad)("%j is not", (address) => expect(isWellFormedAddress(address)).toBe(false));

test("whatever the web calls an address is one, and no address contains white space", () => {
  fc.assert(fc.property(fc.emailAddress(), (address) => isWellFormedAddress(address)));
  fc.assert(
    fc.property(fc.emailAddress(), fc.nat(), fc.constantFrom(" ", "\n", "@"), (address, at, extra) => {
      const cut = at % (address.length + 1);
      return !isWellFormedAddress(address.slice(0, cut) + extra + address.slice(cut));
    }),
  );
});
