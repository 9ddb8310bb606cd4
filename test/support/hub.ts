/** The paths of the Hugging Face hub that a download uses, on this machine. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface FakeHub {
  readonly endpoint: string;
  /** "GET /path" and the headers of every request, those to the store of large files included. */
  readonly requests: { readonly line: string; readonly headers: IncomingMessage["headers"] }[];
  close(): Promise<void>;
}

export interface FakeHubOptions {
  readonly name: string;
  readonly commit: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Answers in place of the usual; true if it did. */
  readonly intercept?: (path: string, request: IncomingMessage, response: ServerResponse) => boolean;
  /** Of a large file: bytes that are sent before the connection is cut; undefined for all of them. */
  readonly cutAfter?: (request: number) => number | undefined;
  readonly ignoreRanges?: boolean;
}

/** Files over 1 kB are "LFS": at another origin, behind a redirect, known by their SHA-256. */
export async function startHub(options: FakeHubOptions): Promise<FakeHub> {
  const { name, commit, files } = options;
  const requests: { line: string; headers: IncomingMessage["headers"] }[] = [];
  let large = 0;
  const hash = (kind: string, ...parts: (string | Uint8Array)[]): string =>
    parts.reduce((sum, part) => sum.update(part), createHash(kind)).digest("hex");

  const store = createServer((request, response) => {
    requests.push({ line: `STORE ${request.url}`, headers: request.headers });
    if (request.headers.authorization) return response.writeHead(400).end("two kinds of authentication");
    const probe = request.headers.range === "bytes=0-0";
    return send(request, response, files.get(request.url!.slice(1))!, probe ? undefined : options.cutAfter?.(large++));
  });
  const storeUrl = await listen(store);

  const hub = createServer((request, response) => {
    const path = request.url!;
    requests.push({ line: `${request.method} ${path}`, headers: request.headers });
    if (options.intercept?.(path, request, response)) return;
    const json = (value: unknown) =>
      response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(value));
    if (path.startsWith(`/api/models/${name}/revision/main?`)) {
      json({ _id: "1", id: name, sha: commit, private: false, gated: false, downloads: 1, likes: 1 });
    } else if (path.startsWith(`/api/models/${name}/tree/${commit}?`)) {
      const entries = [...files].map(([file, bytes]) => ({
        type: "file",
        path: file,
        size: bytes.length,
        oid: hash("sha1", `blob ${bytes.length}\0`, bytes),
        ...(bytes.length > 1024 ? { lfs: { oid: hash("sha256", bytes), size: bytes.length, pointerSize: 130 } } : {}),
      }));
      json([...entries, { type: "directory", path: "onnx", size: 0, oid: "0" }]);
    } else if (path.startsWith(`/${name}/resolve/${commit}/`)) {
      const file = path.slice(`/${name}/resolve/${commit}/`.length);
      const bytes = files.get(file);
      if (!bytes) response.writeHead(404, { "X-Error-Code": "EntryNotFound" }).end();
      else if (bytes.length > 1024) {
        const headers = { Location: `${storeUrl}/${file}`, "X-Linked-Size": bytes.length, "X-Linked-ETag": '"x"' };
        response.writeHead(302, headers).end();
      } else send(request, response, bytes, undefined);
    } else {
      response.writeHead(401, { "X-Error-Code": "RepoNotFound" }).end();
    }
  });

  function send(request: IncomingMessage, response: ServerResponse, bytes: Uint8Array, cut: number | undefined): void {
    const range = options.ignoreRanges ? null : /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
    const [from, to] = range ? [Number(range[1]), Number(range[2])] : [0, bytes.length - 1];
    const part = bytes.subarray(from, to + 1);
    response.writeHead(range ? 206 : 200, {
      ETag: '"x"',
      "Content-Length": part.length,
      "Content-Range": `bytes ${from}-${to}/${bytes.length}`,
    });
    if (cut === undefined || cut >= part.length) response.end(part);
    // Who reads has to have read it: what a broken connection still holds is lost.
    else response.write(part.subarray(0, cut), () => setTimeout(() => response.destroy(), 300));
  }

  const endpoint = await listen(hub);
  return {
    endpoint,
    requests,
    async close() {
      for (const server of [hub, store]) {
        server.closeAllConnections();
        await new Promise((done) => server.close(done));
      }
    },
  };
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
