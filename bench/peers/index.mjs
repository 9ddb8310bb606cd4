import { installGlobals } from "./globals.mjs";

/** In the order in which they are loaded: those that share our device first. */
const PEERS = {
  "jax-js": () => import("./jax-js.mjs"),
  "TF.js": () => import("./tfjs.mjs"),
  "onnxruntime-web": () => import("./ort-web.mjs"),
  "onnxruntime-node": () => import("./ort-node.mjs"),
};

/**
 * Opens every peer. Each is `{ name, version, matmul?, step? }`, or `{ name, failed }` with the reason.
 * given: { device: the GPUDevice to share, driver: { vulkanManifest? } }.
 */
export async function openPeers(given, only = Object.keys(PEERS)) {
  installGlobals(given.device);
  const opened = [];
  for (const name of only) {
    try {
      opened.push(await (await PEERS[name]()).open(given));
    } catch (error) {
      opened.push({ name, failed: String(error?.message ?? error).split("\n")[0] });
    }
  }
  return opened;
}
