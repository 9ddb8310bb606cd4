import { vi } from "vitest";
import { type Line, terminal } from "../../src/cli/terminal.ts";

/** What a command says, line by line, instead of printing it; gives a function that lets it print again. */
export function hearTerminal(hear: (line: string) => void): () => void {
  const told = (line: Line): void => hear(textOf(line));
  const spies = (["say", "warn", "result"] as const).map((name) => vi.spyOn(terminal, name).mockImplementation(told));
  return () => {
    for (const spy of spies) spy.mockRestore();
  };
}

function textOf(line: Line): string {
  if (typeof line === "string") return line;
  if ("verbatim" in line) return line.verbatim;
  return line.map((field) => (typeof field === "string" ? field : field.text)).join("  ");
}
