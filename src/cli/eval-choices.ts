import { userError } from "../core/errors.ts";
import type { Scorer } from "../generate/score.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { startOf } from "./generate-prompts.ts";

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
    let entry: unknown;
    try {
      entry = JSON.parse(line);
    } catch {
      fail("a JSON object");
    }
    const { ctx, endings, label } = (entry ?? {}) as Record<string, unknown>;
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

/** Scores each ending after its context, a space in between. A context that does not fit loses its beginning. */
export async function scoreChoices(
  scorer: Scorer,
  tokenizer: Tokenizer,
  questions: readonly Question[],
  contextLength: number,
  update: (done: number, note: string) => void,
): Promise<ChoiceScores> {
  let [bySum, byMean] = [0, 0];
  for (const [i, { context, endings, label }] of questions.entries()) {
    const start = [...startOf(tokenizer), ...tokenizer.encode(context)];
    const rows = endings.map((ending) => {
      const ids = [...tokenizer.encode(` ${ending}`)].slice(0, contextLength);
      return { ids: [...start, ...ids].slice(-(contextLength + 1)), count: ids.length };
    });
    const scores = await scorer.score(rows.map(({ ids }) => ids));
    const sums = scores.map((row, r) => row.subarray(row.length - rows[r]!.count).reduce((sum, x) => sum + x, 0));
    if (placeOfBest(sums) === label) bySum++;
    if (placeOfBest(sums.map((sum, r) => sum / rows[r]!.count)) === label) byMean++;
    update(i + 1, `accuracy ${((100 * byMean) / (i + 1)).toFixed(1)} %`);
  }
  const n = questions.length;
  return { questions: n, accuracy: bySum / n, accuracyNorm: byMean / n };
}

function placeOfBest(values: readonly number[]): number {
  return values.indexOf(Math.max(...values));
}
