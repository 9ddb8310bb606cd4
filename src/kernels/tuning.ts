import type { FloatDType, Format } from "../core/dtype.ts";

/** How products of one class of sizes are computed: a name out of `matmulVariants`, and stretches that K is cut into. */
export interface MatmulChoice {
  readonly variant: string;
  readonly splits: number;
}

export const ATTENTION_CHOICES = [
  ...(["rows", "quads", "panels", "products"] as const),
  ...(["matrices", "matrices-wide", "matrices-copied", "matrices-direct"] as const),
  ...(["tiles64", "tiles64-wide", "tiles64-widest", "tiles32", "tiles32-wide"] as const),
] as const;

/** See the attributes of attention. */
export type AttentionChoice = (typeof ATTENTION_CHOICES)[number];

/**
 * Which of several ways to compute is used, by classes of sizes, where the defaults are not: what a tuner measured on one
 * adapter. JSON as it is. The same tuning gives the same dispatches, and so the same bits; another one need not.
 */
export interface Tuning {
  readonly matmul: Readonly<Record<string, MatmulChoice>>;
  readonly attention: Readonly<Record<string, AttentionChoice>>;
}

export const NO_TUNING: Tuning = { matmul: {}, attention: {} };

interface Sizes {
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly types?: { readonly a: FloatDType; readonly b: Format; readonly y: FloatDType };
  readonly exact?: boolean;
}

/**
 * "NT 1024 65536 1024": which operands are transposed, and M, N, K to the nearest power of 2; then the types of a, b and y,
 * as "f16 f16 f32", where not all are f32, and whether one of f32 keeps its digits.
 */
export function matmulClass({ M, N, K, transposeA, transposeB, types, exact }: Sizes): string {
  const named = types ? [types.a, types.b, types.y] : [];
  const halves = named.some((type) => type !== "f32") ? [...named, ...(exact ? ["exact"] : [])] : [];
  return [`${transposeA ? "T" : "N"}${transposeB ? "T" : "N"}`, ...[M, N, K].map(rounded), ...halves].join(" ");
}

/** "1024 64": positions to the nearest power of 2, columns of a head; then "f16" where that is the type. */
export function attentionClass({ T, D, dtype }: AttentionClass): string {
  return `${rounded(T)} ${D}${dtype === "f16" ? " f16" : ""}`;
}

interface AttentionClass {
  readonly T: number;
  readonly D: number;
  readonly dtype?: FloatDType;
}

function rounded(size: number): number {
  return size === 0 ? 0 : 2 ** Math.round(Math.log2(size));
}

/** A tuning that was kept as JSON, or undefined where `data` is none. */
export function tuningFrom(data: unknown): Tuning | undefined {
  if (!isRecord(data) || !isRecord(data.matmul) || !isRecord(data.attention)) return undefined;
  const matmul: Record<string, MatmulChoice> = {};
  for (const [key, choice] of Object.entries(data.matmul)) {
    if (!isRecord(choice) || typeof choice.variant !== "string") return undefined;
    if (!Number.isSafeInteger(choice.splits) || (choice.splits as number) < 1) return undefined;
    matmul[key] = { variant: choice.variant, splits: choice.splits as number };
  }
  const attention: Record<string, AttentionChoice> = {};
  for (const [key, choice] of Object.entries(data.attention)) {
    const known = ATTENTION_CHOICES.find((name) => name === choice);
    if (!known) return undefined;
    attention[key] = known;
  }
  return { matmul, attention };
}

function isRecord(data: unknown): data is Record<string, unknown> {
  return typeof data === "object" && data !== null && !Array.isArray(data);
}

/** `more` joined to `base`, going before it. */
export function mergeTunings(base: Tuning, more: Tuning): Tuning {
  return {
    matmul: { ...base.matmul, ...more.matmul },
    attention: { ...base.attention, ...more.attention },
  };
}
