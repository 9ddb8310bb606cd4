/** Bytes as KiB, MiB or GiB, for people. */
export function byteSize(bytes: number): string {
  if (bytes < 2 ** 20)
    return bytes < 2 ** 10 ? `${bytes} ${bytes === 1 ? "byte" : "bytes"}` : `${Math.round(bytes / 2 ** 10)} KiB`;
  const mib = bytes / 1024 ** 2;
  return mib < 1024 ? `${mib.toFixed(mib < 10 ? 1 : 0)} MiB` : `${(mib / 1024).toFixed(2)} GiB`;
}

/** 1234567 as "1,234,567". */
export function grouped(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** With so many decimals: "15.73"; of what is too large for them to matter, three digits: "1.21e+69". */
export function decimals(value: number, digits: number): string {
  return Math.abs(value) < 1e7 ? value.toFixed(digits) : value.toExponential(2);
}

/** How many a second, of which a slow machine's keep a digit more: "0.42", "1.4", "2,480". */
export function rate(value: number): string {
  return value >= 10 ? grouped(value) : String(Number(value.toPrecision(2)));
}

/** "1 layer", "1,200 layers"; `many`: of a word that takes no s. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${grouped(count)} ${count === 1 ? one : many}`;
}

/** Seconds as 1:05 or 2:03:04. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number): string => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}
