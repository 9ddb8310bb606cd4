import { type ErrorKind, UserError } from "../core/errors.ts";

/** How an option is spelt: `topP` in a program, `--top-p` on the command line. */
export type Spell = (name: string) => string;

/** A mistake in options that can be told in any spelling; its own message has the library's. */
export class OptionError extends UserError {
  readonly told: (spell: Spell) => string;

  constructor(told: (spell: Spell) => string, kind: ErrorKind = "usage") {
    super(
      told((name) => name),
      { kind },
    );
    this.told = told;
  }
}

/** Throws an `OptionError`; `told` names options by `spell` alone, so that no other word is taken for one. */
export function optionError(told: (spell: Spell) => string, kind?: ErrorKind): never {
  throw new OptionError(told, kind);
}
