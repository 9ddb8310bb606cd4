// As much of ONNX's protobuf as a chain of matrix products takes: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto

const FLOAT = 1;
const IR_VERSION = 8;
const OPSET = 17;

/** A model y = a b, or y = sum of ((x b) b) ... with `chain` products and `b` inside, for a runtime that copies its inputs. */
export function matmulModel(size, { chain = 0, b = undefined } = {}) {
  if (chain === 0) {
    const node = nodeProto("MatMul", ["a", "b"], ["y"]);
    return model(
      graph([node], [], [valueInfo("a", [size, size]), valueInfo("b", [size, size])], [valueInfo("y", [size, size])]),
    );
  }
  const nodes = Array.from({ length: chain }, (_, i) =>
    nodeProto("MatMul", [i === 0 ? "a" : `x${i}`, "b"], [`x${i + 1}`]),
  );
  nodes.push(
    nodeProto(
      "ReduceSum",
      [`x${chain}`],
      ["y"],
      [field(5, concat([text(1, "keepdims"), number(3, 0), number(20, 2)]))],
    ),
  );
  return model(graph(nodes, [tensor("b", [size, size], b)], [valueInfo("a", [size, size])], [valueInfo("y", [])]));
}

function model(graphBytes) {
  return concat([number(1, IR_VERSION), field(7, graphBytes), field(8, number(2, OPSET))]);
}

function graph(nodes, initializers, inputs, outputs) {
  return concat([
    ...nodes.map((node) => field(1, node)),
    text(2, "graph"),
    ...initializers.map((one) => field(5, one)),
    ...inputs.map((one) => field(11, one)),
    ...outputs.map((one) => field(12, one)),
  ]);
}

function nodeProto(op, inputs, outputs, attributes = []) {
  return concat([
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(4, op),
    ...attributes,
  ]);
}

function valueInfo(name, shape) {
  const dims = concat(shape.map((size) => field(1, number(1, size))));
  return concat([text(1, name), field(2, field(1, concat([number(1, FLOAT), field(2, dims)])))]);
}

function tensor(name, shape, data) {
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return concat([...shape.map((size) => number(1, size)), number(2, FLOAT), text(8, name), field(9, raw)]);
}

function number(id, value) {
  return concat([varint(id << 3), varint(value)]);
}

function field(id, bytes) {
  return concat([varint((id << 3) | 2), varint(bytes.length), bytes]);
}

function text(id, value) {
  return field(id, new TextEncoder().encode(value));
}

function varint(value) {
  const bytes = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Uint8Array.of(...bytes, rest);
    bytes.push((rest % 128) + 128);
  }
}

function concat(parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
