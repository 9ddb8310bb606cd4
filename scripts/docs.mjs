// Writes the API reference into docs/api/ (ignored by git) out of the doc comments: `npm run docs`. A link that leads
// nowhere or a warning of TypeDoc's is an error.
import { fileURLToPath } from "node:url";
// It reads sources by TypeScript's own API, which TypeScript 7 has not: it is installed beside an older one.
import { Application } from "../test/tools/node_modules/typedoc/dist/index.js";

const path = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const app = await Application.bootstrap({
  entryPoints: [path("src/node.ts"), path("src/browser.ts")],
  tsconfig: path("tsconfig.build.json"),
  out: path("docs/api"),
  name: "webgpu-gpt2",
  readme: "none",
  excludeInternal: true,
  excludePrivate: true,
  disableSources: true,
  validation: { notExported: false, invalidLink: true, invalidPath: true, notDocumented: false },
  treatValidationWarningsAsErrors: true,
  treatWarningsAsErrors: true,
});
const project = await app.convert();
if (!project) process.exit(1);
app.validate(project);
if (app.logger.hasErrors() || app.logger.hasWarnings()) process.exit(1);
await app.generateOutputs(project);
