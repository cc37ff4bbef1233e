// timeout: 120s
/**
 * gRPC's way of using HTTP/2 through the proxy: trailers-only responses, both directions at once,
 * deadlines, cancellation, and errors that the proxy makes itself. And CONNECT, which is not offered.
 */
import * as assert from "uvu/assert";
import { eventually } from "../support/eventually.ts";
import { type Field, requestFields } from "../support/http2-fields.ts";
import { ErrorCode } from "../support/http2-frames.ts";
import { answerOk, Http2Peer, http2Origin, type OriginRequest } from "../support/http2-peer.ts";
import { assertHealthy, type Rig, SERVICES, startRig, to } from "../support/http2-rig.ts";
import type { Http2Stream } from "../support/http2-stream.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/http2-translation-calls");
test.timeout(30_000);

const GRPC: readonly Field[] = [
  ["content-type", "application/grpc+proto"],
  ["te", "trailers"],
];
const HEAD: readonly Field[] = [["content-type", "application/grpc+proto"]];

const ANSWERS: Readonly<Record<string, (request: OriginRequest) => void>> = {
  "/trailers-only": (request) =>
    request.respond(200, [...HEAD, ["grpc-status", "5"], ["grpc-message", "not here"]]),
  "/unary": (request) =>
    request.whenEnded(() =>
      request.respond(200, HEAD, request.stream.body, [
        ["grpc-status", "0"],
        ["grpc-trailing-bin", "AAEC"],
      ]),
    ),
  "/stream": (request) => {
    request.head(200, HEAD);
    request.link.body(request.stream.id, "first", "open");
    request.whenEnded(() => request.link.body(request.stream.id, "last", [["grpc-status", "0"]]));
  },
  "/reset": (request) => {
    request.head(200, HEAD);
    request.link.body(request.stream.id, "some", "open");
    request.link.reset(request.stream.id, ErrorCode.internalError);
  },
  "/drop": (request) => {
    request.head(200, HEAD);
    request.link.body(request.stream.id, "some", "open");
    request.link.socket.end();
  },
  "/silent": () => {},
};

let rig: Rig;

test.before(async () => {
  rig = await startRig({
    two: await http2Origin((request) => (ANSWERS[request.path] ?? answerOk)(request)),
    // Nothing listens there, and the kernel gives it to nobody.
    args: ["--upstream=gone=h2:127.0.0.1:9", "--upstream=gone1=h1:127.0.0.1:9"],
  });
});
test.after(async () => {
  await rig.stop();
});
test.after.each(async () => {
  await assertHealthy(rig);
});

function call(path: string, authority = "two", ...more: readonly Field[]): Field[] {
  return requestFields(path, [...GRPC, ...more], "POST").map(([name, value]) =>
    name === ":authority" ? [name, authority] : [name, value],
  );
}

async function alone(work: (peer: Http2Peer) => Promise<void>): Promise<void> {
  const peer = await Http2Peer.connect(rig.port);
  await work(peer);
  assert.equal(peer.link.violations, []);
  peer.close();
}

test("a trailers-only response stays one", async () => {
  //
  await alone(async (peer) => {
    const seen = await peer.ask(call("/trailers-only"), "message");
    assert.is(seen.outcome, "200 ended");
    assert.is(seen.blocks.length, 1);
    assert.equal([seen.head?.isEnd, seen.dataFrames], [true, 0]);
    assert.equal([seen.value("grpc-status"), seen.value("grpc-message")], ["5", "not here"]);
  });
});

test("a unary call keeps its messages, metadata, deadline and status", async () => {
  //
  await alone(async (peer) => {
    const message = "\0\0\0\0\x04\xff\0\r\n";
    const seen = await peer.ask(call("/unary", "two", ["grpc-timeout", "5S"]), message);
    assert.is(seen.outcome, "200 ended");
    assert.is(seen.body, message);
    assert.equal([seen.trailer("grpc-status"), seen.trailer("grpc-trailing-bin")], ["0", "AAEC"]);
    const lines = rig.two.requests.at(-1)?.lines ?? [];
    for (const line of [
      "grpc-timeout: 5S",
      "te: trailers",
      "content-type: application/grpc+proto",
    ]) {
      assert.ok(lines.includes(line), line);
    }
  });
});

test("both directions flow at once", async () => {
  //
  await alone(async (peer) => {
    const id = peer.request(call("/stream"), "one", "open");
    const stream = peer.link.stream(id);
    await eventually(() => stream.body === "first");
    peer.link.body(id, "two", "end");
    await peer.over(id);
    assert.equal([stream.outcome, stream.body], ["200 ended", "firstlast"]);
    assert.is(rig.two.requests.at(-1)?.stream.body, "onetwo");
  });
});

test("cancellation arrives as such, and so does a reset from the other side", async () => {
  //
  await alone(async (peer) => {
    const asked = rig.two.requests.length;
    const id = peer.request(call("/silent"), "message", "open");
    await eventually(() => rig.two.requests.length > asked);
    peer.link.reset(id, ErrorCode.cancel);
    await eventually(() => rig.two.requests[asked]?.stream.resetCode === ErrorCode.cancel);
    const seen = await peer.ask(call("/reset"), "message");
    assert.is(isLost(seen), true, seen.outcome);
  });
});

test("a call whose origin is gone in the middle does not look complete", async () => {
  //
  await alone(async (peer) => {
    const seen = await peer.ask(call("/drop"), "message");
    assert.is(isLost(seen), true, seen.outcome);
    const next = await peer.ask(call("/unary"), "again");
    assert.equal([next.outcome, next.trailer("grpc-status")], ["200 ended", "0"]);
  });
});

/** Reset, or ended by trailers that say so: gRPC clients see both as an error. */
function isLost(stream: Http2Stream): boolean {
  if (!stream.isEnded) return stream.resetCode !== null;
  return /^[1-9][0-9]?$/.test(stream.trailer("grpc-status") ?? "");
}

test("errors of the proxy itself have the form that the client understands", async () => {
  //
  await alone(async (peer) => {
    for (const authority of ["gone", "gone1"]) {
      const seen = await peer.ask(call("/unary", authority), "message");
      assert.is(seen.outcome, "200 ended", authority);
      assert.is(seen.value("grpc-status"), "4");
      assert.match(seen.value("content-type") ?? "", /^application\/grpc/);
      assert.is(seen.value("l5d-proxy-error"), "service in fail-fast");
      assert.is(seen.bodyBytes, 0);
      // Nobody waits any more; that may begin a moment after the first was told.
      const plain = await eventually(async () => {
        const told = await peer.ask(requestFields("/").map(replaced(authority)));
        return told.outcome === "504 ended" ? null : told;
      });
      // It may be the one that tries whether somebody is there again.
      assert.match(plain.outcome, /^50[23] ended$/, `${authority}: ${plain.outcome}`);
      const why = /error=(connection_refused|destination_unavailable)/;
      assert.match(plain.value("proxy-status") ?? "", why);
      assert.match(plain.value("l5d-proxy-error") ?? "", /refused|unavailable/);
      assert.is(plain.value("grpc-status"), null);
    }
  });
});

function replaced(authority: string): (field: Field) => Field {
  return ([name, value]) => (name === ":authority" ? [name, authority] : [name, value]);
}

test("CONNECT is refused, in its right form and in wrong ones", async () => {
  //
  await alone(async (peer) => {
    const plain: readonly Field[] = [
      [":method", "CONNECT"],
      [":authority", "web:80"],
    ];
    const seen = await peer.ask(plain);
    assert.is(seen.outcome, "405 ended");
    for (const service of SERVICES) {
      const id = peer.request(to(service, requestFields("/", [], "CONNECT")), "early", "open");
      assert.match((await peer.over(id)).outcome, /^(?:reset 1|405 ended(?: reset 0)?)$/);
    }
    assert.is((await peer.ask(requestFields("/"))).outcome, "200 ended");
  });
  assert.not.ok(rig.web.requests.some(({ method }) => method === "CONNECT"));
  assert.not.ok(rig.two.requests.some(({ method }) => method === "CONNECT"));
});

test("the inbound listener serves the application by the same rules", async () => {
  const peer = await Http2Peer.connect(rig.program.port("inbound"));
  const asked = rig.web.requests.length;
  const good = await peer.ask(requestFields("/inbound").map(replaced("any.name:80")));
  assert.is(good.outcome, "200 ended", peer.describe());
  assert.is(rig.web.requests.at(-1)?.host, "any.name:80");
  const bad: readonly (readonly Field[])[] = [
    requestFields("/bad", [["transfer-encoding", "chunked"]]),
    requestFields("/bad", [["x-a", "b\r\nc: d"]]),
    requestFields("/bad", [[":path", "/other"]]),
  ];
  for (const fields of bad) assert.is((await peer.ask(fields)).outcome, "reset 1");
  assert.is((await peer.ask(requestFields("/again"))).outcome, "200 ended");
  assert.is(rig.web.requests.length, asked + 2);
  assert.equal(peer.link.violations, []);
  peer.close();
});

test.run();
