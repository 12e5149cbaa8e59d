import assert from "node:assert/strict";
import { test } from "node:test";

import { fitting, TABLES } from "../../ipyflops/views/widget/static/columns.js";
import { floats, ints, layers } from "./messages.js";
import { opened } from "./opened.js";

/** The layers with shapes: those of the head are others, and it is frozen. */
function packed() {
  const message = layers();
  const size = message.scopes.parent.byteLength / 4;
  const given = message.names.push("2×3", "7×3") - 2;
  const places = [...Array(size).keys()];
  const head = size - 1;
  message.shapes = {
    input: ints(places.map((place) => (place === head ? given + 1 : given))),
    trainable: floats(places.map((place) => (place === head ? 0 : 5))),
  };
  message.signatures.costs.activations = floats([6, 0]);
  return message;
}

const table = opened(packed());
table.openLevels(2);
table.update();
const [model, folded, head] = table.rows;
const { metrics } = table.source.run;

test("shapes are texts, and are sorted by their elements", () => {
  const metric = metrics.inColumn("input");
  assert.equal(metric.text(head, "standard"), "7×3");
  assert.equal(metric.full(folded, "standard"), "2×3");
  assert.equal(metric.sortValue(head, "standard"), 21);
});

test("parameters of rows that are folded add up", () => {
  assert.equal(folded.repeats, 4);
  assert.equal(metrics.inColumn("trainable").value(folded, "standard"), 20);
  assert.equal(metrics.inColumn("frozen").value(head, "standard"), 7);
});

test("activations are those of the forward pass", () => {
  // Four layers run a product each; the head's three are of the backward pass.
  assert.equal(metrics.inColumn("activations").value(model, "standard"), 24);
  assert.equal(metrics.inColumn("activations").value(head, "standard"), 0);
});

test("places whose shapes differ are not folded", () => {
  const message = packed();
  const size = message.scopes.parent.byteLength / 4;
  const given = message.names.indexOf("2×3");
  message.shapes = { input: ints([...Array(size).keys()].map((place) => given + (place % 2))) };
  const other = opened(message);
  other.openLevels(2);
  other.update();
  assert.ok(other.rows.every((row) => row.repeats < 4));
});

test("columns that somebody asked for come before others", () => {
  const columns = ["flops", "share", "seconds", "input"];
  const width = () => 100;
  assert.deepEqual(fitting(TABLES.modules, columns, width, 500, ["input"]), ["flops", "share", "input"]);
});
