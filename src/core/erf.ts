const SQRT_PI = Math.sqrt(Math.PI);

/** From here on the continued fraction is the better of the two. */
const CROSSOVER = 1.5;

/** The error function, 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x; about 1e-15. */
export function erf(x: number): number {
  const a = Math.abs(x);
  return Math.sign(x) * (a < CROSSOVER ? series(a) : 1 - fraction(a));
}

/** 1 - erf(x), which keeps its digits where erf(x) is near 1. */
export function erfc(x: number): number {
  if (x < 0) return 2 - erfc(-x);
  return x < CROSSOVER ? 1 - series(x) : fraction(x);
}

/** The normal distribution function: the probability of a standard normal number below x. */
export function normalCdf(x: number): number {
  return 0.5 * erfc(-x * Math.SQRT1_2);
}

/** erf(a) = 2/sqrt(pi) exp(-a^2) sum of 2^n a^(2n+1) / (1 * 3 * ... * (2n+1)): Abramowitz & Stegun 7.1.6, no signs change. */
function series(a: number): number {
  let term = a;
  let sum = a;
  for (let n = 1; term > sum * 1e-18; n++) {
    term *= (2 * a * a) / (2 * n + 1);
    sum += term;
  }
  return (2 / SQRT_PI) * Math.exp(-a * a) * sum;
}

/** erfc(a) = exp(-a^2)/sqrt(pi) * 1/(a + (1/2)/(a + (2/2)/(a + (3/2)/(a + ...)))): Abramowitz & Stegun 7.1.14. */
function fraction(a: number): number {
  let tail = a;
  for (let k = 80; k > 0; k--) tail = a + k / 2 / tail;
  return Math.exp(-a * a) / (SQRT_PI * tail);
}
