/** What Node's buffers have beside their documented methods, on every version that is supported: without the parsing of arguments. */
interface FastBuffer extends Buffer {
  utf8Slice(start: number, end: number): string;
  utf8Write(text: string, offset: number): number;
}

/** Up to this length, building a string from its bytes is faster than asking the buffer for it. */
const shortText = 16;
/** Up to this length, writing the characters one by one is faster than asking the buffer to. */
const shortWrite = 24;

/** Decodes UTF-8; what is none becomes U+FFFD. */
export function readText(bytes: Buffer, start: number, end: number): string {
  const length = end - start;
  if (length > shortText) return (bytes as FastBuffer).utf8Slice(start, end);
  let any = 0;
  for (let at = start; at < end; at++) any |= bytes[at] as number;
  return any < 0x80 ? shortAscii(bytes as unknown as Bytes, start, length) : (bytes as FastBuffer).utf8Slice(start, end);
}

type Bytes = Record<number, number> & readonly number[];

function shortAscii(b: Bytes, s: number, length: number): string {
  const code = String.fromCharCode;
  switch (length) {
    case 0:
      return "";
    case 1:
      return code(b[s]!);
    case 2:
      return code(b[s]!, b[s + 1]!);
    case 3:
      return code(b[s]!, b[s + 1]!, b[s + 2]!);
    case 4:
      return code(b[s]!, b[s + 1]!, b[s + 2]!, b[s + 3]!);
    case 5:
      return code(b[s]!, b[s + 1]!, b[s + 2]!, b[s + 3]!, b[s + 4]!);
    case 6:
      return code(b[s]!, b[s + 1]!, b[s + 2]!, b[s + 3]!, b[s + 4]!, b[s + 5]!);
    case 7:
      return code(b[s]!, b[s + 1]!, b[s + 2]!, b[s + 3]!, b[s + 4]!, b[s + 5]!, b[s + 6]!);
    case 8:
      return code(b[s]!, b[s + 1]!, b[s + 2]!, b[s + 3]!, b[s + 4]!, b[s + 5]!, b[s + 6]!, b[s + 7]!);
    case 9:
      return code(b[s]!, b[s + 1]!, b[s + 2]!, b[s + 3]!, b[s + 4]!, b[s + 5]!, b[s + 6]!, b[s + 7]!, b[s + 8]!);
    case 10:
      return code(b[s]!, b[s + 1]!, b[s + 2]!, b[s + 3]!, b[s + 4]!, b[s + 5]!, b[s + 6]!, b[s + 7]!, b[s + 8]!, b[s + 9]!);
    case 11:
      return code(b[s]!, b[s + 1]!, b[s + 2]!, b[s + 3]!, b[s + 4]!, b[s + 5]!, b[s + 6]!, b[s + 7]!, b[s + 8]!, b[s + 9]!, b[s + 10]!);
    case 12:
      return code(
        b[s]!,
        b[s + 1]!,
        b[s + 2]!,
        b[s + 3]!,
        b[s + 4]!,
        b[s + 5]!,
        b[s + 6]!,
        b[s + 7]!,
        b[s + 8]!,
        b[s + 9]!,
        b[s + 10]!,
        b[s + 11]!,
      );
    case 13:
      return code(
        b[s]!,
        b[s + 1]!,
        b[s + 2]!,
        b[s + 3]!,
        b[s + 4]!,
        b[s + 5]!,
        b[s + 6]!,
        b[s + 7]!,
        b[s + 8]!,
        b[s + 9]!,
        b[s + 10]!,
        b[s + 11]!,
        b[s + 12]!,
      );
    case 14:
      return code(
        b[s]!,
        b[s + 1]!,
        b[s + 2]!,
        b[s + 3]!,
        b[s + 4]!,
        b[s + 5]!,
        b[s + 6]!,
        b[s + 7]!,
        b[s + 8]!,
        b[s + 9]!,
        b[s + 10]!,
        b[s + 11]!,
        b[s + 12]!,
        b[s + 13]!,
      );
    case 15:
      return code(
        b[s]!,
        b[s + 1]!,
        b[s + 2]!,
        b[s + 3]!,
        b[s + 4]!,
        b[s + 5]!,
        b[s + 6]!,
        b[s + 7]!,
        b[s + 8]!,
        b[s + 9]!,
        b[s + 10]!,
        b[s + 11]!,
        b[s + 12]!,
        b[s + 13]!,
        b[s + 14]!,
      );
    default:
      return code(
        b[s]!,
        b[s + 1]!,
        b[s + 2]!,
        b[s + 3]!,
        b[s + 4]!,
        b[s + 5]!,
        b[s + 6]!,
        b[s + 7]!,
        b[s + 8]!,
        b[s + 9]!,
        b[s + 10]!,
        b[s + 11]!,
        b[s + 12]!,
        b[s + 13]!,
        b[s + 14]!,
        b[s + 15]!,
      );
  }
}

/** The most bytes that a text of so many UTF-16 code units takes. */
export function mostTextBytes(length: number): number {
  return length * 3;
}

/** Encodes as UTF-8, where there is room for the most that it may take; gives the number of bytes. */
export function writeText(bytes: Buffer, position: number, text: string): number {
  const { length } = text;
  if (length > shortWrite) return (bytes as FastBuffer).utf8Write(text, position);
  for (let index = 0; index < length; index++) {
    const code = text.charCodeAt(index);
    if (code >= 0x80) return (bytes as FastBuffer).utf8Write(text, position);
    bytes[position + index] = code;
  }
  return length;
}
