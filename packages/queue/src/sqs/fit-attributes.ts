import type { MessageAttributeValue } from "@aws-sdk/client-sqs";

type Attributes = Readonly<Record<string, MessageAttributeValue>>;

/** SQS's limits of a message: its attributes count as its body does (docs.aws.amazon.com/AWSSimpleQueueService, "message quotas"). */
const mostAttributes = 10;
const mostBytes = 1_048_576;

/** Names the sender's attributes that a copy does not have; at most so many characters. */
export const leftOutAttribute = "x-left-out-attributes";
const longestNames = 256;

/**
 * The attributes of a copy: the sender's, and ours before them. Where there is no room for all, the sender's last ones are left out and
 * named, and then our own last ones: a message that could not be buried would come back for ever.
 */
export function fitAttributes(body: string, senders: Attributes, ours: Attributes): Record<string, MessageAttributeValue> {
  const theirs = Object.entries(senders).filter(([name]) => !(name in ours) && name !== leftOutAttribute);
  const all = take([...Object.entries(ours), ...theirs], mostAttributes, mostBytes - Buffer.byteLength(body));
  if (theirs.every(([name]) => name in all)) return all;
  // Now there has to be room for their names, too.
  const room = mostBytes - Buffer.byteLength(body) - leftOutAttribute.length - "String".length - 4 * longestNames;
  const fewer = take([...Object.entries(ours), ...theirs], mostAttributes - 1, room);
  const names = theirs.filter(([name]) => !(name in fewer)).map(([name]) => name);
  const named = { DataType: "String", StringValue: names.join(", ").slice(0, longestNames) };
  return Object.keys(fewer).length === 0 ? all : { ...fewer, [leftOutAttribute]: named };
}

/** As many as there is room for, in their order. */
function take(
  entries: readonly (readonly [string, MessageAttributeValue])[],
  most: number,
  bytes: number,
): Record<string, MessageAttributeValue> {
  const taken: Record<string, MessageAttributeValue> = {};
  let room = bytes;
  for (const [name, value] of entries.slice(0, most)) {
    room -= attributeBytes(name, value);
    if (room < 0) break;
    taken[name] = value;
  }
  return taken;
}

function attributeBytes(name: string, { DataType = "", StringValue = "", BinaryValue }: MessageAttributeValue): number {
  return Buffer.byteLength(name) + Buffer.byteLength(DataType) + (BinaryValue?.byteLength ?? Buffer.byteLength(StringValue));
}
