/** Whether a text starts with a token of its own, by the tokenizer's files, and how these say so. */
import { withMember } from "./json-edit.ts";
import { readObject, readText, type TextFiles } from "./json-files.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { encodeJson } from "./tokenizer-json.ts";

type Json = Readonly<Record<string, unknown>>;

/** What goes before a text as Hugging Face encodes it: ids, which may be wrong in the file, and the text of each, which counts. */
export interface StartToken {
  readonly content: string;
  readonly id: number | undefined;
}

function objectOf(value: unknown): Json {
  return typeof value === "object" && value !== null ? (value as Json) : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The tokens that a post-processor puts before a text: of a template, on its own or in a sequence, or of BERT's kind. */
export function startOfPostProcessor(post: unknown): readonly StartToken[] {
  const { type, processors, single, special_tokens: special, cls } = objectOf(post);
  if (type === "Sequence") return listOf(processors).flatMap(startOfPostProcessor);
  if (type === "BertProcessing" || type === "RobertaProcessing") {
    const [content, id] = listOf(cls);
    return typeof content === "string" ? [{ content, id: typeof id === "number" ? id : undefined }] : [];
  }
  if (type !== "TemplateProcessing") return [];
  const pieces = listOf(single);
  const text = pieces.findIndex((piece) => "Sequence" in objectOf(piece));
  return pieces.slice(0, Math.max(0, text)).flatMap((piece) => {
    const { id: name } = objectOf(objectOf(piece).SpecialToken);
    if (typeof name !== "string") return [];
    const { ids, tokens } = objectOf(objectOf(special)[name]);
    const texts = listOf(tokens).length > 0 ? listOf(tokens) : [name];
    return texts.map((content, i) => {
      const id = listOf(ids)[i];
      return { content: String(content), id: typeof id === "number" ? id : undefined };
    });
  });
}

/**
 * What texts start with, as transformers 5 reads the files: the post-processor of `tokenizer.json` where there is one, else
 * the start token if `tokenizer_config.json` says `add_bos_token`. Empty: nothing.
 */
export function startTokens(files: TextFiles, start: StartToken | undefined): readonly StartToken[] {
  const post = readObject(files, "tokenizer.json").post_processor;
  if (typeof post === "object" && post !== null) return startOfPostProcessor(post);
  const adds = readObject(files, "tokenizer_config.json").add_bos_token === true;
  return adds && start !== undefined ? [start] : [];
}

/**
 * Makes tokenizer files say that every text starts with its start tokens, as records do here while training: Hugging Face
 * then puts them before a prompt, and so does `gpt2 generate`. Files that say so already stay as they are, and of the others
 * all but that.
 */
export function withStartToken(files: TextFiles, tokenizer: Tokenizer): Map<string, Uint8Array> {
  const changed = new Map(files);
  const starts = tokenizer.startIds.map((id) => ({ id, content: tokenizer.decode([id]) }));
  const first = starts[0];
  if (first === undefined) return changed;
  const config = readObject(files, "tokenizer_config.json");
  const { content: bos = config.bos_token } = objectOf(config.bos_token);
  const same = (found: readonly StartToken[]): boolean =>
    found.length === starts.length && found.every(({ content }, i) => content === starts[i]!.content);
  const post = readObject(files, "tokenizer.json").post_processor;
  const inJson = files.has("tokenizer.json");
  if (inJson && same(startOfPostProcessor(post))) return changed;
  if (inJson) edit(changed, "tokenizer.json", { post_processor: startingWith(post, starts) });
  if (inJson && !files.has("tokenizer_config.json")) return changed;
  const named = bos === first.content || namedElsewhere(files, first.content);
  edit(changed, "tokenizer_config.json", {
    ...(files.has("tokenizer_config.json") ? {} : { tokenizer_class: "GPT2Tokenizer" }),
    ...(config.add_bos_token === true ? {} : { add_bos_token: true }),
    ...(named ? {} : { bos_token: first.content }),
  });
  return changed;
}

/** `special_tokens_map.json` of older files. */
function namedElsewhere(files: TextFiles, content: string): boolean {
  const { bos_token: token } = readObject(files, "special_tokens_map.json");
  return (typeof token === "string" ? token : objectOf(token).content) === content;
}

/** Sets members of a file's object and leaves every other byte: numbers there may be larger than JavaScript's. */
function edit(files: Map<string, Uint8Array>, name: string, members: Json): void {
  const before = files.get(name);
  files.set(name, before ? UTF8.encode(withMembers(readText(before, name), members)) : encodeJson(members));
}

const UTF8 = new TextEncoder();

/** The text of a JSON object with some members set, and nothing else changed. */
export function withMembers(text: string, members: Json): string {
  return Object.entries(members).reduce((json, [key, value]) => withMember(json, key, value), text);
}

function startingWith(post: unknown, starts: readonly { id: number; content: string }[]): Json {
  const pieces = starts.map(({ content }) => ({ SpecialToken: { id: content, type_id: 0 } }));
  const special = Object.fromEntries(
    starts.map(({ content, id }) => [content, { id: content, ids: [id], tokens: [content] }]),
  );
  const { type, processors, single, pair, special_tokens: known } = objectOf(post);
  if (type === "TemplateProcessing") {
    return {
      ...objectOf(post),
      single: [...pieces, ...fromText(single)],
      pair: [...pieces, ...fromText(pair)],
      special_tokens: { ...objectOf(known), ...special },
    };
  }
  const templates = listOf(processors).filter((one) => objectOf(one).type === "TemplateProcessing");
  if (type === "Sequence" && templates.length > 0) {
    const all = listOf(processors).map((one) => (one === templates[0] ? startingWith(one, starts) : one));
    return { ...objectOf(post), processors: all };
  }
  const [a, b] = [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }];
  return { type: "TemplateProcessing", single: [...pieces, a], pair: [...pieces, a, b], special_tokens: special };
}

/** What a template has from the text on. */
function fromText(pieces: unknown): readonly unknown[] {
  const all = listOf(pieces);
  return all.slice(
    Math.max(
      0,
      all.findIndex((piece) => "Sequence" in objectOf(piece)),
    ),
  );
}
