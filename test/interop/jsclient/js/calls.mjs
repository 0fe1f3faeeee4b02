// Calls between clients and relays, one way and both ways.
import assert from "node:assert/strict";
import { KeyPair } from "@fluencelabs/js-client";
import { gate, over, scenario, upTo } from "./harness.mjs";

const calls = (name, body) => over("calls", name, body);

calls("client to relay and back", async (t) => {
  assert.equal(await t.call(await t.alice(), "echo_relay", "hi"), "hi");
});

calls("an empty string there and back", async (t) => {
  assert.equal(await t.call(await t.alice(), "nothing_given"), "");
});

calls("a service of the caller after a stop at the relay", async (t) => {
  const alice = await t.alice();
  t.serve(alice, "Local", { greet: (n) => `hello ${n}`, note: () => {} });
  assert.equal(await t.call(alice, "own_service", "world"), "hello world");
});

calls("nothing leaves the client", async (t) => {
  const alice = await t.alice();
  t.serve(alice, "Local", { greet: async (n) => `here ${n}`, note: () => {} });
  assert.equal(await t.call(alice, "local_only", "only"), "here only");
});

calls("own peer id and relay as constants", async (t) => {
  const [alice, [first]] = [await t.alice(), await t.relays()];
  assert.deepEqual(await t.call(alice, "where_am_i"), [alice.getPeerId(), first]);
  assert.equal(alice.getRelayPeerId(), first);
});

calls("client to client over one relay", async (t) => {
  const [alice, carol] = [await t.alice(), await t.carol()];
  const seen = t.answerer(carol, "same relay", "carol");
  assert.equal(await t.call(alice, "ask", carol.getPeerId(), "same relay", "who?"), "carol: who?");
  assert.deepEqual(seen, ["who?"]);
});

calls("client to client over two relays", async (t) => {
  const [alice, bob, [, second]] = [await t.alice(), await t.bob(), await t.relays()];
  t.answerer(bob, "two relays", "bob");
  assert.equal(await t.call(alice, "ask_via", bob.getPeerId(), second, "two relays", "who?"), "bob: who?");
});

calls("both ways at the same time", async (t) => {
  const [alice, bob, [first, second]] = [await t.alice(), await t.bob(), await t.relays()];
  t.answerer(alice, "cross", "alice");
  t.answerer(bob, "cross", "bob");
  const got = await Promise.all(
    upTo(10).flatMap((i) => [
      t.call(alice, "ask_via", bob.getPeerId(), second, "cross", `a${i}`),
      t.call(bob, "ask_via", alice.getPeerId(), first, "cross", `b${i}`),
    ]),
  );
  assert.deepEqual(got, upTo(10).flatMap((i) => [`bob: a${i}`, `alice: b${i}`]));
});

calls("a chain of two clients at two relays", async (t) => {
  const [alice, bob, dora, [, second, third]] = [await t.alice(), await t.bob(), await t.dora(), await t.relays()];
  t.answerer(bob, "chain", "bob");
  t.answerer(dora, "chain", "dora");
  assert.deepEqual(
    await t.call(alice, "chain", bob.getPeerId(), second, dora.getPeerId(), third, "chain", "q"),
    ["bob: q", "dora: bob: q"],
  );
});

calls("on over three relays inside one another", async (t) => {
  assert.equal(await t.call(await t.alice(), "three_relays", ...(await t.relays())), "abc");
});

calls("relays on the way that are called for nothing", async (t) => {
  const [alice, bob, [, second, third]] = [await t.alice(), await t.bob(), await t.relays()];
  t.answerer(bob, "visited", "bob");
  assert.equal(await t.call(alice, "visit", third, second, bob.getPeerId(), "visited"), "bob: the long way");
});

calls("a client of the same relay without via", async (t) => {
  const [alice, carol] = [await t.alice(), await t.carol()];
  t.answerer(carol, "no via", "carol");
  assert.equal(await t.call(alice, "no_relay_hop", carol.getPeerId(), "no via"), "carol: direct?");
});

calls("the same service called in a loop", async (t) => {
  const [alice, bob, [, second]] = [await t.alice(), await t.bob(), await t.relays()];
  const seen = t.answerer(bob, "loop", "bob");
  const got = await t.call(alice, "count_up", bob.getPeerId(), second, "loop", upTo(25));
  assert.deepEqual(got, upTo(25).map(() => "bob: again"));
  assert.equal(seen.length, 25);
});

calls("a function without a result calls back", async (t) => {
  const [alice, bob, [, second]] = [await t.alice(), await t.bob(), await t.relays()];
  t.answerer(bob, "notify", "bob");
  const told = gate();
  const ended = await t.call(alice, "notify", bob.getPeerId(), second, "notify", told.open);
  assert.equal(await told.promise, "bob: what?");
  assert.equal(ended ?? null, null);
});

calls("a callback whose result travels on", async (t) => {
  const [alice, bob, [, second]] = [await t.alice(), await t.bob(), await t.relays()];
  t.answerer(bob, "transform", "bob");
  const f = async (a, b) => `<${a}|${b}>`;
  assert.equal(await t.call(alice, "transform", bob.getPeerId(), second, "transform", f), "bob: <bob: a|b>+bob: a");
});

calls("a callback called at each stop", async (t) => {
  const [alice, relays] = [await t.alice(), await t.relays()];
  let n = 0;
  const steps = [];
  const all = gate();
  t.serve(alice, "Counter", { next: () => ++n });
  await t.call(alice, "progress", relays, (relay, i) => {
    steps.push([relay, i]);
    if (steps.length === relays.length) all.open();
  });
  await all.promise;
  assert.deepEqual(steps, relays.map((r, i) => [r, i + 1]));
});

calls("fire and forget", async (t) => {
  const alice = await t.alice();
  const noted = [gate(), gate()];
  let n = 0;
  t.serve(alice, "Local", { greet: () => "", note: (s) => noted[n++].open(s) });
  await t.call(alice, "silent", "here");
  assert.equal(await noted[0].promise, "here");
  await t.call(alice, "silent_remote", "after the relay");
  assert.equal(await noted[1].promise, "after the relay");
});

calls("several results", async (t) => {
  assert.deepEqual(await t.call(await t.alice(), "several", "s", 7), ["s!", 7, ["s", "s!"]]);
});

calls("where arguments come from", async (t) => {
  const [alice, bob, [first, second]] = [await t.alice(), await t.bob(), await t.relays()];
  const called = gate();
  t.serve(bob, "Remote", {
    answer: () => "",
    seen: () => [],
    join: (a, b, info) => (called.open(info), "seen"),
  }, "tetraplets");
  assert.equal(await t.call(alice, "who_called", bob.getPeerId(), second, "tetraplets"), "seen");
  const info = await called.promise;
  assert.equal(info.initPeerId, alice.getPeerId());
  const [relayed, literal] = info.tetraplets;
  assert.deepEqual(
    relayed.map((x) => ({ ...x })),
    [{ peer_pk: first, service_id: "op", function_name: "identity", lens: "" }],
  );
  assert.equal(literal[0].peer_pk, alice.getPeerId());
  assert.equal(literal[0].service_id, "");
});

scenario("calls/the relay is given as an object", async (t) => {
  await t.use("calls");
  const [{ peerId, ws }] = await t.peers();
  const c = await t.client({ peerId, multiaddr: ws });
  assert.equal(await t.call(c, "echo_relay", "object"), "object");
});

scenario("calls/the peer id belongs to the key", async (t) => {
  await t.use("calls");
  const [{ ws }] = await t.peers();
  const source = new Uint8Array(32).fill(7);
  const c = await t.client(ws, { keyPair: { type: "Ed25519", source } });
  assert.equal(c.getPeerId(), (await KeyPair.fromEd25519SK(source)).getPeerId());
  assert.equal(await t.call(c, "echo_relay", "me"), "me");
});
