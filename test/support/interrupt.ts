import { onTestFinished } from "vitest";
import { createInterrupt, type Interrupt } from "../../src/cli/interrupt.ts";

/**
 * The interrupt of a command that is called in a test's process. A process of its own has one as long as it lives; here the signals get
 * their usual meaning back with the test, or the end of the test's process would be told to a command that has long ended.
 */
export function testInterrupt(): Interrupt {
  const interrupt = createInterrupt();
  onTestFinished(interrupt.dispose);
  return interrupt;
}
