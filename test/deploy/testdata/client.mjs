// The unmodified npm client: calls foo on each peer through one of them, and prints the answers.
//
//	node client.mjs RELAY PEERID...
import { createClient, v5_callFunction } from "@fluencelabs/js-client";

const [relay, ...peers] = process.argv.slice(2);
const names = {
  relay: "-relay-",
  getDataSrv: "getDataSrv",
  callbackSrv: "callbackSrv",
  responseSrv: "callbackSrv",
  responseFnName: "response",
  errorHandlingSrv: "errorHandlingSrv",
  errorFnName: "error",
};
const any = { tag: "topType" };
const arrow = { tag: "arrow", domain: { tag: "labeledProduct", fields: { at: any } }, codomain: { tag: "unlabeledProduct", items: [any] } };
const script = `(xor
  (seq (call %init_peer_id% ("getDataSrv" "-relay-") [] -relay-)
  (seq (call %init_peer_id% ("getDataSrv" "at") [] at)
  (seq (call -relay- ("op" "noop") [])
  (seq (call at ("foo" "foo") [] result)
  (seq (call -relay- ("op" "noop") [])
       (call %init_peer_id% ("callbackSrv" "response") [result]))))))
  (call %init_peer_id% ("errorHandlingSrv" "error") [:error:]))`;

const client = await createClient(relay, {});
const answers = [];
for (const [i, at] of peers.entries()) {
  answers.push(`${await v5_callFunction([client, at, { ttl: 20000 }], { functionName: "", arrow, names }, script)} on ${i + 1}`);
}
console.log(JSON.stringify(answers));
await client.disconnect();
process.exit(0);
