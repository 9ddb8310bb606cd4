import { testify } from "./script.ts";

void testify("all").then(console.log);
