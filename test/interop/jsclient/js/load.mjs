// Many calls and large values.
import assert from "node:assert/strict";
import { expires, scenario, upTo } from "./harness.mjs";

// load adds a scenario over calls.aqua with fresh clients of the first and the second peer.
const load = (name, body) =>
  scenario(`load/${name}`, async (t) => {
    await t.use("calls");
    const [first, second] = await t.peers();
    await body(t, { ws: first.ws, ws2: second.ws, relay2: second.peerId });
  });

// A client's muxer has room for 1000 streams: none may be left open, on either side.
load("300 calls at once, and 750 more over the same connection", async (t, { ws }) => {
  const c = await t.client(ws);
  const echo = async (n, tag) => {
    const want = upTo(n).map((i) => `${tag} ${i}`);
    assert.deepEqual(await Promise.all(want.map((s) => t.call(c, "echo_relay", s, { ttl: 60000 }))), want);
  };
  await echo(300, "at once");
  for (const round of upTo(75)) await echo(10, round);
});

load("100 calls at once to a client of another relay", async (t, { ws, ws2, relay2 }) => {
  const [a, b] = [await t.client(ws), await t.client(ws2)];
  t.answerer(b, "busy", "b");
  const got = await Promise.all(upTo(100).map((i) => t.call(a, "ask_via", b.getPeerId(), relay2, "busy", `${i}`, { ttl: 60000 })));
  assert.deepEqual(got, upTo(100).map((i) => `b: ${i}`));
});

load("six clients of one relay, twenty calls each at once", async (t, { ws }) => {
  const clients = await Promise.all(upTo(6).map(() => t.client(ws)));
  const got = await Promise.all(clients.flatMap((c, n) => upTo(20).map((i) => t.call(c, "echo_relay", `${n} ${i}`, { ttl: 60000 }))));
  assert.deepEqual(got, clients.flatMap((_, n) => upTo(20).map((i) => `${n} ${i}`)));
});

const megabyte = "0123456789abcdef".repeat(1 << 16);

load("1 MB to the relay and back", async (t, { ws }) => {
  const c = await t.client(ws);
  assert.equal(await t.call(c, "echo_relay", megabyte, { ttl: 60000 }), megabyte);
});

load("half a MB to another client and back", async (t, { ws, ws2, relay2 }) => {
  const [a, b] = [await t.client(ws), await t.client(ws2)];
  t.serve(b, "Remote", { answer: (q) => q, join: () => "", seen: () => [] }, "large");
  const half = megabyte.slice(megabyte.length / 2);
  assert((await t.call(a, "ask_via", b.getPeerId(), relay2, "large", half, { ttl: 60000 })) === half);
});

// A client takes 4 MiB at once. More, here 4.2 MB of values that the relay makes, is not sent to it, and does not stop
// what comes after.
load("more than a client can take", async (t, { ws }) => {
  const [c, [relay]] = [await t.client(ws), await t.peers()];
  const pending = expires(t.call(c, "swell", "x".repeat(7200), { ttl: 3000 }), 3000);
  await t.journaled(relay, (e) => e.kind === "lost" && e.peer === c.getPeerId() && e.reason === "size");
  assert.equal(await t.call(c, "echo_relay", "after it"), "after it");
  await pending;
});

load("150 calls one after the other in one particle", async (t, { ws, ws2, relay2 }) => {
  const [a, b] = [await t.client(ws), await t.client(ws2)];
  t.answerer(b, "many", "b");
  const got = await t.call(a, "count_up", b.getPeerId(), relay2, "many", upTo(150), { ttl: 60000 });
  assert.equal(got.length, 150);
});

load("five clients come and go", async (t, { ws }) => {
  for (const i of upTo(5)) {
    const c = await t.client(ws);
    assert.equal(await t.call(c, "echo_relay", `${i}`), `${i}`);
    await t.leave(c);
  }
});
