import * as assert from "uvu/assert";
import { cpuLimit, memoryLimit } from "../../src/cli/cgroup-limits.ts";
import { shareOf } from "../../src/cli/share.ts";
import { CHUNKS_MAX } from "../../src/net/arena.ts";
import { suite } from "../support/test.ts";

const test = suite("cli/cgroup-limits");

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

test("memory: the least of both versions' limits; what nobody set is none", () => {
  const by = (files: Readonly<Record<string, string>>): number | null =>
    memoryLimit((path) => files[path] ?? null);
  const v2 = { "/proc/self/cgroup": "0::/a/b\n", "/sys/fs/cgroup/a/memory.max": "134217728\n" };
  assert.is(by(v2), 134_217_728);
  assert.is(by({ ...v2, "/sys/fs/cgroup/a/b/memory.high": "100000000\n" }), 1e8);
  assert.is(by({ ...v2, "/sys/fs/cgroup/a/memory.high": "max\n" }), 134_217_728);
  assert.is(by({ "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "max\n" }), null);
  const v1 = {
    "/proc/self/cgroup": V1,
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": "1000000\n",
  };
  assert.is(by(v1), 1e6);
  const none = "9223372036854771712\n";
  assert.is(by({ ...v1, "/sys/fs/cgroup/memory/memory.limit_in_bytes": none }), null);
  assert.is(by({}), null);
});

test("workers by the CPUs that are allowed, the quota rounded up; buffers by the memory", () => {
  const share = (cpus: string, quota: string, memory: string, workers: number | null = null) =>
    shareOf(workers, (path) => {
      if (path === "/proc/self/status") return `Name:\tx\nCpus_allowed_list:\t${cpus}\nMems:\t1\n`;
      if (path === "/proc/self/cgroup") return "0::/\n";
      if (path === "/sys/fs/cgroup/cpu.max") return `${quota} 100000\n`;
      return path === "/sys/fs/cgroup/memory.max" ? memory : null;
    });
  assert.equal(share("0-3,8", "150000", "max"), {
    ...{ workers: 2, chunks: CHUNKS_MAX },
    problem: null,
  });
  assert.is(share("5", "max", "max").workers, 1);
  assert.is(share("0-63", "max", "max").workers, 4);
  assert.is(share("0-63", "10000", "max").workers, 1);
  // 128 MiB: 16 for buffers.
  assert.equal(share("0-1", "max", "134217728", 1), { workers: 1, chunks: 256, problem: null });
  assert.equal(share("0-1", "max", "134217728", 2), { workers: 2, chunks: 128, problem: null });
  assert.is(share("0-1", "max", `${64 << 20}`).problem, null);
  assert.equal(share("0-1", "max", `${32 << 20}`, 3), {
    ...{ workers: 3, chunks: 64 },
    problem: "its cgroup has 32 MiB, and traffic takes 64: the kernel may end it",
  });
});

test.run();
