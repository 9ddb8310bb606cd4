import { freemem } from "node:os";

/** Bytes that this process can still have: what the machine has free, or what its container is allowed if that is less. */
export function freeMemory(): number {
  // Node 20.13 and later know of containers.
  const allowed: (() => number) | undefined = process.availableMemory;
  return Math.min(freemem(), allowed?.call(process) ?? Number.POSITIVE_INFINITY);
}
