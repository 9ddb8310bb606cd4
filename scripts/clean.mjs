// Removes what was built, so that a package holds nothing of files that are gone. npm builds anew when it packs.
import { rmSync } from "node:fs";

rmSync(new URL("../dist", import.meta.url), { recursive: true, force: true });
