/** A name that nothing else has. Browsers give `crypto.randomUUID` to pages on https and localhost alone. */
export function uniqueName(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
