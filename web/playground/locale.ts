/**
 * Chromium in the POSIX locale calls its language "en-US@posix", which is no language tag: uPlot asks for that one's numbers when it
 * is loaded, and nothing of the page would come. So this is imported before it, by `app.ts`.
 */
try {
  Intl.getCanonicalLocales(navigator.language);
} catch {
  Object.defineProperty(navigator, "language", { value: "en" });
}

/** The browser's, in two letters. */
export const BROWSER_LANGUAGE = navigator.language.slice(0, 2);
