// timeout: 180s
/** What servers can do wrong, each on a raw connection, and the one status that our client makes of it. */
import { type AddressInfo, createServer } from "node:net";
import * as assert from "uvu/assert";
import type { RpcChannel, RpcClientHandle } from "../../src/rpc/client-handle.ts";
import { MESSAGE_BYTES_MAX } from "../../src/rpc/limits.ts";
import { eventually } from "../support/eventually.ts";
import type { Field } from "../support/http2-fields.ts";
import * as f from "../support/http2-frames.ts";
import { type Http2Origin, http2Origin, type OriginRequest } from "../support/http2-peer.ts";
import {
  bytesOf,
  collect,
  errorOf,
  LOOPBACK,
  pathOf,
  Status,
  startRpcClient,
  textOf,
} from "../support/rpc.ts";
import { suite } from "../support/test.ts";

const test = suite("rpc/hostile-servers");
test.timeout(30_000);

const WITHIN = { timeoutMs: 5_000 };
const HEAD: readonly Field[] = [["content-type", "application/grpc"]];
const OK: readonly Field[] = [["grpc-status", "0"]];

let client: RpcClientHandle;
let faults: string[];
let answer: (request: OriginRequest) => void = () => {};
let origin: Http2Origin;
let channel: RpcChannel;

test.before(async () => {
  ({ client, faults } = await startRpcClient());
  origin = await http2Origin((request) => request.whenEnded(() => answer(request)));
  channel = await openTo(origin.port);
});
test.after(async () => {
  await client.stop();
  await origin.close();
  assert.equal(faults, []);
  assert.equal(origin.violations(), []);
});

function openTo(port: number): Promise<RpcChannel> {
  return client.open({ address: { ip: LOOPBACK, port }, tls: null });
}

function message(text: string, flag = 0): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(text.length, 1);
  return Buffer.concat([prefix, Buffer.from(text)]);
}

const call = (): Promise<Uint8Array> => channel.call(pathOf("Any"), bytesOf("question"), WITHIN);

test("the request that is sent is gRPC's", async () => {
  let fields: string[] = [];
  let body = "";
  answer = (request) => {
    fields = request.lines;
    body = request.stream.body;
    request.respond(200, HEAD, message("answer"), OK);
  };
  const metadata = [
    ["x-custom", "a value"],
    ["grpc-status", "reserved"],
    ["te", "reserved"],
    ["X-Upper", "no name of HTTP/2"],
    ["x-line", "no\\r\\nvalue\r\n"],
    ["authorization", "Bearer secret"],
  ] as const;
  const got = await channel.call(pathOf("Any"), bytesOf("question"), {
    timeoutMs: 3_000,
    metadata,
  });
  assert.is(textOf(got), "answer");
  assert.equal(fields, [
    ":method: POST",
    ":scheme: http",
    `:authority: 127.0.0.1:${origin.port}`,
    `:path: ${pathOf("Any")}`,
    "content-type: application/grpc",
    "grpc-accept-encoding: identity",
    "user-agent: outrigger",
    fields.find((line) => /^grpc-timeout: (?:3000|29[0-9]{2})m$/.test(line)),
    "x-custom: a value",
    "authorization: Bearer secret",
    "te: trailers",
  ]);
  assert.is(body, message("question").toString("latin1"));
});

const table: readonly [string, (request: OriginRequest) => void, Status, RegExp][] = [
  ["no trailers", (r) => r.respond(200, HEAD, message("x")), Status.internal, /no trailers/],
  ["nothing but a head", (r) => r.respond(200, HEAD), Status.unknown, /no grpc-status/],
  [
    "no grpc-status",
    (r) => r.respond(200, HEAD, message("x"), [["x-a", "b"]]),
    Status.unknown,
    /no grpc-status/,
  ],
  [
    "a status out of range",
    (r) => r.respond(200, HEAD, message("x"), [["grpc-status", "17"]]),
    Status.unknown,
    /does not exist/,
  ],
  [
    "a status that is no number",
    (r) => r.respond(200, HEAD, message("x"), [["grpc-status", "ok"]]),
    Status.unknown,
    /does not exist/,
  ],
  [
    "an empty status",
    (r) => r.respond(200, [...HEAD, ["grpc-status", ""]]),
    Status.unknown,
    /grpc-status/,
  ],
  [
    "a status of -1",
    (r) => r.respond(200, [...HEAD, ["grpc-status", "-1"]]),
    Status.unknown,
    /does not exist/,
  ],
  ["OK without a message", (r) => r.respond(200, HEAD, "", OK), Status.internal, /no message/],
  [
    "OK at once without a message",
    (r) => r.respond(200, [...HEAD, ...OK]),
    Status.internal,
    /no message/,
  ],
  [
    "half a message",
    (r) => r.respond(200, HEAD, message("hello").subarray(0, 7), OK),
    Status.internal,
    /within a message/,
  ],
  [
    "a part of a prefix",
    (r) => r.respond(200, HEAD, message("hello").subarray(0, 2), OK),
    Status.internal,
    /within a message/,
  ],
  [
    "two messages",
    (r) => r.respond(200, HEAD, Buffer.concat([message("a"), message("b")]), OK),
    Status.internal,
    /more than one/,
  ],
  [
    "a compressed message",
    (r) => r.respond(200, HEAD, message("x", 1), OK),
    Status.unimplemented,
    /compressed/,
  ],
  ["a bad flag", (r) => r.respond(200, HEAD, message("x", 7), OK), Status.internal, /neither/],
  [
    "not gRPC",
    (r) => r.respond(200, [["content-type", "text/html"]], "<html>"),
    Status.unknown,
    /not gRPC/,
  ],
  ["404", (r) => r.respond(404, [["content-length", "2"]], "no"), Status.unimplemented, /HTTP 404/],
  ["401", (r) => r.respond(401), Status.unauthenticated, /HTTP 401/],
  ["503", (r) => r.respond(503), Status.unavailable, /HTTP 503/],
  ["500", (r) => r.respond(500, [], "oops"), Status.unknown, /HTTP 500/],
  [
    "a reset",
    (r) => r.link.reset(r.stream.id, f.ErrorCode.internalError),
    Status.internal,
    /error 2/,
  ],
  [
    "REFUSED_STREAM",
    (r) => r.link.reset(r.stream.id, f.ErrorCode.refusedStream),
    Status.unavailable,
    /error 7/,
  ],
  ["CANCEL", (r) => r.link.reset(r.stream.id, f.ErrorCode.cancel), Status.cancelled, /error 8/],
  ["NO_ERROR", (r) => r.link.reset(r.stream.id, f.ErrorCode.noError), Status.internal, /error 0/],
  [
    "ENHANCE_YOUR_CALM",
    (r) => r.link.reset(r.stream.id, f.ErrorCode.enhanceYourCalm),
    Status.resourceExhausted,
    /error 11/,
  ],
  ["a malformed head", (r) => r.respond("abc", HEAD), Status.internal, /rules/],
  [
    "trailers with a pseudo-header",
    (r) => r.respond(200, HEAD, message("x"), [[":status", "200"]]),
    Status.internal,
    /rules/,
  ],
];
for (const [title, act, status, text] of table) {
  test(`a response of ${title} is one status`, async () => {
    answer = act;
    const error = await errorOf(call());
    assert.is(error.status, status, error.message);
    assert.match(error.message, text);
    // It costs this call and no other.
    answer = (request) => request.respond(200, HEAD, message("fine"), OK);
    assert.is(textOf(await call()), "fine");
  });
}

test("a response of trailers only is an error with its text, decoded as far as it goes", async () => {
  answer = (request) =>
    request.respond(200, [...HEAD, ["grpc-status", "5"], ["grpc-message", "50%25 of %C3%BC %zz"]]);
  const error = await errorOf(call());
  assert.equal([error.status, error.message], [Status.notFound, "50% of \u00fc %zz"]);
});

test("a grpc-status counts even where HTTP says something else", async () => {
  answer = (request) => request.respond(503, [...HEAD, ["grpc-status", "7"]]);
  assert.is((await errorOf(call())).status, Status.permissionDenied);
});

test("a message that is announced as too large is not waited for", async () => {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(MESSAGE_BYTES_MAX + 1, 1);
  answer = (request) => request.respond(200, HEAD, prefix, "open");
  assert.is((await errorOf(call())).status, Status.resourceExhausted);
});

test("interim responses are passed over", async () => {
  answer = (request) => {
    request.head(103);
    request.respond(200, HEAD, message("after"), OK);
  };
  assert.is(textOf(await call()), "after");
});

test("a server that never answers costs the deadline, and learns that it is over", async () => {
  let wasReset = false;
  answer = (request) => {
    request.onReset = () => {
      wasReset = true;
    };
  };
  const work = channel.call(pathOf("Any"), bytesOf(""), { timeoutMs: 200 });
  assert.is((await errorOf(work)).status, Status.deadlineExceeded);
  await eventually(() => wasReset);
});

test("a stream in single bytes brings the same messages", async () => {
  const bytes = Buffer.concat([message("one"), message(""), message("three")]);
  answer = (request) => {
    request.head(200, HEAD);
    for (const byte of bytes) request.link.body(request.stream.id, Buffer.of(byte), "open");
    request.link.body(request.stream.id, "", OK);
  };
  const messages = await collect(channel.stream(pathOf("Any"), bytesOf(""), WITHIN));
  assert.equal(messages.map(textOf), ["one", "", "three"]);
});

test("GOAWAY closes the channel; calls that it names go on, later ones are UNAVAILABLE", async () => {
  const other = await http2Origin((request) =>
    request.whenEnded(() => {
      if (request.stream.id === 1) request.link.write(f.goAway(1, f.ErrorCode.noError));
      else throw new Error("it came after GOAWAY");
    }),
  );
  const going = await openTo(other.port);
  const first = going.call(pathOf("Any"), bytesOf(""), WITHIN);
  assert.is(await going.closed, "the server goes away");
  assert.is(
    (await errorOf(going.call(pathOf("Any"), bytesOf(""), WITHIN))).status,
    Status.unavailable,
  );
  other.requests[0]?.respond(200, HEAD, message("last"), OK);
  assert.is(textOf(await first), "last");
  await eventually(() => other.links[0]?.end !== null);
  await other.close();
});

test("calls beyond what the server allows wait for their turn, and for their deadline", async () => {
  const requests: OriginRequest[] = [];
  const other = await http2Origin((request) => void requests.push(request), {
    settings: [[f.Setting.maxConcurrentStreams, 2]],
  });
  const narrow = await openTo(other.port);
  const works = [1, 2, 3].map(() => narrow.call(pathOf("Any"), bytesOf(""), WITHIN));
  const late = narrow.call(pathOf("Any"), bytesOf(""), { timeoutMs: 100 });
  assert.is((await errorOf(late)).status, Status.deadlineExceeded);
  assert.is(requests.length, 2);
  requests[0]?.respond(200, HEAD, message("a"), OK);
  await eventually(() => requests.length === 3);
  for (const request of requests.slice(1)) request.respond(200, HEAD, message("b"), OK);
  assert.equal((await Promise.all(works)).map(textOf), ["a", "b", "b"]);
  narrow.close();
  await other.close();
});

test("a broken rule of HTTP/2 ends the channel with a reason", async () => {
  const other = await http2Origin((request) => request.link.write(f.data(0, "x")));
  const broken = await openTo(other.port);
  assert.is(
    (await errorOf(broken.call(pathOf("Any"), bytesOf(""), WITHIN))).status,
    Status.unavailable,
  );
  assert.match(await broken.closed, /breaks a rule/);
  await other.close();
});

for (const [title, says] of [
  ["says nothing", ""],
  ["speaks HTTP/1", "HTTP/1.1 400 Bad Request\r\n\r\n"],
  ["closes", null],
] as const) {
  test(`a server that ${title} is no server: opening fails`, async () => {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", () => {
        if (says === null) socket.destroy();
        else socket.write(says);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
    const { port } = server.address() as AddressInfo;
    const address = { ip: LOOPBACK, port };
    const error = await errorOf(client.open({ address, tls: null, timeoutMs: 500 }));
    assert.is(error.status, Status.unavailable);
    server.close();
  });
}

test("a server that takes nothing costs the deadline", async () => {
  const other = await http2Origin(() => {}, { givesWindow: false });
  const stuck = await openTo(other.port);
  const large = new Uint8Array(1_000_000);
  const error = await errorOf(stuck.call(pathOf("Any"), large, { timeoutMs: 300 }));
  assert.is(error.status, Status.deadlineExceeded);
  stuck.close();
  await other.close();
});

test.run();
