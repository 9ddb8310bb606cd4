import { bytesPerElement, type NumericArray } from "../core/dtype.ts";
import { formatShape, formatType, type Shape, sizeOf } from "../core/shape.ts";
import type { AnyOp, Recorder, TensorType, Value } from "../kernels/op.ts";

/** One recorded op. */
export interface Node {
  readonly op: AnyOp;
  readonly attrs: object;
  readonly inputs: Readonly<Record<string, Value>>;
  readonly outputs: Readonly<Record<string, Value>>;
}

/** Where a value comes from. */
export type Origin =
  | { readonly kind: "input"; readonly name: string }
  | { readonly kind: "state"; readonly name: string }
  | { readonly kind: "constant"; readonly data: NumericArray }
  | { readonly kind: "buffer" }
  | { readonly kind: "view"; readonly base: Value; readonly offset: number }
  | { readonly kind: "node"; readonly node: Node; readonly output: string };

/** Where a value's elements lie: `offset` elements into the storage of `root`, which is no view and no update. */
export interface Storage {
  readonly root: Value;
  readonly offset: number;
}

/** A named part of a tape, from node number `start` on. */
export interface Section {
  readonly name: string;
  readonly start: number;
}

/** Views start at multiples of this many bytes, which every adapter can bind. */
export const VIEW_ALIGNMENT = 256;

/**
 * A straight-line program of ops, recorded by running model code once. Two executors read it:
 * `runtime/cpu.ts` interprets it, `runtime/plan.ts` compiles it for the GPU.
 */
export interface Tape extends Recorder {
  readonly nodes: readonly Node[];
  readonly values: readonly Value[];
  readonly outputs: ReadonlyMap<string, Value>;
  /** Parts of the program, in order; each ends where the next begins. */
  readonly sections: readonly Section[];
  /** Numbers of nodes, ascending: what is in memory after so many is wanted before the run is over. */
  readonly fences: readonly number[];
  /** A tensor that the caller hands in at each run. */
  input(name: string, type: TensorType): Value;
  /** A tensor that outlives the run and is shared, by name, between the tapes of one runtime. Starts as zeros. */
  state(name: string, type: TensorType): Value;
  /** A tensor fixed while tracing. */
  constant(type: TensorType, data: NumericArray): Value;
  /** Memory for results that are to lie side by side: what is not placed in it is undefined. */
  buffer(type: TensorType): Value;
  /** The same storage, from `offset` elements on, with another shape. */
  view(base: Value, offset: number, shape: Shape): Value;
  /** Makes `value` live inside a state or buffer, from `offset` elements on, instead of in memory of its own. */
  place(value: Value, target: Value, offset: number): void;
  /** Names a value that a run gives back. */
  output(name: string, value: Value): void;
  /** Has each run tell when the first `nodes` nodes are queued, apart from those behind them. */
  fence(nodes: number): void;
  origin(value: Value): Origin;
  storage(value: Value): Storage;
  /** The whole program, one op a line. */
  toString(): string;
}

/** An empty tape: `input` and `state` give it values, ops record themselves on it, `output` names what a program gives back. */
export function createTape(): Tape {
  const nodes: Node[] = [];
  const values: Value[] = [];
  const origins: Origin[] = [];
  const outputs = new Map<string, Value>();
  const sections: Section[] = [];
  const fences: number[] = [];
  const placements = new Map<Value, { target: Value; offset: number }>();
  const consumed = new Map<Value, string>();
  const named = new Map<string, Value>();

  function newValue(type: TensorType, origin: Origin): Value {
    const value: Value = { id: values.length, dtype: type.dtype, shape: type.shape, recorder: tape };
    values.push(value);
    origins.push(origin);
    return value;
  }

  function newNamed(kind: "input" | "state", name: string, type: TensorType): Value {
    if (named.has(name)) throw new Error(`tape: the name "${name}" is taken`);
    checkType(`tape: ${kind} "${name}"`, type);
    const value = newValue(type, { kind, name });
    named.set(name, value);
    return value;
  }

  function origin(value: Value): Origin {
    const found = values[value.id] === value ? origins[value.id] : undefined;
    if (!found) throw new Error("tape: this value belongs to another tape");
    return found;
  }

  function storage(value: Value): Storage {
    const from = origin(value);
    if (from.kind === "view") {
      const base = storage(from.base);
      return { root: base.root, offset: base.offset + from.offset };
    }
    if (from.kind === "node") {
      const updated = updatedInput(from.node, from.output);
      if (updated) return storage(updated);
    }
    const placed = placements.get(value);
    if (!placed) return { root: value, offset: 0 };
    const target = storage(placed.target);
    return { root: target.root, offset: target.offset + placed.offset };
  }

  function checkUsable(op: string, name: string, value: Value): void {
    for (let at: Value | undefined = value; at; ) {
      const by = consumed.get(at);
      if (by) throw new Error(`${op}: ${name} was updated in place by ${by}; use that op's output`);
      const from: Origin = origin(at);
      at = from.kind === "view" ? from.base : undefined;
    }
  }

  const tape: Tape = {
    nodes,
    values,
    outputs,
    sections,
    fences,
    origin,
    storage,
    record(op, given, attrs) {
      const inputs: Record<string, Value> = {};
      for (const name of [...op.inputs, ...(op.optional ?? [])]) {
        const value = given[name];
        if (value === undefined) {
          if (op.inputs.includes(name)) throw new Error(`${op.name}: input ${name} is missing`);
          continue;
        }
        checkUsable(op.name, name, value);
        if (value.dtype === "f16" && !op.halves?.includes(name))
          throw new Error(`${op.name}: ${name} is ${formatType(value)}, wanted f32; cast it?`);
        inputs[name] = value;
      }
      const types = op.shapes(inputs, attrs);
      const made: Record<string, Value> = {};
      const node: Node = { op, attrs, inputs, outputs: made };
      for (const name of op.outputs) {
        const type = types?.[name];
        if (!type) throw new Error(`${op.name}: shapes() gives no type for output ${name}`);
        checkType(`${op.name}: output ${name}`, type);
        made[name] = newValue(type, { kind: "node", node, output: name });
      }
      for (const name of op.outputs) {
        const input = updatedInput(node, name);
        if (!input) continue;
        const kind = origin(storage(input).root).kind;
        if (kind !== "state" && kind !== "node") throw new Error(`${op.name}: cannot update ${kind} ${name} in place`);
        consumed.set(input, op.name);
      }
      nodes.push(node);
      return made;
    },
    siblings(value) {
      const from = origin(value);
      return from.kind === "node" ? from.node.outputs : {};
    },
    section: (name) => sections.push({ name, start: nodes.length }),
    input: (name, type) => newNamed("input", name, type),
    state: (name, type) => newNamed("state", name, type),
    constant(type, data) {
      if (data.length !== sizeOf(type.shape))
        throw new Error(`constant: ${data.length} elements for ${formatType(type)}`);
      return newValue(type, { kind: "constant", data });
    },
    buffer: (type) => newValue(type, { kind: "buffer" }),
    view(base, offset, shape) {
      if (offset < 0 || offset + sizeOf(shape) > sizeOf(base.shape)) {
        throw new Error(`view: ${formatShape(shape)} at ${offset} is outside ${formatType(base)}`);
      }
      checkAlignment("view", base, offset);
      return newValue({ dtype: base.dtype, shape }, { kind: "view", base, offset });
    },
    place(value, target, offset) {
      const { root } = storage(value);
      if (origin(root).kind !== "node") throw new Error(`place: ${formatType(value)} is not computed by this tape`);
      if (sizeOf(root.shape) !== sizeOf(value.shape)) throw new Error("place: the value is part of a larger one");
      if (value.dtype !== target.dtype)
        throw new Error(`place: ${formatType(value)} into ${formatType(target)}; cast it?`);
      if (placements.has(root)) throw new Error(`place: ${formatType(value)} has a place already`);
      if (!["state", "buffer"].includes(origin(target).kind))
        throw new Error("place: the target is no state or buffer");
      checkAlignment("place", target, offset);
      if (offset + sizeOf(value.shape) > sizeOf(target.shape)) throw new Error("place: outside the target");
      placements.set(root, { target, offset });
    },
    output(name, value) {
      if (outputs.has(name)) throw new Error(`tape: output "${name}" exists already`);
      origin(value);
      outputs.set(name, value);
    },
    fence(at) {
      if (at <= (fences.at(-1) ?? 0) || at >= nodes.length)
        throw new Error(`fence: at ${at} of ${nodes.length} nodes, wanted one behind the last one and before the end`);
      fences.push(at);
    },
    toString: () => print(tape),
  };
  return tape;
}

/** The input whose storage this output takes over, if any. */
export function updatedInput(node: Node, output: string): Value | undefined {
  const input = node.op.updates?.[output];
  return input === undefined ? undefined : node.inputs[input];
}

function checkAlignment(what: string, { dtype }: TensorType, offset: number): void {
  const elements = VIEW_ALIGNMENT / bytesPerElement(dtype);
  if (offset % elements !== 0) throw new Error(`${what}: offset ${offset} is not a multiple of ${elements}`);
}

function refer(tape: Pick<Tape, "origin">, value: Value): string {
  const from = tape.origin(value);
  if (from.kind === "view") return `${refer(tape, from.base)}+${from.offset}${formatShape(value.shape)}`;
  return from.kind === "input" || from.kind === "state" ? from.name : `%${value.id}`;
}

/** A node as the tape prints it: `y %5 [8, 4] = scale(x=%3) {factor: 2}`. */
export function nodeLine(tape: Pick<Tape, "origin">, { op, attrs, inputs, outputs }: Node): string {
  const made = Object.entries(outputs).map(([name, value]) => `${name} %${value.id} ${formatShape(value.shape)}`);
  const used = Object.entries(inputs).map(([name, value]) => `${name}=${refer(tape, value)}`);
  const set = Object.entries(attrs).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
  return `${made.join(", ")} = ${op.name}(${used.join(", ")})${set.length ? ` {${set.join(", ")}}` : ""}`;
}

function print(tape: Tape): string {
  const lines: string[] = [];
  for (const value of tape.values) {
    const from = tape.origin(value);
    if (from.kind === "input" || from.kind === "state") lines.push(`${from.kind} ${from.name}: ${formatType(value)}`);
    if (from.kind === "constant") lines.push(`constant %${value.id}: ${formatType(value)}`);
  }
  tape.nodes.forEach((node, at) => {
    for (const { name, start } of tape.sections) if (start === at) lines.push(`# ${name}`);
    lines.push(nodeLine(tape, node));
  });
  for (const [name, value] of tape.outputs) lines.push(`output ${name} = ${refer(tape, value)}`);
  return lines.join("\n");
}

/** Nobody else looks at sizes: a kernel is planned by them. */
function checkType(where: string, type: TensorType | undefined): void {
  const { shape }: Partial<TensorType> = type ?? {};
  if (Array.isArray(shape) && shape.every((size) => Number.isSafeInteger(size) && size >= 0)) return;
  throw new Error(
    `${where} has the shape ${Array.isArray(shape) ? formatShape(shape) : shape}; wanted a type such as f32([2, 3])`,
  );
}
