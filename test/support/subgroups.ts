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
