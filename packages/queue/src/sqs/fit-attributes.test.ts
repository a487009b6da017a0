import type { MessageAttributeValue } from "@aws-sdk/client-sqs";
import { expect, test } from "vitest";
import { fitAttributes, leftOutAttribute } from "./fit-attributes.ts";

const texts = (values: Readonly<Record<string, string>>): Record<string, MessageAttributeValue> =>
  Object.fromEntries(Object.entries(values).map(([name, StringValue]) => [name, { DataType: "String", StringValue }]));
const many = (count: number, length = 1): Record<string, MessageAttributeValue> =>
  texts(Object.fromEntries(Array.from({ length: count }, (_, n) => [`own${n}`, "x".repeat(length)])));
const ours = texts({ "x-dead-reason": "retries", "x-last-error": "Error: no luck", "x-retry-count": "2" });
const limit = 1_048_576;

const bytesOf = (body: string, attributes: Readonly<Record<string, MessageAttributeValue>>): number =>
  Object.entries(attributes).reduce(
    (sum, [name, { DataType = "", StringValue = "", BinaryValue }]) =>
      sum + Buffer.byteLength(name) + DataType.length + (BinaryValue?.length ?? Buffer.byteLength(StringValue)),
    Buffer.byteLength(body),
  );

test("what fits is all there, and ours win", () => {
  const senders = { ...many(6), "x-dead-reason": { DataType: "String", StringValue: "crashed" } };
  expect(fitAttributes("{}", senders, ours)).toEqual({ ...many(6), ...ours });
});

test("of more than ten, those that are left out are named", () => {
  const attributes = fitAttributes("{}", many(10), ours);
  expect(Object.keys(attributes)).toHaveLength(10);
  expect(attributes).toMatchObject({ ...ours, own5: {}, [leftOutAttribute]: { StringValue: "own6, own7, own8, own9" } });
  // A dead letter that was sent back, and is dead again.
  expect(fitAttributes("{}", attributes, ours)).toEqual({ ...many(6), ...ours });
});

test.each([0, 10, 150, 200, 1500, 5000, 60_000])("a body that leaves %i bytes: within the limit, ours first", (left) => {
  const senders = { ...many(4, 10_000), b: { DataType: "Binary", BinaryValue: new Uint8Array(500) } };
  for (const body of ["x".repeat(limit - left), "ä".repeat((limit - left) / 2)]) {
    const attributes = fitAttributes(body, senders, ours);
    expect(bytesOf(body, attributes)).toBeLessThanOrEqual(limit);
    expect(Object.keys(attributes).length).toBeLessThanOrEqual(10);
    if (left >= 150) expect(attributes).toMatchObject(ours);
    if (left === 60_000) expect(attributes).toMatchObject(senders);
    else if (left >= 1500) expect(attributes[leftOutAttribute]?.StringValue).toContain("b");
  }
});
