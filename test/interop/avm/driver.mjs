// The published AVM interpreter as a child process: a JSON request per line in, a JSON answer per line out, in order.
//
//   {air, prevData, currData, initPeerId, currentPeerId, timestamp, ttl, keyFormat, secretKey, particleId, callResults,
//    [airSizeLimit, particleSizeLimit, callResultSizeLimit, hardLimitEnabled, callResultsRaw]}
//     -> {retCode, errorMessage, data, nextPeerPks, callRequests, [..LimitExceeded]} or {trap} when the interpreter crashed
//   {op: "human", data} -> {human}      the interpreter's own readable form of data
//
// Bytes are base64. callResults: id -> {retCode, result}; callRequests: id -> {serviceId, functionName, arguments,
// tetraplets, argumentsMsgpack}; arguments are for reading only, since JSON numbers lose digits and the dot of 2.0.
// A request that cannot be served at all gets {driverError}.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { randomFillSync } from "node:crypto";

const modules = new URL("node_modules/@fluencelabs/", import.meta.url);
const msgpack = createRequire(new URL("avm/package.json", modules))("msgpack-lite");
const NO_LIMIT = 4294967296;
const MSGPACK_CODEC = Buffer.from([0x81, 0x04]); // 0x0201 as a varint

// Instance calls the wasm module through the memory interface of its SDK. The stock host, marine-js, passes every
// byte as a JSON number, which takes far longer than the interpreter itself.
class Instance {
  constructor(module) {
    const wasi = {
      clock_time_get: (id, precision, out) => (this.view().setBigUint64(out, process.hrtime.bigint(), true), 0),
      fd_write: (fd, iovs, n, out) => {
        let total = 0;
        for (let i = 0; i < n; i++) total += this.view().getUint32(iovs + 8 * i + 4, true);
        this.view().setUint32(out, total, true);
        return 0;
      },
      sched_yield: () => 0,
      random_get: (at, n) => (randomFillSync(new Uint8Array(this.exports.memory.buffer, at, n)), 0),
      environ_get: () => 0,
      environ_sizes_get: (count, size) => (this.view().setUint32(count, 0, true), this.view().setUint32(size, 0, true), 0),
      proc_exit: (code) => {
        throw new Error(`exit ${code}`);
      },
    };
    const host = { log_utf8_string() {} };
    this.exports = new WebAssembly.Instance(module, { __marine_host_api_v3: host, wasi_snapshot_preview1: wasi }).exports;
    this.exports._initialize?.();
    try {
      this.exports._start?.();
    } catch (e) {
      if (e.message !== "exit 0") throw e;
    }
  }

  view() {
    return new DataView(this.exports.memory.buffer);
  }

  put(bytes) {
    const at = this.exports.allocate(bytes.length, 1) >>> 0;
    new Uint8Array(this.exports.memory.buffer, at, bytes.length).set(bytes);
    return [at, bytes.length];
  }

  // record lays out the parameters as the SDK does: fields in order, without padding; bytes as address and length.
  record(r) {
    const buf = Buffer.alloc(77);
    let at = 0;
    const u32 = (v) => (at = buf.writeUInt32LE(v, at));
    const u64 = (v) => (at = buf.writeBigUInt64LE(BigInt(v), at));
    const bytes = (b) => this.put(b).forEach(u32);
    bytes(Buffer.from(r.initPeerId ?? ""));
    bytes(Buffer.from(r.currentPeerId ?? ""));
    u64(r.timestamp ?? 0);
    u32(r.ttl ?? 0);
    at = buf.writeUInt8(r.keyFormat ?? 0, at);
    bytes(base64(r.secretKey));
    bytes(Buffer.from(r.particleId ?? ""));
    for (const limit of [r.airSizeLimit, r.particleSizeLimit, r.callResultSizeLimit]) u64(limit ?? NO_LIMIT);
    buf.writeUInt8(r.hardLimitEnabled ? 1 : 0, at);
    return this.put(buf)[0];
  }

  invoke(r) {
    const results = r.callResultsRaw === undefined ? encodeResults(r.callResults) : base64(r.callResultsRaw);
    const args = [Buffer.from(r.air), base64(r.prevData), base64(r.currData)].map((b) => this.put(b));
    const record = this.record(r);
    this.exports.invoke(...args.flat(), record, ...this.put(results));
    const answer = this.outcome();
    this.exports.release_objects();
    return answer;
  }

  // outcome reads the record that the call left behind.
  outcome() {
    const view = this.view();
    const copy = (at) => Buffer.from(view.buffer.slice(view.getUint32(at, true), view.getUint32(at, true) + view.getUint32(at + 4, true)));
    const at = this.exports.get_result_ptr() >>> 0;
    const peers = [];
    const [list, count] = [view.getUint32(at + 24, true), view.getUint32(at + 28, true)];
    for (let i = 0; i < count; i++) peers.push(copy(list + 8 * i).toString());
    const answer = {
      retCode: Number(view.getBigInt64(at, true)),
      errorMessage: copy(at + 8).toString(),
      data: copy(at + 16).toString("base64"),
      nextPeerPks: peers,
      callRequests: decodeRequests(copy(at + 32)),
    };
    ["airSizeLimitExceeded", "particleSizeLimitExceeded", "callResultSizeLimitExceeded"].forEach((name, i) => {
      if (view.getUint8(at + 40 + i)) answer[name] = true;
    });
    return answer;
  }
}

const base64 = (text) => Buffer.from(text ?? "", "base64");

function encodeResults(results) {
  const map = {};
  for (const [id, r] of Object.entries(results ?? {})) map[id] = { ret_code: r.retCode ?? 0, result: r.result };
  return Buffer.concat([MSGPACK_CODEC, msgpack.encode(map)]);
}

function decodeRequests(bytes) {
  const requests = {};
  if (bytes.length === 0) return requests;
  if (!bytes.subarray(0, 2).equals(MSGPACK_CODEC)) throw new Error("call requests in an unknown encoding");
  for (const [id, r] of Object.entries(msgpack.decode(bytes.subarray(2)))) {
    requests[id] = {
      serviceId: r.service_id,
      functionName: r.function_name,
      arguments: msgpack.decode(r.arguments),
      tetraplets: msgpack.decode(r.tetraplets),
      argumentsMsgpack: r.arguments.toString("base64"),
    };
  }
  return requests;
}

const wasm = readFileSync(new URL("avm/dist/avm.wasm", modules));
const module = new WebAssembly.Module(wasm);
let instance = new Instance(module);

// A crash leaves the memory in an unknown state: the next request gets a fresh instance.
function invoke(request) {
  try {
    return instance.invoke(request);
  } catch (e) {
    instance = new Instance(module);
    return { trap: String(e?.message ?? e).slice(0, 500) };
  }
}

let marine;
async function startMarine() {
  const { MarineService } = await import(new URL("marine-js/dist/MarineService.js", modules));
  const control = new WebAssembly.Module(readFileSync(new URL("marine-js/dist/marine-js.wasm", modules)));
  const envs = { WASM_LOG: "off" };
  const wasi = { envs, preopened_files: new Set(), mapped_dirs: new Map() };
  const config = { modules_config: [{ import_name: "avm", config: { logger_enabled: true, logging_mask: 0, wasi } }] };
  const service = new MarineService(control, "avm", () => {}, config, { avm: new Uint8Array(wasm) }, envs);
  await service.init();
  return service;
}

async function human(data) {
  if (base64(data).length === 0) return null;
  marine ??= await startMarine();
  const { defaultCallParameters } = await import(new URL("marine-js/dist/types.js", modules));
  return JSON.parse(marine.call("to_human_readable_data", [Array.from(base64(data))], defaultCallParameters));
}

// The wasm hosts print to the console; standard output is for answers.
for (const method of ["log", "info", "warn", "debug"]) console[method] = console.error;

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  let answer;
  try {
    const request = JSON.parse(line);
    answer = request.op === "human" ? { human: await human(request.data) } : invoke(request);
  } catch (e) {
    answer = { driverError: String(e?.stack ?? e) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
