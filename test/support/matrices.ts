import type { Gpu } from "../../src/gpu/device.ts";
import { withShaders } from "./device.ts";
import { withLanes } from "./subgroups.ts";

/**
 * `gpu` as if its subgroups, of `lanes` invocations, multiplied matrices: no software driver has that, so the shaders' types and
 * builtins are rewritten as plain WGSL of the same meaning. A left or right matrix is where it lies, in workgroup memory or in an
 * operand, which does not change before it is used; of a sum each invocation computes cells of its own, in memory of its own. All else, every place and stride, is computed by the shader under test. What it multiplies and what it puts away, up to 32
 * statements, is noted where they stand and done in a loop behind the last: a software driver, which has no functions,
 * would compile the emulation as often.
 */
export function withMatrices(gpu: Gpu, lanes: number): Gpu {
  const own = lanes === gpu.info.subgroupMinSize;
  return withShaders(gpu, (code) => (own ? emulated(code, lanes) : withLanes(emulated(code, lanes), lanes)));
}

const EXTENSION = "enable chromium_experimental_subgroup_matrix;\n";

function emulated(code: string, lanes: number): string {
  if (!code.includes(EXTENSION)) return code;
  let sums = 0;
  const rewritten = code
    .replace(EXTENSION, "")
    .replace(
      /alias (Left|Right) = subgroup_matrix_(?:left|right)<.*>;/g,
      "struct $1 { at: u32, start: u32, side: u32, k: u32 }",
    )
    .replace(/alias Sum = subgroup_matrix_result<.*>;/, "struct Sum { at: u32 }")
    .replace(/ = Sum\(\);/g, () => ` = emulated_sum(${sums++}u);`)
    .replace(
      LOAD,
      (_all, side: string, major: string, _from, panel: string | undefined, start: string, stride: string) => {
        const neighbours = (side === "Left") === (major === "row") ? "k" : "side";
        return `${side}(${panel ?? "0u"}, ${start}, ${neighbours === "k" ? `${stride}, 1u` : `1u, ${stride}`})`;
      },
    )
    .replace("k < STEPS", "k < as_data(STEPS)")
    .replace(/ ([rci]) < (4u|SHARE_\w); /g, " $1 < as_data($2); ")
    .replace(/subgroupMatrixStore<row_major>\(&finished\[(.*)\], 0u, /g, "emulated_store($1, ")
    .replace("  let tile = tile_of(group, groups);\n", "  emulated_lane = lane;\n$&");
  const multiplied = withLoop(rewritten, {
    statement: /(\w+) = subgroupMatrixMultiplyAccumulate\((\w+, \w+, \1)\);/g,
    noted: (n, [, , operands]) => `emulated_products[${n}] = Product(${operands});`,
    each: "emulated_multiply(emulated_products[n]);",
  });
  const put = withLoop(multiplied, {
    statement: /put\((\w+), (\w+), unit, vec2u\(lane, lanes\), work\.y, ([^,]+), ([^,]+)\);/g,
    noted: (n, [, sum, turn, row, column]) => `emulated_puts[${n}] = Put(${sum}, ${turn}, ${row}, ${column});`,
    each: "put(emulated_puts[n].sum, emulated_puts[n].turn, unit, vec2u(lane, lanes), work.y, emulated_puts[n].row, emulated_puts[n].column);",
  });
  if (/subgroupMatrix|subgroup_matrix/.test(put)) throw new Error("a subgroup matrix builtin is not emulated");
  return put + library(lanes, code.includes("var<workgroup> staged_a"));
}

/** Of which side, in which order, from which panel or operand, where it begins there, and the stride. */
const LOAD = /subgroupMatrixLoad<(Left|Right), (row|col)_major>\(&(staged_[ab]\[(.*)\]|[ab]), ([^,]+), ([^,]+)\)(?=;)/g;

interface Loop {
  readonly statement: RegExp;
  /** What is written instead of the statement number `n`. */
  noted(n: number, match: RegExpMatchArray): string;
  /** What is done for each `n` behind the last. */
  readonly each: string;
}

/** `code` with statements that are only noted where they stood, and done after the last of them, one for each sum of a unit. */
function withLoop(code: string, { statement, noted, each }: Loop): string {
  const matches = [...code.matchAll(statement)];
  let at = 0;
  let text = "";
  for (const [n, match] of matches.entries()) {
    text += code.slice(at, match.index) + noted(n, match);
    at = match.index + match[0].length;
  }
  const loop = `for (var n = 0u; n < as_data(${matches.length}u); n++) { ${each} }`;
  return `${text} ${loop}${code.slice(at)}`;
}

function library(lanes: number, panels: boolean): string {
  const [a, b] = panels ? ["staged_a[product.left.at]", "staged_b[product.right.at]"] : ["a", "b"];
  return `
// the same number, but not a constant: software drivers write out loops with a constant end, and compile for minutes
fn as_data(end: u32) -> u32 {
  return select(0u, end, u.M > 0u);
}

const LANES = ${lanes}u;
var<private> emulated_lane: u32;
const OWN = CELLS / LANES;
var<private> emulated_sums: array<f32, SUMS_M * SUMS_N * OWN>;

fn emulated_sum(number: u32) -> Sum {
  for (var own = 0u; own < as_data(OWN); own++) {
    emulated_sums[number * OWN + own] = 0.0;
  }
  return Sum(number * OWN);
}

struct Product { left: Left, right: Right, sum: Sum }
struct Put { sum: Sum, turn: u32, row: u32, column: u32 }
var<private> emulated_products: array<Product, 2u * SUMS_M * SUMS_N>;
var<private> emulated_puts: array<Put, SUMS_M * SUMS_N>;

fn emulated_multiply(product: Product) {
  for (var cell = emulated_lane; cell < as_data(CELLS); cell += LANES) {
    let at_a = product.left.start + cell / MATRIX_N * product.left.side;
    let at_b = product.right.start + cell % MATRIX_N * product.right.side;
    var total = emulated_sums[product.sum.at + cell / LANES];
    for (var k = 0u; k < as_data(MATRIX_K); k++) {
      total += f32(${a}[at_a + k * product.left.k]) * f32(${b}[at_b + k * product.right.k]);
    }
    emulated_sums[product.sum.at + cell / LANES] = total;
  }
}

fn emulated_store(matrix: u32, sum: Sum, stride: u32) {
  for (var cell = emulated_lane; cell < as_data(CELLS); cell += LANES) {
    finished[matrix][cell / MATRIX_N * stride + cell % MATRIX_N] = emulated_sums[sum.at + cell / LANES];
  }
}
`;
}
