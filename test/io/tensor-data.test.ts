import { expect, test } from "vitest";
import { parseSafetensors, type SafetensorsDtype } from "../../src/io/safetensors.ts";
import { writeSafetensors } from "../../src/io/safetensors-write.ts";
import { decodeFloat32, toFloat32, toInt32 } from "../../src/io/tensor-data.ts";

/** The file holding `data`, shifted by one byte so that nothing in it is aligned. */
function tensorOf(dtype: SafetensorsDtype, data: ArrayBufferView & { length: number }) {
  const aligned = writeSafetensors(new Map([["x", { dtype, shape: [data.length], data }]]));
  const shifted = new Uint8Array(aligned.length + 1).subarray(1);
  shifted.set(aligned);
  return [shifted, parseSafetensors(shifted).tensors.get("x")!] as const;
}

test("F32 keeps every bit, -0 and NaN included, though it starts unaligned", () => {
  const bits = Uint32Array.of(0x80000000, 0x7fc12345, 0x3f800000, 1, 0xff800000);
  expect(new Uint32Array(toFloat32(...tensorOf("F32", bits)).buffer)).toEqual(bits);
});

test("floats read from a file are a copy, also out of a Node Buffer", () => {
  const [file, tensor] = tensorOf("F32", Float32Array.of(1, 2));
  const buffer = Buffer.from(file);
  const values = toFloat32(buffer, tensor);
  buffer.fill(0);
  expect([...values]).toEqual([1, 2]);
});

test("F64 is rounded to the nearest f32", () => {
  expect([...toFloat32(...tensorOf("F64", Float64Array.of(0.1, 1e300)))]).toEqual([Math.fround(0.1), Infinity]);
});

test("F16 decodes normals, subnormals, zeros, infinities and NaN", () => {
  const bits = Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001, 0x8400, 0x8000, 0x7c00, 0xfc00, 0x7e00, 0x3555);
  const wanted = [1, -2, 65504, 2 ** -24, -(2 ** -14), -0, Infinity, -Infinity, NaN, Math.fround(1365 / 4096)];
  expect([...toFloat32(...tensorOf("F16", bits))]).toEqual(wanted);
});

test("BF16 is the upper half of f32", () => {
  const bits = Uint16Array.of(0x3f80, 0xc049, 0x8000, 0x7f80, 0x0001);
  const wanted = [1, -3.140625, -0, Infinity, 2 ** -133];
  expect([...toFloat32(...tensorOf("BF16", bits))]).toEqual(wanted);
});

test("whole numbers of every width become i32", () => {
  expect([...toInt32(...tensorOf("I64", BigInt64Array.of(-100n, 50256n)))]).toEqual([-100, 50256]);
  expect([...toInt32(...tensorOf("U64", BigUint64Array.of(7n)))]).toEqual([7]);
  expect([...toInt32(...tensorOf("I32", Int32Array.of(-(2 ** 31))))]).toEqual([-(2 ** 31)]);
  expect([...toInt32(...tensorOf("U32", Uint32Array.of(2 ** 31 - 1)))]).toEqual([2 ** 31 - 1]);
  expect([...toInt32(...tensorOf("I16", Int16Array.of(-5)))]).toEqual([-5]);
  expect([...toInt32(...tensorOf("U16", Uint16Array.of(65535)))]).toEqual([65535]);
  expect([...toInt32(...tensorOf("I8", Int8Array.of(-1)))]).toEqual([-1]);
  expect([...toInt32(...tensorOf("U8", Uint8Array.of(255)))]).toEqual([255]);
  expect([...toInt32(...tensorOf("BOOL", Uint8Array.of(0, 1)))]).toEqual([0, 1]);
});

test("a number that i32 cannot hold, and a dtype of the wrong sort, are refused by name", () => {
  expect(() => toInt32(...tensorOf("I64", BigInt64Array.of(2n ** 31n)), "labels")).toThrow(
    /^labels: element 2147483648/,
  );
  expect(() => toInt32(...tensorOf("U32", Uint32Array.of(2 ** 31)))).toThrow(/does not fit/);
  expect(() => toInt32(...tensorOf("F32", Float32Array.of(1)), "labels")).toThrow(/^labels: dtype F32; wanted a whole/);
  expect(() => toFloat32(...tensorOf("I64", BigInt64Array.of(1n)), "wte")).toThrow(/^wte: dtype I64; wanted F32/);
  expect(() => decodeFloat32(Uint8Array.of(1), "F8_E4M3")).toThrow(/wanted F32/);
});
