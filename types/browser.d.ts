/** For TypeScript before 6, whose lib.dom has no WebGPU. */
/// <reference types="@webgpu/types" />
export * from "../dist/browser.js";
