import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gate, GateTimeout } from '../../src/postgres/gate.js';

test('no more than the limit are let in, the next as one leaves', async () => {
  const gate = new Gate(1);
  const leave = await gate.enter(0);
  /** @type {string[]} */
  const order = [];
  const second = gate.enter(0).then((next) => { order.push('second'); return next; });
  const third = gate.enter(0).then((next) => { order.push('third'); return next; });
  assert.equal(gate.waiting, 2);
  leave();
  (await second)();
  (await third)();
  assert.deepEqual(order, ['second', 'third']);
  assert.equal(gate.inUse, 0);
});

test('who waits too long gets an error and takes no place later', async () => {
  const gate = new Gate(1);
  const leave = await gate.enter(0);
  await assert.rejects(gate.enter(5), GateTimeout);
  leave();
  assert.equal(gate.inUse, 0);
});

test('leaving twice frees one place', async () => {
  const gate = new Gate(2);
  const leave = await gate.enter(0);
  await gate.enter(0);
  leave();
  leave();
  assert.equal(gate.inUse, 1);
});
