import type { Tuning } from "./tuning.ts";

/**
 * What kernels may know of an adapter: the limits that were granted, the optional features, what the tuner chose.
 * Plain data: the same traits and shapes always give the same dispatches.
 */
export interface Traits {
  /** Bytes that one storage binding may cover (`maxStorageBufferBindingSize`). */
  readonly maxBindingBytes: number;
  /** Bytes of the largest buffer (`maxBufferSize`). */
  readonly maxBufferBytes: number;
  /** Workgroups that a dispatch may have in one dimension. */
  readonly maxGroupsPerDimension: number;
  /** Invocations that a workgroup may have. */
  readonly maxInvocations: number;
  /** Bytes of `var<workgroup>` memory. */
  readonly maxWorkgroupBytes: number;
  /** Bytes that a binding's offset must be a multiple of (`minStorageBufferOffsetAlignment`). */
  readonly offsetAlignment: number;
  /** Storage buffers that one dispatch may bind (`maxStorageBuffersPerShaderStage`). */
  readonly maxStorageBuffers: number;
  readonly f16: boolean;
  /** Where `f16` is not there, states of f16 can be read out of words, two in each: weights that are kept so. */
  readonly packedHalves?: boolean;
  readonly subgroups: boolean;
  /** With subgroups, four neighbouring invocations of a workgroup are a quad: WGSL leaves it open, and a probe has looked. */
  readonly quads: boolean;
  /** A kernel may say how many invocations its subgroups shall have (`subgroup-size-control`). */
  readonly subgroupSizeControl: boolean;
  /** Invocations that every subgroup has at least; 0 without subgroups. */
  readonly subgroupMinSize: number;
  /** Invocations that a subgroup has at most; 0 without subgroups. */
  readonly subgroupMaxSize: number;
  /** The sizes and types in which subgroups multiply matrices as one operation; none where they do not. */
  readonly subgroupMatrices: readonly SubgroupMatrix[];
  /** Sums that an invocation can hold in registers beside what it adds up: a product's block of 8 x 8, 8 x 4 or 4 x 4. Left out: 64. */
  readonly sumsHeld?: 16 | 32 | 64;
  /** Other kernels, too, should hold less than they would where registers are many. */
  readonly fewRegisters?: boolean;
  /**
   * Where registers are a subgroup's, whatever its size (Intel): the fewest invocations that a kernel can ask for, each of which has most of them
   * then. Undefined where registers are an invocation's own, or a kernel cannot ask.
   */
  readonly roomySubgroup?: number | undefined;
  /** Attention goes by tiles in blocks of 4 x 4: what its rows hold does not fit, or they wait for what they read. */
  readonly attentionByTiles?: boolean;
  /** A CPU behind a Vulkan driver: workgroup memory and barriers cost more there than loads, and arrays of an invocation are memory. */
  readonly software: boolean;
  /** Variants that did not compile here, as dispatches name them: they are no choice. */
  readonly without?: readonly string[] | undefined;
  /** What was measured on this adapter; where it says nothing, the defaults hold. */
  readonly tuning?: Tuning | undefined;
}

/** result[M, N] += left[M, K] . right[K, N] as one operation, by the names of Dawn's GPUSubgroupMatrixConfig. */
export interface SubgroupMatrix {
  /** The type of left and right: "f16", "f32", "u8" and others. */
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** WebGPU's guaranteed limits: what any adapter grants, and what tests plan against. */
export const DEFAULT_TRAITS: Traits = {
  maxBindingBytes: 128 * 1024 * 1024,
  maxBufferBytes: 256 * 1024 * 1024,
  maxGroupsPerDimension: 65535,
  maxInvocations: 256,
  maxWorkgroupBytes: 16384,
  offsetAlignment: 256,
  maxStorageBuffers: 8,
  f16: false,
  subgroups: false,
  quads: true,
  subgroupSizeControl: false,
  subgroupMinSize: 0,
  subgroupMaxSize: 0,
  subgroupMatrices: [],
  software: false,
};
