import { testify } from "./script.ts";

Object.assign(globalThis, { result: testify("none") });
