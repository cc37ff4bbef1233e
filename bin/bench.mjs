#!/usr/bin/env node
// npm run bench [-- ARGS]: outrigger beside nginx and HAProxy; bench/README.md says how to read it.
import { commandFor, ensureInstalled, root, run } from "./runtimes.mjs";

ensureInstalled({ dev: true });
run(commandFor("bun", `${root}bench/main.ts`, process.argv.slice(2)));
