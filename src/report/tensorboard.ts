/**
 * TensorBoard's event files. Framing: tensorflow/core/lib/io/record_writer.h; messages: tensorboard/compat/proto/
 * event.proto, summary.proto, tensor.proto. Tags are those of transformers' TensorBoardCallback.
 */
import type { RunDescription } from "../train/events.ts";
import { maskedCrc32c } from "./crc32c.ts";
import type { RunLine } from "./lines.ts";
import { doubleField, floatField, integerField, join, joinAll, lengthField } from "./protobuf.ts";

/** SessionLog.SessionStatus.START: whatever an earlier file has of this step and later ones is void. */
const SESSION_START = 1;
const DT_STRING = 7;

/** A value of a `Summary`. */
export type SummaryValue = { readonly tag: string } & ({ readonly scalar: number } | { readonly text: string });

/** The name of an event file. TensorBoard reads those of a folder in the order of their names; `seconds`: since 1970. */
export function eventFileName(seconds: number, host: string, process: number): string {
  const safe = host.replace(/[^\w.-]/g, "_") || "localhost";
  return `events.out.tfevents.${String(Math.floor(seconds)).padStart(10, "0")}.${safe}.${process}.0`;
}

/** The first records of a file: its version, and what makes void the steps after `resumedFrom` of older files. */
export function fileStart(seconds: number, resumedFrom: number): Uint8Array<ArrayBuffer> {
  const firstVoid = resumedFrom === 0 ? 0 : resumedFrom + 1;
  const session = lengthField(7, integerField(1, SESSION_START));
  return join(record(event(seconds, 0, lengthField(3, "brain.Event:2"))), record(event(seconds, firstVoid, session)));
}

/** Values of one step as one record. `seconds`: since 1970. */
export function summaryRecord(seconds: number, step: number, values: readonly SummaryValue[]): Uint8Array<ArrayBuffer> {
  const summary = joinAll(values.map((value) => lengthField(1, summaryValue(value))));
  return record(event(seconds, step, lengthField(5, summary)));
}

/** What TensorBoard is told of a line of `metrics.jsonl`: empty where it has no place for it. */
export function eventsOf(line: RunLine, description: RunDescription): Uint8Array<ArrayBuffer> {
  const values = valuesOf(line, description);
  return values.length === 0 ? new Uint8Array() : summaryRecord(Date.parse(line.time) / 1000, line.step, values);
}

function valuesOf(line: RunLine, description: RunDescription): SummaryValue[] {
  switch (line.kind) {
    case "start":
      return [
        { tag: "args", text: codeBlock(JSON.stringify(description.settings, null, 2)) },
        { tag: "model_config", text: codeBlock(JSON.stringify(description.config, null, 2)) },
        { tag: "data", text: codeBlock(JSON.stringify(description.data, null, 2)) },
      ];
    case "log": {
      const { loss, grad_norm, learning_rate, epoch, tokens_per_second, skipped_steps, num_input_tokens_seen } = line;
      const told = { loss, grad_norm, learning_rate, epoch, tokens_per_second, skipped_steps, num_input_tokens_seen };
      return scalars("train", told);
    }
    case "evaluation":
      return scalars("eval", {
        loss: line.eval_loss,
        perplexity: line.eval_perplexity,
        runtime: line.eval_runtime,
      });
    case "samples":
      return line.samples.map(({ prompt, text, ended }, index) => ({
        tag: `samples/${index + 1}`,
        text: codeBlock(`${prompt}${text}${ended ? "" : " [cut off]"}`),
      }));
    case "notice":
      return [{ tag: `notices/${line.notice}`, text: codeBlock(line.message) }];
    case "end":
      return scalars("train", { train_loss: line.train_loss, train_runtime: line.train_runtime });
  }
}

function scalars(prefix: string, numbers: Readonly<Record<string, number>>): SummaryValue[] {
  return Object.entries(numbers).map(([name, scalar]) => ({ tag: `${prefix}/${name}`, scalar }));
}

/** Text is Markdown to TensorBoard: indented by four places it is shown as it is, whatever it holds. */
function codeBlock(text: string): string {
  return text.replace(/^/gm, "    ");
}

function summaryValue(value: SummaryValue): Uint8Array {
  if ("scalar" in value) return join(lengthField(1, value.tag), floatField(2, value.scalar));
  const metadata = lengthField(1, lengthField(1, "text"));
  const shape = lengthField(2, integerField(1, 1));
  const tensor = join(integerField(1, DT_STRING), lengthField(2, shape), lengthField(8, value.text));
  return join(lengthField(1, `${value.tag}/text_summary`), lengthField(8, tensor), lengthField(9, metadata));
}

function event(seconds: number, step: number, what: Uint8Array): Uint8Array {
  return join(doubleField(1, seconds), integerField(2, step), what);
}

/** Length, its checksum, the data, its checksum; numbers little-endian. */
function record(data: Uint8Array): Uint8Array<ArrayBuffer> {
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(data.length), true);
  return join(length, uint32(maskedCrc32c(length)), data, uint32(maskedCrc32c(data)));
}

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}
