import { testify } from "./script.ts";

void testify("chosen").then(console.log);
