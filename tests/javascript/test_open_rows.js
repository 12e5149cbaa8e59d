import assert from "node:assert/strict";
import { test } from "node:test";

import { inSight } from "../../ipyflops/views/widget/static/grid.js";
import { layers, message } from "./messages.js";
import { opened } from "./opened.js";

/** @import { OpenRows } from "../../ipyflops/views/widget/static/open_rows.js" */

/** @param {OpenRows} open */
function shown(open) {
  open.update();
  return open.rows.map((row) => `${" ".repeat(row.level)}${row.name}`);
}

test("the rows inside of what is open are shown", () => {
  const open = opened(layers());
  assert.deepEqual(shown(open), ["model"]);
  open.openLevels(2);
  assert.deepEqual(shown(open), ["model", " layer7 … layer10", " head", " (own work)"]);
  open.openLevels(Infinity);
  assert.deepEqual(shown(open), [
    "model", " layer7 … layer10", "  linear", "  relu", " head", " (own work)",
  ]);
  assert.equal(open.indexOfKey(open.rows[4].key), 4);
  assert.equal(open.indexOfKey(null), -1);
  open.openLevels(1);
  assert.deepEqual(shown(open), ["model"]);
});

test("as many levels are open as fit, two at least", () => {
  const open = opened(layers());
  open.openFitting(1);
  assert.equal(shown(open).length, 4);
  open.openFitting(6);
  assert.equal(shown(open).length, 6);
  open.openFitting(5);
  assert.equal(shown(open).length, 4);
});

test("what does not fit is not looked at", () => {
  const places = Array.from({ length: 2000 }, (_, index) => ({ parent: index ? 1 + (index % 50) : 0, name: `p${index}x` }));
  places[0].parent = 0;
  for (let index = 1; index <= 50; index++) places[index].parent = 1;
  const open = opened(message({ places, signatures: [], calls: [] }));
  let asked = 0;
  const { children } = open.source;
  open.source.children = (row) => {
    asked += 1;
    return children.call(open.source, row);
  };
  open.openFitting(60);
  assert.ok(asked < 10, String(asked));
});

test("rows are sorted inside of their parents, by numbers and by names", () => {
  const open = opened(layers());
  open.openLevels(2);
  open.sort = "flops";
  assert.deepEqual(shown(open).slice(1), [" (own work)", " head", " layer7 … layer10"]);
  open.sort = "-seconds";
  assert.deepEqual(shown(open).slice(1), [" layer7 … layer10", " head", " (own work)"]);
  open.sort = "name";
  assert.deepEqual(shown(open).slice(1), [" (own work)", " head", " layer7 … layer10"]);
  open.sort = "-share";
  assert.deepEqual(shown(open)[1], " layer7 … layer10");
  open.sort = "";
  assert.deepEqual(shown(open)[1], " layer7 … layer10");
  assert.deepEqual(open.rows.map(({ position, siblings }) => [position, siblings]), [[1, 1], [1, 3], [2, 3], [3, 3]]);
});

test("names with numbers are sorted by their numbers", () => {
  const places = ["a10", "a9", "b1"].map((name) => ({ parent: 0, name }));
  const open = opened(message({ places, signatures: [], calls: [] }));
  open.openLevels(2);
  open.sort = "name";
  assert.deepEqual(shown(open).slice(1), [" a9", " a10", " b1"]);
});

test("rows are worked out again when the source has others", () => {
  const open = opened(layers());
  open.openLevels(2);
  open.update();
  open.source.fold(open.rows[1]);
  assert.equal(shown(open).length, 7);
});

test("only the rows in sight are drawn, and some around them", () => {
  assert.deepEqual(inSight(0, 240, 100000), [0, 16]);
  assert.deepEqual(inSight(24000, 240, 100000), [994, 1016]);
  assert.deepEqual(inSight(0, 240, 3), [0, 3]);
  const [from, to] = inSight(0, 0, 100000); // the height is not known yet
  assert.ok(from === 0 && to > 20 && to < 40);
});
