import { describe, expect, test } from "vitest";
import { cachePaths, fileSafe, runName, splitPattern, typedPath } from "../../src/platform/node/paths.ts";

const nothing = (): boolean => false;

describe("the cache lies where the system keeps caches", () => {
  const unix = { home: "/home/ada", temporary: "/tmp", uid: 1000 };
  const windows = { platform: "win32", home: "C:\\Users\\Ada", temporary: "C:\\Temp", uid: undefined } as const;

  test.each([
    [{ ...unix, platform: "linux", env: {} }, ["/home/ada/.cache/webgpu-gpt2", "/tmp/webgpu-gpt2-1000"]],
    [{ ...unix, platform: "linux", env: { XDG_CACHE_HOME: "/big" } }, ["/big/webgpu-gpt2", "/tmp/webgpu-gpt2-1000"]],
    // To be ignored where it is relative, as its specification says.
    [
      { ...unix, platform: "linux", env: { XDG_CACHE_HOME: "big" } },
      ["/home/ada/.cache/webgpu-gpt2", "/tmp/webgpu-gpt2-1000"],
    ],
    [{ ...unix, platform: "linux", home: "", env: {} }, ["/tmp/webgpu-gpt2-1000"]],
    [{ ...unix, platform: "darwin", env: {} }, ["/home/ada/Library/Caches/webgpu-gpt2", "/tmp/webgpu-gpt2-1000"]],
    [{ ...unix, platform: "darwin", env: { XDG_CACHE_HOME: "/big" } }, ["/big/webgpu-gpt2", "/tmp/webgpu-gpt2-1000"]],
    [
      { ...windows, env: { LOCALAPPDATA: "D:\\Local", XDG_CACHE_HOME: "/big" } },
      ["D:\\Local\\webgpu-gpt2", "C:\\Temp\\webgpu-gpt2"],
    ],
    [{ ...windows, env: {} }, ["C:\\Users\\Ada\\AppData\\Local\\webgpu-gpt2", "C:\\Temp\\webgpu-gpt2"]],
    [{ ...windows, env: { GPT2_CACHE: "E:\\c" } }, ["E:\\c"]],
    [{ ...unix, platform: "linux", env: { GPT2_CACHE: "c" } }, ["c"]],
  ] as const)("%j", (around, paths) => {
    expect(cachePaths(around).map(({ path }) => path)).toEqual(paths);
  });

  test("code is loaded from a folder that others can write to only where it is ours, which Windows need not ask", () => {
    expect(cachePaths({ ...unix, platform: "linux", env: {} }).map(({ shared }) => shared)).toEqual([false, true]);
    expect(cachePaths({ ...windows, env: {} }).map(({ shared }) => shared)).toEqual([false, false]);
  });
});

describe("a run is named after its data", () => {
  test.each([
    ["names.txt", "names"],
    ["data/my names.v2.jsonl", "my names.v2"],
    ["/a/b/x*.txt", "x"],
    ["*.txt", "run"],
    ["shards/*.parquet", "shards"],
    ["names-{train,extra}.txt", "names"],
    ["part[0-9]?.txt", "part"],
    ["-", "stdin"],
    ["/dev/fd/63", "pipe"],
    ["/proc/self/fd/12", "pipe"],
    [undefined, "run"],
    ["Stra\u00dfe.txt", "Stra\u00dfe"],
    [".txt", "run"],
    ["-rf.txt", "rf"],
    ["con.txt", "_con"],
    ["\u001b[31mred.txt", "31mred"],
  ])("%s: %s", (data, name) => {
    expect(runName(data, nothing, "linux")).toBe(name);
  });

  test("a file that is called like a pattern is none", () => {
    expect(runName("x[1].txt", (path) => path === "x[1].txt", "linux")).toBe("x[1]");
  });

  test("backslashes part folders on Windows only", () => {
    expect(runName("C:\\data\\x*.txt", nothing, "win32")).toBe("x");
    expect(runName("shards\\*.txt", nothing, "win32")).toBe("shards");
    expect(runName("a\\b.txt", nothing, "linux")).toBe("a-b");
  });
});

test("names of files are valid on every system", () => {
  const names = [
    "a<b>c",
    'q"q',
    "what?",
    "a:b",
    "a|b",
    "end.",
    "end ",
    "NUL",
    "nul.x",
    "COM1",
    "lpt9.y",
    "...",
    "CON ",
  ];
  expect(names.map(fileSafe)).toEqual([
    ...["a-b-c", "q-q", "what", "a-b", "a-b", "end", "end", "_NUL", "_nul.x", "_COM1", "_lpt9.y", "", "_CON"],
  ]);
  expect(fileSafe("console")).toBe("console");
  const long = fileSafe("\u{1f600}".repeat(100));
  expect(Buffer.byteLength(long)).toBeLessThanOrEqual(100);
  expect([...long].every((sign) => sign === "\u{1f600}")).toBe(true);
});

describe("a pattern's folder is the longest part of it that is one", () => {
  test.each([
    ["linux", "data/*.txt", [], "data/", "*.txt"],
    ["linux", "/home/[old]/x*.txt", ["/home/[old]"], "/home/[old]/", "x*.txt"],
    ["linux", "/home/[ab]/x*.txt", [], "/home/", "[ab]/x*.txt"],
    ["linux", "*.txt", [], "", "*.txt"],
    ["linux", "./a/**/x.txt", [], "./a/", "**/x.txt"],
    ["win32", "C:\\data\\x*.txt", [], "C:\\data/", "x*.txt"],
    ["win32", "..\\{a,b}\\*.txt", [], "../", "{a,b}/*.txt"],
    ["win32", "shards\\[old]\\*.txt", ["shards/[old]"], "shards/[old]/", "*.txt"],
    ["win32", "\\\\server\\share\\x?.txt", [], "\\\\server\\share\\", "x?.txt"],
  ] as const)("%s %s", (platform, pattern, folders: readonly string[], folder, rest) => {
    expect(splitPattern(pattern, (path) => folders.includes(path), platform)).toEqual({ folder, rest });
  });
});

test("a file: URL is the path that it names", () => {
  expect(typedPath("file:///home/ada/my%20names.txt", "linux")).toBe("/home/ada/my names.txt");
  expect(typedPath("file:///C:/data/names.txt", "win32")).toBe("C:\\data\\names.txt");
  expect(typedPath("file.txt", "linux")).toBe("file.txt");
  expect(() => typedPath("file://elsewhere/x.txt", "linux")).toThrow(/file:\/\/elsewhere\/x.txt: is no path/);
});
