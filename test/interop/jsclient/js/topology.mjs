// Many peers at once: parallel blocks, joins, races, loops over peers.
import assert from "node:assert/strict";
import { expires, gate, nobody, over, upTo } from "./harness.mjs";

const topology = (name, body) => over("topology", name, body);

const worker = (t, client, factor) => t.serve(client, "Work", { do: (n) => n * factor, ping: (s) => `${s} ${factor}` });

// refuser gives a client a service that fails, and counts how often.
function refuser(t, client) {
  const count = { n: 0 };
  const refuse = () => {
    count.n++;
    throw new Error("not today");
  };
  t.serve(client, "Work", { do: refuse, ping: refuse });
  return count;
}

topology("par and join of two peers", async (t) => {
  const [, second, third] = await t.relays();
  assert.equal(await t.call(await t.alice(), "par_join", second, third), "ab");
});

topology("par and join of three peers", async (t) => {
  assert.deepEqual(await t.call(await t.alice(), "par_three", ...(await t.relays())), ["1", "2", "3"]);
});

topology("a race is won by the fastest", async (t) => {
  const relays = await t.relays();
  assert.equal(await t.call(await t.alice(), "race", relays, [6000, 20, 6000]), "second");
  assert.equal(await t.call(await t.alice(), "race", relays, [6000, 6000, 20]), "third");
});

topology("a race with peers that do not exist", async (t) => {
  const [, , third] = await t.relays();
  assert.equal(await t.call(await t.alice(), "race_any", [nobody, third]), third);
});

topology("a quorum does not wait for the missing", async (t) => {
  const relays = await t.relays();
  const got = await t.call(await t.alice(), "quorum", [...relays.slice(0, 2), nobody, relays[2]], 3);
  assert.deepEqual(got.toSorted(), relays.toSorted());
});

topology("a quorum that cannot be had expires", async (t) => {
  const [first] = await t.relays();
  await expires(t.call(await t.alice(), "quorum", [first, nobody], 2, { ttl: 700 }), 700);
});

topology("sixty calls in parallel over three peers", async (t) => {
  const relays = await t.relays();
  const got = await t.call(await t.alice(), "fan_out", relays, upTo(20), 59, { ttl: 20000 });
  assert.deepEqual(got.toSorted(), upTo(60).map((i) => relays[i % 3]).toSorted());
});

topology("parallel loops inside one another", async (t) => {
  const relays = await t.relays();
  const got = await t.call(await t.alice(), "nested", relays, relays, 8);
  assert.deepEqual(got.toSorted(), relays.flatMap((a) => relays.map((b) => a + b)).toSorted());
});

topology("one peer after the other, in order", async (t) => {
  const [a, b, c] = await t.relays();
  assert.deepEqual(await t.call(await t.alice(), "one_by_one", [c, a, b, a]), [c, a, b, a]);
});

topology("the next peer is tried until one succeeds", async (t) => {
  const [alice, bob, carol, [first]] = [await t.alice(), await t.bob(), await t.carol(), await t.relays()];
  const other = await t.client((await t.peers())[0].ws);
  const refused = [refuser(t, alice), refuser(t, carol)];
  worker(t, other, 42);
  const peers = [alice, carol, other].map((c) => c.getPeerId());
  assert.equal(await t.call(bob, "try_until", peers, first), 42);
  assert.deepEqual(refused, [{ n: 1 }, { n: 1 }]);
});

topology("a loop over clients with a loop inside", async (t) => {
  const [bob, carol, [first]] = [await t.bob(), await t.carol(), await t.relays()];
  const other = await t.client((await t.peers())[0].ws);
  worker(t, carol, 2);
  worker(t, other, 3);
  assert.deepEqual(
    await t.call(bob, "fold_sum", [carol.getPeerId(), other.getPeerId()], first, [1, 2, 3]),
    [2, 4, 6, 3, 6, 9],
  );
});

topology("clients in parallel", async (t) => {
  const [alice, carol, [first]] = [await t.alice(), await t.carol(), await t.relays()];
  const other = await t.client((await t.peers())[0].ws);
  worker(t, alice, 1);
  worker(t, carol, 2);
  worker(t, other, 3);
  const got = await t.call(alice, "par_clients", [alice, carol, other].map((c) => c.getPeerId()), first, 2);
  assert.deepEqual(got.toSorted(), [20, 40, 60]);
});

topology("co is not waited for", async (t) => {
  assert.equal(await t.call(await t.alice(), "co_start", nobody, "at once"), "at once");
  const [, second] = await t.relays();
  assert.equal(await t.call(await t.alice(), "co_start", second, "as well"), "as well");
});

topology("parseq over all peers", async (t) => {
  const relays = await t.relays();
  const got = await t.call(await t.alice(), "parseq_all", relays, 2);
  assert.deepEqual(got.toSorted(), relays.toSorted());
});

topology("all neighbours of a key answer", async (t) => {
  const relays = await t.relays();
  const got = await t.call(await t.alice(), "neighbours", relays[0], 1);
  assert(got.length >= 2 && got.every((p) => relays.includes(p)), `${got}`);
});

topology("a peer that does not answer is given up", async (t) => {
  const [, second] = await t.relays();
  assert.equal(await t.call(await t.alice(), "timeout_or", nobody, 300), "gave up");
  assert.equal(await t.call(await t.alice(), "timeout_or", second, 3000), "answered");
});

topology("a late branch still calls back", async (t) => {
  const [, second] = await t.relays();
  const late = gate();
  assert.equal(await t.call(await t.alice(), "timeout_late", second, 150, late.open), "early");
  assert.equal(await late.promise, "late");
});

topology("one client over two ways at once", async (t) => {
  const [alice, bob, [, second, third]] = [await t.alice(), await t.bob(), await t.relays()];
  worker(t, bob, 5);
  assert.deepEqual(await t.call(alice, "two_ways", bob.getPeerId(), second, third), ["one way 5", "other way 5"]);
});

topology("a result spreads to several peers", async (t) => {
  const got = await t.call(await t.alice(), "spread", ...(await t.relays()));
  assert.deepEqual(got.toSorted(), ["seed-b", "seed-c"]);
});

topology("to and fro", async (t) => {
  const [alice, bob, [, second]] = [await t.alice(), await t.bob(), await t.relays()];
  worker(t, bob, 1);
  assert.equal(await t.call(alice, "ping_pong", bob.getPeerId(), second, upTo(10), { ttl: 20000 }), "pong");
});
