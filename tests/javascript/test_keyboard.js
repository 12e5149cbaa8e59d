import assert from "node:assert/strict";
import { test } from "node:test";

import { handleKey } from "../../ipyflops/views/widget/static/keyboard.js";
import { OpenRows } from "../../ipyflops/views/widget/static/open_rows.js";
import { layers } from "./messages.js";
import { opened } from "./opened.js";

/** A grid without anything to see. */
class Grid extends OpenRows {
  element = {};
  columns = ["flops", "share"];
  active = 0;
  cell = -1;
  typed = "";
  typedAt = 0;
  /** @type {string[]} */
  folded = [];
  titled = -1; // the title in the head that has the focus
  header = { focus: (/** @type {number} */ index) => (this.titled = index) };
  on = {
    fold: (/** @type {{ name: string }} */ row) => this.folded.push(row.name),
    toggle: () => {},
  };

  /**
   * @param {number} index
   * @param {{ cell?: number }} [options]
   */
  activate(index, { cell = this.cell } = {}) {
    this.active = Math.max(0, Math.min(index, this.rows.length - 1));
    this.cell = cell;
  }

  /** @param {number} index */
  toggle(index) {
    const { key } = this.rows[index];
    if (!this.open.delete(key)) this.open.add(key);
    this.update();
  }

  rebuild() {
    this.update();
  }
}

function grid() {
  const { source, settings } = opened(layers());
  const made = new Grid(source, settings);
  made.openLevels(2);
  made.update();
  return made;
}

/**
 * Press keys; gives how many of them did something.
 *
 * @param {Grid} target
 * @param {string[]} keys
 * @param {object} [more]
 */
function press(target, keys, more = {}) {
  let done = 0;
  for (const key of keys) {
    const event = {
      key, target: target.element, timeStamp: 0, altKey: false, metaKey: false, ctrlKey: false,
      preventDefault: () => (done += 1), stopPropagation: () => {}, ...more,
    };
    handleKey(/** @type {any} */ (target), /** @type {any} */ (event));
  }
  return done;
}

test("the arrows go through the rows and stop at the ends", () => {
  const target = grid();
  assert.equal(press(target, ["ArrowDown", "ArrowDown"]), 2);
  assert.equal(target.active, 2);
  press(target, ["End"]);
  assert.equal(target.active, 3);
  press(target, ["ArrowDown", "PageDown"]);
  assert.equal(target.active, 3);
  press(target, ["Home"]);
  assert.equal(target.active, 0);
  press(target, ["PageUp"]);
  assert.equal(target.titled, -1);
  press(target, ["ArrowUp"]);
  assert.equal(target.active, 0);
  assert.equal(target.titled, 0); // from the first row up into the head
});

test("right opens a row and then goes into its cells, left goes back and to the parent", () => {
  const target = grid();
  press(target, ["ArrowDown", "ArrowRight"]);
  assert.equal(target.rows[2].name, "linear");
  assert.equal(target.cell, -1);
  press(target, ["ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight"]);
  assert.equal(target.cell, 2);
  press(target, ["Home"]);
  assert.equal(target.cell, 0);
  press(target, ["End"]);
  assert.equal(target.cell, 2);
  press(target, ["Escape"]);
  assert.equal(target.cell, -1);
  press(target, ["ArrowLeft"]);
  assert.equal(target.rows[2].name, "head");
  press(target, ["ArrowLeft"]);
  assert.equal(target.active, 0);
});

test("enter opens and closes, space folds, and the star opens the siblings", () => {
  const target = grid();
  press(target, ["Enter"]);
  assert.equal(target.rows.length, 1);
  press(target, ["Enter", "ArrowDown", " "]);
  assert.deepEqual(target.folded, ["layer7 … layer10"]);
  press(target, ["*"]);
  assert.equal(target.rows.length, 6);
});

test("what is typed goes to the next name that begins with it", () => {
  const target = grid();
  press(target, ["h"]);
  assert.equal(target.rows[target.active].name, "head");
  press(target, ["l"], { timeStamp: 1000 });
  assert.equal(target.rows[target.active].name, "layer7 … layer10");
  press(target, ["h", "e"], { timeStamp: 3000 });
  assert.equal(target.rows[target.active].name, "head");
});

test("other keys are left to the page", () => {
  const target = grid();
  assert.equal(press(target, ["Tab", "Escape", "F5", "constructor"]), 0);
  assert.equal(press(target, ["ArrowDown"], { altKey: true }), 0);
  assert.equal(press(target, ["c"], { ctrlKey: true }), 0);
  assert.equal(press(target, ["ArrowDown"], { target: {} }), 0);
  target.rows = [];
  assert.equal(press(target, ["ArrowDown"]), 0);
});
