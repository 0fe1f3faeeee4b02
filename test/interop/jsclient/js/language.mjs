// Values of all kinds over a relay, and what the language does with them.
import assert from "node:assert/strict";
import { over, upTo } from "./harness.mjs";

const language = (name, body) => over("language", name, body);

const ann = {
  name: "Ann",
  age: 41,
  tags: ["x", "y"],
  home: { city: "Graz", zip: "8010" },
  boss: null,
};
const ben = { name: "Ben", age: 0, tags: ["only"], home: { city: "", zip: null }, boss: "Ann" };

const texts = [
  "", " ", "a\nb\tc\r", "quote \" backslash \\ slash /", "nul \u0000 bell \u0007 del \u007f", "äöüß ¿ € 中文 日本語 한국어",
  "עברית العربية हिन्दी", "😀 👩‍👩‍👧‍👦 🏳️‍🌈", "\u2028\u2029\ufeff", "e\u0301 combining", "<script>&amp;</script>", "%init_peer_id% $.x #y", "()[]{};:",
];

language("unicode and control characters", async (t) => {
  const alice = await t.alice();
  for (const text of texts) assert.equal(await t.call(alice, "any", text), text);
  assert.deepEqual(await t.call(alice, "any", texts), texts);
});

language("values of any kind", async (t) => {
  const alice = await t.alice();
  const values = [
    null, true, false, 0, -1, 1.5, "s", [], {}, [null], [[], [[]], {}], { a: null, "": 1, "b c": { "😀": [1, "two", { three: 3 }] } },
    { z: 1, a: 2, "10": 3, "9": 4 },
  ];
  for (const v of values) assert.deepEqual(await t.call(alice, "any", v), v);
});

language("bytes", async (t) => {
  const all = upTo(256);
  assert.deepEqual(await t.call(await t.alice(), "bytes", all), all);
});

language("whole numbers up to the largest safe one", async (t) => {
  const n = [0, 1, -1, 127, 128, -128, 255, 256, 65535, 65536, -2147483648, 4294967295, 4294967296, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER];
  assert.deepEqual(await t.call(await t.alice(), "numbers", n), n);
  assert.equal(await t.call(await t.alice(), "big", 2 ** 53), 2 ** 53);
});

language("numbers with a fraction", async (t) => {
  const n = [0.1, -0.1, 1.5, 3.141592653589793, 1e21, 1.7976931348623157e308, 5e-324, 1e-7, 0.30000000000000004];
  assert.deepEqual(await t.call(await t.alice(), "floats", n), n);
});

// The client's own interpreter reads some numbers one digit in the last place off. A relay
// must read them the same way, since content ids depend on it.
language("numbers that the interpreter reads inexactly", async (t) => {
  const n = [123456789.12345679, 1.11e161, 4.35e-30];
  const here = await t.call(await t.alice(), "local_any", n);
  assert.notDeepEqual(here, n);
  assert.deepEqual(await t.call(await t.alice(), "any", n), here);
});

language("an option given and not given", async (t) => {
  assert.equal(await t.call(await t.alice(), "option_in", "x"), "given x");
  assert.equal(await t.call(await t.alice(), "option_in", null), "nothing given");
});

language("an option as a result", async (t) => {
  assert.equal(await t.call(await t.alice(), "option_out", true), "something");
  assert.equal(await t.call(await t.alice(), "option_out", false), null);
});

language("an option through a relay", async (t) => {
  assert.equal(await t.call(await t.alice(), "option_of_remote", "there"), "there");
  assert.equal(await t.call(await t.alice(), "option_of_remote", null), null);
});

language("a structure through a relay", async (t) => {
  assert.deepEqual(await t.call(await t.alice(), "person_there", ann), [ann, "Graz", "8010"]);
  assert.deepEqual(await t.call(await t.alice(), "person_there", ben), [ben, "", null]);
});

language("an array of structures", async (t) => {
  assert.deepEqual(await t.call(await t.alice(), "people_there", [ann, ben]), [[ann, ben], "only"]);
});

language("structures at another client's service", async (t) => {
  const [alice, bob, [, second]] = [await t.alice(), await t.bob(), await t.relays()];
  const kept = new Map();
  t.serve(bob, "Store", {
    put: (p) => kept.set(p.name, p).size,
    get: (name) => kept.get(name) ?? null,
    all: (names) => names.flatMap((n) => (kept.has(n) ? [kept.get(n)] : [])),
    sum: (n) => n.reduce((a, b) => a + b, 0),
  });
  assert.deepEqual(await t.call(alice, "nested_data", bob.getPeerId(), second, ben), [1, ben, [ben]]);
  assert.deepEqual(kept.get("Ben"), ben);
});

language("a copy with changes", async (t) => {
  assert.deepEqual(await t.call(await t.alice(), "copy_of", ann), { ...ann, name: "copy", age: 42 });
});

language("a structure made at the relay", async (t) => {
  assert.deepEqual(await t.call(await t.alice(), "made_there", "Cy", "Rom"), {
    name: "Cy!", age: 7, tags: ["Cy!", "Rom"], home: { city: "Rom", zip: null }, boss: "Cy",
  });
});

language("arrays of arrays", async (t) => {
  const table = [[], ["a"], ["b", "c"]];
  assert.deepEqual(await t.call(await t.alice(), "array_of_arrays", table), [table, "a"]);
});

language("empty collections", async (t) => {
  assert.deepEqual(await t.call(await t.alice(), "empty_array"), [[], null, 0]);
});

language("elements and lengths", async (t) => {
  assert.deepEqual(await t.call(await t.alice(), "slices", ["a", "b", "c", "d"], 2), ["cd", "a", 4]);
});

language("a stream as an argument of another client's service", async (t) => {
  const [alice, bob, [, second]] = [await t.alice(), await t.bob(), await t.relays()];
  t.serve(bob, "Store", { put: () => 0, get: () => null, all: () => [], sum: (n) => n.reduce((a, b) => a + b, 0) });
  assert.equal(await t.call(alice, "stream_sum", bob.getPeerId(), second, [1, 2, 3, 4]), 20);
});

language("a stream as an argument of the relay and as a result", async (t) => {
  const words = ["s", "t", "r"];
  assert.deepEqual(await t.call(await t.alice(), "stream_to_service", words), [3, words]);
});

language("a stream of arrays", async (t) => {
  assert.deepEqual(await t.call(await t.alice(), "stream_in_stream", ["p", "q"]), [["p", "p"], ["q", "q"]]);
});

language("a closure that visits the relay", async (t) => {
  assert.equal(await t.call(await t.alice(), "closure_here", "hey"), "hey!!");
});

language("a closure runs where it was made", async (t) => {
  const [alice, [, second]] = [await t.alice(), await t.relays()];
  assert.deepEqual(await t.call(alice, "closure_there", second), [second, alice.getPeerId()]);
});

language("a closure as an argument", async (t) => {
  assert.equal(await t.call(await t.alice(), "closure_passed", "-", "x"), "--x");
});

language("an ability of closures", async (t) => {
  assert.equal(await t.call(await t.alice(), "ability_of_closures", "word"), "said word");
});

language("an ability of service functions", async (t) => {
  assert.equal(await t.call(await t.alice(), "ability_of_services", "word"), "word");
});

language("a service as an ability", async (t) => {
  assert.equal(await t.call(await t.alice(), "service_as_ability", "as it is"), "as it is");
});

language("if and else at the relay", async (t) => {
  for (const [n, want] of [[5, "positive"], [0, "zero"], [-5, "negative"]]) {
    assert.equal(await t.call(await t.alice(), "conditions", n), want);
  }
});

language("comparison of what came from the relay", async (t) => {
  assert.deepEqual(await t.call(await t.alice(), "compare_remote", "a", "a"), [true, false]);
  assert.deepEqual(await t.call(await t.alice(), "compare_remote", "a", "b"), [false, true]);
});

language("arithmetic here and at the relay", async (t) => {
  assert.deepEqual(await t.call(await t.alice(), "arithmetic", 17, 5), [22, 12, 85, 3, 2]);
  assert.deepEqual(await t.call(await t.alice(), "arithmetic", -17, 5), [-12, -22, -85, -3, -2]);
});

language("logic", async (t) => {
  for (const a of [true, false]) {
    for (const b of [true, false]) assert.deepEqual(await t.call(await t.alice(), "logic", a, b), [a && b, a || b, !a]);
  }
});

language("constants", async (t) => {
  assert.deepEqual(await t.call(await t.alice(), "constants"), ["hello world", 15]);
});

language("the particle's own time", async (t) => {
  const before = Date.now();
  const [ttl, timestamp] = await t.call(await t.alice(), "ttl_of", { ttl: 4321 });
  assert.equal(ttl, 4321);
  assert(timestamp >= before && timestamp <= Date.now());
});

language("branches in a loop", async (t) => {
  assert.deepEqual(await t.call(await t.alice(), "match_branch", ["a", "b", "a"], "a"), ["found a", "-", "found a"]);
});

language("callbacks that take and give structures", async (t) => {
  const got = await t.call(await t.alice(), "callbacks_of_data", ben, (p) => ({ ...p, age: p.age + 1 }), (tags, boss) => [...tags, boss]);
  assert.deepEqual(got, [{ ...ben, age: 1 }, ["only", "Ann"]]);
});

language("a value fifty levels deep, many times", async (t) => {
  const deep = upTo(50).reduce((v, i) => (i % 2 ? [v] : { k: v }), "bottom");
  assert.deepEqual(await t.call(await t.alice(), "deep", deep, upTo(10), { ttl: 20000 }), deep);
});
