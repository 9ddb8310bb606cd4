/**
 * A shader as if its subgroups had `lanes` invocations, neighbours in their workgroup, whatever the driver's have: what an entry point
 * asks of its place in a subgroup is computed from its place in the workgroup. For shaders whose subgroups do nothing else together,
 * as those have once their matrices are emulated; quads stay the driver's.
 */
export function withLanes(code: string, lanes: number): string {
  if (!code.includes("subgroup_id)")) return code;
  return code.replace(ENTRY, (_all, size: string, head: string, parameters: string) => {
    const local = /@builtin\(local_invocation_index\) (\w+): u32/.exec(parameters)?.[1];
    if (local === undefined) throw new Error(`${head}: no local_invocation_index to count lanes by`);
    const values: Readonly<Record<string, string>> = {
      subgroup_id: `${local} / ${lanes}u`,
      subgroup_invocation_id: `${local} % ${lanes}u`,
      subgroup_size: `${lanes}u`,
      num_subgroups: `(u32(${size}) + ${lanes - 1}u) / ${lanes}u`,
    };
    const own: string[] = [];
    const rest = parameters.replace(
      /@builtin\((\w*subgroup\w*)\) (\w+): u32,?/g,
      (_parameter, builtin: string, name: string) => {
        own.push(`  let ${name} = ${values[builtin]};\n`);
        return "";
      },
    );
    return `@workgroup_size(${size})${head}(${rest}) {\n${own.join("")}`;
  });
}

/** An entry point's workgroup, of one dimension, its name, and its parameters. */
const ENTRY = /@workgroup_size\((\w+)\)(\s*fn \w+)\(((?:@builtin\(\w+\) \w+: [\w<>]+,?\s*|\s)*)\) \{\n/g;

/**
 * A shader whose invocations tell each other values through workgroup memory where it has `subgroupShuffleXor`, so that subgroups may be
 * smaller than what it asks for: neighbours of a subgroup are neighbours of their workgroup. For shaders that ask in uniform control
 * flow, of floats; the rest of their subgroups, as quads, is the driver's.
 */
export function withShuffles(code: string): string {
  if (!code.includes("subgroupShuffleXor(")) return code;
  const entry =
    /(@compute @workgroup_size\((\w+)\)\s*fn \w+\([^{]*@builtin\(local_invocation_index\) (\w+): u32[^{]*\{\n)/;
  const [, , size, local] = entry.exec(code) ?? [];
  if (size === undefined) throw new Error("no entry point with a local_invocation_index");
  return `${code.replaceAll("subgroupShuffleXor(", "told_by(").replace(entry, `$1  own_place = ${local};\n`)}
var<workgroup> told: array<f32, ${size}>;
var<private> own_place: u32;
fn told_by(x: f32, mask: u32) -> f32 {
  workgroupBarrier();
  told[own_place] = x;
  workgroupBarrier();
  return told[own_place ^ mask];
}
`;
}
