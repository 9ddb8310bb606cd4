/** Sizes of a tensor's dimensions, outermost first; tensors are dense and row-major. `[]` is a scalar. */
export type Shape = readonly number[];

/** Number of elements. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const dimension of shape) size *= dimension;
  return size;
}

/** Whether two shapes have the same sizes. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dimension, i) => dimension === b[i]);
}

/** `[2, 3]`, as it appears in errors and in a printed tape. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/** `f32 [2, 3]`: a tensor's type in errors, since types of one shape may differ in their elements. */
export function formatType({ dtype, shape }: { readonly dtype: string; readonly shape: Shape }): string {
  return `${dtype} ${formatShape(shape)}`;
}

/** The last dimension (the row length of row-wise ops) and how many rows there are. */
export function rowsAndColumns(shape: Shape): [rows: number, columns: number] {
  const columns = shape.at(-1) ?? 1;
  return [columns === 0 ? 0 : sizeOf(shape) / columns, columns];
}
