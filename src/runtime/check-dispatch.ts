import type { Node } from "../autograd/tape.ts";
import type { Dispatch } from "../kernels/dispatch.ts";
import type { Traits } from "../kernels/traits.ts";
import { shaderSource } from "../kernels/wgsl.ts";
import { wantsHalves } from "./checks.ts";
import type { Place, PlacedRegion } from "./places.ts";

/** What WebGPU would refuse of a dispatch, said in the op's name before it is asked. */
export function checkDispatch(
  node: Pick<Node, "op">,
  dispatch: Dispatch,
  regions: readonly PlacedRegion[],
  traits: Traits,
): void {
  const fail = (message: string): never => {
    throw new Error(`${node.op.name}: ${dispatch.entry} ${message}`);
  };
  if (!traits.f16 && Object.values(dispatch.types ?? {}).some((type) => type.includes("f16"))) wantsHalves();
  const limit = traits.maxGroupsPerDimension;
  if (dispatch.grid.some((groups) => groups > limit)) fail(`dispatches ${dispatch.grid} groups, the limit is ${limit}`);
  const { invocations, bytes } = knownWorkgroup(dispatch);
  if (invocations > traits.maxInvocations)
    fail(`has workgroups of ${invocations} invocations, the limit is ${traits.maxInvocations}`);
  if (bytes > traits.maxWorkgroupBytes)
    fail(`wants ${bytes} bytes of workgroup memory, the limit is ${traits.maxWorkgroupBytes}`);
  const { length: buffers } = dispatch.bind;
  if (buffers > traits.maxStorageBuffers)
    fail(`binds ${buffers} tensors, the limit is ${traits.maxStorageBuffers} storage buffers`);
  const written = new Map<Place, PlacedRegion[]>();
  dispatch.bind.forEach(({ tensor, access }, i) => {
    const { place, offset, size } = regions[i]!;
    if (size > traits.maxBindingBytes) fail(`binds ${size} bytes of ${tensor}, the limit is ${traits.maxBindingBytes}`);
    if (offset % traits.offsetAlignment !== 0)
      fail(`binds ${tensor} at byte ${offset}, not a multiple of ${traits.offsetAlignment}`);
    if (offset + size > Math.max(4, place.bytes))
      fail(`binds bytes ${offset} to ${offset + size} of ${tensor}, whose buffer has ${place.bytes}`);
    if (access === "write") {
      const others = written.get(place) ?? [];
      if (others.some((other) => offset < other.offset + other.size && other.offset < offset + size))
        fail(`writes the same bytes as two bindings, ${tensor} among them`);
      written.set(place, [...others, regions[i]!]);
    }
  });
  dispatch.bind.forEach(({ tensor, access }, i) => {
    if (access === "read" && written.has(regions[i]!.place)) fail(`reads ${tensor} in a buffer that it also writes`);
  });
}

/** What is not understood of a text of one's own is left to WebGPU, whose words then have to do. */
function knownWorkgroup(dispatch: Dispatch): { invocations: number; bytes: number } {
  if (dispatch.shader.every((shader) => typeof shader === "string")) return workgroupOf(dispatch);
  try {
    return workgroupOf(dispatch);
  } catch {
    return { invocations: 0, bytes: 0 };
  }
}

/** Invocations of a workgroup, and bytes of its shared variables, as the dispatch's shaders declare them. */
export function workgroupOf(dispatch: Pick<Dispatch, "shader" | "entry" | "constants" | "sizes" | "types">): {
  invocations: number;
  bytes: number;
} {
  const declared = declarationsOf(dispatch);
  const given: Readonly<Record<string, number>> = { ...dispatch.sizes, ...dispatch.constants };
  const evaluate = (expression: string): number => {
    const terms = expression.split("+").map((term) => product(term, expression));
    return terms.reduce((a, b) => a + b, 0);
  };
  const product = (term: string, expression: string): number => {
    const [first = "", ...rest] = term.split(/([*/])/);
    const numberOf = (factor: string): number => {
      const name = factor.trim();
      const value = given[name] ?? Number(name.replace(/u$/, ""));
      if (Number.isFinite(value)) return value;
      const constant = declared.constants.get(name);
      if (constant === undefined) throw new Error(`${dispatch.entry}: "${expression}" of its workgroup is not known`);
      return evaluate(constant);
    };
    let value = numberOf(first);
    // operators and what follows them; whole numbers
    for (let i = 0; i < rest.length; i += 2) {
      const factor = numberOf(rest[i + 1]!);
      value = rest[i] === "*" ? value * factor : Math.floor(value / factor);
    }
    return value;
  };
  return {
    invocations: declared.size.map(evaluate).reduce((a, b) => a * b, 1),
    bytes: declared.shared.reduce((sum, { element, counts }) => {
      const elements = counts.map(evaluate).reduce((a, b) => a * b, 1);
      const type = dispatch.types?.[element] ?? declared.aliases.get(element) ?? element;
      return sum + elementBytes(type) * elements;
    }, 0),
  };
}

interface Declarations {
  /** Expressions of the workgroup's size in each dimension. */
  readonly size: readonly string[];
  readonly constants: ReadonlyMap<string, string>;
  /** Names of types. */
  readonly aliases: ReadonlyMap<string, string>;
  readonly shared: readonly Shared[];
}

/** A shared variable: the type of its elements, and how many of them, of arrays of arrays a number each. */
interface Shared {
  readonly element: string;
  readonly counts: readonly string[];
}

// What a shader's text says does not change; sizes and constants, which do, are left as names.
const known = new Map<string, Declarations>();

function declarationsOf({ shader, entry }: Pick<Dispatch, "shader" | "entry">): Declarations {
  const key = JSON.stringify([shader, entry]);
  let found = known.get(key);
  if (!found) {
    const text = shaderSource({ shader }).replace(/\/\/.*$/gm, "");
    const size = new RegExp(`@workgroup_size\\(([^)]*)\\)(?:\\s*@compute)?\\s*fn\\s+${entry}\\b`).exec(text)?.[1];
    if (size === undefined) throw new Error(`${entry}: its shaders have no entry point of this name`);
    const constants = text.matchAll(/^(?:const|override) (\w+)(?:: \w+)? = ([^;]+);/gm);
    const aliases = text.matchAll(/^alias (\w+) = ([^;]+);/gm);
    const shared = text.matchAll(/^var<workgroup> \w+: ([^;]+);/gm);
    found = {
      size: size.split(","),
      constants: new Map(Array.from(constants, (match) => [match[1]!, match[2]!])),
      aliases: new Map(Array.from(aliases, (match) => [match[1]!, match[2]!])),
      shared: Array.from(shared, (match) => sharedSize(match[1]!)),
    };
    known.set(key, found);
  }
  return found;
}

/** "array<vec4f, DEPTH * SIDE>" as "vec4f", "DEPTH * SIDE" of them. */
function sharedSize(type: string): Shared {
  const array = /^array<(.+),\s*([^,]+?)\s*,?>$/.exec(type);
  if (!array) return { element: type, counts: [] };
  const { element, counts } = sharedSize(array[1]!);
  return { element, counts: [array[2]!, ...counts] };
}

function elementBytes(type: string): number {
  const vector = /^vec(\d)/.exec(type);
  // a vec3 takes the room of a vec4
  const scalars = vector ? Math.min(4, 2 * Math.ceil(Number(vector[1]) / 2)) : 1;
  return scalars * (/f16|\dh$/.test(type) ? 2 : 4);
}
