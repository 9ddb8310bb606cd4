import type * as z from "zod/mini";
import en from "zod/v4/locales/en.js";

/** `zod/mini` comes without words for what is wrong. */
const { localeError } = en();

/** What a schema says of a value; whoever reads JSON with zod does it here, so that messages have words. */
export function checkJson<S extends z.ZodMiniType>(
  schema: S,
  value: unknown,
): z.core.util.SafeParseResult<z.output<S>> {
  return schema.safeParse(value, { error: localeError });
}
