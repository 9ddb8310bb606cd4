import { expect, test } from "vitest";
import { calledAs } from "../../src/platform/node/called.ts";

test.each([
  [{}, "gpt2"],
  [{ npm_command: "exec", npm_package_name: "mine" }, "npx gpt2"],
  [{ npm_command: "run", npm_package_name: "mine" }, "npx gpt2"],
  [{ npm_command: "exec" }, "npx gpt2"],
  [{ npm_command: "start", npm_package_name: "webgpu-gpt2" }, "npm run gpt2 --"],
  [{ npm_command: "run-script", npm_package_name: "webgpu-gpt2" }, "npm run gpt2 --"],
  [{ npm_command: "exec", npm_package_name: "webgpu-gpt2" }, "npx gpt2"],
])("what is to be typed next begins as this command did: %j", (environment, words) => {
  expect(calledAs(environment)).toBe(words);
});
