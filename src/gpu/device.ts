import { ClosedError, DeviceLostError } from "../core/errors.ts";

/** How the adapter does its work: a GPU, a software driver that the system has, or the software driver shipped with us. */
export type AdapterKind = "hardware" | "software" | "embedded";

/** One shape of matrix multiply that the adapter's subgroups can do (Dawn's chromium-experimental-subgroup-matrix). */
export interface SubgroupMatrixConfig {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

export interface GpuInfo {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  /** Lanes of a subgroup, 0 where unknown. */
  readonly subgroupMinSize: number;
  readonly subgroupMaxSize: number;
  readonly subgroupMatrixConfigs: readonly SubgroupMatrixConfig[];
}

export type GpuLimits = Readonly<Record<string, number>>;

/** Something that kernels rely on and that a device was found not to do: they do without it. JSON as it is. */
export type Fault =
  /** Invocations that every subgroup has at least, which are fewer than the adapter says; 0: none can be relied on. */
  | { readonly trait: "subgroupMinSize"; readonly size: number; readonly line: string }
  /** What its subgroups multiply wrongly, named as `matrixName` does. */
  | { readonly trait: "subgroupMatrix"; readonly matrix: string; readonly line: string }
  /** That neighbours are a quad; that f16 holds infinity; that arrays of an invocation are registers. */
  | { readonly trait: "quads" | "f16" | "registers"; readonly line: string };

/** What was seen of a device. JSON as it is. */
export interface Probe {
  /** What it does not do; a line of each is for people. */
  readonly faults: readonly Fault[];
  /** What it does, for people. */
  readonly passed: readonly string[];
  /** How long that took. */
  readonly milliseconds: number;
}

/** An open device. Whoever opened it must `close()` it: in Node an open device may keep the process alive. */
export interface Gpu {
  readonly device: GPUDevice;
  readonly info: GpuInfo;
  /** For people: "SwiftShader (embedded)", "llvmpipe (Mesa 25.0.7, system)". */
  readonly driver: string;
  readonly kind: AdapterKind;
  /** What the device was granted, by WebGPU's names: `limits.maxBufferSize`. */
  readonly limits: GpuLimits;
  /** What the device was granted: "shader-f16", "subgroups", "timestamp-query". */
  readonly features: ReadonlySet<string>;
  /** What was looked at when it was opened, and found wrong; `createGpuRuntime` uses nothing of the latter. */
  readonly probe?: Probe | undefined;
  /**
   * Awaits a WebGPU promise: `gpu.wait(() => buffer.mapAsync(1))`. Every asynchronous WebGPU call goes through here, since
   * Node must be told how to poll. Throws validation errors that happened meanwhile, and `DeviceLostError` as soon as the
   * device is lost, whatever becomes of the promise.
   */
  wait<T>(start: () => Promise<T>): Promise<T>;
  /**
   * Throws if WebGPU reported an error since the last call, and `DeviceLostError` ever after the device was lost. In a
   * browser errors come during a `wait`.
   */
  checkErrors(): void;
  readonly lost: Promise<GPUDeviceLostInfo>;
  close(): void;
}

export interface DeviceRequest {
  /** Limits to ask for, the others staying at WebGPU's defaults (`{}`: all of them). Left out: all that the adapter has. */
  readonly requiredLimits?: GpuLimits | undefined;
  /** Features to ask for where the adapter has them. Left out: all that can make a kernel faster. */
  readonly features?: readonly string[] | undefined;
}

export interface OpenedAdapter extends DeviceRequest {
  readonly driver: string;
  readonly kind: AdapterKind;
  /** How this platform waits for a WebGPU promise. */
  readonly wait: <T>(start: () => Promise<T>) => Promise<T>;
}

export const USEFUL_FEATURES: readonly string[] = [
  "shader-f16",
  "subgroups",
  "timestamp-query",
  "subgroup-size-control",
  "chromium-experimental-subgroup-matrix",
];

// Offset alignment stays at the default 256, so that a layout of views is the same on every adapter.
const USEFUL_LIMITS: readonly string[] = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxBindingsPerBindGroup",
  "maxUniformBufferBindingSize",
  "maxUniformBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupSizeZ",
  "maxComputeWorkgroupsPerDimension",
];

/** How long after a broken promise its reason may come. */
const LOSS_NEWS_MS = 50;

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Opens a device on `adapter`, which is consumed by it. Throws what WebGPU throws when a limit cannot be had. */
export async function openGpuFromAdapter(adapter: GPUAdapter, options: OpenedAdapter): Promise<Gpu> {
  const offered = limitsOf(adapter.limits);
  const requiredLimits = options.requiredLimits ?? pick(offered, USEFUL_LIMITS);
  const wanted = options.features ?? USEFUL_FEATURES;
  const requiredFeatures = wanted.filter((name) => adapter.features.has(name)) as GPUFeatureName[];
  const info = infoOf(adapter.info);
  const device = await options.wait(() => adapter.requestDevice({ requiredLimits, requiredFeatures }));

  const errors = errorsOf(device);
  let closed = false;
  const { lost } = device;
  let loss: Error | undefined;
  const waiting = new Set<(reason: Error) => void>();
  void lost.then(({ reason, message }) => {
    loss = closed
      ? new ClosedError("the device was closed")
      : new DeviceLostError(`the device was lost (${reason}): ${message.trim()}`);
    for (const reject of waiting) reject(loss);
  });

  const checkErrors = () => {
    const messages = errors.splice(0);
    if (loss) throw loss;
    if (messages.length > 0) throw new Error(`WebGPU: ${messages.join("\n")}`);
  };

  /** As the promise, but rejects as soon as the device is lost: not every promise of WebGPU does. */
  async function orLost<T>(promise: Promise<T>): Promise<T> {
    let fail: (reason: Error) => void = () => {};
    const broken = new Promise<never>((_, reject) => {
      fail = reject;
    });
    waiting.add(fail);
    try {
      return await Promise.race([promise, broken]);
    } finally {
      waiting.delete(fail);
    }
  }

  return {
    device,
    info,
    driver: options.driver,
    kind: options.kind,
    limits: limitsOf(device.limits),
    features: new Set(device.features),
    wait: async (start) => {
      if (loss) throw loss;
      const result = await orLost(options.wait(start)).catch(async (reason: unknown) => {
        // The news of a loss may come just after the promises that it breaks.
        if (!loss && errors.length === 0) await Promise.race([lost, pause(LOSS_NEWS_MS)]);
        // An error that was reported explains a rejection better than the rejection itself, so it goes first.
        checkErrors();
        throw reason;
      });
      checkErrors();
      return result;
    },
    checkErrors,
    lost,
    close: () => {
      if (closed) return;
      closed = true;
      device.destroy();
    },
  };
}

/** The messages of a device, as they come. What Dawn's binding calls it never lets go of, so that it must hold nothing of the device. */
function errorsOf(device: GPUDevice): string[] {
  const errors: string[] = [];
  device.addEventListener("uncapturederror", (event) => {
    event.preventDefault(); // or the platform prints it as well
    errors.push(event.error.message);
  });
  return errors;
}

/**
 * Does `make` and catches what WebGPU has against it. Scopes are a stack of the device's, which all plans share: so `make`
 * is called at once and may not wait, and no other's errors come in between. Errors of other kinds go where they went before.
 */
export function scoped<T>(
  gpu: Gpu,
  filter: GPUErrorFilter,
  make: () => T,
): { readonly value: T; readonly refused: Promise<GPUError | null> } {
  let refused: Promise<GPUError | null>;
  let value: T;
  gpu.device.pushErrorScope(filter);
  try {
    value = make();
  } finally {
    refused = gpu.wait(() => gpu.device.popErrorScope());
    refused.catch(() => {}); // of a device that is lost, which whoever waits hears of
  }
  return { value, refused };
}

/** A plain copy of WebGPU's limits object, whose values are getters of its prototype. */
export function limitsOf(limits: GPUSupportedLimits): GpuLimits {
  const copy: Record<string, number> = {};
  for (const name in limits) {
    const value: unknown = limits[name as keyof GPUSupportedLimits];
    if (typeof value === "number") copy[name] = value;
  }
  return copy;
}

/** A plain copy of an adapter's description. */
export function infoOf(info: GPUAdapterInfo & { subgroupMatrixConfigs?: Iterable<SubgroupMatrixConfig> }): GpuInfo {
  return {
    vendor: info.vendor,
    architecture: info.architecture,
    device: info.device,
    description: info.description,
    subgroupMinSize: info.subgroupMinSize ?? 0,
    subgroupMaxSize: info.subgroupMaxSize ?? 0,
    subgroupMatrixConfigs: Array.from(
      info.subgroupMatrixConfigs ?? [],
      ({ componentType, resultComponentType, M, N, K }) => ({
        componentType,
        resultComponentType,
        M,
        N,
        K,
      }),
    ),
  };
}

/** "f16 16x16x16 f32": of operands, in rows, columns and depth, and of sums. */
export function matrixName({ componentType, resultComponentType, M, N, K }: SubgroupMatrixConfig): string {
  return `${componentType} ${M}x${N}x${K} ${resultComponentType}`;
}

/** What software drivers call themselves: Mesa's, Google's, and Direct3D's, which is "Microsoft Basic Render Driver" or WARP. */
const SOFTWARE = /\b(llvmpipe|lavapipe|softpipe|swiftshader|warp|basic render|software)\b/i;

/** Whether an adapter is a CPU. Browsers tell little of adapters, and not all tell this by `isFallbackAdapter`. */
export function isSoftware(info: GPUAdapterInfo): boolean {
  const { vendor, architecture, device, description } = info;
  // All of Mesa's drivers that have no maker's number are "software" to Dawn, that of Apple's GPUs on Linux, too.
  const told = vendor === "mesa" && device ? [device, description] : [vendor, architecture, device, description];
  return info.isFallbackAdapter || told.some((text) => SOFTWARE.test(text));
}

function pick(limits: GpuLimits, names: readonly string[]): Record<string, number> {
  const entries = names.flatMap((name) => (limits[name] === undefined ? [] : [[name, limits[name]] as const]));
  return Object.fromEntries(entries);
}
