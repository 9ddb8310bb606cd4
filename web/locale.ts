/**
 * Chromium in the POSIX locale calls its language "en-US@posix", which is no language tag: uPlot asks for that one's numbers when it
 * is loaded, and nothing of a page would come. So this is imported before it. What has effects is named in web/package.json, or bundlers
 * would leave it out.
 */
try {
  Intl.getCanonicalLocales(navigator.language);
} catch {
  Object.defineProperty(navigator, "language", { value: "en" });
}
