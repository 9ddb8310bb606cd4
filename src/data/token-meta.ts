import { userError } from "../core/errors.ts";
import type { Findings } from "./findings.ts";
import { crc32 } from "./token-index.ts";

/** How many records have each number of ids. */
export type LengthCounts = ReadonlyMap<number, number>;

/** What is known of tokenised data without reading it. */
export interface TokenMeta {
  readonly kind: "records" | "stream";
  /** 2 where every id of the vocabulary fits, else 4; little-endian. */
  readonly bytesPerId: 2 | 4;
  readonly ids: number;
  /** Of a stream: the texts that it is made of. */
  readonly records: number;
  /** Whether the index has prompt lengths. */
  readonly prompts: boolean;
  /** Records without text, which were left out. */
  readonly empty: number;
  /** What else was met; absent for ids that were made elsewhere. */
  readonly findings?: Findings;
  /** Of ids, lengths, prompts and vocabulary: data with another digest is other data. */
  readonly digest?: string;
  /** Records that are the same as an earlier one; undefined where there are too many records to know. */
  readonly duplicates?: number;
  /** Of records. */
  readonly lengths: LengthCounts;
  /** Of records with prompts: how many have each prompt length, the end token included. */
  readonly promptLengths: LengthCounts;
}

/** As JSON, with a CRC-32 of it in front. */
export function formatMeta(meta: TokenMeta): Uint8Array<ArrayBuffer> {
  const json = JSON.stringify({ ...meta, lengths: [...meta.lengths], promptLengths: [...meta.promptLengths] });
  const bytes = new TextEncoder().encode(json);
  return new TextEncoder().encode(`${crc32(bytes).toString(16).padStart(8, "0")} ${json}\n`);
}

/** Throws `UserError` on anything but what `formatMeta` wrote. */
export function parseMeta(bytes: Uint8Array): TokenMeta {
  const [, crc, json] = /^([0-9a-f]{8}) (.*)\n$/s.exec(new TextDecoder().decode(bytes)) ?? [];
  if (json === undefined || Number.parseInt(crc!, 16) !== crc32(new TextEncoder().encode(json)))
    return userError("its description is damaged");
  const { lengths, promptLengths, ...rest } = JSON.parse(json);
  return { ...rest, lengths: new Map(lengths), promptLengths: new Map(promptLengths) };
}
