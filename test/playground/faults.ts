/** What may befall the page: its worker ends, its devices are lost. */
import type { Page } from "playwright-core";

type Watched = typeof globalThis & { devices?: GPUDevice[] };

/** Ends the worker, which has no time for a word. */
export async function endWorker(page: Page): Promise<void> {
  const ended = new Promise((resolve) => page.workers()[0]!.once("close", resolve));
  void page
    .workers()[0]!
    .evaluate(() => self.close())
    .catch(() => {});
  await ended;
}

/** From now on the worker knows its devices. */
export async function watchDevices(page: Page): Promise<void> {
  await page.workers()[0]!.evaluate(() => {
    const devices: GPUDevice[] = [];
    Object.assign(globalThis, { devices });
    const { requestDevice } = GPUAdapter.prototype;
    GPUAdapter.prototype.requestDevice = async function (...args) {
      const device = await requestDevice.apply(this, args);
      devices.push(device);
      return device;
    };
  });
}

/** Has those lost that were opened since they are watched, as WebGPU loses a device on purpose; gives how many. */
export function destroyDevices(page: Page): Promise<number> {
  return page.workers()[0]!.evaluate(() => {
    const { devices = [] } = globalThis as Watched;
    for (const device of devices) device.destroy();
    return devices.splice(0).length;
  });
}

/** Kills the process that draws the tab and computes for it. */
export async function crash(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const crashed = page.waitForEvent("crash");
  session.send("Page.crash").catch(() => {});
  await crashed;
}
