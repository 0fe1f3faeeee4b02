// Connections that rest. The first scenario makes them and the last one comes back to them, so that they rest while
// all others run.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@fluencelabs/js-client";
import { scenario, upTo } from "./harness.mjs";

// silence is longer than the 30 s of a muxer's keep-alive and the 20 s that peers give a frame and a new stream.
const silence = 45_000;

let made;
const resting = (t) => (made ??= make(t));

// make connects 200 clients, one in twenty of them from npm, to one relay, and one more to another relay.
async function make(t) {
  await t.use("calls");
  const near = await t.start("resting");
  const far = await t.start("far", "--bootstrap", near.tcp);
  const asker = await createClient(far.ws);
  const ids = await t.ask("crowd", { addr: near.tcp, count: 190 });
  const clients = [];
  for (const _ of upTo(10)) {
    const c = await createClient(near.ws);
    const id = c.getPeerId();
    t.serve(c, "Remote", { answer: () => id, join: () => "", seen: () => [] }, "crowd");
    clients.push(c);
    ids.push(id);
  }
  // Most of them have never been sent anything when they are asked, but to two of them a stream rests as well.
  for (const id of [ids[0], ids.at(-1)]) assert.equal(await t.call(asker, "ask_via", id, near.peerId, "crowd", "?"), id);
  return { near, far, asker, clients, ids, since: Date.now() };
}

scenario("idle/200 clients connect to one relay", async (t) => {
  const { near, ids } = await resting(t);
  const connected = new Set((await t.connected(near)).map((p) => p.peerId));
  assert.deepEqual(ids.filter((id) => !connected.has(id)), []);
});

export const last = () =>
  scenario("idle/200 clients are asked after a long silence", async (t) => {
    const { near, far, asker, clients, ids, since } = await resting(t);
    await t.use("calls");
    await sleep(Math.max(0, since + silence - Date.now()));
    const ask = (id) => t.call(asker, "ask_via", id, near.peerId, "crowd", "?", { ttl: 60_000 });
    assert.deepEqual(await Promise.all(ids.map(ask)), ids);
    const said = await Promise.all(clients.map((c, i) => t.call(c, "echo_relay", `${i}`, { ttl: 60_000 })));
    assert.deepEqual(said, clients.map((_, i) => `${i}`));
    for (const c of [...clients, asker]) await c.disconnect();
    for (const { name } of [near, far]) await t.ask("kill", { name });
  });
