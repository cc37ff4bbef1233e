import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import * as assert from "uvu/assert";
import { countKernelEntries, readKernelFile, readKernelLink } from "../../src/net/kernel-files.ts";
import { suite } from "../support/test.ts";

const test = suite("net/kernel-files");

test("files, links and folders read as the runtime reads them", () => {
  for (const path of ["/proc/self/cmdline", "/proc/version", "/proc/kallsyms"]) {
    // Longer than one read, whatever the kernel gives of it at a time.
    assert.is(readKernelFile(path), readFileSync(path, "latin1"), path);
  }
  assert.is(readKernelLink("/proc/self/ns/pid"), readlinkSync("/proc/self/ns/pid"));
  assert.is(countKernelEntries("/proc/self/ns"), readdirSync("/proc/self/ns").length);
});

test("what is not there, is of another kind or has a name too long is null", () => {
  const paths = ["/proc/none", "/proc/self/cmdline/x", `/proc/${"1".repeat(5_000)}/stat`, ""];
  for (const path of paths) {
    assert.is(readKernelFile(path), null, path);
    assert.is(readKernelLink(path), null, path);
    assert.is(countKernelEntries(path), null, path);
  }
  assert.is(readKernelFile("/proc/self"), null, "a folder is no file");
  assert.is(readKernelLink("/proc/version"), null, "a file is no link");
  assert.is(countKernelEntries("/proc/version"), null, "a file is no folder");
});

test("nothing stays open", () => {
  const before = countKernelEntries("/proc/self/fd");
  for (let round = 0; round < 50; round++) {
    readKernelFile("/proc/version");
    readKernelFile("/proc/self");
    countKernelEntries("/proc/self/ns");
  }
  assert.is(countKernelEntries("/proc/self/fd"), before);
});

test.run();
