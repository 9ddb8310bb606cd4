/** A name out of a file, quoted, on one line and short: it may hold anything. */
export function quote(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}...` : name);
}
