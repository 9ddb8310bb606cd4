/** What Vite makes modules of. */
declare module "*?raw" {
  export const text: string;
  const raw: string;
  // biome-ignore lint/style/noDefaultExport: Vite's
  export default raw;
}
declare module "*.css";

/** Of Vite. */
interface ImportMeta {
  readonly env: { readonly PROD: boolean };
}
