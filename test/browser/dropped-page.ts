import { blobSource } from "../../src/data/memory-source.ts";
import { openDropped } from "./dropped.ts";

async function main(): Promise<string> {
  return JSON.stringify(await openDropped((name, bytes) => blobSource(new File([bytes], name))));
}

Object.assign(globalThis, { result: main() });
