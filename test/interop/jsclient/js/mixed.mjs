// The npm client together with the command line, and the two compilers side by side.
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { compileFromPath } from "@fluencelabs/aqua-api";
import { gate, here, scenario, upTo } from "./harness.mjs";

const mixed = (name, body) => scenario(`mixed/${name}`, body);

// plain makes plain data of the compiler's objects, whose properties have a prefix and may
// be undefined.
const plain = (v) =>
  Array.isArray(v)
    ? v.map(plain)
    : v !== null && typeof v === "object"
      ? Object.fromEntries(Object.keys(v).filter((k) => v[k] !== undefined).map((k) => [k.replace(/^L.*__f_/, ""), plain(v[k])]))
      : v;

// The published compiler leaves out the response of a function without results unless told
// otherwise; `aquanode compile` always has it.
export const published = (file, options) => compileFromPath({ filePath: here(`${file}.aqua`), imports: [], logLevel: "off", ...options });

for (const file of ["calls", "topology", "errors", "language", "builtins", "mixed"]) {
  mixed(`both compilers make the same of ${file}.aqua`, async (t) => {
    const [npm, own] = [await published(file, { noEmptyResponse: false }), await t.compiled(file)];
    assert.deepEqual(npm.errors, []);
    assert.deepEqual(Object.keys(own.functions).toSorted(), Object.keys(npm.functions).toSorted());
    for (const [name, f] of Object.entries(npm.functions)) {
      assert.equal(own.functions[name].script.trim(), f.script.trim(), name);
      assert.deepEqual(own.functions[name].funcDef, plain(f.funcDef), name);
    }
    for (const [name, s] of Object.entries(npm.services)) assert.deepEqual(own.services[name], plain(s), name);
  });
}

mixed("the published compiler as it comes", async (t) => {
  const [alice, bob, [, second]] = [await t.alice(), await t.bob(), await t.relays()];
  t.program = await published("calls");
  t.answerer(bob, "published", "bob");
  assert.equal(await t.call(alice, "ask_via", bob.getPeerId(), second, "published", "?"), "bob: ?");
  const [told, noted] = [gate(), gate()];
  t.serve(alice, "Local", { greet: () => "", note: noted.open });
  await t.call(alice, "notify", bob.getPeerId(), second, "published", told.open);
  assert.equal(await told.promise, "bob: what?");
  await t.call(alice, "silent_remote", "no response");
  assert.equal(await noted.promise, "no response");
});

mixed("JavaScript made by the compiler", async (t) => {
  const result = await compileFromPath({ filePath: here("calls.aqua"), imports: [], logLevel: "off", targetType: "js" });
  const [{ jsSource }] = result.generatedSources;
  await writeFile(here("generated.mjs"), jsSource);
  const { echo_relay, registerRemote, ask } = await import("./generated.mjs");
  const [alice, carol] = [await t.alice(), await t.carol()];
  assert.equal(await echo_relay(alice, "generated"), "generated");
  registerRemote(carol, "generated", { answer: (q) => `generated ${q}`, join: () => "", seen: () => [] });
  assert.equal(await ask(alice, carol.getPeerId(), "generated", "too"), "generated too");
});

// ran checks that a run of aquanode succeeded and gives its result.
function ran({ code, stdout, stderr }) {
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

for (const transport of ["ws", "tcp"]) {
  mixed(`aquanode run calls a service of the client, over ${transport}`, async (t) => {
    await t.use("calls");
    const [bob, [first, second]] = [await t.bob(), await t.peers()];
    t.answerer(bob, "for the command line", "bob");
    const call = `ask_via("${bob.getPeerId()}", "${second.peerId}", "for the command line", "who?")`;
    assert.equal(ran(await t.aquanode("run", "--relay", first[transport], "-f", call, here("calls.aqua"))), "bob: who?");
  });
}

mixed("aquanode run shows an error of the client's service", async (t) => {
  await t.use("errors");
  const [bob, [first, second]] = [await t.bob(), await t.peers()];
  t.serve(bob, "Fragile", { break: (s) => { throw new Error(s); }, number: () => 0 });
  const call = `uncaught_remote("${bob.getPeerId()}", "${second.peerId}", "broken for the command line")`;
  const { code, stderr } = await t.aquanode("run", "--relay", first.tcp, "-f", call, here("errors.aqua"));
  assert.equal(code, 1);
  assert.match(stderr, /broken for the command line/);
});

// The script calls the npm client, which calls the script's own service back before it
// answers: both are clients, and both are served.
mixed("the client calls a service of aquanode run", async (t) => {
  const [alice, carol, [first]] = [await t.alice(), await t.carol(), await t.peers()];
  await mkdir(here("services"), { recursive: true });
  await writeFile(here("services/calc.js"), "exports.square = (n) => n * n\n");
  await t.use("mixed");
  t.serve(alice, "Door", { enter: async (peer) => `squares of ${await t.call(carol, "squares", peer, [3, 4])}` });
  const call = `enter("${alice.getPeerId()}")`;
  const result = await t.aquanode("run", "--relay", first.tcp, "--services", here("services"), "-f", call, here("mixed.aqua"));
  assert.equal(ran(result), "squares of 9,16");
});

mixed("the client calls a service of a relay's folder", async (t) => {
  await mkdir(here("served"), { recursive: true });
  await writeFile(here("served/calc.js"), "let calls = 0\nexports.square = (n) => { calls++; return n * n }\nexports.calls = () => calls\n");
  const relay = await t.relay("--services", here("served"));
  const c = await t.client(relay.ws);
  await t.use("mixed");
  assert.deepEqual(await t.call(c, "squares", relay.peerId, [1, 2, 3]), [1, 4, 9]);
  const many = await Promise.all(upTo(20).map((n) => t.call(c, "squares", relay.peerId, [n])));
  assert.deepEqual(many, upTo(20).map((n) => [n * n]));
  assert.equal(await t.call(c, "calls_of", relay.peerId), 23);
});

mixed("the client and aquanode run ask the same service at once", async (t) => {
  await t.use("calls");
  const [alice, bob, [first, second]] = [await t.alice(), await t.bob(), await t.peers()];
  t.answerer(bob, "busy", "bob");
  const call = `ask_via("${bob.getPeerId()}", "${second.peerId}", "busy", "from outside")`;
  const outside = t.aquanode("run", "--relay", first.ws, "-f", call, here("calls.aqua"));
  const inside = await Promise.all(upTo(20).map((i) => t.call(alice, "ask_via", bob.getPeerId(), second.peerId, "busy", `${i}`)));
  assert.deepEqual(inside, upTo(20).map((i) => `bob: ${i}`));
  assert.equal(ran(await outside), "bob: from outside");
});
