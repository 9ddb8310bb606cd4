import { formatShape, sameShape, sizeOf } from "../core/shape.ts";
import { add } from "../kernels/add.ts";
import type { Value, VjpContext } from "../kernels/op.ts";
import type { Activation } from "../kernels/product.ts";
import { createRecompute, type NodeRange } from "./recompute.ts";
import type { Node, Tape } from "./tape.ts";

/** A value to differentiate and the gradient that it starts with (ones, for a loss). */
export interface Seed {
  readonly value: Value;
  readonly gradient: Value;
}

/**
 * Reverse-mode differentiation: appends to `tape` the ops that compute the gradients of the seeds
 * with respect to each of `wanted`, and gives them, or undefined where the seeds do not depend on one.
 * An op on the way that has no gradient is an error here, while tracing, that names the op.
 * Values inside the ranges of `recompute` are computed again rather than kept; see `createRecompute`.
 */
export function backward(
  tape: Tape,
  seeds: readonly Seed[],
  wanted: readonly Value[],
  recompute: readonly NodeRange[] = [],
): (Value | undefined)[] {
  const forward = [...tape.nodes];
  const standFor = createRecompute(tape, recompute);
  const dependent = dependentsOf(tape, wanted);
  const gradients = new Map<Value, Value>();

  function contribute(value: Value, gradient: Value): void {
    const before = gradients.get(value);
    gradients.set(value, before ? add(before, gradient) : gradient);
  }

  for (const { value, gradient } of seeds) contribute(value, gradient);
  const views = tape.values.filter((value) => tape.origin(value).kind === "view" && dependent.has(value));

  /** Hands the gradients of whole-size views on to what they are views of. */
  function settleViews(outputs: Iterable<Value>): void {
    const made = new Set(outputs);
    for (const view of [...views].reverse()) {
      const from = tape.origin(view);
      if (from.kind !== "view" || !made.has(from.base) || wanted.includes(view)) continue;
      const gradient = gradients.get(view);
      if (!gradient) continue;
      if (sizeOf(view.shape) !== sizeOf(from.base.shape)) {
        throw new Error("backward: a view of a part has no gradient; differentiate the parts themselves");
      }
      contribute(from.base, tape.view(gradient, 0, from.base.shape));
    }
  }

  for (const node of forward.reverse()) {
    settleViews(Object.values(node.outputs));
    const grads: Record<string, Value> = {};
    for (const [name, value] of Object.entries(node.outputs)) {
      const gradient = gradients.get(value);
      if (gradient) grads[name] = gradient;
    }
    const needed = Object.entries(node.inputs).some(([, value]) => dependent.has(value));
    if (Object.keys(grads).length > 0 && needed)
      differentiate(tape, node, grads, standFor, dependent, gradients, contribute);
  }
  return wanted.map((value) => gradients.get(value));
}

function differentiate(
  tape: Tape,
  node: Node,
  grads: Record<string, Value>,
  standFor: (value: Value) => Value,
  dependent: ReadonlySet<Value>,
  gradients: Map<Value, Value>,
  contribute: (value: Value, gradient: Value) => void,
): void {
  if (!node.op.vjp) throw new Error(`${node.op.name}: has no gradient; it cannot stand between a loss and a parameter`);
  const before = new Map<string, Value>();
  const context: VjpContext<string> = {
    needs: (input) => {
      const value = node.inputs[input];
      return value !== undefined && dependent.has(value);
    },
    accumulated: (input) => {
      const value = node.inputs[input];
      const soFar = value && gradients.get(value);
      if (value && soFar) gradients.delete(value);
      return soFar;
    },
    before: (input) => {
      const value = node.inputs[input];
      const from = value && tape.origin(value);
      const name = from?.kind === "node" ? from.node.op.activates?.[from.output] : undefined;
      if (from?.kind !== "node" || name === undefined) return undefined;
      const x = from.node.outputs[name]!;
      before.set(input, x);
      return { x: standFor(x), activation: (from.node.attrs as { activation: Activation }).activation };
    },
  };
  const result = node.op.vjp(lazily(node.inputs, standFor), lazily(node.outputs, standFor), grads, node.attrs, context);
  const { name: op, inputs, optional } = node.op;
  for (const [name, gradient] of Object.entries(result ?? {})) {
    if (!inputs.includes(name) && !optional?.includes(name))
      throw new Error(`${op}: vjp gives a gradient of ${name}, which is no input`);
    const value = before.get(name) ?? node.inputs[name];
    if (!value || !gradient || !dependent.has(value)) continue;
    if (!sameShape(gradient.shape, value.shape))
      throw new Error(
        `${op}: vjp gives ${name} a gradient of ${formatShape(gradient.shape)}, wanted ${formatShape(value.shape)}`,
      );
    contribute(value, gradient);
  }
}

/** The same names, each value passed through `map` only when it is read. */
function lazily(values: Readonly<Record<string, Value>>, map: (value: Value) => Value): Record<string, Value> {
  const lazy: Record<string, Value> = {};
  for (const [name, value] of Object.entries(values)) {
    Object.defineProperty(lazy, name, { enumerable: true, get: () => map(value) });
  }
  return lazy;
}

/** Every value through which one of `roots` can be reached. */
function dependentsOf(tape: Tape, roots: readonly Value[]): ReadonlySet<Value> {
  const dependent = new Set<Value>(roots);
  for (const value of tape.values) {
    const from = tape.origin(value);
    if (from.kind === "view" && dependent.has(from.base)) dependent.add(value);
    if (from.kind === "node" && Object.values(from.node.inputs).some((input) => dependent.has(input))) {
      dependent.add(value);
    }
  }
  return dependent;
}
