// Times requests on the published interpreter: node time.mjs [--budget MS] REQUESTS.jsonl[.gz]
//
// Each line is a request as test/interop/avm/driver.mjs takes it, with an optional name; each gives a line
// {name, retCode, median_ms, min_ms, runs}. The wasm is called through its own memory interface, in a warm V8: the time is that
// of the interpreter with its bytes copied in and out, and nothing else.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { createInterpreter, prepare } from "./direct.mjs";

const args = process.argv.slice(2);
const at = args.indexOf("--budget");
const budget = at < 0 ? 500 : Number(args.splice(at, 2)[1]);
const file = readFileSync(args[0]);
const lines = (args[0].endsWith(".gz") ? gunzipSync(file) : file).toString().split("\n").filter((l) => l.trim());
const interpreter = createInterpreter();
const warm = prepare(JSON.parse(lines[0]));
for (let i = 0; i < 60; i++) interpreter.run(warm);
for (const [i, line] of lines.entries()) {
  const request = JSON.parse(line);
  const prepared = prepare(request);
  const first = interpreter.run(prepared);
  const times = [];
  const start = performance.now();
  while ((performance.now() - start < budget || times.length < 5) && times.length < 3000) {
    const t = performance.now();
    interpreter.run(prepared);
    times.push(performance.now() - t);
  }
  times.sort((a, b) => a - b);
  console.log(JSON.stringify({ name: request.name ?? String(i), retCode: first.retCode ?? "trap", median_ms: times[times.length >> 1], min_ms: times[0], runs: times.length }));
}
