// Peers that die and come back, clients that go away, bad lines, wrong clocks.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { expires, failure, gate, nobody, scenario, text, upTo } from "./harness.mjs";

// network adds a scenario over calls.aqua.
const network = (name, body) =>
  scenario(`network/${name}`, async (t) => {
    await t.use("calls");
    await body(t);
  });

const newKey = () => ({ keyPair: { type: "Ed25519", source: randomBytes(32) } });

// unreached asserts that a call fails, by its time or at once.
async function unreached(promise) {
  assert.match(text(await failure(promise)), /^Particle expired|Could not send particle/);
}

network("a relay is killed and comes back", async (t) => {
  const relay = await t.relay();
  const c = await t.client(relay.ws);
  assert.equal(await t.call(c, "echo_relay", "before"), "before");
  await t.ask("kill", { name: relay.name });
  await unreached(t.call(c, "echo_relay", "dead", { ttl: 500 }));
  await t.ask("restart", { name: relay.name });
  assert.equal(await t.call(c, "echo_relay", "after"), "after");
});

network("a relay is killed while a call is at another client", async (t) => {
  const relay = await t.relay();
  const [a, b] = [await t.client(relay.ws), await t.client(relay.ws)];
  const [called, release] = [gate(), gate()];
  t.serve(b, "Remote", { answer: () => (called.open(), release.promise), join: () => "", seen: () => [] }, "mid-run");
  const pending = t.call(a, "ask", b.getPeerId(), "mid-run", "?", { ttl: 20000 });
  await called.promise;
  await t.ask("kill", { name: relay.name });
  await t.ask("restart", { name: relay.name });
  // The answer brings b back to the relay, with all that the particle has done so far. It
  // waits there until the next call brings a back as well.
  release.open("answered");
  assert.equal(await t.call(a, "echo_relay", "a is back"), "a is back");
  assert.equal(await pending, "answered");
  assert.equal(await t.call(a, "ask", b.getPeerId(), "mid-run", "again"), "answered");
});

network("a durable relay that is killed in the middle of its own call makes it again", async (t) => {
  const relay = await t.relay("--durable");
  const c = await t.client(relay.ws);
  await t.use("builtins");
  const pending = t.call(c, "stay", relay.peerId, 1000, "made again", { ttl: 30000 });
  await t.journaled(relay, (e) => e.kind === "stepped");
  await t.ask("kill", { name: relay.name });
  await t.ask("restart", { name: relay.name });
  assert.equal(await t.raw(c, relay.peerId, "op.identity", "redial"), "redial"); // the answer waits for the client
  assert.equal(await pending, "made again");
});

network("a relay that is stopped ends what it is at, with answers from others, and takes nothing new", async (t) => {
  const relay = await t.relay("--grace", "30s");
  const [a, b] = [await t.client(relay.ws), await t.client(relay.ws)];
  const [called, release] = [gate(), gate()];
  t.serve(b, "Remote", { answer: (q) => (called.open(q), release.promise), join: () => "", seen: () => [] }, "late");
  const pending = t.call(a, "ask_and_wait", b.getPeerId(), "late", 4000, { ttl: 30000 });
  await called.promise;
  const ended = t.ask("end", { name: relay.name });
  await t.draining(relay);
  const refused = expires(t.call(a, "echo_relay", "new", { ttl: 500 }), 500);
  await t.journaled(relay, (e) => e.kind === "refused" && e.reason === "shutdown");
  release.open("answered");
  assert.deepEqual(await pending, ["answered", "waited"]);
  await Promise.all([refused, ended]);
});

network("a relay that is stopped does not wait for clients that do nothing", async (t) => {
  const relay = await t.relay("--grace", "10m");
  const c = await t.client(relay.ws);
  assert.equal(await t.call(c, "echo_relay", "x"), "x");
  await t.ask("end", { name: relay.name }); // within the time of the scenario
});

network("a frozen relay goes on where it was", async (t) => {
  const relay = await t.relay();
  const c = await t.client(relay.ws);
  assert.equal(await t.call(c, "echo_relay", "warm"), "warm");
  await t.ask("stop", { name: relay.name });
  await expires(t.call(c, "echo_relay", "frozen", { ttl: 400 }), 400);
  const pending = t.call(c, "echo_relay", "thawed");
  await t.ask("continue", { name: relay.name });
  assert.equal(await pending, "thawed");
});

network("a peer is killed, the other ones answer", async (t) => {
  const [alice, peers] = [await t.alice(), await t.peers()];
  const dying = await t.relay("--bootstrap", peers[0].tcp);
  await t.use("topology");
  const all = [dying.peerId, peers[1].peerId, peers[2].peerId];
  assert.deepEqual((await t.call(alice, "quorum", all, 3)).toSorted(), all.toSorted());
  await t.ask("kill", { name: dying.name });
  assert.deepEqual((await t.call(alice, "quorum", all, 2)).toSorted(), all.slice(1).toSorted());
  assert.equal(await t.call(alice, "timeout_or", dying.peerId, 200), "gave up");
  await t.ask("restart", { name: dying.name });
  assert.deepEqual((await t.call(alice, "quorum", all, 3)).toSorted(), all.toSorted());
});

network("a peer that only another peer knows is found", async (t) => {
  const [alice, peers] = [await t.alice(), await t.peers()];
  const far = await t.relay("--bootstrap", peers[2].tcp);
  const f = await t.client(far.ws);
  t.answerer(f, "far", "far");
  assert.equal(await t.call(alice, "ask_via", f.getPeerId(), far.peerId, "far", "?"), "far: ?");
});

network("a relay without other peers", async (t) => {
  const lonely = await t.relay("--network", "none");
  const c = await t.client(lonely.ws);
  assert.equal(await t.call(c, "echo_relay", "alone"), "alone");
  await t.use("topology");
  assert.equal(await t.call(c, "timeout_or", nobody, 100), "gave up");
});

network("why an unknown peer was not reached is in the journal", async (t) => {
  const [alice, [first]] = [await t.alice(), await t.peers()];
  t.answerer(alice, "journal", "alice");
  await expires(t.call(alice, "ask_via", alice.getPeerId(), nobody, "journal", "?", { ttl: 500 }), 500);
  const entries = (await t.journal(first)).filter((e) => e.peer === nobody);
  assert(entries.some((e) => ["lost", "held"].includes(e.kind) && e.reason === "unreachable"), JSON.stringify(entries));
});

network("a client that has gone away", async (t) => {
  const [alice, [first]] = [await t.alice(), await t.peers()];
  const gone = await t.client(first.ws);
  t.answerer(gone, "gone", "gone");
  assert.equal(await t.call(alice, "ask", gone.getPeerId(), "gone", "?"), "gone: ?");
  await t.leave(gone);
  await expires(t.call(alice, "ask", gone.getPeerId(), "gone", "?", { ttl: 500 }), 500);
  const entries = (await t.journal(first)).filter((e) => e.peer === gone.getPeerId());
  assert(entries.some((e) => ["lost", "held"].includes(e.kind)), JSON.stringify(entries));
  assert.equal(await t.call(alice, "echo_relay", "alive"), "alive");
});

network("a client comes back in time for what waited for it", async (t) => {
  const [alice, [first]] = [await t.alice(), await t.peers()];
  const key = newKey();
  const gone = await t.client(first.ws, key);
  await t.leave(gone);
  const pending = t.call(alice, "ask", gone.getPeerId(), "back in time", "?");
  await t.journaled(first, (e) => e.kind === "held" && e.peer === gone.getPeerId());
  const back = await t.client(first.ws, key);
  t.answerer(back, "back in time", "back");
  assert.equal(await pending, "back: ?");
});

network("a client comes back to its relay and to another one", async (t) => {
  const [bob, [first, , third]] = [await t.bob(), await t.peers()];
  const key = newKey();
  for (const home of [first, first, third, first]) {
    const c = await t.client(home.ws, key);
    t.answerer(c, "nomad", home.name);
    assert.equal(await t.call(bob, "ask_via", c.getPeerId(), home.peerId, "nomad", "?"), `${home.name}: ?`);
    assert.equal(await t.call(c, "echo_relay", "x"), "x");
    await t.leave(c);
  }
});

network("a client that is killed in the middle of a call", async (t) => {
  const [alice, [first]] = [await t.alice(), await t.peers()];
  const there = await t.elsewhere();
  const id = await there.do("connect", { relay: first.ws });
  const called = there.do("hang", { program: await t.compiled("calls"), service: "mortal" });
  const pending = expires(t.call(alice, "ask", id, "mortal", "?", { ttl: 1000 }), 1000);
  assert.equal(await called, "?");
  await there.kill();
  await pending;
  await expires(t.call(alice, "ask", id, "mortal", "!", { ttl: 400 }), 400);
  assert.equal(await t.call(alice, "echo_relay", "alive"), "alive");
});

network("a relay over TLS, found by name", async (t) => {
  const { cert, key } = await t.ask("certificate");
  const relay = await t.relay("--listen", "/ip4/127.0.0.1/tcp/0/tls/ws", "--tls-cert", cert, "--tls-key", key);
  const there = await t.elsewhere({ NODE_EXTRA_CA_CERTS: cert });
  await there.do("connect", { relay: relay.wss.replace("/ip4/127.0.0.1/", "/dns4/localhost/") });
  const program = await t.compiled("calls");
  assert.equal(await there.do("call", { program, name: "echo_relay", args: ["in secret"] }), "in secret");
});

network("two connections of one key: the newest gets the particles", async (t) => {
  const [alice, [first]] = [await t.alice(), await t.peers()];
  const key = newKey();
  const [old, newest] = [await t.client(first.ws, key), await t.client(first.ws, key)];
  t.answerer(old, "twice", "old");
  t.answerer(newest, "twice", "newest");
  for (const i of upTo(5)) assert.equal(await t.call(alice, "ask", newest.getPeerId(), "twice", `${i}`), `newest: ${i}`);
});

// line opens a bad line to a peer's address.
async function line(t, addr) {
  const near = await t.ask("proxy", { addr });
  const set = (state) => t.ask("line", { addr: near, ...state });
  t.after(() => set({}));
  return { addr: near, set };
}

network("a slow line", async (t) => {
  const [bob, [first, second]] = [await t.bob(), await t.peers()];
  const slow = await line(t, first.ws);
  const c = await t.client(slow.addr);
  t.answerer(c, "slow", "slow");
  t.answerer(bob, "fast", "bob");
  assert.equal(await t.call(c, "echo_relay", "quick"), "quick");
  await slow.set({ delay: 150 });
  const start = performance.now();
  assert.equal(await t.call(c, "echo_relay", "slow"), "slow");
  assert(performance.now() - start >= 300);
  assert.equal(await t.call(c, "ask_via", bob.getPeerId(), second.peerId, "fast", "?"), "bob: ?");
  assert.equal(await t.call(bob, "ask_via", c.getPeerId(), first.peerId, "slow", "?"), "slow: ?");
  const many = await Promise.all(upTo(30).map((i) => t.call(c, "echo_relay", `${i}`)));
  assert.deepEqual(many, upTo(30).map((i) => `${i}`));
});

network("a slow line and a large value", async (t) => {
  const [first] = await t.peers();
  const slow = await line(t, first.ws);
  const c = await t.client(slow.addr);
  await slow.set({ delay: 50 });
  const large = "x".repeat(300_000);
  assert.equal(await t.call(c, "echo_relay", large, { ttl: 30000 }), large);
});

network("a line that holds everything back, and then goes on", async (t) => {
  const [first] = await t.peers();
  const bad = await line(t, first.ws);
  const c = await t.client(bad.addr);
  assert.equal(await t.call(c, "echo_relay", "before"), "before");
  await bad.set({ hold: true });
  await expires(t.call(c, "echo_relay", "during", { ttl: 500 }), 500);
  const pending = t.call(c, "echo_relay", "held");
  await bad.set({ hold: false });
  assert.equal(await pending, "held");
  assert.equal(await t.call(c, "echo_relay", "after"), "after");
});

network("a line that breaks", async (t) => {
  const [first] = await t.peers();
  const bad = await line(t, first.ws);
  const c = await t.client(bad.addr);
  assert.equal(await t.call(c, "echo_relay", "before"), "before");
  for (const i of upTo(3)) {
    await bad.set({ down: true });
    await unreached(t.call(c, "echo_relay", "during", { ttl: 300 }));
    await bad.set({ down: false });
    assert.equal(await t.call(c, "echo_relay", `after ${i}`), `after ${i}`);
  }
});

network("a line that breaks while the answer is on its way", async (t) => {
  const [bob, [first, second]] = [await t.bob(), await t.peers()];
  const bad = await line(t, first.ws);
  const c = await t.client(bad.addr);
  const [called, release] = [gate(), gate()];
  t.serve(bob, "Remote", { answer: () => (called.open(), release.promise), join: () => "", seen: () => [] }, "broken line");
  const pending = t.call(c, "ask_via", bob.getPeerId(), second.peerId, "broken line", "?");
  await called.promise;
  await bad.set({ down: true });
  release.open("kept at the relay");
  await t.journaled(first, (e) => e.kind === "held" && e.peer === c.getPeerId());
  await bad.set({ down: false });
  assert.equal(await t.call(c, "echo_relay", "redial"), "redial");
  assert.equal(await pending, "kept at the relay");
});

network("a partition between relays", async (t) => {
  const [alice, [first]] = [await t.alice(), await t.peers()];
  const bad = await line(t, first.tcp);
  const cut = await t.relay("--bootstrap", bad.addr);
  const c = await t.client(cut.ws);
  t.answerer(c, "cut", "c");
  t.answerer(alice, "whole", "alice");
  const there = (config) => t.call(alice, "ask_via", c.getPeerId(), cut.peerId, "cut", "?", config);
  const back = (config) => t.call(c, "ask_via", alice.getPeerId(), first.peerId, "whole", "?", config);
  assert.equal(await back({ ttl: 7000 }), "alice: ?");
  assert.equal(await there({ ttl: 7000 }), "c: ?");
  await bad.set({ hold: true });
  await Promise.all([expires(there({ ttl: 600 }), 600), expires(back({ ttl: 600 }), 600)]);
  assert.equal(await t.call(c, "echo_relay", "own side"), "own side");
  assert.equal(await t.call(alice, "echo_relay", "other side"), "other side");
  await bad.set({ hold: false });
  assert.equal(await there({ ttl: 7000 }), "c: ?");
  assert.equal(await back({ ttl: 7000 }), "alice: ?");
});

// skewed starts a client whose clock is off, in a process of its own.
async function skewed(t, ms, relay) {
  const c = await t.elsewhere({ CLOCK_SKEW_MS: String(ms) });
  const id = await c.do("connect", { relay: relay.ws });
  const program = await t.compiled("calls");
  const call = (name, ...args) => c.do("call", { program, name, args });
  const answer = (service, name) => c.do("answer", { program, service, name });
  return { id, call, answer };
}

network("a clock that is an hour fast and one that is three seconds slow", async (t) => {
  const [bob, [first, second, third]] = [await t.bob(), await t.peers()];
  t.answerer(bob, "right clock", "bob");
  const [fast, slow] = await Promise.all([skewed(t, 3_600_000, first), skewed(t, -3000, third)]);
  for (const c of [fast, slow]) {
    assert.equal(await c.call("echo_relay", "at the relay"), "at the relay");
    assert.equal(await c.call("ask_via", bob.getPeerId(), second.peerId, "right clock", "?"), "bob: ?");
  }
  await slow.answer("slow clock", "slow");
  assert.equal(await fast.call("ask_via", slow.id, third.peerId, "slow clock", "?"), "slow: ?");
});

network("a clock so slow that all particles are expired", async (t) => {
  const [first] = await t.peers();
  const slow = await skewed(t, -60_000, first);
  await expires(slow.call("echo_relay", "x", { ttl: 600 }), 600);
  const refused = (await t.journal(first)).filter((e) => e.kind === "refused" && e.peer === slow.id);
  assert.equal(refused[0]?.reason, "expired", JSON.stringify(refused));
});
