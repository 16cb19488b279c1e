// A client of another make, autobahn-js: `node peer.cjs URL REALM SERIALIZER`. It takes a request a
// line on its input and gives an answer a line on its output, in JSON, in which bytes are
// `{"bytes": BASE64}`. What arrives for it is told as `{"event": ...}` and `{"invocation": ...}`, and
// the steps of a call as `{"progress": ID, "step": ...}`.
const autobahn = require("autobahn");
const readline = require("node:readline");

const [url, realm, serializer] = process.argv.slice(2);
const serializers = {
  json: autobahn.serializer.JSONSerializer,
  msgpack: autobahn.serializer.MsgpackSerializer,
  cbor: autobahn.serializer.CBORSerializer,
};

const isPlain = (value) => value !== null && Object.getPrototypeOf(value) === Object.prototype;

function written(value) {
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString("base64") };
  if (Array.isArray(value)) return value.map(written);
  if (typeof value !== "object" || !isPlain(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, written(each)]));
}

function read(value) {
  if (Array.isArray(value)) return value.map(read);
  if (typeof value !== "object" || value === null) return value;
  if (typeof value.bytes === "string") return Buffer.from(value.bytes, "base64");
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, read(each)]));
}

function tell(document) {
  process.stdout.write(`${JSON.stringify(written(document))}\n`);
}

let release;
const released = new Promise((resolve) => (release = resolve));

// What a procedure does; each gets the arguments and autobahn's details.
const procedures = {
  count: async ([wanted], kwargs, { progress }) => {
    for (let number = 0; number < wanted; number += 1) {
      if (number === wanted - 1) await released;
      progress([number], { of: wanted });
    }
    return "done";
  },
  echo: (args, kwargs) => new autobahn.Result(args, kwargs),
  fail: () => {
    throw new autobahn.Error("com.shop.sold_out", ["no more"], { left: 0 });
  },
  never: () => new Promise(() => {}),
};

function who(details) {
  const { caller, caller_authid, publisher, publisher_authid, procedure, topic } = details;
  return { caller, caller_authid, publisher, publisher_authid, procedure, topic };
}

function result(value) {
  if (!(value instanceof autobahn.Result)) return { args: [value], kwargs: {} };
  return { args: value.args, kwargs: value.kwargs };
}

const calls = new Map();

const actions = {
  call: async (session, { uri, args, kwargs, options }, id) => {
    calls.set(id, session.call(uri, read(args), read(kwargs), options));
    const took = (step) => tell({ progress: id, step: result(step) });
    const ended = calls.get(id).then(undefined, undefined, took);
    return result(await ended.finally(() => calls.delete(id)));
  },
  cancel: (_, { call }) => {
    // In another mode it ends the connection over the answer that the router gives all the same.
    calls.get(call).cancel({ mode: "kill" });
    return null;
  },
  publish: async (session, { uri, args, kwargs, options }) => {
    const publication = await session.publish(uri, read(args), read(kwargs), {
      acknowledge: true,
      ...options,
    });
    return publication.id;
  },
  register: async (session, { uri, does, options }) => {
    const handler = (args, kwargs, details) => {
      tell({ invocation: { args: args || [], kwargs: kwargs || {}, details: who(details) } });
      return procedures[does](args, kwargs, details);
    };
    return (await session.register(uri, handler, options)).id;
  },
  release: () => {
    release();
    return null;
  },
  subscribe: async (session, { uri, options }) => {
    const handler = (args, kwargs, details) =>
      tell({ event: { args: args || [], kwargs: kwargs || {}, details: who(details) } });
    return (await session.subscribe(uri, handler, options)).id;
  },
};

const connection = new autobahn.Connection({
  url,
  realm,
  serializers: [new serializers[serializer]()],
  max_retries: 0,
});

connection.onopen = (session) => {
  tell({ joined: session.id });
  const lines = readline.createInterface({ input: process.stdin });
  lines.on("close", () => process.exit(0));
  lines.on("line", async (line) => {
    const { id, action, ...request } = JSON.parse(line);
    try {
      tell({ id, answer: await actions[action](session, request, id) });
    } catch (error) {
      const { error: uri, args, kwargs } = error;
      tell({ id, error: { uri: uri || String(error), args: args || [], kwargs: kwargs || {} } });
    }
  });
};

connection.onclose = (reason, details) => {
  tell({ closed: reason, details: details.reason || null });
  process.exit(1);
};

connection.open();
