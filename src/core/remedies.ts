/** Remedies for names that other tools have, in the same words for settings and for options of generation. */

export function leaveOut(why: string): () => string {
  return () => `leave it out: ${why}`;
}

export function absent(instead: string): () => string {
  return () => `it is not to be had here, ${instead}`;
}
