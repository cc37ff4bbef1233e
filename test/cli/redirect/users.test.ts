import { createServer } from "node:net";
import * as assert from "uvu/assert";
import { idIn, idsOf, refuseLoop } from "../../../src/cli/redirect/users.ts";
import { StartError } from "../../../src/cli/start-error.ts";
import { suite } from "../../support/test.ts";

const test = suite("cli/redirect/users");

test("names are looked up, numbers are not", () => {
  assert.equal(idsOf("user", ["7", "root"]), [7, 0]);
  assert.equal(idsOf("group", ["4294967294", "root"]), [4_294_967_294, 0]);
  assert.throws(
    () => idsOf("user", ["no-such-user"]),
    (error: unknown) => {
      return error instanceof StartError && error.message.includes("no-such-user");
    },
  );
});

test("only a whole name and a number count", () => {
  const text = "root:x:0:0:root:/root:/bin/sh\nrootless:x:5:5::/:\nodd:x:1 flush:1::/:\n\nshort\n";
  assert.is(idIn(text, "root"), 0);
  assert.is(idIn(text, "rootless"), 5);
  assert.is(idIn(text, "odd"), null);
  assert.is(idIn(text, "short"), null);
  assert.is(idIn("", "root"), null);
});

test("a sidecar that is there already must be one of those left out", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const own = process.getuid?.() ?? 0;
  try {
    refuseLoop(port, [1_000_000, own], []);
    refuseLoop(port, [1_000_000], [5]);
    const loops = (error: unknown): boolean =>
      error instanceof StartError && error.message.endsWith(`give --uid ${own}`);
    assert.throws(() => refuseLoop(port, [1_000_000], []), loops);
  } finally {
    server.close();
  }
  refuseLoop(1, [1_000_000], []);
});

test.run();
