// What every peer offers, as a client sees it: values, records, errors, permissions.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { KeyPair } from "@fluencelabs/js-client";
import { failure, here, nobody, over, scenario, text } from "./harness.mjs";

const builtins = (name, body) => over("builtins", name, body);
const raw = (name, body) => scenario(`builtins/${name}`, body);

// Rows of "service.function", arguments, and the result. A client has these functions as
// well, made by other people: both must give the result.
const alike = [
  ["op.identity", [{ a: [1, null] }], { a: [1, null] }],
  ["op.array", [1, "b", null], [1, "b", null]],
  ["op.array", [], []],
  ["op.array_length", [[1, 2, 3]], 3],
  ["op.concat", [[1], [2, [3]], []], [1, 2, [3]]],
  ["op.concat_strings", ["a", "", "ü☃"], "aü☃"],
  ["op.string_to_b58", ["héllo ☃"], "6tNzjhdu5JWJY2"],
  ["op.string_from_b58", ["6tNzjhdu5JWJY2"], "héllo ☃"],
  ["op.bytes_to_b58", [[0, 0, 1, 2, 255]], "11LiA"],
  ["op.bytes_from_b58", ["11LiA"], [0, 0, 1, 2, 255]],
  ["op.sha256_string", ["hello"], "QmRN6wdp1S2A5EtjW9A3M1vKSBuQQGcgvuhoMUoEz4iiT5"],
  ["op.sha256_string", [""], "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n"],
  ["debug.stringify", ["text"], '"text"'],
  ["math.add", [-2, 5], 3],
  ["math.sub", [-2, 5], -7],
  ["math.mul", [-2, 5], -10],
  ["math.fmul", [10, 0.66], 6],
  ["math.div", [17, 5], 3],
  ["math.rem", [17, 5], 2],
  ["math.pow", [2, 10], 1024],
  ["math.log", [2, 1024], 10],
  ["cmp.gt", [2, 1], true],
  ["cmp.gte", [1, 2], false],
  ["cmp.lt", [2, 1], false],
  ["cmp.lte", [2, 2], true],
  ["cmp.cmp", [1, 2], -1],
  ["cmp.cmp", [2, 2], 0],
  ["cmp.cmp", [2, 1], 1],
  ["array.sum", [[1, -2, 3]], 2],
  ["array.sum", [[]], 0],
  ["array.dedup", [["a", "b", "a"]], ["a", "b"]],
  ["array.intersect", [["a", "b", "c"], ["c", "b"]], ["b", "c"]],
  ["array.diff", [["a", "b", "c"], ["b"]], ["a", "c"]],
  ["array.sdiff", [["a", "b"], ["b", "c"]], ["a", "c"]],
  ["json.obj", ["a", 1, "b", [true]], { a: 1, b: [true] }],
  ["json.put", [{ a: 1 }, "a", null], { a: null }],
  ["json.puts", [{ a: 1 }, "b", 2, "c", 3], { a: 1, b: 2, c: 3 }],
  ["json.parse", ['{"a": [1, {"b": null}]}'], { a: [1, { b: null }] }],
  ["json.stringify", [{ a: [1, "b"] }], '{"a":[1,"b"]}'],
];

// The same of functions that only a peer has, or has otherwise than a client.
const ofPeers = [
  ["op.noop", [1, 2], ""],
  ["op.identity", [], ""],
  ["debug.stringify", [{ a: [1, "b"] }], '{"a":[1,"b"]}'],
  ["debug.stringify", [], '"<empty argument list>"'],
  ["debug.stringify", [1, "a"], '[1,"a"]'],
  ["math.div", [-17, 5], -3],
  ["math.rem", [-17, 5], -2],
  ["op.sha256_string", ["hello", [true]], "42TEXg1vFAbcJ65y7qdYG9iCPvYfy3NDdVLd75akX2P5"],
  ["op.sha256_string", ["", true, true], [
    227, 176, 196, 66, 152, 252, 28, 20, 154, 251, 244, 200, 153, 111, 185, 36, 39, 174, 65, 228, 100, 155, 147, 76, 164, 149, 153, 27, 120, 82, 184, 85,
  ]],
  ["array.slice", [["a", "b", "c"], 1, 3], ["b", "c"]],
  ["array.slice", [[], 4, 2], []],
  ["array.length", [["a", "b"]], 2],
  ["json.obj_pairs", [[["a", 1], ["b", {}]]], { a: 1, b: {} }],
  ["json.puts_pairs", [{ a: 1 }, [["a", 2], ["b", 3]]], { a: 2, b: 3 }],
  ["peer.timeout", ["5", "text"], "text"],
  ["peer.timeout", [5], ""],
  ["srv.resolve_alias_opt", ["absent"], []],
  ["dist.list_modules", [], []],
  ["dist.list_blueprints", [], []],
  ["dist.default_module_config", ["m"], { name: "m", load_from: null, file_name: null }],
  ["dist.make_module_config", ["m", [], [], [true], [], [[["A", "b"]]], [], [], [7]], {
    name: "m", load_from: null, file_name: null, logger_enabled: true, logging_mask: 7, wasi: { envs: { A: "b" }, mapped_dirs: null },
  }],
  ["dist.make_blueprint", ["trust-graph", ["bafybeiey4i2vtj7uu7tlvdoc2o52uuuwxa4ahcx5g4lpqzk4qtd5klniuq"]],
    '{"dependencies":[{"/":"bafybeiey4i2vtj7uu7tlvdoc2o52uuuwxa4ahcx5g4lpqzk4qtd5klniuq"}],"name":"trust-graph"}'],
];

// The beginning of what a peer says, as the text of an error. Its result is a JSON string.
const refused = [
  ["op.identity", [1, 2], "identity accepts up to 1 arguments, received 2 arguments"],
  ["op.array_length", ["s"], "op array_length's argument must be an array"],
  ["op.concat", [[1], 2], "all arguments of 'concat' must be arrays: argument #1 is not"],
  ["op.concat_strings", ["a", 2], "all arguments of 'concat_strings' must be strings: argument #1 is not"],
  ["op.string_from_b58", ["0"], "Error: decode base58 failed"],
  ["math.add", [1], "expected 2 arguments, got 1"],
  ["math.add", [1, "2"], "Error: Error deserializing field 'y': expected i64, got"],
  ["math.add", [9007199254740991 * 1023, 9007199254740991 * 1023], "i64 add overflow"],
  ["math.div", [1, 0], "i64 div overflow"],
  ["math.pow", [10, 40], "i64 pow overflow"],
  ["math.log", [1, 4], "i64 log overflow"],
  ["array.slice", [["a"], 0, 2], "slice indexes out of bounds. start index: 0, end index: 2, array length: 1"],
  ["json.obj", ["a"], "Expected odd number of arguments, got even. No value for key 'a'"],
  ["json.parse", ["{"], "Error: error parsing json {"],
  ["peer.timeout", [], "Error: Field 'duration_ms' is missing from args to call_service"],
  ["peer.is_connected", ["no peer id"], "Error: Error while deserializing field 'peer_id'"],
  ["kad.neighborhood", ["0"], "Error: Error while deserializing field 'key': not a base58"],
  ["kad.neighborhood", ["11LiA", true], "Error: Error while deserializing field 'key': Invalid multihash"],
  ["srv.info", ["absent"], "Error: Service with id 'absent' not found on Host"],
  ["srv.resolve_alias", ["absent"], "Error: Service with alias 'absent' is not found on worker 'Host'"],
  ["dist.get_blueprint", ["absent"], "Error: Blueprint 'absent' wasn't found"],
  ["vault.cat", ["/etc/passwd"], "Error reading vault file `/etc/passwd`"],
  ["sig.sign", [[1, 2, 3]], "peer '"],
  ["absent.get", [], "Service with id 'absent' not found (function get)"],
  ["op.absent", [], "Service with id 'op' not found (function absent)"],
];

// Functions that change a peer, with arguments that are good.
const guarded = [
  ["peer.connect", [nobody, []]],
  ["run-console.print", ["hello"]],
  ["srv.create", ["absent"]],
  ["srv.remove", ["absent"]],
  ["srv.add_alias", ["alias", "absent"]],
  ["dist.add_module", ["AGFzbQEAAAA=", { name: "m" }]],
  ["dist.add_module_from_vault", ["m.wasm", { name: "m" }]],
  ["dist.add_module_bytes_from_vault", ["m", "m.wasm"]],
  ["dist.add_blueprint", ['{"dependencies":[],"name":"b"}']],
];
const guard = "This function is only available to the host or worker spells";

// says gives what a peer said instead of a result.
async function says(call) {
  const said = text(await failure(call)).match(/^Local service error, ret_code is 1, error message is '(".*")'$/s);
  assert(said, "not an error of a service");
  return JSON.parse(said[1]);
}

raw("a peer and a client compute alike", async (t) => {
  const [alice, [relay]] = [await t.alice(), await t.relays()];
  for (const [name, args, want] of alike) {
    for (const peer of [relay, alice.getPeerId()]) assert.deepEqual(await t.raw(alice, peer, name, ...args), want, `${name} at ${peer}`);
  }
});

raw("values that only a peer gives", async (t) => {
  const [alice, [relay]] = [await t.alice(), await t.relays()];
  for (const [name, args, want] of ofPeers) assert.deepEqual(await t.raw(alice, relay, name, ...args), want, name);
});

raw("what a peer refuses", async (t) => {
  const [alice, [relay]] = [await t.alice(), await t.relays()];
  for (const [name, args, want] of refused) {
    const said = await says(t.raw(alice, relay, name, ...args));
    assert(said.startsWith(want), `${name}: ${said}`);
  }
});

raw("what only some may do", async (t) => {
  const [alice, [relay]] = [await t.alice(), await t.relays()];
  for (const [name, args] of guarded) assert.equal(await says(t.raw(alice, relay, name, ...args)), guard, name);
});

raw("a management peer may do it", async (t) => {
  const [, second] = await t.peers();
  const source = randomBytes(32);
  const key = await KeyPair.fromEd25519SK(source);
  const relay = await t.relay("--network", "none", "--management", key.getPeerId());
  const manager = await t.client(relay.ws, { keyPair: { type: "Ed25519", source } });
  assert.equal(await t.raw(manager, relay.peerId, "run-console.print", "hello"), "");
  assert.equal(await t.raw(manager, relay.peerId, "peer.is_connected", second.peerId), false);
  assert.equal(await t.raw(manager, relay.peerId, "peer.connect", second.peerId, [second.tcp]), true);
  assert.equal(await t.raw(manager, relay.peerId, "peer.is_connected", second.peerId), true);
});

raw("who is connected", async (t) => {
  const [alice, bob, [relay, second]] = [await t.alice(), await t.bob(), await t.relays()];
  const want = [[second, true], [alice.getPeerId(), true], [bob.getPeerId(), false], [nobody, false]];
  for (const [peer, connected] of want) assert.equal(await t.raw(alice, relay, "peer.is_connected", peer), connected);
});

raw("keys in the order of their distance", async (t) => {
  const [alice, [a, b, c]] = [await t.alice(), await t.relays()];
  const merge = (target, ...args) => t.raw(alice, a, "kad.merge", target, ...args);
  for (const target of [a, b, c]) {
    const all = await merge(target, [a, b], [b, c]);
    assert.equal(all[0], target);
    assert.deepEqual(all.toSorted(), [a, b, c].toSorted());
    assert.deepEqual(await merge(target, [c, b, a], [], [2]), all.slice(0, 2));
  }
});

builtins("a peer describes itself", async (t) => {
  const [alice, peers] = [await t.alice(), await t.peers()];
  for (const peer of peers) {
    const before = Date.now();
    const [about, ms, sec] = await t.call(alice, "describe", peer.peerId);
    assert(about.external_addresses.includes(peer.ws.replace(/\/p2p\/.*/, "")), about.external_addresses.join());
    for (const v of [about.node_version, about.air_version, about.spell_version]) assert.match(v, /^\d+\.\d+\.\d+$/);
    assert.deepEqual(about.allowed_binaries, []);
    assert(before <= ms && ms <= Date.now());
    assert(Math.floor(ms / 1000) <= sec && sec * 1000 <= Date.now());
  }
});

builtins("the way from a peer to another one", async (t) => {
  const [alice, [first, second, third]] = [await t.alice(), await t.peers()];
  const [route, near, nearest, withRoutes] = await t.call(alice, "routes", first.peerId, second.peerId);
  assert.equal(route.peer_id, second.peerId);
  assert(route.addresses.some((a) => second.tcp.startsWith(a)), route.addresses.join());
  assert.equal(near[0], second.peerId); // nothing is nearer to it
  assert(near.includes(third.peerId) && !near.includes(first.peerId));
  assert.deepEqual(nearest, [second.peerId]);
  assert.deepEqual(withRoutes.map((r) => r.peer_id).toSorted(), near.toSorted());
});

builtins("services of a folder are listed and counted", async (t) => {
  const dir = here("listed");
  await mkdir(dir, { recursive: true });
  await writeFile(`${dir}/tool.js`, 'exports.use = (x) => x\nexports.fail = () => { throw new Error("on purpose") }\n');
  const relay = await t.relay("--services", dir);
  const c = await t.client(relay.ws);
  assert.equal(await t.raw(c, relay.peerId, "tool.use", "x"), "x");
  assert.equal(await says(t.raw(c, relay.peerId, "tool.fail")), "on purpose");
  const [all, one, shape, known, unknown, report] = await t.call(c, "offers", relay.peerId, "tool");
  assert.deepEqual(all.map((s) => s.id), ["tool"]);
  assert.deepEqual(one, all[0]);
  assert.equal(one.worker_id, relay.peerId);
  assert.deepEqual(shape.function_signatures.map((f) => f.name).toSorted(), ["fail", "use"]);
  assert.deepEqual([known, unknown], [null, null]);
  assert.equal(report.status, true);
  const { total_stats, functions_stats } = report.result[0];
  assert.deepEqual([total_stats.success_req_count, total_stats.failed_req_count], [1, 1]);
  assert.deepEqual(functions_stats.map((f) => f.name).toSorted(), ["fail", "use"]);
});

builtins("a peer waits", async (t) => {
  const [, second] = await t.relays();
  const start = performance.now();
  assert.equal(await t.call(await t.alice(), "stay", second, 200, "after a while"), "after a while");
  assert(performance.now() - start >= 200);
});

builtins("a file is kept for the particle", async (t) => {
  const [alice, [relay]] = [await t.alice(), await t.relays()];
  const [path, back] = await t.call(alice, "leave_and_fetch", relay, "ü\n");
  assert.match(path, /^\/tmp\/vault\/[0-9a-f-]{36}-[1-9A-Za-z]+\/[0-9a-f-]{36}$/);
  assert.equal(back, "ü\n");
  assert.equal(await says(t.raw(alice, relay, "vault.cat", path)), `Error reading vault file \`${path}\``); // not for others
});

builtins("each peer knows its own key", async (t) => {
  const [alice, relays] = [await t.alice(), await t.relays()];
  const peers = [...relays, alice.getPeerId()];
  assert.deepEqual(await t.call(alice, "on_whose_behalf", peers), peers);
  assert.equal(await t.raw(alice, relays[0], "sig.verify", Array(64).fill(1), [1, 2, 3]), false);
});
