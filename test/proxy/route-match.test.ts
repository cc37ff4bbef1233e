import * as assert from "uvu/assert";
import { Step } from "../../src/codec/http1/field-section.ts";
import { RequestHead } from "../../src/codec/http1/request-head.ts";
import type { PathMatch, Route } from "../../src/mesh/policy.ts";
import { chooseBackend, matchRoute, NO_BACKEND } from "../../src/proxy/route-match.ts";
import { route } from "../support/routed-rig.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/route-match");
/** Not 0: offsets of a head count from its own first byte. */
const BASE = 7;

function matched(routes: readonly Route[], target: string, method = "GET"): number {
  const text = `${method} ${target} HTTP/1.1\r\nHost: web\r\n\r\n`;
  const bytes = Uint8Array.from(Buffer.from(" ".repeat(BASE) + text, "latin1"));
  const head = new RequestHead();
  head.reset();
  assert.is(head.parse(bytes, BASE, bytes.length), Step.done, text);
  const found = matchRoute(routes, bytes, BASE, head);
  return found === null ? -1 : routes.indexOf(found);
}

function fits(kind: PathMatch["kind"], path: string, target: string): boolean {
  return matched([route({ matches: [{ path: { kind, path }, method: null }] })], target) === 0;
}

test("a prefix fits whole segments, with and without a slash at its end", () => {
  for (const path of ["/a", "/a/"]) {
    for (const target of ["/a", "/a/", "/a/b", "/a?q", "/a/?q", "/a/b?/c", "http://web/a/b"]) {
      assert.ok(fits("prefix", path, target), `${path} ${target}`);
    }
    for (const target of ["/", "/ab", "/A", "/b/a", "/?/a", "/%61", "//a", "http://web"]) {
      assert.not.ok(fits("prefix", path, target), `${path} ${target}`);
    }
  }
  for (const target of ["/", "/a", "/?q", "http://web", "http://web/x"]) {
    assert.ok(fits("prefix", "/", target), target);
  }
});

test("an exact path fits itself, whatever the query", () => {
  for (const target of ["/a/b", "/a/b?", "/a/b?c=/d", "http://web/a/b"]) {
    assert.ok(fits("exact", "/a/b", target), target);
  }
  for (const target of ["/a", "/a/b/", "/a/bc", "/a/b/c", "/"]) {
    assert.not.ok(fits("exact", "/a/b", target), target);
  }
  assert.ok(fits("exact", "/", "http://web"));
  const all = route({ matches: [{ path: { kind: "prefix", path: "/" }, method: null }] });
  assert.is(matched([all], "*", "OPTIONS"), -1);
});

test("methods are compared as they are, and the first of all that fit counts", () => {
  const path = { kind: "prefix", path: "/a" } as const;
  const routes = [
    route({ matches: [{ path, method: "POST" }] }),
    route({
      matches: [
        { path: { kind: "exact", path: "/x" }, method: "GET" },
        { path, method: null },
      ],
    }),
    route({ matches: [{ path: null, method: "PATCH" }] }),
    route({ matches: [] }),
    route({ matches: [] }),
  ];
  assert.is(matched(routes, "/a", "POST"), 0);
  assert.is(matched(routes, "/a", "POS"), 1);
  assert.is(matched(routes, "/a", "POSTS"), 1);
  assert.is(matched(routes, "/a", "post"), 1);
  assert.is(matched(routes, "/x"), 1);
  assert.is(matched(routes, "/y", "PATCH"), 2);
  assert.is(matched(routes, "/y"), 3);
  assert.is(matched(routes.slice(0, 3), "/y"), -1);
  assert.is(matched([], "/y"), -1);
  assert.is(matched(routes, "*", "OPTIONS"), 3);
});

test("a backend is chosen by weight; with none the service's own endpoints are", () => {
  assert.is(
    chooseBackend(route(), () => 1),
    null,
  );
  const backends = [
    { service: "a", weight: 1 },
    { service: "b", weight: 1 },
  ];
  assert.is(
    chooseBackend(route({ backends }), () => 1),
    "a",
  );
  assert.is(
    chooseBackend(route({ backends }), () => 0xffff_ffff),
    "b",
  );
  const none = [{ service: "a", weight: 0 }];
  assert.is(
    chooseBackend(route({ backends: none }), () => 1),
    NO_BACKEND,
  );
});

test.run();
