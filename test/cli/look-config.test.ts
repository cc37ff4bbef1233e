import * as assert from "uvu/assert";
import { checkConfig, statConfig, tapConfig, topConfig } from "../../src/cli/look-config.ts";
import { TAP_ALL } from "../../src/mesh/tap.ts";
import { suite } from "../support/test.ts";

const test = suite("cli/look-config");

test("without flags it is the sidecar of this host", () => {
  assert.equal(statConfig([], {}), {
    ok: true,
    config: { adminUrls: ["http://127.0.0.1:4191"], windowMs: 1_000, isJson: false },
  });
  assert.equal(topConfig([], {}), {
    ok: true,
    config: { adminUrls: ["http://127.0.0.1:4191"], windowMs: 1_000 },
  });
  const adminUrls = ["http://127.0.0.1:4191"];
  assert.equal(tapConfig([], {}), {
    ok: true,
    config: { adminUrls, filter: TAP_ALL, max: null, durationMs: null, isJson: false },
  });
});

test("several sidecars, by flags or by the variable, each once", () => {
  const two = ["http://127.0.0.1:1", "http://[::1]:2"];
  const admin = ["--admin=127.0.0.1:1", "--admin", "[::1]:2", "--admin=127.0.0.1:1"];
  const given = statConfig(admin, { OUTRIGGER_ADMIN: "10.0.0.1:3" });
  assert.equal(given.ok && given.config.adminUrls, two);
  const variable = tapConfig([], { OUTRIGGER_ADMIN: "127.0.0.1:1;[::1]:2" });
  assert.equal(variable.ok && variable.config.adminUrls, two);
});

test("a check finds the sidecar by the variable that told the sidecar where to listen", () => {
  assert.equal(checkConfig([], { OUTRIGGER_ADMIN: "0.0.0.0:4291" }), {
    ok: true,
    config: { adminUrl: "http://0.0.0.0:4291", isReadyOnly: false },
  });
  const control = checkConfig(["--ready", "--admin=127.0.0.1:4192"], {});
  assert.equal(control, {
    ok: true,
    config: { adminUrl: "http://127.0.0.1:4192", isReadyOnly: true },
  });
});

test("what is tapped", () => {
  const words =
    "--to Web --from shop --method GET --path /a --status 5xx --sample 10 --query --max 3 --duration 2s --json";
  const parsed = tapConfig(words.split(" "), {});
  assert.equal(parsed.ok && parsed.config, {
    adminUrls: ["http://127.0.0.1:4191"],
    filter: {
      to: "web",
      from: "shop",
      method: "GET",
      path: "/a",
      statusMin: 500,
      statusMax: 599,
      sample: 10,
      query: true,
    },
    max: 3,
    durationMs: 2_000,
    isJson: true,
  });
});

test("what is wrong is named", () => {
  const bad = [
    ["--status=6", "--status"],
    ["--status=5x", "--status"],
    ["--sample=0", "--sample"],
    ["--path=a", "--path"],
    ["--method=", "--method"],
    ["--to=a b", "--to"],
    ["--max=0", "--max"],
    ["--duration=1", "--duration"],
    ["--admin=127.0.0.1", "--admin"],
  ] as const;
  for (const [flag, named] of bad) {
    const parsed = tapConfig([flag], {});
    assert.ok(!parsed.ok && parsed.message.includes(`${named}: `), flag);
  }
  const many = Array.from({ length: 65 }, (_, index) => `--admin=127.0.0.1:${index + 1}`);
  const parsed = statConfig(many, {});
  assert.ok(!parsed.ok && parsed.message.includes("65 sidecars"));
});

test.run();
