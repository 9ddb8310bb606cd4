import { type AsyncBuffer, parquetMetadataAsync, parquetReadObjects, parquetSchema } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { UserError, userError } from "../core/errors.ts";
import { type Columns, columnsOf, createCollector, mapColumns, rejectTwice, textOf } from "./columns.ts";
import type { ByteSource, RecordBatch } from "./source.ts";

const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Texts that are not UTF-8 are refused here too, where hyparquet would put U+FFFD. */
const parsers = { stringFromBytes: (bytes: Uint8Array) => bytes && DECODER.decode(bytes) };

/**
 * The rows of a Parquet file, one row group at a time: the columns that are wanted of one group are in memory at once.
 * Pages may be compressed by snappy, gzip, zstd, brotli or LZ4. A row whose cell is null or empty is left out.
 */
export async function* readParquet(
  source: ByteSource,
  columns: Columns,
  keepEmpty = false,
): AsyncGenerator<RecordBatch> {
  const { name } = source;
  const file: AsyncBuffer = {
    byteLength: source.size,
    slice: (start, end = source.size) => source.slice(start, end),
  };
  // Without the parsers: the least and greatest text of a group may end within a character.
  const metadata = await orNotParquet(name, () => parquetMetadataAsync(file));
  const present = parquetSchema(metadata).children.map(({ element }) => element.name);
  const mapping = mapColumns(columns, present, name);
  rejectTwice(mapping, present, name);
  const wanted = columnsOf(mapping);
  const where = (row: number): string => `${name}, row ${row}`;
  let first = 0;
  for (const group of metadata.row_groups) {
    const end = first + Number(group.num_rows);
    const read = () =>
      parquetReadObjects({ file, metadata, columns: wanted, rowStart: first, rowEnd: end, compressors, parsers });
    const rows = await orNotParquet(`${name}, rows ${first + 1} to ${end}`, read);
    const collected = createCollector(mapping, keepEmpty);
    rows.forEach((row, i) => {
      const cell = (column: string): string => textOf(row[column], column, where(first + i + 1));
      collected.add(mapping.prompt === undefined ? "" : cell(mapping.prompt), cell(mapping.text), first + i + 1);
    });
    yield collected.batch(where);
    first = end;
  }
}

/** What the library says of a file that it cannot read, as one line. */
async function orNotParquet<T>(where: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof UserError) throw error;
    const reason = (error instanceof Error ? error.message : String(error)).split("\n")[0]!.slice(0, 200);
    if (/encoded data was not valid/i.test(reason))
      return userError(`${where}: a text is not UTF-8; write the file again from texts that are`);
    return userError(`${where}: cannot be read as Parquet: ${reason}; is the file whole?`);
  }
}
