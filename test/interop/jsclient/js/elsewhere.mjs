// A client in a process of its own. Its parent tells it what to do by messages:
//
//	connect {relay, config}          -> the client's peer id
//	call {program, name, args}       -> the result; program is as `aquanode compile` prints it
//	answer {program, service, name}  serves Remote of calls.aqua
//	hang {program, service}          -> the question, once there is one, which is never answered
//	log                              -> what was said on standard error
//
// With CLOCK_SKEW_MS its clock is off by so much.
import { watch } from "./watch.mjs";

const skew = Number(process.env.CLOCK_SKEW_MS ?? 0);
if (skew !== 0) {
  const RealDate = Date;
  const now = RealDate.now.bind(RealDate);
  globalThis.Date = class extends RealDate {
    constructor(...args) {
      args.length === 0 ? super(now() + skew) : super(...args);
    }
    static now() {
      return now() + skew;
    }
  };
}

const log = watch();
const { createClient, v5_callFunction, v5_registerService } = await import("@fluencelabs/js-client");

let client;
const operations = {
  async connect({ relay, config }) {
    client = await createClient(relay, config);
    return client.getPeerId();
  },
  call({ program, name, args }) {
    const f = program.functions[name];
    return v5_callFunction([client, ...args], f.funcDef, f.script);
  },
  answer({ program, service, name }) {
    const impl = { answer: (q) => `${name}: ${q}`, join: (a, b) => `${name}: ${a}+${b}`, seen: () => [] };
    v5_registerService([client, service, impl], program.services.Remote);
  },
  hang: ({ program, service }) =>
    new Promise((asked) => {
      const answer = (q) => (asked(q), new Promise(() => {}));
      v5_registerService([client, service, { answer, join: () => "", seen: () => [] }], program.services.Remote);
    }),
  log: () => log.text(),
};

process.on("message", async ({ id, op, ...args }) => {
  try {
    process.send({ id, value: await operations[op](args) });
  } catch (e) {
    process.send({ id, error: e instanceof Error ? { message: e.message } : e });
  }
});
process.on("disconnect", () => process.exit(0)); // the parent has ended, however it did
