import type { DataSource } from "../data/source.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Writer } from "../run/journal.ts";
import type { OpenModel } from "../run/model.ts";
import type { ModelFiles } from "../run/open-model.ts";
import type { OpenRuntime } from "../run/session.ts";
import type { GpuRuntimeOptions } from "../runtime/gpu.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Folder } from "../storage/folder.ts";
import type { MemoryBudget } from "../train/fit.ts";

/** Hears of what a person should know: one line. */
export type Notice = (line: string) => void;

export interface RuntimeOptions extends GpuRuntimeOptions {
  /** Once it is aborted, whatever waits for the runtime rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Something that computes, of which each use has a runtime of its own. */
export interface Device {
  /** A runtime with no states; its `close` leaves the device open. */
  createRuntime(options?: RuntimeOptions): Promise<OpenRuntime>;
  close(): void;
}

/** An open GPU, or a name: "auto", "wasm", "cpu", and in Node whatever `--device` takes. */
export type DeviceChoice = Gpu | string;

/** What Node and a browser have in ways of their own. */
export interface Environment {
  /** Throws a `UserError` for a name that no device has; what it stands for may still be missing when it is opened. */
  checkDevice(name: string): Promise<void>;
  openDevice(name: string, signal: AbortSignal | undefined): Promise<Device>;
  /** The model that a text or URL names. */
  openModel(source: string, options: { readonly signal: AbortSignal | undefined; notice: Notice }): Promise<OpenModel>;
  /** The data that paths name, in an environment that has some. */
  openData(paths: readonly string[], signal: AbortSignal | undefined): Promise<DataSource[]>;
  /** Where a path is: the folder that it lies in, and its name there. */
  place(path: string): { readonly folder: Folder; readonly name: string };
  /** A folder by its path. */
  folder(path: string): Folder;
  /** What a runtime may take, if anybody says. */
  budget(runtime: Runtime): MemoryBudget | undefined;
  writer(folder: Folder): Writer;
}

export type { ModelFiles };
