/** `checkpoint.json`: what a training checkpoint holds, so that damage is seen before anything is loaded from it. */
import * as v from "valibot";
import { userError } from "../core/errors.ts";
import { checkJson, count } from "./check-json.ts";

export const MANIFEST = "checkpoint.json";
const FORMAT = 1;

/** A plain name, so that a manifest cannot lead out of its folder. */
const fileName = v.pipe(v.string(), v.regex(/^[\w-][\w.-]*$/));
const digest = v.strictObject({
  size: count,
  sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
});
const manifest = v.strictObject({
  format: v.literal(FORMAT),
  step: count,
  files: v.record(fileName, digest),
});

export interface Manifest {
  /** Optimiser steps done. */
  readonly step: number;
  /** Every other file of the folder: bytes and SHA-256. */
  readonly files: Readonly<Record<string, { readonly size: number; readonly sha256: string }>>;
}

export function formatManifest({ step, files }: Manifest): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify({ format: FORMAT, step, files }, null, 2)}\n`);
}

/** Throws `UserError` on anything that `formatManifest` does not write. */
export function parseManifest(text: string): Manifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return userError(`${MANIFEST}: not valid JSON`);
  }
  const format = (json as { format?: unknown } | null)?.format;
  if (Number.isInteger(format) && format !== FORMAT)
    userError(`${MANIFEST}: format ${format}; this version reads ${FORMAT}`);
  const parsed = checkJson(manifest, json);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.problem;
  return userError(`${MANIFEST}: ${path.join(".") || "the whole"}: ${message}`);
}
