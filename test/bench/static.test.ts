import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { missingForAmd } from "../../bench/static/amd.ts";
import type { Kernel, Report } from "../../bench/static/compile.ts";
import { buildDrm } from "../../bench/static/drm.ts";
import { missingForIntel, saidByIntel } from "../../bench/static/intel.ts";
import { missingForLayer } from "../../bench/static/layer.ts";
import { loopsOf, mainLoop, mixOfKernel } from "../../bench/static/machine-code.ts";
import { missingForNvidia, saidByNvidia } from "../../bench/static/nvidia.ts";
import { nameOf } from "../../bench/static/print.ts";

const ASSEMBLY = `BB0:
	s_load_b128 s[4:7], s[2:3], null                            ; f4080101 f8000000
	v_mov_b32_e32 v4, 0                                         ; 7e080280
	(then repeated 3 times)
BB1:
	buffer_load_b128 v[76:79], v76, s[12:15], 0 offen           ; e05c0000 80434c4c
	s_delay_alu instid0(VALU_DEP_1)                             ; bf870001
BB2:
	ds_load_b128 v[8:11], v1                                    ; db7c0000 08000001
	s_waitcnt lgkmcnt(0)                                        ; bf89fc07
	v_fma_f32 v2, v8, v9, v2                                    ; d6130002
	v_dual_fmac_f32 v3, v8, v10 :: v_dual_fmac_f32 v5, v9, v11  ; c8000000
	s_cbranch_scc0 BB2                                          ; bfa1ffac
BB3:
	s_waitcnt vmcnt(0)                                          ; bf8903f7
	ds_store_b128 v1, v[76:79]                                  ; db7c0000 00004c01
	s_branch BB1                                                ; bfa0fda7
BB4:
	buffer_store_b128 v[4:7], v1, s[8:11], 0 offen              ; e0740000 80020401
	s_endpgm                                                    ; bfb00000
`;

test("machine code is read as loops and the instructions in them", () => {
  const loops = loopsOf(ASSEMBLY);
  expect(loops.map(({ depth, parent, loadsAhead }) => ({ depth, parent, loadsAhead }))).toEqual([
    { depth: 0, parent: undefined, loadsAhead: true },
    { depth: 1, parent: 0, loadsAhead: false },
  ]);
  expect(mainLoop(loops)).toBe(loops[1]);
  expect(loops[1]?.mix).toMatchObject({
    vector: 2,
    multiplyAdds: 3,
    ldsReads: 1,
    ldsWrites: 0,
    memoryReads: 0,
    waits: 1,
  });
  expect(loops[0]?.own).toMatchObject({ vector: 0, ldsReads: 0, ldsWrites: 1, memoryReads: 1, waits: 1, scalar: 1 });
  expect(mixOfKernel(ASSEMBLY)).toMatchObject({ vector: 6, memoryWrites: 1, scratch: 0 });
});

const missing = missingForAmd();
/** RDNA 3, which has matrix units, RDNA 2, and GCN, whose registers are the fewest. */
const FAMILIES = ["navi31", "navi21", "vega20"];
const STEPS = ["step f32", "step f32 dropout", "step f16", "step f16 dropout"];
const HEADS = ["f32", "f32 dropout", "f16", "f16 dropout"].map((form) => `heads of 128 ${form}`);
/** In GB, what a token moves at least in the last place of 1,024: no more than this. */
const BYTES_OF_TOKEN: Readonly<Record<string, number>> = {
  token: 0.572,
  "token f16": 0.287,
  "token f16 kv8": 0.27,
  "token i8 kv8": 0.153,
};
const WORKLOADS = [...STEPS, ...Object.keys(BYTES_OF_TOKEN), ...HEADS];

interface FamilyReport {
  readonly family: string;
  readonly workloads: readonly Report[];
}

/** What bench/static says of each family, in a process of its own. */
async function reportsOf(families: readonly string[], workloads: readonly string[], more: readonly string[] = []) {
  const options = ["--families", families.join(","), "--workloads", workloads.join(","), "--json", ...more];
  const args = ["--import", "tsx", "bench/static/index.ts", ...options];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 2 ** 26 });
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as FamilyReport);
}

describe.skipIf(missing !== undefined)("AMD's compiler", { timeout: 180_000 }, () => {
  const reports = missing === undefined ? reportsOf(FAMILIES, WORKLOADS) : Promise.resolve([]);
  reports.catch(() => {}); // each test hears of it

  const kernelsOf = async (wanted: string): Promise<Kernel[]> =>
    (await reports)
      .filter(({ family }) => family === wanted)
      .flatMap(({ workloads }) => workloads.flatMap((w) => w.kernels));

  test.each(FAMILIES)("%s keeps all registers in registers", async (family) => {
    const kernels = await kernelsOf(family);
    expect(kernels.length).toBeGreaterThan(50);
    const bad = kernels.filter(({ spilled, scratchBytes, mix }) => spilled + scratchBytes + mix.scratch > 0);
    expect(bad.map(nameOf)).toEqual([]);
  });

  test.each(FAMILIES)("%s has room for four subgroups of every kernel", async (family) => {
    const few = (await kernelsOf(family)).filter(({ waves = 0 }) => waves < 4);
    expect(few.map(nameOf)).toEqual([]);
  });

  // Numbers are drawn for so many turns of the loop at once, of two or four keys, or of a row: by fours that share rows, or by a
  // workgroup of 64, which has half the keys where eight share one.
  const turnsOf = ({ shaders, sizes: { QUERIES, KEYS_HELD, KEYS } }: Kernel): number => {
    if (QUERIES) return 32 / QUERIES / KEYS_HELD!;
    return (shaders.includes("attention/gpu/lane_octet") ? 64 : 32) / KEYS!;
  };

  test.each(["forward", "backward_queries", "backward_keys"])(
    "dropout takes at most 0.3 of attention's instructions more, %s",
    async (shader) => {
      for (const family of FAMILIES) {
        const kernels = (await kernelsOf(family)).filter(({ shaders }) => shaders.at(-1) === `attention/gpu/${shader}`);
        const [plain, dropping] = [0, 1].map((DROPS) => kernels.find(({ constants }) => constants.DROPS === DROPS)!);
        const drawn = dropping!.sometimes!.vector;
        const executed = dropping!.loop!.vector - drawn + drawn / turnsOf(dropping!);
        expect(executed / plain!.loop!.vector, family).toBeLessThan(1.3);
        expect(executed / plain!.loop!.vector, family).toBeGreaterThan(1);
      }
    },
  );

  test.each(FAMILIES)(
    "%s asks for the next slab of a product before it multiplies, and does little else",
    async (family) => {
      const products = (await kernelsOf(family)).filter(({ slab, shaders, types }) => {
        const whole = [types.A, types.B].every((type) => /^vec4/.test(type ?? ""));
        return slab && /gpu\/staged/.test(shaders.at(-1)!) && types.Component === "f32" && whole;
      });
      expect(products.length).toBeGreaterThan(5);
      for (const kernel of products) {
        expect(kernel.slab!.loadsAhead, nameOf(kernel)).toBe(true);
        expect(kernel.slab!.multiplyAdds / kernel.slab!.vector, nameOf(kernel)).toBeGreaterThan(0.9);
      }
    },
  );

  test("RDNA 3 feeds its matrix units with few other instructions, in all products of f16", async () => {
    const [report] = (await reports).filter(({ family }) => family === "navi31");
    const half = report!.workloads.find(({ workload }) => workload === "step f16")!;
    expect(half.onMatrixUnits).toBe(1);
    const products = half.kernels.filter(({ slab }) => slab && slab.matrix > 0);
    expect(products.length).toBeGreaterThan(4);
    for (const kernel of products) {
      const { matrix, ldsReads, vector } = kernel.slab!;
      expect(ldsReads / matrix, nameOf(kernel)).toBeLessThanOrEqual(1.5);
      // three besides each matrix instruction where f32 is rounded on the way, three with it where nothing is
      const halves = kernel.types.A === "vec4<f16>" && kernel.types.B === "vec4<f16>";
      expect((halves ? vector : vector - matrix) / matrix, nameOf(kernel)).toBeLessThanOrEqual(3);
    }
  });

  test("RDNA 3 reads 8 weights of f16 a load, and multiplies them as they are", async () => {
    const [report] = (await reports).filter(({ family }) => family === "navi31");
    const token = report!.workloads.find(({ workload }) => workload === "token f16")!;
    expect(token.dispatches).toBe(66);
    const products = token.kernels.filter(({ shaders }) => shaders.at(-1) === "matmul/gpu/eights");
    expect(products.reduce((sum, { dispatches }) => sum + dispatches, 0)).toBe(49);
    for (const kernel of products) {
      const { memoryReads, multiplyAdds, vector } = kernel.loop!;
      // Four loads of b, and those of a row of a, of gains and of shifts.
      expect(memoryReads, nameOf(kernel)).toBeLessThanOrEqual(7);
      expect(multiplyAdds, nameOf(kernel)).toBeGreaterThanOrEqual(32);
      // A conversion each would make it 2 and more.
      expect(vector / multiplyAdds, nameOf(kernel)).toBeLessThan(1.8);
    }
  });

  test("RDNA 3 reads 8 weights of 8 bits a load, makes each a number by two instructions, and multiplies it by a third", async () => {
    const [report] = (await reports).filter(({ family }) => family === "navi31");
    const token = report!.workloads.find(({ workload }) => workload === "token i8 kv8")!;
    const products = token.kernels.filter(({ shaders }) => shaders.at(-1) === "matmul/gpu/eights");
    expect(products.reduce((sum, { dispatches }) => sum + dispatches, 0)).toBe(49);
    for (const kernel of products) {
      const { memoryReads, multiplyAdds, vector } = kernel.loop!;
      // Four loads of b and their steps, and those of a row of a, of gains and of shifts.
      expect(memoryReads, nameOf(kernel)).toBeLessThanOrEqual(11);
      expect(multiplyAdds, nameOf(kernel)).toBeGreaterThanOrEqual(64);
      expect(vector / 32, nameOf(kernel)).toBeLessThan(4.8);
    }
  });

  test.each(Object.keys(BYTES_OF_TOKEN))("%s: 66 dispatches, 512 positions at a time", async (wanted) => {
    for (const { family, workloads } of await reports) {
      const token = workloads.find(({ workload }) => workload === wanted)!;
      expect(token.dispatches).toBe(66);
      expect(token.leastBytes / 1e9).toBeLessThan(BYTES_OF_TOKEN[wanted]!);
      const [kernel, ...others] = token.kernels.filter(({ op }) => op === "cachedAttention");
      expect(others).toEqual([]);
      const { LANES, ENTRIES } = kernel!.sizes;
      expect(LANES).toBe(512);
      // A turn reads the row of the table, a key, the steps of key and value where they have any, and entries of the values, by four and the rest one by one.
      expect(kernel!.loop!.memoryReads, family).toBeLessThanOrEqual(ENTRIES! + 8);
      // Eight subgroups are a workgroup.
      expect(kernel!.waves! * 4, family).toBeGreaterThanOrEqual(2 * 8);
    }
  });

  test("attention of a token goes through no list of scores, and computes no exp for a channel", async () => {
    const folder = await mkdtemp(join(tmpdir(), "static-test-"));
    try {
      await reportsOf(["navi31"], Object.keys(BYTES_OF_TOKEN), ["--only", "cachedAttention", "--asm", folder]);
      const files = await readdir(join(folder, "navi31"));
      expect(files.length).toBe(3);
      for (const file of files) {
        const assembly = await readFile(join(folder, "navi31", file), "utf8");
        const loops = loopsOf(assembly);
        const main = loops.indexOf(mainLoop(loops)!);
        const inner = loops.filter(({ parent }) => parent === main);
        // of values, four of which are asked for at a time
        expect(inner.map(({ mix }) => mix.memoryReads)).toEqual([4, 1]);
        // of a position's weight, and of how much what was summed before shrinks
        expect(assembly.match(/v_exp_f32/g)?.length).toBe(2);
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test.each(FAMILIES)("%s: the classifier's products take what square ones take", async (family) => {
    const products = (await kernelsOf(family)).filter(({ slab, types }) => {
      return slab && types.Component === "f32" && types.A === "vec4<f32>";
    });
    expect(products.length).toBeGreaterThan(5);
    const share = products.map(({ slab }) => slab!.vector / slab!.multiplyAdds);
    expect(Math.max(...share) / Math.min(...share)).toBeLessThan(1.2);
    const steps = (await reports).flatMap(({ workloads }) =>
      workloads.filter(({ workload }) => STEPS.includes(workload)),
    );
    const scalar = steps.flatMap(({ kernels }) =>
      kernels.filter(({ op, shaders }) => op === "matmul" && shaders.some((name) => /_scalar$/.test(name))),
    );
    expect(scalar.map(nameOf)).toEqual([]);
  });
});

test("a family that there is not is told, with those that there are", async () => {
  const run = promisify(execFile)(process.execPath, [
    "--import",
    "tsx",
    "bench/static/index.ts",
    "--families",
    "tgl,nosuch",
  ]);
  const { code, stderr } = await run.then(
    () => ({ code: 0, stderr: "" }),
    (error) => error as { code: number; stderr: string },
  );
  expect(code).toBe(2);
  expect(stderr).toMatch(/^no family "nosuch"; there are .*\bnavi31\b.*\btgl\b.*\n$/);
});

test.skipIf(missingForLayer() !== undefined)(
  "what answers for the kernel's driver is not handed on to what a process starts",
  async () => {
    const program = `
      const loaded = () => require("node:fs").readFileSync("/proc/self/maps", "utf8").includes("drm.so");
      const child = require("node:child_process").execFileSync(process.execPath, ["-p", "(" + loaded + ")()"]);
      console.log(loaded(), String(child).trim());`;
    const env = { ...process.env, LD_PRELOAD: buildDrm() };
    const { stdout } = await promisify(execFile)(process.execPath, ["-e", program], { env });
    expect(stdout.trim()).toBe("true false");
  },
);

test("machine code of Intel's is read, too", () => {
  const assembly = `
mov(8)          g36<2>UD        g1.4<0,1,0>UD                   { align1 WE_all 1Q };
LABEL5:
send(8)         g37UD           g96UD           nullUD          0x04205efe                0x00000000
                            dp data 1 MsgDesc: (untyped surface read, Surface = 254, SIMD8, Mask = 0x0) mlen 1 ex_mlen 0 rlen 4 { align1 1Q $0 };
sync nop(1)                     null<0,1,0>UB                   { align1 WE_all 1N $0.dst };
mad(8)          g4<1>F          g4<8,8,1>F      g37<8,8,1>F     g38<1,1,1>F { align1 1Q };
add(8)          g5<1>D          g5<1,1,0>D      1D              { align1 1Q };
(+f0.0) break(8) JIP:  LABEL4        UIP:  LABEL4              { align1 1Q };
while(8)        JIP:  LABEL5                                    { align1 1Q };
send(8)         nullUD          g93UD           g99UD           0x02026001                0x00000100
                            dp data 1 MsgDesc: (DC untyped surface write, Surface = 1, SIMD8, Mask = 0x0) mlen 1 ex_mlen 4 rlen 0 { align1 1Q };
send(16)        g2UD            g126UD          nullUD          0x022810fd                0x00000000
                            data MsgDesc: (DC OWORD block read, bti 253, owords = 4, aligned = 0) mlen 1 ex_mlen 0 rlen 2 { align1 WE_all 1H };
send(8)         nullUD          g45UD           g2UD            0x02003504                0x00000100
                            ugm MsgDesc: ( store, a32, d32, V1, L1STATE_L3MOCS dst_len = 0, src0_len = 1, ss )  surface_state_index 0  { align1 1Q $5 };
send(16)        g41UD           g36UD           g40UD           0x02101580                0x00000080
                            slm MsgDesc: ( load, a32, d32, V1, L1STATE_L3MOCS dst_len = 2, src0_len = 2, src1_len = 0 flat )  base_offset 0  { align1 1H $2 };
send(1)         g36UD           g0UD            nullUD          0x0210011f                0x00000000
                            slm MsgDesc: ( fence, a32, threadgroup, none, normal_routing dst_len = 1, src0_len = 1, src1_len = 0 flat )  base_offset 0  { align1 WE_all 1N $1 };
`;
  const statistics = { "Max live registers": 90, "Spill Count": 1, "Workgroup Memory Size": 512 };
  const said = saidByIntel({ subgroupSize: 8, statistics, texts: { "GEN Assembly": assembly } });
  expect(said).toMatchObject({ registers: 90, spilled: 1, ldsBytes: 512 });
  expect(said.loop).toMatchObject({ vector: 2, multiplyAdds: 1, ldsReads: 1, waits: 1, memoryReads: 0 });
  expect(said.mix).toMatchObject({ vector: 3, ldsReads: 2, memoryReads: 0, memoryWrites: 1, scratch: 2 });
});

const missingIntel = missingForIntel();
if (missingIntel) console.warn(`kernels are NOT compiled for Intel's GPUs: ${missingIntel}`);

describe.skipIf(missingIntel !== undefined)("Intel's compiler", { timeout: 180_000 }, () => {
  /** Xe-LP, Xe-HPG, and Xe2, whose registers are twice as wide. */
  const families = ["tgl", "dg2", "lnl"];
  const workloads = ["step f32 dropout", "step f16 dropout", ...Object.keys(BYTES_OF_TOKEN)];
  const reports = missingIntel === undefined ? reportsOf(families, workloads) : Promise.resolve([]);
  reports.catch(() => {}); // each test hears of it

  test.each(families)("%s holds in registers nearly all of what kernels hold", async (wanted) => {
    const [report] = (await reports).filter(({ family }) => family === wanted);
    const kernels = report!.workloads.flatMap((workload) => workload.kernels);
    expect(kernels.length).toBeGreaterThan(50);
    // What spills is seen in the machine code, and nothing else is taken for it.
    expect(kernels.filter(({ spilled, mix }) => spilled > 0 !== mix.scratch > 0).map(nameOf)).toEqual([]);
    // The gradients of attention by tiles hold a little too much outside of their loops, and no other.
    const bad = kernels.filter(
      ({ spilled, shaders }) => spilled > (/tile_(keys|queries)$/.test(shaders.at(-1)!) ? 16 : 0),
    );
    expect(bad.map(nameOf)).toEqual([]);
    const products = kernels.filter(({ shaders }) => shaders.at(-1) === "matmul/gpu/staged_lines");
    expect(products.length).toBeGreaterThan(10);
    for (const { loop } of products) expect(loop!.vector / loop!.multiplyAdds).toBeLessThan(1.35);
  });
});

test("machine code of NVIDIA's is read, too", () => {
  const assembly = `block.u 0 L3 [] -> {
      r114      = s2r sr[0x21]                                      // delay=5 wr:0
      r115      = shf.l.w.i32 r114 rZ 0x4                           // delay=1 wt=000001
      ur1       = mov rZ                                            // delay=1
} -> [1]
block 1 L2 [0, 5] -> {
      r1        = ld.global.a64.constant.b128 [r2..4]               // delay=1 wr:0
@!p0              bra L4                                            // delay=1 wt=000100
} -> [2, 6]
block 2 L5 [1, 4] -> {
      r8..12    = ld.shared.strong.cta.b128 [r1+0x40]               // delay=1 wr:1
      r4        = ffma.ftz r8 r9 r4                                 // delay=4 wt=000010
      r5        = ffma.ftz r8 r10 r5                                // delay=4
@!p0              bra L7                                            // delay=1
} -> [3, 4]
block 3 L1 [2] -> {
      r9        = ffma.ftz r8 r9 r9                                 // delay=4
      r10       = mov r9                                            // delay=4
                  bra L4                                            // delay=1
} -> [6]
block 4 L7 [2] -> {
      r6        = hfma2 r8 r10 r6                                   // delay=4
      r7        = mov r5                                            // delay=4
                  bra L5                                            // delay=1
} -> [5, 2]
block 5 L6 [4] -> {
                  st.shared.strong.cta.b128 [r1+0x40] r8..12        // delay=1
                  st.local.strong.cta.b32 [rZ+0x4] r9               // delay=1
                  bra L2                                            // delay=1
} -> [1]
block 6 L4 [1, 3] -> {
                  st.global.a64.strong.sys.b128 [r2..4] r8..12      // delay=1
                  exit                                              // delay=1
} -> []
`;
  const statistics = { "Number of GPRs": 129, "SLM Size": 16, "Code Size": 256 };
  const said = saidByNvidia({ subgroupSize: 32, statistics, texts: { "NAK assembly": assembly } }, "ga102");
  // 136 registers of 512
  expect(said).toMatchObject({ registers: 129, waves: 3, scratchBytes: 16, codeBytes: 256 });
  expect(said.loop).toMatchObject({ vector: 4, multiplyAdds: 4, ldsReads: 1, ldsWrites: 0, waits: 1, scalar: 2 });
  expect(said.mix).toMatchObject({ vector: 7, memoryReads: 1, memoryWrites: 1, ldsWrites: 1, scratch: 1, waits: 3 });
});

const missingNvidia = missingForNvidia();
if (missingNvidia) console.warn(`kernels are NOT compiled for NVIDIA's GPUs: ${missingNvidia}`);

test.skipIf(missingNvidia !== undefined)(
  "Mesa's compiler for NVIDIA's GPUs holds a step and a token in registers",
  { timeout: 180_000 },
  async () => {
    const [report] = await reportsOf(["ga102"], ["step f32 dropout", ...Object.keys(BYTES_OF_TOKEN)]);
    const kernels = report!.workloads.flatMap((workload) => workload.kernels);
    expect(kernels.length).toBeGreaterThan(50);
    const bad = kernels.filter(({ scratchBytes, mix }) => scratchBytes + mix.scratch > 0);
    expect(bad.map(nameOf)).toEqual([]);
    // Attention by tiles: its innermost loops are what multiplies.
    const tiles = kernels.filter(({ shaders }) => /tile_(forward|queries|keys)$/.test(shaders.at(-1)!));
    expect(tiles.length).toBe(3);
    for (const { loop } of tiles) expect(loop!).toMatchObject({ multiplyAdds: 64, ldsReads: 8, memoryReads: 0 });
    const products = kernels.filter(({ shaders }) => shaders.at(-1) === "matmul/gpu/staged");
    expect(products.length).toBeGreaterThan(5);
    for (const { loop } of products) expect(loop!.vector / loop!.multiplyAdds).toBeLessThan(1.65);
  },
);
