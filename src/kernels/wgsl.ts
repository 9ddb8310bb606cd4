/** The texts behind dispatches. Only executors on a GPU import this file, so that a bundle without one has no shaders. */
import { smallest } from "../core/extremes.ts";
import type { Dispatch, Shader } from "./dispatch.ts";
import { SHADERS } from "./shaders.gen.ts";

type ShaderParts = Pick<Dispatch, "shader" | "sizes" | "types" | "enable" | "subgroupSize">;

/** The WGSL text of a dispatch: extensions, types, sizes, then its shaders, whose entry points have its size of subgroups. Equal texts are the same string. */
export function shaderSource(dispatch: ShaderParts): string {
  const { shader, sizes, types, enable, subgroupSize } = dispatch;
  const key = JSON.stringify([shader, sizes, types, enable, subgroupSize]);
  let source = knownSources.get(key);
  if (source === undefined) {
    source = joined(dispatch);
    knownSources.set(key, source);
  }
  return source;
}

// A plan of thousands of dispatches has a few dozen texts of up to 10 KB.
const knownSources = new Map<string, string>();

function joined(dispatch: ShaderParts): string {
  const types = Object.entries(dispatch.types ?? {}).map(([name, type]) => `alias ${name} = ${type};\n`);
  const texts = dispatch.shader.map(codeOf);
  const halves = [...types, ...texts].some((text) => /\bf16\b/.test(withoutComments(text)));
  const pinned = dispatch.subgroupSize === undefined ? [] : ["subgroup_size_control"];
  const enables = [...(halves ? ["f16"] : []), ...(dispatch.enable ?? []), ...pinned].map((name) => `enable ${name};`);
  // WGSL wants them before everything else
  const directives = texts.flatMap((text) => withoutComments(text).match(DIRECTIVE) ?? []).map((line) => line.trim());
  const first = [...new Set([...enables, ...directives])].map((line) => `${line}\n`);
  const sizes = Object.entries(dispatch.sizes ?? {}).map(([name, value]) => `const ${name}: u32 = ${value}u;\n`);
  const rest = texts.map((text) => (withoutComments(text).match(DIRECTIVE) ? text.replace(DIRECTIVE, "") : text));
  const text = [...first, ...types, ...sizes, ...rest].join("");
  return pinned.length === 0 ? text : text.replace(/@compute\b/g, `@subgroup_size(${dispatch.subgroupSize}) $&`);
}

const DIRECTIVE = /^[ \t]*(?:enable|requires|diagnostic)\b[^;{}]*;/gm;

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
}

/** The text of a shader; one of one's own without the indentation of the code that it stands in, and with an end of line. */
function codeOf(shader: Shader): string {
  if (typeof shader === "string") return SHADERS[shader] ?? unknownShader(shader);
  const lines = shader.code.split(/\r?\n/);
  const indents = lines.filter((line) => line.trim() !== "").map((line) => /^[ \t]*/.exec(line)![0].length);
  const indent = smallest(indents);
  return `${lines.map((line) => line.slice(indent)).join("\n")}\n`;
}

function unknownShader(name: string): never {
  throw new Error(`there is no shader "${name}"; WGSL of one's own is given as { name, code }`);
}

/** What errors and debuggers call the shaders of a dispatch: the last, which has the entry point. */
export function shaderName({ shader }: Pick<Dispatch, "shader">): string {
  const last = shader.at(-1) ?? "";
  return typeof last === "string" ? last : last.name;
}

/**
 * The bytes of `var<uniform> u`, as the shaders' own `struct Uniforms` lays them out; undefined where there is none.
 * Its fields are scalars of 4 bytes, of which each must be given.
 */
export function uniformBytes({
  shader,
  uniforms = {},
}: Pick<Dispatch, "shader" | "uniforms">): Uint8Array<ArrayBuffer> | undefined {
  const fields = shader.flatMap(uniformFields);
  const names = (): string => shader.map((one) => (typeof one === "string" ? one : one.name)).join(", ");
  const unknown = Object.keys(uniforms).find((name) => !fields.some((field) => field.name === name));
  if (unknown) throw new Error(`the shaders ${names()} have no uniform ${unknown}`);
  if (fields.length === 0) return undefined;
  const view = new DataView(new ArrayBuffer(4 * fields.length));
  fields.forEach(({ name, type }, i) => {
    const value = uniforms[name];
    if (value === undefined) throw new Error(`the shaders ${names()} want the uniform ${name}`);
    if (type === "f32") view.setFloat32(4 * i, value, true);
    else if (type === "i32") view.setInt32(4 * i, value, true);
    else view.setUint32(4 * i, value, true);
  });
  return new Uint8Array(view.buffer);
}

/** Whether the shaders have a `var<uniform> u`. */
export function hasUniforms({ shader }: Pick<Dispatch, "shader">): boolean {
  return shader.some((name) => uniformFields(name).length > 0);
}

// A plan of thousands of dispatches asks for the fields of a few dozen shaders.
const knownFields = new Map<string, readonly UniformField[]>();

interface UniformField {
  readonly name: string;
  readonly type: string;
}

function uniformFields(shader: Shader): readonly UniformField[] {
  const key = typeof shader === "string" ? shader : shader.code;
  let fields = knownFields.get(key);
  if (!fields) {
    const body = /\bstruct\s+Uniforms\s*\{([^}]*)\}/.exec(withoutComments(codeOf(shader)))?.[1] ?? "";
    fields = body.split(",").flatMap((field) => {
      const [, name, type] = /^\s*(\w+)\s*:\s*([\s\S]+?)\s*$/.exec(field) ?? [];
      if (name === undefined || type === undefined) return [];
      if (!UNIFORM_TYPES.has(type))
        throw new Error(
          `the uniform ${name} of ${shaderName({ shader: [shader] })} is ${type}, wanted u32, i32 or f32`,
        );
      return [{ name, type }];
    });
    knownFields.set(key, fields);
  }
  return fields;
}

const UNIFORM_TYPES: ReadonlySet<string> = new Set(["u32", "i32", "f32"]);

/** 8 hexadecimal digits (FNV-1a) that change with any shader: what was measured with others does not count. */
export function kernelsDigest(): string {
  let hash = 0x811c9dc5;
  for (const [name, text] of Object.entries(SHADERS)) {
    for (const letter of `${name}\n${text}\n`) hash = Math.imul(hash ^ letter.codePointAt(0)!, 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, "0");
}
