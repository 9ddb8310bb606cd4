/**
 * Where the worker begins, and nothing else. A bundler puts what several files share into the first one, which the others then
 * import; WebKit evaluates a worker's first file once more for them, and it would be a second worker in the same place.
 */
const early: MessageEvent[] = [];
self.onmessage = (event) => void early.push(event);

import("./calls.ts").then(({ hear }) => {
  self.onmessage = hear;
  for (const event of early) hear(event);
}, reportError);
