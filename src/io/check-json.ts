import * as v from "valibot";
import { quote } from "./json.ts";

/** A number, and not 1e999, which JSON reads as infinite. */
export const finite = v.pipe(v.number(), v.finite("wanted a finite number"));
/** 0, 1, 2, ... */
export const count = v.pipe(v.number(), v.safeInteger("wanted a whole number"), v.minValue(0, "wanted 0 or more"));
/** As `Date.toISOString` writes it. */
export const time = v.pipe(v.string(), v.isoTimestamp("wanted a time such as 2026-01-31T12:00:00Z"));
/** An object with whatever keys; a list is none. */
export const anyObject = v.custom<Readonly<Record<string, unknown>>>(
  (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  "wanted an object",
);

/** The first thing that is wrong with a value. */
export interface Problem {
  /** The keys that lead to it; empty where it is the whole. */
  readonly path: readonly string[];
  /** What was wanted, and what is there. */
  readonly message: string;
}

export type Checked<T> =
  | { readonly success: true; readonly data: T }
  | { readonly success: false; readonly problem: Problem };

/**
 * What a schema of an object says of a value. Whoever reads JSON with a schema does it here, so that messages have the same words.
 */
export function checkJson<S extends v.GenericSchema>(schema: S, value: unknown): Checked<v.InferOutput<S>> {
  // To valibot a list is an object.
  if (Array.isArray(value)) return { success: false, problem: { path: [], message: "wanted an object, got a list" } };
  const { success, output, issues } = v.safeParse(schema, value, { abortEarly: true });
  if (success) return { success, data: output };
  const path = issues[0].path?.map(({ key }) => String(key)) ?? [];
  return { success, problem: { path, message: messageOf(issues[0]) } };
}

function messageOf({ expected, input, received, message }: v.BaseIssue<unknown>): string {
  if (input === undefined) return "is missing";
  if (expected === "never") return "is not known";
  if (expected === "Object") return `wanted an object, got ${received}`;
  const got = typeof input === "string" ? quote(input) : received;
  const wanted = message.startsWith("wanted ") ? message : `wanted ${expected}`;
  return `${wanted}, got ${got}`;
}
