import { UserError, userError } from "../core/errors.ts";
import { END_OF_TEXT, requireEndId, type Tokenizer } from "../text/tokenizer.ts";
import type { Columns } from "./columns.ts";
import { type EncodedRecords, encodeBatch, safePieces } from "./encode.ts";
import { endTextOf } from "./findings.ts";
import type { ByteSource, DataFormat, RecordBatch } from "./source.ts";

/** A file and how its records are written; ids in a .bin are not read here, but where they lie. */
export interface DataFile {
  readonly source: ByteSource;
  readonly format: Exclude<DataFormat, "bin">;
}

export interface ReadOptions {
  /** Of text files: where a line is nothing but this end token, records lie between such lines; null: each line is one. */
  readonly endText?: string | null;
  /** Whether records without text count; default: they are left out. */
  readonly keepEmpty?: boolean;
}

/** The records of a file, some at a time. Throws `UserError` with the file, the line or row, and what to do. */
export async function* readRecords(
  { source, format }: DataFile,
  columns: Columns,
  { endText = END_OF_TEXT, keepEmpty = false }: ReadOptions = {},
): AsyncGenerator<RecordBatch> {
  if (format === "txt")
    yield* (await import("./lines.ts")).readLines(source, { endText: endText ?? undefined, keepEmpty });
  else if (format === "jsonl") yield* (await import("./jsonl.ts")).readJsonLines(source, columns, keepEmpty);
  else if (format === "parquet") yield* (await import("./parquet.ts")).readParquet(source, columns, keepEmpty);
  else yield* (await import("./csv.ts")).readTable(source, columns, format, keepEmpty);
}

/** The records of some files as ids. */
export async function* encodeFiles(
  files: readonly DataFile[],
  columns: Columns,
  tokenizer: Tokenizer,
): AsyncGenerator<EncodedRecords> {
  let prompts: boolean | undefined;
  const endText = endTextOf(tokenizer) ?? null;
  for (const file of files) {
    for await (const batch of readRecords(file, columns, { endText })) {
      prompts ??= batch.prompts !== undefined;
      if (prompts !== (batch.prompts !== undefined))
        userError(
          `${file.source.name}: has ${prompts ? "no " : ""}prompts, ${files[0]!.source.name} has ${prompts ? "some" : "none"}; give files of one kind`,
        );
      yield* encodeBatch(batch, tokenizer);
    }
  }
}

/** Ids of a long text; `text`: a text begins with them. */
export interface EncodedPiece {
  readonly ids: Int32Array;
  readonly text: boolean;
}

/**
 * Some files as one stream of ids, an end token between two texts. A text file is one text; of the others, each record is.
 * Without an end token in the vocabulary, text files follow one another directly.
 */
export async function* encodeAsStream(
  files: readonly DataFile[],
  columns: Columns,
  tokenizer: Tokenizer,
): AsyncGenerator<EncodedPiece> {
  let texts = 0;
  /** Of what came before: one end token between two texts is enough, whoever wrote it. */
  let last: number | undefined;
  for (const file of files) {
    if (file.format === "txt") {
      let begins = true;
      let at = 0;
      const { source } = file;
      for await (const piece of safePieces(await textOf(source), tokenizer, source.name)) {
        const ids = await encodePiece(piece, at, source, tokenizer);
        at += piece.length;
        const { endId } = tokenizer;
        if (begins && texts++ > 0 && endId !== undefined && last !== endId && ids[0] !== endId)
          yield { ids: Int32Array.of(endId), text: false };
        yield { ids, text: begins };
        begins = false;
        last = ids.at(-1);
      }
      continue;
    }
    for await (const { ids, lengths } of encodeFiles([file], columns, tokenizer)) {
      let at = 0;
      for (const length of lengths) {
        // A record is start token, text, end token; between texts one end token is enough.
        const text = ids.subarray(at + tokenizer.startIds.length, at + length - 1);
        const endId = requireEndId(tokenizer);
        const begun = texts++ > 0 && last !== endId ? joined(endId, text) : text.slice();
        yield { ids: begun, text: true };
        at += length;
        last = begun.at(-1) ?? last;
      }
    }
  }
}

/** UTF-16 units of the longest line in which a place is looked for. */
const LONGEST_PLACED = 1 << 24;

/** The ids of a piece of a text file, `at` UTF-16 units from its beginning. Throws `UserError` with the line that cannot be encoded. */
async function encodePiece(piece: string, at: number, source: ByteSource, tokenizer: Tokenizer): Promise<Int32Array> {
  try {
    return tokenizer.encode(piece);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    // Counting lines while reading would cost all the others: the file is read again.
    let [number, line, from] = [1, "", 0];
    for await (const text of await textOf(source)) {
      const lines = (line + text).split(/(?<=\n|\r(?!\n|$))/);
      line = lines.pop() ?? "";
      for (const whole of lines) {
        if (from + whole.length > at) rejectLine(whole, `${source.name}, line ${number}`, tokenizer);
        from += whole.length;
        number++;
      }
      if (from + line.length < at + piece.length && line.length < LONGEST_PLACED) continue;
      rejectLine(line, `${source.name}, line ${number}`, tokenizer);
      break;
    }
    return userError(`${source.name}: ${error.message}`);
  }
}

function rejectLine(line: string, where: string, tokenizer: Tokenizer): void {
  try {
    tokenizer.encode(line);
  } catch (error) {
    userError(`${where}: ${(error as Error).message}`);
  }
}

/** A text file, piece by piece. */
async function textOf(source: ByteSource): Promise<AsyncIterable<string>> {
  const { decodeText } = await import("./utf8.ts");
  return decodeText(source);
}

function joined(first: number, rest: Int32Array): Int32Array {
  const all = new Int32Array(1 + rest.length);
  all[0] = first;
  all.set(rest, 1);
  return all;
}

export interface AlphabetOptions {
  /** False: `<|endoftext|>` is text like any other, for a vocabulary without an end token. */
  readonly endToken?: boolean;
}

/** Every character that occurs in some files, in code point order, but for those of end tokens: what `charTokenizerOf` wants. */
export async function alphabetOf(
  files: readonly DataFile[],
  columns: Columns,
  stream: boolean,
  { endToken = true }: AlphabetOptions = {},
): Promise<string[]> {
  const alphabet = createAlphabet(endToken);
  for (const file of files) {
    if (stream && file.format === "txt") {
      const { source } = file;
      for await (const piece of safePieces(await textOf(source), undefined, source.name)) alphabet.add(piece);
      continue;
    }
    for await (const { texts, prompts = [] } of readRecords(file, columns, {
      endText: endToken ? END_OF_TEXT : null,
    })) {
      for (const text of texts) alphabet.add(text);
      for (const prompt of prompts) alphabet.add(prompt);
    }
  }
  return alphabet.characters();
}

const CODE_POINTS = 0x110000;

function createAlphabet(endToken: boolean) {
  const seen = new Uint8Array(CODE_POINTS);
  const addPlain = (text: string): void => {
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit < 0xd800 || unit >= 0xdc00) seen[unit] = 1;
      else seen[text.codePointAt(i++)!] = 1;
    }
  };
  return {
    add(text: string): void {
      if (endToken && text.includes(END_OF_TEXT)) text.split(END_OF_TEXT).forEach(addPlain);
      else addPlain(text);
    },
    characters(): string[] {
      const found: string[] = [];
      for (let code = seen.indexOf(1); code >= 0; code = seen.indexOf(1, code + 1))
        found.push(String.fromCodePoint(code));
      return found;
    },
  };
}
