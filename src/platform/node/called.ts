/** The environment that npm gives to what it runs. */
type NpmEnvironment = Readonly<Partial<Record<"npm_command" | "npm_package_name", string>>>;

/**
 * `gpt2` as whoever called this process types it: npm, which has it on its own path alone, runs it by `npx`, and in a checkout
 * by a script of it. Lines that are there to be copied begin with it.
 */
export function calledAs(environment: NpmEnvironment = process.env): string {
  const { npm_command: command, npm_package_name: name } = environment;
  if (!command) return "gpt2";
  return name === "webgpu-gpt2" && command !== "exec" ? "npm run gpt2 --" : "npx gpt2";
}
