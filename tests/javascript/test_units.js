import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { exact } from "../../ipyflops/views/widget/static/units.js";
import { numberOf, WRITERS } from "./answer_units.js";

const TABLE = JSON.parse(readFileSync(new URL("../data/units.json", import.meta.url), "utf-8"));

for (const [how, write] of Object.entries(WRITERS)) {
  test(`${how} writes what the table says`, () => {
    assert.ok(TABLE[how].length >= 10);
    for (const { value, unit, text } of TABLE[how]) assert.equal(write(numberOf(value), unit), text);
  });
}

test("Python sends a count that no float can hold as infinite", () => {
  assert.equal(WRITERS.scaled(Infinity, "FLOPs"), ">1e+300 FLOPs");
  assert.equal(WRITERS.rate(Infinity, "FLOPS"), "inf FLOPS");
});

test("all digits of a count, in groups", () => {
  assert.equal(exact(0), "0");
  assert.equal(exact(999), "999");
  assert.equal(exact(1000), "1,000");
  assert.equal(exact(-1234567), "-1,234,567");
  assert.equal(exact(9007199254740991), "9,007,199,254,740,991");
  assert.equal(exact(12345678901234567890n), "12,345,678,901,234,567,890");
});

test("a count that a double may not hold is about so much", () => {
  assert.equal(exact(2 ** 53), "about 9.01 P");
  assert.equal(exact(1.125e18), "about 1.12 E");
});
