import { createHash } from "node:crypto";
import type { Sha256 } from "../../storage/sha256.ts";

/** SHA-256 by the machine's own instructions. */
export function nodeSha256(): Sha256 {
  const hash = createHash("sha256");
  let size = 0;
  return {
    add(bytes) {
      hash.update(bytes);
      size += bytes.length;
    },
    finish: () => ({ size, sha256: hash.digest("hex") }),
  };
}
