import fc from "fast-check";
import { expect, test } from "vitest";

import { apiTransformer } from "./api-value.ts";

function cross(value: unknown): unknown {
  return apiTransformer.deserialize(JSON.parse(JSON.stringify(apiTransformer.serialize(value))));
}

test("JSON crosses as it is", () => {
  expect(apiTransformer.serialize({ a: [1, "x", null, true] })).toEqual({
    json: { a: [1, "x", null, true] },
  });
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(cross(value)).toEqual(value);
    }),
  );
});

test.each([
  ["bytes", { bytes: new Uint8Array([0, 255]) }],
  ["a date", [new Date(0)]],
  ["undefined", undefined],
  ["undefined in a list", [undefined]],
  ["a number that JSON lacks", { value: Number.NaN }],
  ["minus zero", -0],
])("%s crosses too", (_name, value) => {
  expect(cross(value)).toEqual(value);
});

test("a property that is undefined is an absent one", () => {
  expect(cross({ a: 1, b: undefined })).toEqual({ a: 1 });
});

test("what has neither form is refused", () => {
  expect(() => apiTransformer.deserialize(7)).toThrow("Malformed value of the API: 7");
});
