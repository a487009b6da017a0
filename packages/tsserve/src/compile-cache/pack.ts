import { crc32 } from "node:zlib";

/** What V8 made of one module's source. */
export interface CompiledModule {
  readonly path: string;
  /** Of the source that it was made from: another source has another one. */
  readonly source: SourceMark;
  readonly data: Buffer;
}

export interface SourceMark {
  readonly length: number;
  readonly checksum: number;
}

export function markOf(source: string): SourceMark {
  return { length: source.length, checksum: crc32(source) };
}

const magic = 0x74_73_63_31;
const headBytes = 16;
/** All behind the checksum. */
const checkedFrom = 8;

/**
 * Many compiled modules in one file, which is read at once: a start that opens a file for each loses half of what it gains.
 *
 * Magic number, checksum of all that follows, lengths of the index and of what follows the head; the index as JSON; the data, one
 * after the other.
 */
export function writePack(modules: readonly CompiledModule[]): Buffer {
  const index = Buffer.from(JSON.stringify(modules.map(({ path, source, data }) => [path, source.length, source.checksum, data.length])));
  const body = Buffer.concat([index, ...modules.map(({ data }) => data)]);
  const head = Buffer.alloc(headBytes);
  head.writeUInt32LE(magic, 0);
  head.writeUInt32LE(index.length, 8);
  head.writeUInt32LE(body.length, 12);
  const pack = Buffer.concat([head, body]);
  pack.writeUInt32LE(crc32(pack.subarray(checkedFrom)), 4);
  return pack;
}

/**
 * What `writePack` wrote, or nothing of it: V8 takes what it is given on trust, so that one wrong byte might end the process.
 *
 * @throws {Error} when it is anything else
 */
export function readPack(bytes: Buffer): Map<string, CompiledModule> {
  if (bytes.length < headBytes || bytes.readUInt32LE(0) !== magic) throw new Error("no pack of compiled modules");
  const body = bytes.subarray(headBytes);
  const isWhole = body.length === bytes.readUInt32LE(12) && crc32(bytes.subarray(checkedFrom)) === bytes.readUInt32LE(4);
  if (!isWhole) throw new Error("a damaged pack");
  let offset = bytes.readUInt32LE(8);
  const index = JSON.parse(body.toString("utf8", 0, offset)) as readonly (readonly [string, number, number, number])[];
  const modules = new Map<string, CompiledModule>();
  for (const [path, length, checksum, size] of index) {
    modules.set(path, { path, source: { length, checksum }, data: body.subarray(offset, offset + size) });
    offset += size;
  }
  return modules;
}
