import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { UserError } from "../../src/core/errors.ts";
import {
  DTYPE_BYTES,
  headerBytesNeeded,
  parseHeader,
  parseSafetensors,
  type SafetensorsDtype,
} from "../../src/io/safetensors.ts";
import { planSafetensors, type TensorData, writeSafetensors } from "../../src/io/safetensors-write.ts";

const DTYPES = Object.keys(DTYPE_BYTES) as SafetensorsDtype[];

/** A file with this header, word for word, and `dataLength` bytes of data. */
function fileOf(header: string | Uint8Array, dataLength = 0): Uint8Array<ArrayBuffer> {
  const json = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const file = new Uint8Array(8 + json.length + dataLength);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  return file;
}

const tensorFiles = fc
  .dictionary(
    fc.string({ unit: "binary", minLength: 1 }).filter((name) => name !== "__metadata__"),
    fc.record({ dtype: fc.constantFrom(...DTYPES), shape: fc.array(fc.nat(4), { maxLength: 4 }), seed: fc.nat(255) }),
    { maxKeys: 6 },
  )
  .map(
    (entries) =>
      new Map<string, TensorData>(
        Object.entries(entries).map(([name, { dtype, shape, seed }]) => {
          const byteLength = shape.reduce((a, b) => a * b, DTYPE_BYTES[dtype] as number);
          return [name, { dtype, shape, data: Uint8Array.from({ length: byteLength }, (_, i) => seed + i) }];
        }),
      ),
  );

describe("a file that was written", () => {
  test("is read back, whatever the names, dtypes and shapes", () => {
    const metadataOf = fc.dictionary(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }));
    fc.assert(
      fc.property(tensorFiles, metadataOf, (tensors, metadata) => {
        const file = writeSafetensors(tensors, metadata);
        const read = parseSafetensors(file);
        expect(Object.fromEntries(read.metadata)).toEqual(Object.fromEntries(Object.entries(metadata)));
        expect([...read.tensors.keys()].sort()).toEqual([...tensors.keys()].sort());
        for (const [name, { dtype, shape, begin, end }] of read.tensors) {
          const wanted = tensors.get(name)!;
          expect({ dtype, shape }).toEqual({ dtype: wanted.dtype, shape: wanted.shape });
          expect(file.slice(begin, end)).toEqual(wanted.data);
        }
      }),
    );
  });

  test("has an aligned start of data, spaces as padding and the widest dtype first, as the reference writes it", () => {
    const file = writeSafetensors(
      new Map<string, TensorData>([
        ["a", { dtype: "U8", shape: [3], data: Uint8Array.of(1, 2, 3) }],
        ["c", { dtype: "F32", shape: [1], data: Float32Array.of(1) }],
        ["b", { dtype: "F32", shape: [], data: Float32Array.of(2) }],
        ["7", { dtype: "I64", shape: [1], data: BigInt64Array.of(5n) }],
      ]),
      { format: "pt" },
    );
    const length = Number(new DataView(file.buffer).getBigUint64(0, true));
    expect(length % 8).toBe(0);
    expect(new TextDecoder().decode(file.subarray(8, 8 + length)).trimEnd()).toBe(
      '{"__metadata__":{"format":"pt"},"7":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},' +
        '"b":{"dtype":"F32","shape":[],"data_offsets":[8,12]},"c":{"dtype":"F32","shape":[1],"data_offsets":[12,16]},' +
        '"a":{"dtype":"U8","shape":[3],"data_offsets":[16,19]}}',
    );
  });

  test("does not depend on the order in which tensors are given", () => {
    fc.assert(
      fc.property(tensorFiles, (tensors) => {
        const reversed = new Map([...tensors].reverse());
        expect(writeSafetensors(reversed)).toEqual(writeSafetensors(tensors));
      }),
    );
  });

  test("can be planned without its data and read from its header alone", () => {
    const gigabytes = planSafetensors(new Map([["wte", { dtype: "F32", shape: [50257, 32768] }]]));
    expect(gigabytes.fileSize).toBeGreaterThan(6e9);
    const read = parseHeader(gigabytes.header, gigabytes.fileSize);
    expect(read.tensors).toEqual(gigabytes.tensors);
    expect(headerBytesNeeded(gigabytes.header.subarray(0, 8), gigabytes.fileSize)).toBe(gigabytes.header.length);
  });

  test("is refused when data does not fill its shape", () => {
    const tensors = new Map([["w", { dtype: "F32", shape: [3], data: Float32Array.of(1, 2) }]] as const);
    expect(() => writeSafetensors(tensors)).toThrow(/"w" is F32 \[3\], 12 bytes, but its data has 8/);
  });
});

describe("a damaged file", () => {
  const sample = writeSafetensors(
    new Map<string, TensorData>([
      ["wte.weight", { dtype: "F32", shape: [4, 3], data: new Float32Array(12) }],
      ["ids", { dtype: "I64", shape: [2], data: new BigInt64Array(2) }],
    ]),
    { format: "pt" },
  );

  test("with any one byte changed is read within its bounds or refused in one line", () => {
    fc.assert(
      fc.property(fc.nat(sample.length - 1), fc.nat(255), (at, value) => {
        const file = sample.slice();
        file[at] = value;
        expectBoundedOrRefused(file);
      }),
      { numRuns: 3000 },
    );
  });

  test("with a run of bytes replaced is read within its bounds or refused in one line", () => {
    const junk = fc.uint8Array({ minLength: 1, maxLength: 24 });
    fc.assert(
      fc.property(fc.nat(sample.length), fc.nat(sample.length), junk, (a, b, bytes) => {
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        expectBoundedOrRefused(Uint8Array.from([...sample.subarray(0, from), ...bytes, ...sample.subarray(to)]));
      }),
      { numRuns: 1000 },
    );
  });

  test("cut short anywhere, or with anything appended, is always refused", () => {
    for (let length = 0; length < sample.length; length++) {
      expect(() => parseSafetensors(sample.subarray(0, length))).toThrow(UserError);
    }
    expect(() => parseSafetensors(Uint8Array.from([...sample, 0]))).toThrow(/appended/);
  });

  function expectBoundedOrRefused(file: Uint8Array): void {
    try {
      let covered = 0;
      for (const { dtype, shape, begin, end } of parseSafetensors(file).tensors.values()) {
        expect(begin).toBeGreaterThanOrEqual(8);
        expect(end).toBeLessThanOrEqual(file.length);
        expect(end - begin).toBe(shape.reduce((a, b) => a * b, DTYPE_BYTES[dtype] as number));
        covered += end - begin;
      }
      expect(covered).toBeLessThanOrEqual(file.length);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      expect(error.message).not.toMatch(/[\n\r]/);
      expect(error.message.length).toBeLessThan(400);
    }
  }
});

describe("a hostile header", () => {
  const f32 = (shape: string, offsets: string) => `{"dtype":"F32","shape":${shape},"data_offsets":${offsets}}`;
  const cases: [title: string, file: Uint8Array, message: RegExp][] = [
    ["an empty file", new Uint8Array(0), /0 bytes; wanted at least 8/],
    ["a length beyond the file", Uint8Array.of(9, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x7d), /length 9, but only 2 bytes/],
    ["a length beyond the limit", Uint8Array.of(1, 0xe1, 0xf5, 5, 0, 0, 0, 0), /length 100000001; wanted at most/],
    ["a length of 2^64 - 1", new Uint8Array(8).fill(255), /18446744073709551615; wanted at most/],
    ["no header", fileOf(""), /begin with "{"/],
    ["a leading space", fileOf(" {}"), /begin with "{"/],
    ["broken JSON", fileOf('{"a":'), /not valid JSON/],
    ["a byte-order mark", fileOf("\ufeff{}"), /begin with "{"/],
    ["bytes that are not UTF-8", fileOf(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d)), /not UTF-8/],
    ["an array", fileOf("{}[]"), /not valid JSON/],
    ["a million brackets", fileOf(`{"a":${"[".repeat(1e6)}`), /wanted {dtype, shape, data_offsets}/],
    ["one name twice", fileOf(`{"a":${f32("[1]", "[0,4]")},"a":${f32("[1]", "[0,4]")}}`, 4), /"a" appears twice/],
    ["one name twice, spelt twice", fileOf(`{"a":${f32("[0]", "[0,0]")},"\\u0061":{}}`), /"a" appears twice/],
    ["one field twice", fileOf('{"a":{"dtype":"F32","dtype":"F16"}}'), /"dtype" appears twice/],
    ["metadata twice", fileOf('{"__metadata__":{},"__metadata__":{}}'), /"__metadata__" appears twice/],
    ["metadata that is not text", fileOf('{"__metadata__":{"n":1}}'), /"n" is not a string/],
    ["a field that is not the format's", fileOf('{"a":{"dtype":"F32","x":1}}'), /field "x"; wanted dtype, shape/],
    ["half a surrogate pair", fileOf('{"\\ud800":{}}'), /half a surrogate pair/],
    ["a line break in a name", fileOf('{"a\n":{}}'), /wanted a string that ends/],
    ["an escape that JSON lacks", fileOf('{"\\x41":{}}'), /wanted JSON's escapes/],
    ["a leading zero", fileOf(`{"a":${f32("[01]", "[0,4]")}}`, 4), /number 01; wanted whole/],
    ["a comma too many", fileOf(`{"a":${f32("[1,]", "[0,4]")}}`, 4), /wanted whole numbers/],
    ["a shape in a shape", fileOf(`{"a":${f32("[[1]]", "[0,4]")}}`, 4), /shape holds \[1; wanted whole numbers/],
    ["a rank beyond use", fileOf(`{"a":${f32(`[${"1,".repeat(8)}1]`, "[0,4]")}}`, 4), /more than 8 numbers/],
    [
      "nine megabytes of metadata",
      fileOf(`{"__metadata__":{"a":"${"x".repeat(9e6)}"}}`),
      /bytes of names and metadata/,
    ],
    ["an empty name", fileOf(`{"":${f32("[1]", "[0,4]")}}`, 4), /the name is empty/],
    ["a tensor that is no object", fileOf('{"a":null}'), /wanted {dtype, shape, data_offsets}/],
    ["an unknown dtype", fileOf('{"a":{"dtype":"Q4","shape":[],"data_offsets":[0,0]}}'), /dtype "Q4"; wanted BOOL/],
    ["a dtype of Object's", fileOf('{"a":{"dtype":"toString","shape":[],"data_offsets":[0,0]}}'), /dtype "toString"/],
    ["no shape", fileOf('{"a":{"dtype":"F32","data_offsets":[0,4]}}', 4), /shape missing/],
    ["a negative size", fileOf(`{"a":${f32("[-1]", "[0,4]")}}`, 4), /number -1; wanted whole/],
    ["a fractional size", fileOf(`{"a":${f32("[1.0]", "[0,4]")}}`, 4), /number 1\.0; wanted whole/],
    ["a size past 2^53", fileOf(`{"a":${f32("[9007199254740993]", "[0,4]")}}`, 4), /wanted whole numbers from 0/],
    ["sizes whose product overflows", fileOf(`{"a":${f32("[4294967296,4294967296]", "[0,0]")}}`), /overflows/],
    ["offsets back to front", fileOf(`{"a":${f32("[1]", "[4,0]")}}`, 4), /data_offsets span -4/],
    ["three offsets", fileOf(`{"a":${f32("[1]", "[0,4,8]")}}`, 4), /wanted \[begin, end\]/],
    ["offsets that disagree with the shape", fileOf(`{"a":${f32("[2]", "[0,4]")}}`, 4), /takes 8 bytes/],
    ["a gap at the start", fileOf(`{"a":${f32("[1]", "[4,8]")}}`, 8), /leaves a gap/],
    ["an overlap", fileOf(`{"a":${f32("[2]", "[0,8]")},"b":${f32("[1]", "[4,8]")}}`, 8), /overlaps/],
    ["data that no tensor covers", fileOf(`{"a":${f32("[1]", "[0,4]")}}`, 5), /appended/],
    ["a tensor past the end", fileOf(`{"a":${f32("[4]", "[0,16]")}}`, 4), /cut short/],
  ];
  test.each(cases)("%s is refused", (_title, file, message) => {
    expect(() => parseSafetensors(file, "model.safetensors")).toThrow(message);
    expect(() => parseSafetensors(file, "model.safetensors")).toThrow(/^model\.safetensors: /);
  });

  test("a tensor named __proto__ is only a tensor", () => {
    const { tensors } = parseSafetensors(fileOf(`{"__proto__":${f32("[1]", "[0,4]")}}`, 4));
    expect(tensors.get("__proto__")).toMatchObject({ dtype: "F32", shape: [1] });
  });

  test("empty tensors take no room wherever they stand", () => {
    const header = `{"z":${f32("[0]", "[4,4]")},"a":${f32("[1]", "[0,4]")},"b":${f32("[0,9]", "[0,0]")}}`;
    expect([...parseSafetensors(fileOf(header, 4)).tensors.keys()]).toEqual(["b", "a", "z"]);
  });
});
