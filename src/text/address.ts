/** RFC 5321 section 4.5.3.1 and RFC 1035 section 2.3.4, in octets; the 254 is what a path of 256 leaves between its brackets. */
const MAX_ADDRESS = 254;
const MAX_LOCAL = 64;
const MAX_LABEL = 63;

/** RFC 5322's dot-atom: no dot first, last or twice running. Quoted local parts are left out: nobody means them. */
const LOCAL = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/i;
const LABEL = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/i;
const TOP_LEVEL = /^[a-z]{2,}$/i;

/** Whether `text`, all of it, is an e-mail address that a mail server could take: `local@label.tld`, ASCII only. */
export function isWellFormedAddress(text: string): boolean {
  const [local, domain, ...more] = text.split("@");
  if (local === undefined || domain === undefined || more.length > 0 || text.length > MAX_ADDRESS) return false;
  const labels = domain.split(".");
  return (
    local.length <= MAX_LOCAL &&
    LOCAL.test(local) &&
    labels.length >= 2 &&
    labels.every((label) => label.length <= MAX_LABEL && LABEL.test(label)) &&
    TOP_LEVEL.test(labels.at(-1)!)
  );
}
