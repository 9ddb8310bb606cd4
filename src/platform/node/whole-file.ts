export { writeWholeFile } from "./durable.ts";
