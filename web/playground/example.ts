/** The list that the page brings along: invented addresses, one a line. */
import emails from "../../examples/emails.txt?raw";

export const EXAMPLE: string = emails;
