/** Headers whose syntax is right and whose contents nearly are: what byte mutations seldom reach. */

const NAMES = ["a", "b", "wte.weight", "h.0.ln_1.bias", "7", "__proto__", "toString", "\\u0061", "é", ""];
const DTYPES = ["BOOL", "U8", "I8", "F8_E4M3", "I16", "F16", "BF16", "I32", "F32", "F64", "I64", "U64", "Q4", "f32"];
const WIDTHS = [1, 1, 1, 1, 2, 2, 2, 4, 4, 8, 8, 8, 1, 4];
const SPACES = ["", "", "", "", " ", "\n", "\t "];

export interface Generated {
  readonly header: string;
  readonly dataLength: number;
}

/** `random(n)` gives a whole number below n. One thing in twenty or so is not as it should be. */
export function generateHeader(random: (below: number) => number): Generated {
  const slip = (): boolean => random(20) === 0;
  const space = (): string => SPACES[random(SPACES.length)]!;
  const members: string[] = [];
  let offset = 0;
  for (let n = random(5); n > 0; n--) {
    const kind = random(slip() ? DTYPES.length : DTYPES.length - 2);
    const shape = Array.from({ length: random(4) }, () => random(slip() ? 1000 : 4));
    let bytes = WIDTHS[kind]!;
    for (const dimension of shape) bytes *= dimension;
    const begin = slip() ? offset + random(9) : offset;
    const end = slip() ? begin + random(9) : begin + bytes;
    const dimensions = slip()
      ? [...shape, ["-1", "1.5", "1e2", "4294967296", "9007199254740993", "null", "[]"][random(7)]]
      : shape;
    const fields = [
      `"dtype":${space()}"${DTYPES[kind]}"`,
      `"shape":[${space()}${dimensions.join(`,${space()}`)}]`,
      `"data_offsets":[${begin},${space()}${end}]`,
    ];
    if (slip()) fields.splice(random(4), random(2), fields[random(3)]!);
    if (random(3) === 0) fields.reverse();
    members.push(`${space()}"${NAMES[random(slip() ? NAMES.length : 8)]}${random(6)}":{${fields.join(`${space()},`)}}`);
    offset = slip() ? begin : end;
  }
  if (random(3) === 0) members.unshift(`"__metadata__":${slip() ? '{"n":1}' : '{"format":"pt"}'}`);
  if (slip()) members.push(members[random(members.length)] ?? '"x":{}');
  // The order of names is free; that of the data is not.
  if (random(3) === 0) members.reverse();
  const dataLength = slip() ? random(40) : offset;
  return { header: `{${members.join(",")}${space()}}${" ".repeat(random(8))}`, dataLength };
}
