import { UserError, userError } from "../core/errors.ts";
import { largest } from "../core/extremes.ts";
import { parseJsonLine } from "../data/jsonl.ts";
import { splitLines } from "../data/lines.ts";
import type { ByteSource } from "../data/source.ts";
import { decodeText } from "../data/utf8.ts";
import type { Scorer } from "../generate/score.ts";
import { startedWith, startOf } from "../text/ids.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

/** A beginning, several endings, and the number of the right one. */
export interface Question {
  readonly context: string;
  readonly endings: readonly string[];
  readonly label: number;
  /** For messages: "choices.jsonl, line 3". */
  readonly where: string;
}

export interface ChoiceScores {
  readonly questions: number;
  /** Share of questions whose right ending has the highest log-likelihood. */
  readonly accuracy: number;
  /** The same by log-likelihood per token of the ending, which does not favour short ones. */
  readonly accuracyNorm: number;
}

/** All questions are in memory; HellaSwag's 70,000 have 60 MB. */
const MOST_BYTES = 2 ** 28;

/** HellaSwag's JSON lines: `ctx`, `endings`, `label`; other fields do not matter. Rejects with the reason of `signal` once it is aborted. */
export async function readChoices(source: ByteSource, signal?: AbortSignal): Promise<Question[]> {
  const { name, size } = source;
  if (size > MOST_BYTES) userError(`${name}: ${size} bytes; wanted at most ${MOST_BYTES}, cut it with split -l`);
  const questions: Question[] = [];
  for await (const { lines, first } of splitLines(decodeText(source), name)) {
    for (const [i, line] of lines.entries()) {
      if (line.trim() !== "") questions.push(parseQuestion(line, `${name}, line ${first + i}`));
    }
    // A file's pieces come without a turn of whoever hears of signals.
    await new Promise((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
  }
  if (questions.length === 0) userError(`${name}: has no questions; wanted JSON lines with ctx, endings and label`);
  return questions;
}

function parseQuestion(line: string, where: string): Question {
  const fail = (wanted: string): never => userError(`${where}: wanted ${wanted}`);
  const { ctx, endings, label } = parseJsonLine(line, where);
  if (typeof ctx !== "string") return fail('"ctx", the text that begins');
  if (
    !Array.isArray(endings) ||
    endings.length < 2 ||
    endings.some((ending) => typeof ending !== "string" || ending === "")
  )
    return fail('"endings", two texts or more');
  const right = typeof label === "string" ? Number.parseInt(label, 10) : label; // some copies have it as text
  if (!(typeof right === "number" && Number.isInteger(right) && right >= 0 && right < endings.length))
    return fail(`"label", a number from 0 to ${endings.length - 1}; the file's own test set has none`);
  return { context: ctx, endings: endings as string[], label: right, where };
}

export interface ChoiceOptions {
  readonly contextLength: number;
  /** Questions whose endings are computed together. */
  readonly batchSize: number;
}

/** Scores each ending after its context, a space in between. A context that does not fit loses its beginning. */
export async function scoreChoices(
  scorer: Scorer,
  tokenizer: Tokenizer,
  questions: readonly Question[],
  { contextLength, batchSize }: ChoiceOptions,
  update: (done: number, note: string) => void,
): Promise<ChoiceScores> {
  let [bySum, byMean, done] = [0, 0, 0];
  // As many rows each time, so that one plan serves questions with few endings and with many.
  const most = questions.reduce((most, { endings }) => Math.max(most, endings.length), 0);
  const rowsTogether = most * Math.min(batchSize, questions.length);
  for (let at = 0; at < questions.length; at += batchSize) {
    const batch = questions.slice(at, at + batchSize).map(({ context, endings, label, where }) => {
      const start = startedWith(startOf(tokenizer), encodePart(context, `${where}, "ctx"`, tokenizer));
      const rows = endings.map((ending) => {
        const ids = [...encodeEnding(ending, `${where}, "endings"`, tokenizer)].slice(0, contextLength);
        return { ids: [...start, ...ids].slice(-(contextLength + 1)), count: ids.length };
      });
      return { rows, label };
    });
    const sequences = batch.flatMap(({ rows }) => rows.map(({ ids }) => ids));
    const filling = new Array<readonly number[]>(rowsTogether - sequences.length).fill(sequences[0]!.slice(0, 2));
    const scores = await scorer.score([...sequences, ...filling]);
    let row = 0;
    for (const { rows, label } of batch) {
      const sums = rows.map(({ count }) => {
        const all = scores[row++]!;
        return all.subarray(all.length - count).reduce((sum, x) => sum + x, 0);
      });
      if (placeOfBest(sums) === label) bySum++;
      if (placeOfBest(sums.map((sum, r) => sum / rows[r]!.count)) === label) byMean++;
    }
    done += batch.length;
    update(done, `accuracy ${((100 * byMean) / done).toFixed(1)} %`);
  }
  const n = questions.length;
  return { questions: n, accuracy: bySum / n, accuracyNorm: byMean / n };
}

function encodePart(text: string, where: string, tokenizer: Tokenizer): Int32Array {
  try {
    return tokenizer.encode(text);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return userError(`${where}: ${error.message}`);
  }
}

/** The ids of an ending after a space; where it cannot be encoded, the space is not to be taken for a character of the file. */
function encodeEnding(ending: string, where: string, tokenizer: Tokenizer): Int32Array {
  try {
    return tokenizer.encode(` ${ending}`);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    encodePart(ending, where, tokenizer);
    return userError(`${where}: each follows a space, which the model's tokenizer lacks; wanted a model that has it`);
  }
}

function placeOfBest(values: readonly number[]): number {
  return values.indexOf(largest(values));
}
