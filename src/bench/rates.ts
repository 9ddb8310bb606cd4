/** What an adapter does at most, measured: the yardstick of every other measurement. */
export interface Peak {
  /** Arithmetic in registers, a multiply-add counting as two. */
  readonly gflopsPerS: number;
  /** Copying, bytes read plus bytes written. */
  readonly gbPerS: number;
}

export interface Cost {
  readonly flops: number;
  readonly bytes: number;
}

/** The rates of `cost` done in `ms`. */
export function ratesOf({ flops, bytes }: Cost, ms: number, peak: Peak | undefined) {
  const rates = { gflops_per_s: flops / ms / 1e6, gb_per_s: bytes / ms / 1e6 };
  if (!peak) return rates;
  return {
    ...rates,
    fraction_of_peak: leastMs({ flops, bytes }, peak) / ms,
    limited_by: limitOf({ flops, bytes }, peak),
  };
}

/** Milliseconds that the work takes at least, on an adapter with these peaks. */
export function leastMs({ flops, bytes }: Cost, peak: Peak): number {
  return Math.max(flops / peak.gflopsPerS, bytes / peak.gbPerS) / 1e6;
}

function limitOf({ flops, bytes }: Cost, peak: Peak): "arithmetic" | "memory" {
  return flops / peak.gflopsPerS >= bytes / peak.gbPerS ? "arithmetic" : "memory";
}
