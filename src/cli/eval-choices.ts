import { userError } from "../core/errors.ts";
import { largest } from "../core/extremes.ts";
import { parseJsonLine } from "../data/jsonl.ts";
import type { Scorer } from "../generate/score.ts";
import { startedWith, startOf } from "../text/ids.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

/** A beginning, several endings, and the number of the right one. */
export interface Question {
  readonly context: string;
  readonly endings: readonly string[];
  readonly label: number;
}

export interface ChoiceScores {
  readonly questions: number;
  /** Share of questions whose right ending has the highest log-likelihood. */
  readonly accuracy: number;
  /** The same by log-likelihood per token of the ending, which does not favour short ones. */
  readonly accuracyNorm: number;
}

/** HellaSwag's JSON lines: `ctx`, `endings`, `label`; other fields do not matter. */
export function parseChoices(text: string, path: string): Question[] {
  const lines = text.split(/\r?\n/);
  const questions = lines.flatMap((line, i): Question[] => {
    if (line.trim() === "") return [];
    const fail = (wanted: string): never => userError(`${path}, line ${i + 1}: wanted ${wanted}`);
    const { ctx, endings, label } = parseJsonLine(line, `${path}, line ${i + 1}`);
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
    return [{ context: ctx, endings: endings as string[], label: right }];
  });
  if (questions.length === 0) userError(`${path}: has no questions; wanted JSON lines with ctx, endings and label`);
  return questions;
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
    const batch = questions.slice(at, at + batchSize).map(({ context, endings, label }) => {
      const start = startedWith(startOf(tokenizer), tokenizer.encode(context));
      const rows = endings.map((ending) => {
        const ids = [...tokenizer.encode(` ${ending}`)].slice(0, contextLength);
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

function placeOfBest(values: readonly number[]): number {
  return values.indexOf(largest(values));
}
