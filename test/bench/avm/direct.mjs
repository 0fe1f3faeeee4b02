// The published interpreter called straight through the memory interface of its SDK, without the stock host: the fair
// baseline for timing. (The stock host passes every byte array as JSON numbers, which costs up to 70 times the interpreter itself.)
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { randomFillSync } from "node:crypto";

// The packages are those that test/interop/avm pins.
const avm = new URL("../../interop/avm/node_modules/@fluencelabs/avm/", import.meta.url);
const msgpack = createRequire(new URL("package.json", avm))("msgpack-lite");
const LIMIT_DEFAULT = 4294967296; // what the stock client passes for all limits
const MSGPACK_PREFIX = Buffer.from([0x81, 0x04]); // 0x0201 as a varint

function encodeCallResults(callResults) {
  const map = {};
  for (const [id, r] of Object.entries(callResults ?? {})) map[id] = { ret_code: r.retCode ?? 0, result: r.result };
  return Buffer.concat([MSGPACK_PREFIX, msgpack.encode(map)]);
}

const text = new TextEncoder();

class Instance {
  constructor(module) {
    const view = () => new DataView(this.ex.memory.buffer);
    const wasi = {
      clock_time_get: (id, precision, out) => (view().setBigUint64(out, process.hrtime.bigint(), true), 0),
      fd_write: (fd, iovs, n, out) => {
        let total = 0;
        for (let i = 0; i < n; i++) total += view().getUint32(iovs + 8 * i + 4, true);
        return view().setUint32(out, total, true), 0;
      },
      sched_yield: () => 0,
      random_get: (p, l) => (randomFillSync(new Uint8Array(this.ex.memory.buffer, p, l)), 0),
      environ_get: () => 0,
      environ_sizes_get: (a, b) => (view().setUint32(a, 0, true), view().setUint32(b, 0, true), 0),
      proc_exit: (c) => { throw new Error("proc_exit " + c); },
    };
    this.ex = new WebAssembly.Instance(module, { __marine_host_api_v3: { log_utf8_string() {} }, wasi_snapshot_preview1: wasi }).exports;
    if (this.ex._initialize) this.ex._initialize();
    if (this.ex._start)
      try { this.ex._start(); } catch (e) { if (!/proc_exit 0/.test(e.message)) throw e; }
  }

  put(bytes) {
    if (bytes.length === 0) return [this.ex.allocate(0, 1) >>> 0, 0];
    const p = this.ex.allocate(bytes.length, 1) >>> 0;
    new Uint8Array(this.ex.memory.buffer, p, bytes.length).set(bytes);
    return [p, bytes.length];
  }

  invoke({ air, prev, cur, params, results }) {
    const [a, p, c] = [air, prev, cur].map((x) => this.put(x));
    const [init, self, key, id] = [params.init, params.self, params.key, params.id].map((x) => this.put(x));
    const rec = Buffer.alloc(77);
    let o = 0;
    const u32 = (v) => { o = rec.writeUInt32LE(v, o); };
    const u64 = (v) => { o = rec.writeBigUInt64LE(BigInt(v), o); };
    const u8 = (v) => { o = rec.writeUInt8(v, o); };
    for (const s of [init, self]) { u32(s[0]); u32(s[1]); }
    u64(params.timestamp); u32(params.ttl); u8(params.keyFormat);
    for (const s of [key, id]) { u32(s[0]); u32(s[1]); }
    for (const l of params.limits) u64(l);
    u8(params.hard ? 1 : 0);
    const [rec_ptr] = this.put(rec);
    const r = this.put(results);
    this.ex.invoke(a[0], a[1], p[0], p[1], c[0], c[1], rec_ptr, r[0], r[1]);

    let q = this.ex.get_result_ptr() >>> 0;
    const mem = this.ex.memory.buffer;
    const d = new DataView(mem);
    const retCode = Number(d.getBigInt64(q, true));
    q += 8;
    const run = () => { const at = d.getUint32(q, true), n = d.getUint32(q + 4, true); q += 8; return Buffer.from(mem.slice(at, at + n)); };
    const errorMessage = run().toString(), data = run();
    const list = d.getUint32(q, true), n = d.getUint32(q + 4, true);
    q += 8;
    const nextPeerPks = [];
    for (let i = 0; i < n; i++) nextPeerPks.push(Buffer.from(mem.slice(d.getUint32(list + 8 * i, true), d.getUint32(list + 8 * i, true) + d.getUint32(list + 8 * i + 4, true))).toString());
    const requests = run();
    this.ex.release_objects();
    return { retCode, errorMessage, data, nextPeerPks, requests };
  }
}

export function prepare(req) {
  const bytes = (b64) => Buffer.from(b64 ?? "", "base64");
  return {
    air: text.encode(req.air), prev: bytes(req.prevData), cur: bytes(req.currData),
    params: {
      init: text.encode(req.initPeerId ?? ""), self: text.encode(req.currentPeerId ?? ""), key: bytes(req.secretKey), id: text.encode(req.particleId ?? ""),
      timestamp: req.timestamp ?? 0, ttl: req.ttl ?? 0, keyFormat: req.keyFormat ?? 0,
      limits: [req.airSizeLimit, req.particleSizeLimit, req.callResultSizeLimit].map((l) => l ?? LIMIT_DEFAULT), hard: req.hardLimitEnabled ?? false,
    },
    results: req.callResultsRaw ? bytes(req.callResultsRaw) : encodeCallResults(req.callResults),
  };
}

// createInterpreter gives run(prepared): one run, bytes in and bytes out.
export function createInterpreter() {
  const module = new WebAssembly.Module(readFileSync(new URL("dist/avm.wasm", avm)));
  let instance = new Instance(module);
  return {
    run(prepared) {
      try {
        return instance.invoke(prepared);
      } catch (e) {
        instance = new Instance(module);
        return { trap: String(e?.message ?? e) };
      }
    },
  };
}
