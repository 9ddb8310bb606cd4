/** Tests that visit the playground: a browser for each file of them, and a profile for each test. */
import { afterAll, beforeAll, describe, test } from "vitest";
import { hasChromium } from "../support/chromium.ts";
import { type Served, servePlayground, type VisitOptions, type Visitor } from "./served.ts";

/** Of a test, in milliseconds. */
export const LIMIT = 120_000;

/** A test that may run beside others. */
export type Visit = (name: string, act: (visitor: Visitor) => Promise<void>, options?: VisitOptions) => void;

/** Where there is Chromium. `served`: of use within tests. */
export function describePlayground(
  name: string,
  tests: (visit: Visit & { runIf(condition: boolean): Visit }, served: () => Served) => void,
): void {
  describe.runIf(hasChromium)(name, () => {
    let served: Served;
    beforeAll(async () => {
      served = await servePlayground();
    }, LIMIT);
    afterAll(() => served?.close());
    const runIf =
      (condition: boolean): Visit =>
      (name, act, options) =>
        test.runIf(condition).concurrent(name, { timeout: LIMIT }, () => served.visit(act, options));
    tests(Object.assign(runIf(true), { runIf }), () => served);
  });
}
