// Errors at other peers: caught there, caught here, or not caught.
import assert from "node:assert/strict";
import { expires, fails, failure, nobody, over, scenario } from "./harness.mjs";

const errors = (name, body) => over("errors", name, body);

// fragile gives bob a service that fails, and what is needed to reach it.
async function fragile(t) {
  const [bob, [, second]] = [await t.bob(), await t.relays()];
  t.serve(bob, "Fragile", {
    break: (text) => {
      throw new Error(text);
    },
    number: () => "no number",
  });
  return [bob.getPeerId(), second];
}

errors("an error of a client's service is caught where it happened", async (t) => {
  const said = await t.call(await t.alice(), "caught_remote", ...(await fragile(t)), "it broke");
  assert.match(said, /Local service error, ret_code is 1, error message is '.*it broke/);
});

errors("otherwise stands in for what failed elsewhere", async (t) => {
  assert.equal(await t.call(await t.alice(), "otherwise_remote", ...(await fragile(t)), "x"), "otherwise");
});

errors("an error that nobody catches rejects the call", async (t) => {
  const [bob, second] = await fragile(t);
  const e = await failure(t.call(await t.alice(), "uncaught_remote", bob, second, "uncaught ☠"));
  assert.match(e.message, /uncaught ☠/);
  assert.equal(e.error_code, 10000);
  assert.equal(e.peer_id, bob);
  assert.match(e.instruction, /^call .*\("fragile" "break"\)/);
});

errors("a service that a relay does not have", async (t) => {
  for (const relay of await t.relays()) {
    const e = await failure(t.call(await t.alice(), "uncaught_relay", relay));
    assert.equal(e.message, `Local service error, ret_code is 1, error message is '"Service with id 'absent' not found (function get)"'`);
    assert.equal(e.peer_id, relay);
  }
});

errors("a service that a client does not have", async (t) => {
  const [bob, [, second]] = [await t.bob(), await t.relays()];
  const said = await t.call(await t.alice(), "caught_missing", bob.getPeerId(), second);
  assert.match(said, /No service found for service call: serviceId='absent', fnName='get'/);
});

errors("all fields of an error", async (t) => {
  const [, second] = await t.relays();
  const [message, code, where, what] = await t.call(await t.alice(), "error_fields", second);
  assert.match(message, /Service with id 'absent' not found \(function get\)/);
  assert.equal(code, 10000);
  assert.equal(where, second);
  assert.match(what, /^call -peer-arg- \("absent" "get"\) \["x"\]/);
});

errors("a handler that fails as well", async (t) => {
  const [, second] = await t.relays();
  const e = await failure(t.call(await t.alice(), "rethrow", second));
  assert.match(e.instruction, /"second"/);
});

errors("a handler inside a handler", async (t) => {
  assert.deepEqual(await t.call(await t.alice(), "nested_try", ...(await fragile(t))), ["inner handler", "outer handler"]);
});

errors("another peer is tried after an error", async (t) => {
  const [bob, second] = await fragile(t);
  const [, , third] = await t.relays();
  assert.equal(await t.call(await t.alice(), "second_try", bob, second, third), "from the good one");
});

errors("message and place of an error caught at home", async (t) => {
  const [bob, second] = await fragile(t);
  const [message, place] = await t.call(await t.alice(), "error_at", bob, second, "far away");
  assert.match(message, /far away/);
  assert.equal(place, bob);
});

errors("one branch fails, the other goes on", async (t) => {
  const [, second, third] = await t.relays();
  assert.equal(await t.call(await t.alice(), "par_one_fails", second, third), "good");
});

errors("one branch is dead, the other goes on", async (t) => {
  const [, second] = await t.relays();
  assert.equal(await t.call(await t.alice(), "dead_branch", nobody, second), "alive");
});

errors("what follows an error in its block is left out", async (t) => {
  const [, second] = await t.relays();
  const log = [];
  assert.equal(await t.call(await t.alice(), "after_error", second, (s) => void log.push(s)), "went on");
  assert.deepEqual(log, [second]);
});

errors("an error at each peer of a loop", async (t) => {
  const relays = await t.relays();
  const got = await t.call(await t.alice(), "catch_in_loop", relays);
  assert.equal(got.length, relays.length);
  for (const message of got) assert.match(message, /invalid peer id/);
});

errors("an argument of a wrong type", async (t) => {
  const [, second] = await t.relays();
  await fails(t.call(await t.alice(), "bad_argument", second), /Local service error, ret_code is 1/);
});

errors("an error in a callback is an error of the script", async (t) => {
  const said = await t.call(await t.alice(), "in_callback", () => {
    throw new Error("callback broke");
  });
  assert.match(said, /callback broke/);
});

errors("a service whose result is of a wrong type", async (t) => {
  const [bob, second] = await fragile(t);
  await fails(t.call(await t.alice(), "wrong_type", bob, second), /Aqua type mismatch\. Path: numberReturnValue; Expected: number; Given: string/);
});

errors("a value that never comes expires", async (t) => {
  const [, second] = await t.relays();
  await expires(t.call(await t.alice(), "no_such_index", second, { ttl: 600 }), 600);
});

errors("an unknown peer expires", async (t) => {
  await expires(t.call(await t.alice(), "uncaught_relay", nobody, { ttl: 600 }), 600);
});

errors("the client works on after calls that expired", async (t) => {
  const [alice, [, second]] = [await t.alice(), await t.relays()];
  const dead = [1, 2, 3].map(() => expires(t.call(alice, "uncaught_relay", nobody, { ttl: 500 }), 500));
  assert.equal(await t.call(alice, "dead_branch", nobody, second), "alive");
  await Promise.all(dead);
  assert.equal(await t.call(alice, "dead_branch", nobody, second), "alive");
});

// The journal of a peer must tell of it when its interpreter ends with an error: here a script
// fails at the relay and has nobody to catch it.
scenario("errors/the journal tells of an error that nobody caught", async (t) => {
  const relay = await t.relay();
  t.provokes(relay, 1);
  const c = await t.client(relay.ws);
  const script = `(seq (call "${relay.peerId}" ("absent" "get") [] x) (call %init_peer_id% ("callbackSrv" "response") [x]))`;
  await expires(t.script(c, script, [], { ttl: 500 }), 500);
  const [{ detail }] = (await t.journal(relay)).filter((e) => e.kind === "failed");
  assert.match(detail, /Service with id 'absent' not found/);
});

// The watch over the logs must see a client's interpreter fail: here it is given a script
// that does not end its error.
scenario("errors/the watch over the log sees a failing interpreter", async (t) => {
  t.interpreterMayFail();
  const [alice, [relay]] = [await t.alice(), await t.relays()];
  await fails(t.script(alice, "(null", [], { ttl: 500 }), /Script interpretation failed/);
  assert.equal(await t.raw(alice, relay, "op.identity", "still there"), "still there");
});
