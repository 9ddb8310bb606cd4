import { userError } from "../../core/errors.ts";

let compiling: Promise<Record<"shared" | "own", WebAssembly.Module>> | undefined;

/** The module of wasm/, for memory that threads share or for memory that nobody does. Compiled once. */
export async function wasmModule(shared: boolean): Promise<WebAssembly.Module> {
  compiling ??= compileBoth();
  return (await compiling)[shared ? "shared" : "own"];
}

async function compileBoth() {
  const { WASM_MODULE } = await import("../../kernels/wasm.gen.ts");
  const bytes = Uint8Array.from(atob(WASM_MODULE), (character) => character.charCodeAt(0));
  try {
    const own = await WebAssembly.compile(withOwnMemory(bytes));
    // Where memory cannot be shared, an engine may not know such a module.
    const shared = typeof SharedArrayBuffer === "undefined" ? own : await WebAssembly.compile(bytes);
    return { shared, own };
  } catch (reason) {
    return userError(
      `wasm: this engine does not have WebAssembly with SIMD (${(reason as Error).message}); use a newer one`,
      "device",
    );
  }
}

const SECTION_IMPORT = 2;
/** Of a memory's limits: it has a maximum, and is shared. */
const SHARED_WITH_MAXIMUM = 3;
const WITH_MAXIMUM = 1;

/** The same module, whose only import, its memory, is not shared. */
function withOwnMemory(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const copy = bytes.slice();
  let at = 8;
  const number = (): number => {
    let [value, shift] = [0, 0];
    for (;;) {
      const byte = copy[at++]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
      shift += 7;
    }
  };
  while (at < copy.length) {
    const section = copy[at++];
    const length = number();
    if (section !== SECTION_IMPORT) {
      at += length;
      continue;
    }
    number(); // one import
    for (let name = 0; name < 2; name++) {
      const characters = number();
      at += characters;
    }
    at++; // its kind: a memory
    if (copy[at] !== SHARED_WITH_MAXIMUM) throw new Error("the module's memory is not where it was expected");
    copy[at] = WITH_MAXIMUM;
    return copy;
  }
  throw new Error("the module imports no memory");
}
