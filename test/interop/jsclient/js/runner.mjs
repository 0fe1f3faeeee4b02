// Runs scenarios for the Go test that started it. The two exchange lines of JSON over
// standard input and output:
//
//	-> {"run": "calls/npm/..."}             the scenario to run
//	<- {"done": true, "error": "...", "log": "..."}
//	<- {"ask": 7, "op": "kill", ...}        something only the test can do, see lab_test.go
//	-> {"answer": 7, "value": ...}  or  {"answer": 7, "error": "..."}
//
// The first line said is {"scenarios": [names]}. The program ends with its input.
import { createInterface } from "node:readline";
import { names, run } from "./harness.mjs";
import { last } from "./idle.mjs";
import "./calls.mjs";
import "./topology.mjs";
import "./errors.mjs";
import "./language.mjs";
import "./builtins.mjs";
import "./load.mjs";
import "./network.mjs";
import "./mixed.mjs";
import "./random.mjs";

last();

const write = process.stdout.write.bind(process.stdout);
const say = (message) => write(JSON.stringify(message) + "\n");
process.stdout.write = process.stderr.write.bind(process.stderr); // libraries print too

let asked = 0;
const waiting = new Map();
const ask = (op, args = {}) =>
  new Promise((resolve, reject) => {
    waiting.set(++asked, { resolve, reject });
    say({ ask: asked, op, ...args });
  });

const lines = createInterface({ input: process.stdin });
lines.on("line", async (line) => {
  const message = JSON.parse(line);
  if (message.answer) {
    const { resolve, reject } = waiting.get(message.answer);
    waiting.delete(message.answer);
    message.error ? reject(new Error(message.error)) : resolve(message.value);
    return;
  }
  say({ done: true, ...(await run(message.run, ask)) });
});
lines.on("close", () => process.exit(0));
say({ scenarios: names() });
