/** A text as a shell takes it for one word, in lines that are there to be copied. */
export function shellWord(text: string): string {
  const plain = /^[\p{L}\p{M}\p{N}./:@%+=,_-]+$/u.test(text) && !text.startsWith("-");
  return plain ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** A file as a program takes it that has options: one whose name begins with a hyphen is none. */
export function shellPath(path: string): string {
  return shellWord(path.startsWith("-") ? `./${path}` : path);
}
