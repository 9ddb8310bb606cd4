/** Changes of a JSON text that leave the rest of it as it is, byte by byte. */

interface Member {
  readonly key: string;
  /** Of its value in the text. */
  readonly start: number;
  readonly end: number;
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/g;

/**
 * The text of a JSON object with one of its members set. `text`: valid JSON. Where its members stand on lines of their own, indented by
 * spaces, so does a new value.
 */
export function withMember(text: string, key: string, value: unknown): string {
  const indent = /^\s*\{\s*\n( +)/.exec(text)?.[1];
  const written =
    indent === undefined
      ? JSON.stringify(value)
      : JSON.stringify(value, null, indent.length).replaceAll("\n", `\n${indent}`);
  const { members, open } = membersOf(text);
  const old = members.find((member) => member.key === key);
  if (old) return text.slice(0, old.start) + written + text.slice(old.end);
  const last = members.at(-1);
  const at = last?.end ?? open + 1;
  const space = indent === undefined ? "" : `\n${indent}`;
  return `${text.slice(0, at)}${last ? "," : ""}${last ? space : ""}${JSON.stringify(key)}: ${written}${text.slice(at)}`;
}

/** The members of the object that a text is, and where its brace opens. */
function membersOf(text: string): { readonly members: readonly Member[]; readonly open: number } {
  const members: Member[] = [];
  let [depth, open, start, end] = [0, -1, -1, -1];
  let key: string | undefined;
  const ended = (): void => {
    if (key !== undefined) members.push({ key, start, end });
    key = undefined;
  };
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    if (token === "}" || token === "]") depth--;
    if (depth === 0 && token === "}") ended();
    else if (depth === 1 && token === "," && key !== undefined) ended();
    else if (depth === 1 && key === undefined) {
      key = JSON.parse(token) as string;
      start = -1;
    } else if (depth >= 1 && !(depth === 1 && token === ":" && start < 0)) {
      if (start < 0) start = index;
      end = index + token.length;
    }
    if (token === "{" || token === "[") depth++;
    if (depth === 1 && open < 0) open = index;
  }
  return { members, open };
}
