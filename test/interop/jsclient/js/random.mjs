// Random programs over peers and clients. Each pushes words to a stream wherever it comes by, and has ended when all
// words are there.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { here, scenario, upTo } from "./harness.mjs";
import { published } from "./mixed.mjs";

// dice gives a function that draws a number below n, the same ones for the same seed.
function dice(seed) {
  let drawn = 0;
  return (n) => createHash("sha256").update(`${seed} ${drawn++}`).digest().readUInt32BE() % n;
}

const head = `aqua Random declares *

export everywhere

service Op("op"):
    identity(s: string) -> string
    concat_strings(a: string, b: string) -> string

service Absent("absent"):
    get(s: string) -> string

func everywhere(places: []string, ways: []string) -> []string:
    out: *string
`;

// program gives the Aqua text of a program, and the words that it has to collect. A place is a peer's id, with the
// peer that leads to it under the same index among the ways; the first ones are relays and the others clients.
//
// What runs in parallel starts at home and stays among relays: elsewhere a script goes on with the first branch that ends,
// and the words of the others stay behind; and the npm client does not send to several peers at once.
function program(roll, relays, clients) {
  const words = [];
  const word = () => (words.push(`w${words.length}`), words.at(-1));
  const indent = (lines) => lines.map((line) => `    ${line}`);
  const push = () => [`out <- Op.identity("${word()}")`];
  const loop = () => {
    const w = word();
    words.splice(words.indexOf(w), 1, `${w}-a`, `${w}-b`);
    return [`for x <- ["-a", "-b"]:`, `    out <- Op.concat_strings("${w}", x)`];
  };
  const fail = () => ["try:", ...indent([...push(), 'no <- Absent.get("x")']), "catch e:", ...indent(push())];
  const on = (depth, places) => {
    const i = roll(places);
    return [`on places[${i}] via ways[${i}]:`, ...indent(block(i < relays ? depth - 1 : 0, places))];
  };
  const block = (depth, places) => upTo(1 + roll(3)).flatMap(() => [push, loop, fail, on][roll(depth > 0 ? 4 : 3)](depth, places));
  const par = () => upTo(2 + roll(3)).flatMap((i) => on(3, relays).map((line, n) => (i > 0 && n === 0 ? `par ${line}` : line)));
  const body = [...block(3, relays + clients), ...upTo(1 + roll(3)).flatMap(() => [...par(), ...block(3, relays)])];
  return { text: head + indent([...body, `join out[${words.length - 1}]`, "<- out"]).join("\n") + "\n", words };
}

// SEED and PROGRAMS choose other programs, and more.
const first = Number(process.env.SEED ?? 1);
const count = Number(process.env.PROGRAMS ?? 12);

scenario("random/programs over three peers and three clients", async (t) => {
  const [alice, bob, dora, [a, b, c]] = [await t.alice(), await t.bob(), await t.dora(), await t.relays()];
  const places = [a, b, c, alice.getPeerId(), bob.getPeerId(), dora.getPeerId()];
  const ways = [a, b, c, a, b, c];
  for (const seed of upTo(count).map((i) => first + i)) {
    const { text, words } = program(dice(seed), 3, 3);
    await writeFile(here("random.aqua"), text);
    const own = JSON.parse((await t.aquanode("compile", "--format", "json", here("random.aqua"))).stdout);
    t.program = own;
    try {
      const npm = await published("random", { noEmptyResponse: false });
      assert.deepEqual([own.errors, npm.errors], [[], []]);
      assert.equal(own.functions.everywhere.script.trim(), npm.functions.everywhere.script.trim());
      const got = await t.call(alice, "everywhere", places, ways, { ttl: 20_000 });
      assert.deepEqual(got.toSorted(), words.toSorted());
    } catch (e) {
      throw new Error(`seed ${seed}, ${e.stack ?? e.message ?? e}\n${text}`);
    }
  }
});
