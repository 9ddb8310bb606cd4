/** Instructions of some stretch of a kernel, by what they do. */
export interface Mix {
  /** All that run on the vector units, multiply-adds and matrix instructions among them. */
  readonly vector: number;
  /** Multiply-adds, two for packed ones. */
  readonly multiplyAdds: number;
  /** Matrix instructions. */
  readonly matrix: number;
  /** Reads and writes of workgroup memory. */
  readonly ldsReads: number;
  readonly ldsWrites: number;
  readonly memoryReads: number;
  readonly memoryWrites: number;
  /** Of registers that are memory. */
  readonly scratch: number;
  readonly waits: number;
  readonly scalar: number;
}

export interface Loop {
  /** How many loops it is in: 0 for none. */
  readonly depth: number;
  /** All that is between its beginning and its end, loops within it included, as often as it is written. */
  readonly mix: Mix;
  /** The same without the loops within it. */
  readonly own: Mix;
  /** Of its own, what a branch that all invocations take together may leave out: what is not done each time. */
  readonly sometimes: Mix;
  /** The loop that holds it, as a place in the list. */
  readonly parent: number | undefined;
  /** It asks for what it needs next before it computes: see `loadsAhead` below. */
  readonly loadsAhead: boolean;
}

interface Block {
  readonly name: string;
  readonly instructions: readonly string[];
}

/** The loops of a kernel that AMD's compiler wrote ("Assembly" of Mesa's RADV), in the order in which they begin. */
export function loopsOf(assembly: string): Loop[] {
  const blocks = blocksOf(assembly);
  const places = new Map(blocks.map(({ name }, i) => [name, i]));
  // A branch backwards ends a loop; several to one block are one loop, which the last of them ends.
  const ends = new Map<number, number>();
  blocks.forEach(({ instructions }, at) => {
    for (const instruction of instructions) {
      const [, target] = /^s_c?branch\w*\s+(BB\d+)/.exec(instruction) ?? [];
      const begin = target === undefined ? undefined : places.get(target);
      if (begin !== undefined && begin <= at) ends.set(begin, at);
    }
  });
  const ranges = [...ends].sort(([a, aEnd], [b, bEnd]) => a - b || bEnd - aEnd);
  const parents = ranges.map(([begin, end], i) => {
    const around = ranges.slice(0, i).findLastIndex(([from, to]) => from <= begin && end <= to);
    return around < 0 ? undefined : around;
  });
  const depthOf = (i: number): number => {
    const parent = parents[i];
    return parent === undefined ? 0 : 1 + depthOf(parent);
  };
  return ranges.map(([begin, end], i) => {
    const within = ranges.filter((_, child) => parents[child] === i);
    const instructionsOf = (wanted: (at: number) => boolean): string[] =>
      blocks.flatMap(({ instructions }, at) => (at >= begin && at <= end && wanted(at) ? instructions : []));
    const own = instructionsOf((at) => !within.some(([from, to]) => from <= at && at <= to));
    const skipped = skippedBlocks(blocks, places, begin, end);
    const sometimes = instructionsOf((at) => skipped.has(at) && !within.some(([from, to]) => from <= at && at <= to));
    return {
      ...{ depth: depthOf(i), parent: parents[i], loadsAhead: loadsAhead(instructionsOf((at) => !skipped.has(at))) },
      ...{ mix: mixOf(instructionsOf(() => true)), own: mixOf(own), sometimes: mixOf(sometimes) },
    };
  });
}

/** Blocks of a loop that a uniform branch within it jumps over. */
function skippedBlocks(
  blocks: readonly Block[],
  places: ReadonlyMap<string, number>,
  begin: number,
  end: number,
): Set<number> {
  const skipped = new Set<number>();
  for (let at = begin; at <= end; at++) {
    for (const instruction of blocks[at]!.instructions) {
      const [, target] = /^s_cbranch_(?:scc[01]|vccn?z)\s+(BB\d+)/.exec(instruction) ?? [];
      const to = target === undefined ? undefined : places.get(target);
      if (to === undefined || to <= at || to > end) continue;
      for (let between = at + 1; between < to; between++) skipped.add(between);
    }
  }
  return skipped;
}

/** Of a whole kernel, each instruction counted once. */
export function mixOfKernel(assembly: string): Mix {
  return mixOf(blocksOf(assembly).flatMap(({ instructions }) => instructions));
}

/**
 * The loop that the work is in: that with most matrix instructions of its own, or else most multiply-adds, or else most vector
 * instructions.
 */
export function mainLoop(loops: readonly Loop[]): Loop | undefined {
  const weight = ({ own }: Loop): readonly number[] => [own.matrix, own.multiplyAdds, own.vector];
  return loops.reduce<Loop | undefined>((best, loop) => {
    if (!best) return loop;
    const [a, b] = [weight(loop), weight(best)];
    const place = a.findIndex((count, i) => count !== b[i]);
    return place >= 0 && a[place]! > b[place]! ? loop : best;
  }, undefined);
}

function blocksOf(assembly: string): Block[] {
  const blocks: { name: string; instructions: string[] }[] = [];
  for (const line of assembly.split("\n")) {
    const [, name] = /^(BB\d+):/.exec(line) ?? [];
    if (name !== undefined) {
      blocks.push({ name, instructions: [] });
      continue;
    }
    const block = blocks.at(-1);
    if (!block) continue;
    const [, times] = /^\s*\(then repeated (\d+) times\)/.exec(line) ?? [];
    const last = block.instructions.at(-1);
    if (times !== undefined && last !== undefined) block.instructions.push(...Array(Number(times)).fill(last));
    const [text, code] = line.split(";").map((part) => part.trim());
    if (times === undefined && text) block.instructions.push(unknownVector(text, code) ?? text);
  }
  return blocks;
}

/** Moves of halves are no instructions to its disassembler, which gives their words one by one: the first says that it is for vectors. */
function unknownVector(text: string, code = ""): string | undefined {
  if (text !== "(invalid instruction)") return undefined;
  return /^(7[ef]|d[4-7])/.test(code) ? "v_unknown" : undefined;
}

const MULTIPLY_ADD = /^v_(pk_)?(fma|fmac|mad|mac|dot2)(_mix)?(mk|ak|lo|hi)?_\w*f(16|32)/;
const DUAL_MULTIPLY_ADD = /v_dual_fma(c|mk|ak)/g;
const MATRIX = /^v_(wmma|swmmac|mfma)/;
// told to the scheduler, and nothing that is done
const HINT = /^s_(delay_alu|clause|nop|set_gpr_idx|setprio|inst_prefetch|code_end)/;

function mixOf(instructions: readonly string[]): Mix {
  const mix = {
    ...{ vector: 0, multiplyAdds: 0, matrix: 0, ldsReads: 0, ldsWrites: 0 },
    ...{ memoryReads: 0, memoryWrites: 0, scratch: 0, waits: 0, scalar: 0 },
  };
  for (const instruction of instructions) {
    if (MATRIX.test(instruction)) mix.matrix++;
    const packed = MULTIPLY_ADD.exec(instruction);
    if (packed) mix.multiplyAdds += packed[1] || packed[2] === "dot2" ? 2 : 1;
    mix.multiplyAdds += instruction.match(DUAL_MULTIPLY_ADD)?.length ?? 0;
    if (/^v_/.test(instruction)) mix.vector++;
    else if (/^ds_(load|read)/.test(instruction)) mix.ldsReads++;
    else if (/^ds_(store|write)/.test(instruction)) mix.ldsWrites++;
    else if (/^(buffer|global|flat)_load/.test(instruction)) mix.memoryReads++;
    else if (/^(buffer|global|flat)_store/.test(instruction)) mix.memoryWrites++;
    else if (/^scratch_/.test(instruction)) mix.scratch++;
    else if (/^s_wait/.test(instruction)) mix.waits++;
    else if (/^s_/.test(instruction) && !HINT.test(instruction)) mix.scalar++;
  }
  return mix;
}

/**
 * Whether a loop asks for what it needs next before it computes: during half of its multiply-adds, or matrix instructions, at least,
 * loads from memory are under way.
 */
function loadsAhead(instructions: readonly string[]): boolean {
  let [underWay, all, hidden] = [0, 0, 0];
  // The first turn begins with what the one before it would have left: the second is counted.
  for (const counts of [false, true]) {
    for (const text of instructions) {
      if (/^(buffer|global)_load/.test(text)) underWay++;
      const [, left] = /^s_wait(?:cnt\b.*vmcnt\(|_loadcnt )(\w+)/.exec(text) ?? [];
      if (left !== undefined) underWay = Math.min(underWay, Number(left));
      if (!counts || !(MULTIPLY_ADD.test(text) || MATRIX.test(text) || /v_dual_fma/.test(text))) continue;
      all++;
      if (underWay > 0) hidden++;
    }
  }
  return all > 0 && hidden * 2 >= all;
}
