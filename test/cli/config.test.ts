import * as assert from "uvu/assert";
import { parseCommandLine } from "../../src/cli/command-line.ts";
import {
  type DemoConfig,
  demoConfig,
  ENDPOINTS_STATIC_MAX,
  type Environment,
  type RunConfig,
  runConfig,
} from "../../src/cli/config.ts";
import { suite } from "../support/test.ts";

const test = suite("cli/config");

function run(argv: string[], env: Environment = {}): Readonly<RunConfig> {
  const configured = runConfig(argv, env);
  if (!configured.ok) throw new Error(configured.message);
  return configured.config;
}

function demo(argv: string[], env: Environment = {}): Readonly<DemoConfig> {
  const configured = demoConfig(argv, env);
  if (!configured.ok) throw new Error(configured.message);
  return configured.config;
}

function refusal(argv: string[], env: Environment = {}): string {
  const configured = runConfig(argv, env);
  return configured.ok ? "no refusal" : configured.message;
}

test("runConfig() without arguments gives the documented defaults", () => {
  const { opaquePorts, ...config } = run([]);
  assert.equal(config, {
    command: null,
    name: null,
    app: null,
    inbound: { host: "0.0.0.0", port: 4143 },
    outbound: { host: "127.0.0.1", port: 4140 },
    admin: { host: "127.0.0.1", port: 4191 },
    upstreams: [],
    forwards: [],
    movable: [],
    detectTimeoutMs: 10_000,
    workers: null,
    logLevel: "info",
    logFormat: "text",
    balancer: "ewma",
    accessLog: "off",
    shutdownGraceMs: 120_000,
    identity: {
      defaults: { namespace: "default", trustDomain: "cluster.local" },
      own: null,
      dir: null,
      control: null,
      token: null,
    },
    policy: { requiresIdentity: false, allowFrom: null },
    announce: { isAsked: false, services: [], advertise: null, weight: 10_000 },
    state: { dir: null, problem: null },
  });
  assert.equal([...opaquePorts], [25, 587, 3306, 4444, 5432, 6379, 9300, 11211]);
});

test("runConfig() reads every flag", () => {
  const words =
    "--name Web --app localhost:8080 --inbound [::]:0 --outbound localhost:1 --admin [::1]:2";
  const lists = "--upstream web=127.0.0.1:1,[::1]:2,b.example:3 --forward 127.0.0.1:0=DB.ns.:5432";
  const rest = "--opaque-ports 1,3-5 --detect-timeout 10ms --workers 16 --log-level debug";
  const last = "--log-format json --access-log --shutdown-grace 0";
  const who = "--namespace Shop --trust-domain Example.com --identity-dir /certs";
  const whom = "--require-identity --allow-from a,* --weight 7";
  const flags = [words, lists, rest, last, who, whom].join(" ");
  const { opaquePorts, ...config } = run(flags.split(" "));
  assert.equal(config, {
    command: null,
    name: "web",
    app: { host: "localhost", port: 8080, speaks: "any", who: null },
    inbound: { host: "::", port: 0 },
    outbound: { host: "127.0.0.1", port: 1 },
    admin: { host: "::1", port: 2 },
    upstreams: [
      {
        name: "web",
        endpoints: [
          { host: "127.0.0.1", port: 1, speaks: "any", peer: null },
          { host: "::1", port: 2, speaks: "any", peer: null },
          { host: "b.example", port: 3, speaks: "any", peer: null },
        ],
      },
    ],
    forwards: [{ listen: { host: "127.0.0.1", port: 0 }, name: "db.ns", port: 5432 }],
    movable: [],
    detectTimeoutMs: 10,
    workers: 16,
    logLevel: "debug",
    logFormat: "json",
    balancer: "ewma",
    accessLog: "on",
    shutdownGraceMs: 0,
    identity: {
      defaults: { namespace: "shop", trustDomain: "example.com" },
      own: {
        dns: "web.shop.serviceaccount.identity.outrigger.example.com",
        uri: "spiffe://example.com/ns/shop/sa/web",
      },
      dir: "/certs",
      control: null,
      token: null,
    },
    policy: {
      requiresIdentity: true,
      allowFrom: [
        { kind: "exact", name: "a.shop.serviceaccount.identity.outrigger.example.com" },
        { kind: "any" },
      ],
    },
    announce: { isAsked: false, services: ["web.shop"], advertise: null, weight: 7 },
    state: { dir: null, problem: null },
  });
  assert.equal([...opaquePorts], [1, 3, 4, 5]);
});

test("runConfig() takes a flag before its variable, and the variable before the default", () => {
  const env = { OUTRIGGER_WORKERS: "3", OUTRIGGER_UPSTREAM: "a=h:1;b=h:2,h:3" };
  assert.is(run([], env).workers, 3);
  assert.is(run(["--workers", "4"], env).workers, 4);
  assert.equal(
    run([], env).upstreams.map(({ name, endpoints }) => [name, endpoints.length]),
    [
      ["a", 1],
      ["b", 2],
    ],
  );
  assert.equal(
    run(["--upstream=c=h:1"], env).upstreams.map(({ name }) => name),
    ["c"],
  );
  // A variable that is overridden is not looked at.
  assert.is(run(["--workers", "4"], { OUTRIGGER_WORKERS: "many" }).workers, 4);
});

test("what is kept has a folder of its own name, the one that is said, or none", () => {
  const joined = ["--token=@/t", "--name=Web", "--namespace=shop"];
  const state = (env: Environment, ...more: string[]): unknown =>
    run([...joined, ...more], env).state;
  const at = (dir: string | null, problem: string | null = null): unknown => ({ dir, problem });
  const home = { HOME: "/home/a" };
  assert.equal(state(home), at("/home/a/.local/state/outrigger/web.shop"));
  assert.equal(state({ ...home, XDG_STATE_HOME: "/s" }), at("/s/outrigger/web.shop"));
  assert.equal(
    state({ ...home, XDG_STATE_HOME: "relative" }),
    at("/home/a/.local/state/outrigger/web.shop"),
  );
  assert.equal(state(home, "--state-dir=here"), at("here"));
  assert.equal(state(home, "--state-dir="), at(null));
  assert.equal(state({ ...home, OUTRIGGER_STATE_DIR: "" }), at(null));
  assert.equal(state({}), at(null, "HOME is not set: name a --state-dir"));
  // Whose home it is no file is asked, which need not know who runs this.
  const control = (env: Environment): unknown => parseCommandLine(["control"], env);
  const bad = { kind: "bad", message: "outrigger: --dir: missing, and HOME is not set" };
  assert.equal(control({}), bad);
  assert.equal(control({ HOME: "" }), bad);
  assert.match(JSON.stringify(control(home)), '"/home/a/.local/state/outrigger/control"');
  // Nothing comes from a control plane, so there is nothing to keep.
  assert.equal(run(["--name=web", "--state-dir=here"], home).state, at(null));
});

test("runConfig() takes an empty list of opaque ports for none, also from the variable", () => {
  assert.is(run(["--opaque-ports="]).opaquePorts.size, 0);
  assert.is(run([], { OUTRIGGER_OPAQUE_PORTS: "" }).opaquePorts.size, 0);
  assert.is(run(["--opaque-ports", "1-65535"]).opaquePorts.size, 65_535);
});

test("runConfig() freezes what it returns, to the last endpoint", () => {
  const config = run(["--upstream=a=h:1", "--forward=127.0.0.1:0=a:1", "--app=h:1"]);
  const parts = [config, config.inbound, config.app, config.upstreams, ...config.upstreams];
  const deeper = [config.upstreams[0]?.endpoints, config.upstreams[0]?.endpoints[0]];
  const forwards = [config.forwards, config.forwards[0], config.forwards[0]?.listen];
  for (const part of [...parts, ...deeper, ...forwards]) assert.ok(Object.isFrozen(part));
});

test("an endpoint's identity is completed, and has a port behind it if one is told", () => {
  const peersOf = (flag: string): unknown => {
    const config = run(["--identity-dir=/c", "--namespace=shop", `--upstream=${flag}`]);
    return config.upstreams[0]?.endpoints.map(({ host, port, peer }) => [host, port, peer]);
  };
  const web = "web.shop.serviceaccount.identity.outrigger.cluster.local";
  const spiffe = "spiffe://td.example/ns/x/sa/y";
  assert.equal(peersOf("web=sidecar:web@h:1,sidecar:web.other:8080@[::1]:2"), [
    ["h", 1, { identity: web, serverName: web, port: null }],
    [
      "::1",
      2,
      {
        identity: web.replace("shop", "other"),
        serverName: web.replace("shop", "other"),
        port: 8080,
      },
    ],
  ]);
  const serverName = "y.x.serviceaccount.identity.outrigger.td.example";
  assert.equal(peersOf(`web=sidecar:${spiffe}:1@h:1`), [
    ["h", 1, { identity: spiffe, serverName, port: 1 }],
  ]);
});

test("what does not go together as an identity is refused", () => {
  const peer = "--upstream=web=sidecar:web@h:1";
  assert.match(refusal([peer]), /WHO@ is expected with --token or --identity-dir/);
  assert.match(refusal(["--require-identity"]), / --require-identity: expected with --token/);
  assert.match(refusal(["--allow-from=web"]), / --allow-from: expected with --token/);
  assert.match(refusal(["--identity-dir=/c", "--control=h:1"]), /expected without --control/);
  assert.match(refusal(["--control=h:1"]), / --control: expected with --token/);
  assert.match(refusal(["--service=a"]), / --service: expected with --app and --token/);
  assert.match(
    refusal(["--service=a.b.c"]),
    / --service: "a.b.c": expected NAME or NAME.NAMESPACE/,
  );
  assert.match(refusal(["--advertise=a"]), / --advertise: expected with --token/);
  assert.match(refusal(["--advertise=a:1"]), / --advertise: "a:1": expected a name or an address/);
  assert.match(refusal(["--token=@/t"]), / --token: expected with --name/);
  assert.match(refusal(["--token=@/t", "--name=a.b"]), / --name: "a.b": expected one label/);
  assert.match(refusal(["--identity-dir=/c", "--upstream=a=sidecar:w_@h:1"]), /sidecar:WHO@/);
  assert.match(refusal(["--identity-dir=/c", "--upstream=a=sidecar:w:0@h:1"]), /sidecar:WHO@/);
  assert.match(refusal(["--identity-dir=/c", "--upstream=a=sidecar:spiffe://t/x@h:1"]), /spiffe/);
  assert.match(refusal(["--identity-dir=/c", "--allow-from=a,*b"]), /"\*b": expected a name/);
  assert.match(refusal(["--app=sidecar:h:1"]), /an application is no sidecar/);
});

test("a token is not shown, not even a wrong one", () => {
  assert.is(refusal(["--token=geheim", "--name=a"]).includes("geheim"), false);
  assert.match(refusal(["--token=geheim", "--name=a"]), / --token: its value: expected a token/);
});

test("runConfig() takes names that objects have already", () => {
  const config = run(["--upstream=__proto__=h:1", "--upstream=constructor=h:1"]);
  assert.equal(
    config.upstreams.map(({ name }) => name),
    ["__proto__", "constructor"],
  );
});

test("runConfig() names the flag, the value and what was expected", () => {
  const table: [string[], string][] = [
    [
      ["--detect-timeout", "10"],
      '--detect-timeout: "10": expected a duration with a unit, such as 10s',
    ],
    [["--detect-timeout=9ms"], '--detect-timeout: "9ms": expected a duration from 10ms to 1h'],
    [["--shutdown-grace=61m"], '--shutdown-grace: "61m": expected a duration from 0ms to 1h'],
    [["--workers", "0"], '--workers: "0": expected a whole number from 1 to 16'],
    [["--log-level", "trace"], '--log-level: "trace": expected one of error, warn, info, debug'],
    [["--log-format", "xml"], '--log-format: "xml": expected one of text, json'],
    [["--access-log=yes"], '--access-log: "yes": expected one of on, off'],
    [
      ["--opaque-ports", "1,x"],
      '--opaque-ports: "1,x": "x": expected ports from 1 to 65535, such as 25,8000-8010',
    ],
    [
      ["--app", "8080"],
      '--app: "8080": expected HOST:PORT with a port from 1 to 65535, such as 127.0.0.1:8080',
    ],
    [
      ["--inbound", "web:80"],
      '--inbound: "web:80": expected IP:PORT with a port from 0 to 65535, such as 127.0.0.1:4140',
    ],
    [["--upstream", "web"], '--upstream: "web": expected NAME=HOST:PORT[,HOST:PORT…]'],
    [["--upstream", "a=h:1,h:1"], '--upstream: "a=h:1,h:1": "h:1" is in it twice'],
    [
      ["--upstream", "a=h2:h"],
      '--upstream: "a=h2:h": "h2:h": expected HOST:PORT with a port from 1 to 65535, such as 127.0.0.1:8080',
    ],
    [["--upstream", "a=h2:h:1,h1:h:1"], '--upstream: "a=h2:h:1,h1:h:1": "h1:h:1" is in it twice'],
    [
      ["--forward", "1.2.3.4:1"],
      '--forward: "1.2.3.4:1": expected IP:PORT=NAME:PORT, such as 127.0.0.1:3306=db:3306',
    ],
    [["word"], 'run: unexpected argument "word"'],
    [["--"], "--: expected a command and its arguments"],
  ];
  for (const [argv, message] of table) assert.is(refusal(argv), `outrigger: ${message}`);
});

test("runConfig() names the variable when the value came from it", () => {
  assert.is(
    refusal([], { OUTRIGGER_DETECT_TIMEOUT: "10" }),
    'outrigger: OUTRIGGER_DETECT_TIMEOUT: "10": expected a duration with a unit, such as 10s',
  );
  assert.match(
    refusal([], { OUTRIGGER_UPSTREAM: "a=h:1;" }),
    /^outrigger: OUTRIGGER_UPSTREAM: "": /,
  );
  assert.match(
    refusal([], { OUTRIGGER_NAME: "" }),
    /^outrigger: OUTRIGGER_NAME: "": expected a name/,
  );
});

test("runConfig() refuses a variable that is nearly one of ours and leaves others alone", () => {
  assert.is(
    refusal([], { OUTRIGGER_UPSTREAMS: "a=h:1" }),
    'outrigger: unknown variable "OUTRIGGER_UPSTREAMS"; did you mean OUTRIGGER_UPSTREAM?',
  );
  const env = {
    OUTRIGGER_RUNTIME: "deno",
    OUTRIGGER_PORT: "tcp://10.0.0.1:4143",
    OUTRIGGER_PORT_4143_TCP_ADDR: "10.0.0.1",
    OUTRIGGER_SERVICE_HOST: "10.0.0.1",
    outrigger_workers: "x",
  };
  assert.is(refusal([], env), "no refusal");
});

// Every number, address and name that is nearly right.
test("runConfig() refuses each bad value of each kind, in one line", () => {
  const names = [
    "",
    "a b",
    "-a",
    "a..b",
    "1.2.3.4",
    "a/b",
    "a=b",
    "a\nb",
    "\u{feff}a",
    "x".repeat(64),
  ];
  const targets = ["", "a", "a:", ":1", "a:0", "a:65536", "a:1e3", "a:-1", "a:+1", "a: 1", "a:0x1"];
  const addresses = [
    "::1:80",
    "[::1]",
    "[::g]:1",
    "1.2.3:1",
    "1.2.3.256:1",
    "01.2.3.4:1",
    "http://a:1",
  ];
  const listeners = [
    "0.0.0.0",
    ":4140",
    "*:4140",
    "web:80",
    "127.0.0.1:65536",
    "127.0.0.1:-1",
    "4140",
  ];
  const numbers = [
    "",
    "0",
    "17",
    "-1",
    "+1",
    "1.0",
    "1e1",
    "0x1",
    "NaN",
    "Infinity",
    " 1",
    "01",
    "9".repeat(400),
  ];
  const durations = [
    "",
    "10",
    "NaN",
    "NaNs",
    "-1s",
    "1.5s",
    "1e3s",
    "Infinity",
    "2h",
    "99999999999s",
    "10S",
  ];
  const lists = [
    "0",
    "65536",
    "1,",
    ",1",
    "5-1",
    "1-",
    "-1",
    "1-2-3",
    "1 ,2",
    "1e3",
    "0-1",
    "80,NaN",
  ];
  const upstreams = [
    "",
    "=",
    "a=",
    "=h:1",
    "a=h",
    "a=h:0",
    "a=h:1,",
    "a=,h:1",
    "a b=h:1",
    "a=h:1;b=h:1",
  ];
  const forwards = [
    "",
    "=",
    "127.0.0.1:1=",
    "=db:1",
    "127.0.0.1:1=db",
    "127.0.0.1:1=db:0",
    "db:1=db:1",
  ];
  const table: Record<string, string[]> = {
    "--name": names,
    "--app": [...targets, ...addresses],
    "--inbound": [...listeners, ...addresses],
    "--outbound": listeners,
    "--admin": listeners,
    "--workers": numbers,
    "--detect-timeout": [...durations, "0", "61m"],
    "--shutdown-grace": durations,
    "--opaque-ports": lists,
    "--upstream": upstreams,
    "--forward": forwards,
    "--log-level": ["", "INFO", "trace", "info ", "warning"],
    "--log-format": ["", "JSON", "xml"],
    "--access-log": ["", "1", "ON", "true"],
  };
  for (const [flag, bad] of Object.entries(table)) {
    for (const value of bad) {
      const message = refusal([`${flag}=${value}`]);
      assert.ok(message.startsWith(`outrigger: ${flag}: "`), `${flag}=${value}: ${message}`);
      assert.not.match(message, /[\0-\x1f\x7f]/);
      assert.ok(message.length < 300, message);
    }
  }
});

test("runConfig() shows hostile values escaped and cut", () => {
  const message = refusal([`--name=\u001b[31m\r\n\u0085\u2028${"x".repeat(5_000)}`]);
  assert.match(message, "\\u001b[31m\\r\\n\\u0085\\u2028xxx");
  assert.ok(message.length < 300, message);
});

test("runConfig() takes an address for an upstream's name, in its one spelling", () => {
  const flags = ["10.0.0.9", "[FD79:0::2]", "fd79::3"].map((name) => `--upstream=${name}=h:1`);
  const names = run(flags).upstreams.map(({ name }) => name);
  assert.equal(names, ["10.0.0.9", "[fd79::2]", "[fd79::3]"]);
  for (const name of ["10.0.0.9:80", "10.0.0", "[10.0.0.9]", "fd79::g"]) {
    assert.match(refusal([`--upstream=${name}=h:1`]), /expected a name/);
  }
});

test("runConfig() refuses the same upstream twice", () => {
  const message = 'outrigger: --upstream: "web": given twice';
  assert.is(refusal(["--upstream=web=h:1", "--upstream=WEB.=h:2"]), message);
  assert.match(refusal(["--upstream=fd79::1=h:1", "--upstream=[FD79:0::1]=h:2"]), /given twice/);
});

test("runConfig() refuses two listeners on one address, but not on port 0", () => {
  const clashes: [string[], string][] = [
    [["--admin=127.0.0.1:4140"], '--admin: "127.0.0.1:4140": --outbound listens there already'],
    [
      ["--outbound=127.0.0.1:4143"],
      '--outbound: "127.0.0.1:4143": --inbound listens there already',
    ],
    [["--forward=0.0.0.0:4191=db:1"], '--forward: "0.0.0.0:4191": --admin listens there already'],
    [
      ["--admin=[::ffff:127.0.0.1]:4140"],
      '--admin: "[::ffff:127.0.0.1]:4140": --outbound listens there already',
    ],
    [
      ["--forward=127.0.0.1:7=db:1", "--forward=127.0.0.1:7=db:2"],
      '--forward: "127.0.0.1:7": --forward listens there already',
    ],
  ];
  for (const [argv, message] of clashes) assert.is(refusal(argv), `outrigger: ${message}`);
  const fine = [
    ["--inbound=127.0.0.1:0", "--outbound=127.0.0.1:0", "--admin=127.0.0.1:0"],
    ["--outbound=127.0.0.2:4140", "--admin=127.0.0.3:4140"],
    ["--outbound=127.0.0.1:4140", "--admin=[::1]:4140"],
  ];
  for (const argv of fine) assert.is(refusal(argv), "no refusal");
});

test("runConfig() bounds how many endpoints and forwards there are", () => {
  const endpoints = Array.from(
    { length: ENDPOINTS_STATIC_MAX + 1 },
    (_, index) => `h:${index + 1}`,
  );
  assert.match(
    refusal([`--upstream=a=${endpoints.join(",")}`]),
    "2049 endpoints: expected at most 2048",
  );
  const forwards = Array.from({ length: 65 }, () => "--forward=127.0.0.1:0=db:1");
  assert.match(refusal(forwards), "65 listeners: expected at most 64");
});

test("demoConfig() reads its flags and their bounds", () => {
  assert.equal(demo([]), { durationMs: null, rate: 200, killMs: null, plain: false });
  assert.equal(demo(["--duration", "10s", "--rate=5000", "--kill=3s", "--plain"]), {
    durationMs: 10_000,
    rate: 5_000,
    killMs: 3_000,
    plain: true,
  });
  assert.equal(demo(["--plain=off"], { OUTRIGGER_DEMO_RATE: "7" }).rate, 7);
  for (const argv of [["--rate=5001"], ["--rate=0"], ["--duration=999ms"], ["--duration=25h"]]) {
    assert.not.ok(demoConfig(argv, {}).ok, argv.join(" "));
  }
});

test.run();
