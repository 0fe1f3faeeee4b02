// What scenarios are made of: clients, compiled functions, and a watch over the logs.
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createClient, v5_callFunction, v5_registerService } from "@fluencelabs/js-client";
import { watch } from "./watch.mjs";

// here gives the path of a file beside this one.
export const here = (name) => fileURLToPath(new URL(name, import.meta.url));

// authorized are the options of a request to a peer's admin endpoint.
const authorized = (peer) => ({ headers: { authorization: `Bearer ${peer.token}` } });

const scenarios = new Map();
export const names = () => [...scenarios.keys()];

// scenario adds one. Its body gets a Scenario.
export function scenario(name, body) {
  assert(!scenarios.has(name), `two scenarios ${name}`);
  scenarios.set(name, body);
}

// over adds a scenario over the functions of an Aqua file.
export function over(file, name, body) {
  scenario(`${file}/${name}`, async (t) => {
    await t.use(file);
    await body(t);
  });
}

const log = watch();
let stray = []; // errors that nobody caught
process.on("uncaughtException", (e) => stray.push(e));
process.on("unhandledRejection", (e) => stray.push(e));

// run gives {} for a scenario that passed and {error, log} for one that did not.
export async function run(name, ask) {
  const t = new Scenario(ask);
  log.clear();
  stray = [];
  let failure;
  try {
    await scenarios.get(name)(t);
  } catch (e) {
    failure = e;
  }
  try {
    await t.end();
    t.judgeLog(log.text());
    assert.deepEqual(stray, [], "errors that nobody caught");
  } catch (e) {
    failure ??= e;
  }
  return failure === undefined ? {} : { error: failure.stack ?? JSON.stringify(failure), log: log.text() };
}

// The names that compilers give to what a client serves its own scripts with.
const fixedNames = {
  relay: "-relay-", getDataSrv: "getDataSrv", callbackSrv: "callbackSrv", responseSrv: "callbackSrv", responseFnName: "response",
  errorHandlingSrv: "errorHandlingSrv", errorFnName: "error",
};

// What must never be said, whatever happens on the network: that the client's interpreter
// failed, or that a particle could not be read.
const interpreterFailed = /interpreter failed|Script interpretation failed|Particle format invalid/i;

let relays = 0; // that scenarios had of their own
let network; // the three peers that are there all the time
const shared = {}; // clients that are there all the time
const compiled = {}; // promises of what the compiler said, by file

class Scenario {
  #ask;
  #ending = [];
  #clients = new Set();
  #interpreterMayFail = false;
  #provoked = {};

  constructor(ask) {
    this.#ask = ask;
  }

  // ask has the test do something.
  ask(op, args) {
    return this.#ask(op, args);
  }

  // after has something done when the scenario ends, last things first.
  after(f) {
    this.#ending.push(f);
  }

  async end() {
    for (const c of this.#clients) await c.disconnect();
    for (const f of this.#ending.reverse()) await f();
  }

  // interpreterMayFail is for scenarios that make it fail.
  interpreterMayFail() {
    this.#interpreterMayFail = true;
  }

  judgeLog(text) {
    assert.equal(interpreterFailed.test(text), this.#interpreterMayFail, "the interpreter of a client failed");
  }

  // provokes says how often the interpreter of a peer of the scenario ends with an error, where
  // it must not do so otherwise.
  provokes({ name }, failures) {
    this.#provoked[name] = failures;
  }

  // peers are the three peers of the network, with peerId, ws and tcp addresses, admin URL.
  async peers() {
    return (network ??= await this.ask("network"));
  }

  async relays() {
    return (await this.peers()).map((p) => p.peerId);
  }

  // client connects a client that lives as long as the scenario.
  async client(relay, config = {}) {
    const c = await createClient(relay, config);
    this.#clients.add(c);
    return c;
  }

  // leave disconnects such a client earlier.
  leave(client) {
    this.#clients.delete(client);
    return client.disconnect();
  }

  // alice and carol are at home at the first peer, bob at the second, dora at the third.
  alice = () => this.#shared("alice", 0);
  bob = () => this.#shared("bob", 1);
  carol = () => this.#shared("carol", 0);
  dora = () => this.#shared("dora", 2);

  async #shared(name, peer) {
    const peers = await this.peers();
    return (shared[name] ??= await createClient(peers[peer].ws));
  }

  // use chooses the program whose functions are called.
  async use(file) {
    this.program = await this.compiled(file);
  }

  // compiled gives an Aqua file as aquanode compiles it. mixed.mjs holds that the published
  // compiler makes the same of it.
  compiled(file) {
    compiled[file] ??= this.aquanode("compile", "--format", "json", here(`${file}.aqua`));
    return compiled[file].then(({ stdout, stderr }) => (assert(stdout, stderr), JSON.parse(stdout)));
  }

  // aquanode runs the program and gives {code, stdout, stderr}.
  aquanode(...args) {
    return this.ask("aquanode", { args });
  }

  // call calls a function of the program. A last argument {ttl} is for the client.
  call(client, name, ...args) {
    const f = this.program.functions[name];
    assert(f, `no function ${name}`);
    return v5_callFunction([client, ...args], f.funcDef, f.script);
  }

  // raw calls any "service.function" of the client's relay or of the client itself, with arguments of any kind, by a script
  // written by hand.
  raw(client, peer, name, ...args) {
    const [service, fn] = name.split(".");
    const names = args.map((_, i) => `a${i}`);
    const given = ["-relay-", ...names].map((n) => `(call %init_peer_id% ("getDataSrv" "${n}") [] ${n})`);
    const steps = [
      ...given,
      '(call -relay- ("op" "noop") [])',
      `(call "${peer}" ("${service}" "${fn}") [${names.join(" ")}] result)`,
      '(call %init_peer_id% ("callbackSrv" "response") [result])',
    ];
    const script = `(xor ${steps.reduceRight((rest, step) => `(seq ${step} ${rest})`)}
      (call %init_peer_id% ("errorHandlingSrv" "error") [:error:]))`;
    return this.script(client, script, args);
  }

  // script runs AIR that has one result. Its arguments are called a0, a1 and so on.
  script(client, script, args, ...config) {
    const any = { tag: "topType" };
    const fields = Object.fromEntries(args.map((_, i) => [`a${i}`, any]));
    const domain = args.length > 0 ? { tag: "labeledProduct", fields } : { tag: "nil" };
    const arrow = { tag: "arrow", domain, codomain: { tag: "unlabeledProduct", items: [any] } };
    return v5_callFunction([client, ...args, ...config], { functionName: "", arrow, names: fixedNames }, script);
  }

  // serve registers a service of the program, under its own id or another one.
  serve(client, service, impl, id) {
    v5_registerService(id === undefined ? [client, impl] : [client, id, impl], this.program.services[service]);
  }

  // answerer gives a client the service Remote of calls.aqua.
  answerer(client, id, name) {
    const seen = [];
    this.serve(client, "Remote", {
      answer: (q) => (seen.push(q), `${name}: ${q}`),
      join: (a, b) => `${name}: ${a}+${b}`,
      seen: () => seen,
    }, id);
    return seen;
  }

  // elsewhere starts a client in a process of its own, see elsewhere.mjs.
  async elsewhere(env = {}) {
    const child = fork(new URL("./elsewhere.mjs", import.meta.url), { env: { ...process.env, ...env }, silent: true });
    child.stdout.pipe(process.stderr);
    child.stderr.pipe(process.stderr);
    const gone = once(child, "exit");
    const client = new Elsewhere(child);
    this.after(async () => {
      const text = child.connected ? await client.do("log") : "";
      child.kill("SIGKILL");
      await gone;
      this.judgeLog(text);
    });
    return client;
  }

  // relay starts a peer that lives as long as the scenario.
  async relay(...args) {
    const name = `own${++relays}`;
    this.after(() => this.ask("kill", { name, failures: this.#provoked[name] ?? 0 }));
    return this.start(name, ...args);
  }

  // start starts a peer that somebody else ends.
  start(name, ...args) {
    return this.ask("start", { name, args });
  }

  // connected gives the connected peers of a peer.
  async connected(peer) {
    return (await fetch(`${peer.admin}/peers`, authorized(peer))).json();
  }

  // journal gives what a peer remembers of particles.
  async journal(peer) {
    const response = await fetch(`${peer.admin}/particles?n=10000`, authorized(peer));
    return (await response.json()).entries;
  }

  // journaled waits until there is an entry in a peer's journal.
  journaled(peer, want) {
    return until(async () => (await this.journal(peer)).some(want), `${peer.name} has no such entry: ${want}`);
  }

  // draining waits until a peer takes no new particles.
  draining(peer) {
    const shutting = async () => (await (await fetch(`${peer.admin}/health`)).json()).some((check) => check.accepting === "Fail");
    return until(shutting, `${peer.name} is not shutting down`);
  }
}

// until asks every 10 ms for what tells only when asked.
async function until(holds, otherwise) {
  for (const end = Date.now() + 10_000; Date.now() < end; await sleep(10)) if (await holds()) return;
  assert.fail(otherwise);
}

// Elsewhere is a client in another process.
class Elsewhere {
  #child;
  #asked = 0;
  #waiting = new Map();

  constructor(child) {
    this.#child = child;
    child.on("message", ({ id, value, error }) => {
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      error === undefined ? resolve(value) : reject(error);
    });
    child.on("exit", () => this.#waiting.forEach(({ reject }) => reject(new Error("the process has ended"))));
  }

  do(op, args = {}) {
    return new Promise((resolve, reject) => {
      this.#waiting.set(++this.#asked, { resolve, reject });
      this.#child.send({ id: this.#asked, op, ...args });
    });
  }

  kill() {
    const gone = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    return gone;
  }
}

// failure waits for a promise to be rejected and gives what with.
export async function failure(promise) {
  let value;
  try {
    value = await promise;
  } catch (e) {
    return e;
  }
  assert.fail(`did not fail but gave ${JSON.stringify(value)}`);
}

// text is what an error says, be it an Error, an error object of AIR or anything else.
export const text = (e) => (typeof e === "string" ? e : (e.message ?? JSON.stringify(e)));

// fails asserts that a promise is rejected with a text, and gives the error.
export async function fails(promise, pattern) {
  const e = await failure(promise);
  assert.match(text(e), pattern);
  return e;
}

// expires asserts that a call ends with its time, not long before and not long after.
export async function expires(promise, ttl) {
  const start = performance.now();
  await fails(promise, new RegExp(`^Particle expired after ttl of ${ttl}ms`));
  const took = performance.now() - start;
  assert(took > ttl - 50 && took < ttl + 10_000, `expired after ${took} ms instead of ${ttl}`);
}

// gate is a promise with its handles.
export function gate() {
  const g = {};
  g.promise = new Promise((open, fail) => Object.assign(g, { open, fail }));
  return g;
}

// upTo gives [0, 1, ... n-1].
export const upTo = (n) => Array.from({ length: n }, (_, i) => i);

// nobody is a valid id of a peer that does not exist.
export const nobody = "12D3KooWANqfCDrV79MZdMnMqTvDdqSAPSxdgFY1L6DCq2DVGB4D";
