import * as assert from "uvu/assert";
import { cpuLimit } from "../../src/cli/cpu-limit.ts";
import { suite } from "../support/test.ts";

const test = suite("cli/cpu-limit");

/** The limit by files of these texts, and no others. */
function limitBy(files: Readonly<Record<string, string>>): number | null {
  return cpuLimit((path) => files[path] ?? null);
}

const V1 = "4:memory:/pod/c\n1:cpu,cpuacct:/pod/c\n0::/\n";

test("cgroups v2: the least of the cgroup's and those around it", () => {
  const files = {
    "/proc/self/cgroup": "0::/kubepods/pod1/c\n",
    "/sys/fs/cgroup/kubepods/pod1/c/cpu.max": "max 100000\n",
    "/sys/fs/cgroup/kubepods/pod1/cpu.max": "150000 100000\n",
    "/sys/fs/cgroup/kubepods/cpu.max": "400000 100000\n",
  };
  assert.is(limitBy(files), 1.5);
  assert.is(limitBy({ ...files, "/sys/fs/cgroup/kubepods/pod1/c/cpu.max": "20000 50000" }), 0.4);
});

test("cgroups v2 seen from within a namespace of their own", () => {
  const root = { "/sys/fs/cgroup/cpu.max": "200000 100000\n" };
  assert.is(limitBy({ ...root, "/proc/self/cgroup": "0::/\n" }), 2);
  assert.is(limitBy({ ...root, "/proc/self/cgroup": "0::/../../other\n" }), 2);
});

test("cgroups v1, by the host's path and by that of a container", () => {
  const quota = (folder: string, us: string): Record<string, string> => ({
    "/proc/self/cgroup": V1,
    [`/sys/fs/cgroup/cpu${folder}/cpu.cfs_quota_us`]: us,
    [`/sys/fs/cgroup/cpu${folder}/cpu.cfs_period_us`]: "100000\n",
  });
  assert.is(limitBy(quota("/pod/c", "50000\n")), 0.5);
  assert.is(limitBy(quota("", "300000\n")), 3);
  assert.is(limitBy(quota("/pod", "-1\n")), null);
});

test("without a limit, without cgroups, and by nonsense there is none", () => {
  assert.is(limitBy({}), null);
  assert.is(limitBy({ "/proc/self/cgroup": V1 }), null);
  for (const text of ["", "max", "0 100000", "100000", "1e5 100000", "-5 100000", "1 0"]) {
    const files = { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": text };
    assert.is(limitBy(files), null, text);
  }
  assert.is(limitBy({ "/proc/self/cgroup": "nonsense\n0::\n:::\n7:cpu:relative\n" }), null);
});

test("a path deeper than any has an end", () => {
  const files = {
    "/proc/self/cgroup": `0::${"/a".repeat(10_000)}\n`,
    "/sys/fs/cgroup/cpu.max": "100000 100000",
  };
  assert.is(limitBy(files), 1);
});

test.run();
