/** `outrigger control`: serving, and what is done beside it in the control plane's folder. */
import { join } from "node:path";
import { Fault } from "../control/authority/fault.ts";
import {
  addAnchor,
  fingerprintOf,
  listAnchors,
  promoteAnchor,
  removeAnchor,
  renewIssuer,
} from "../control/authority/rotation.ts";
import { type AuthorityState, loadState } from "../control/authority/state.ts";
import { createToken, listTokens, revokeToken } from "../control/authority/tokens.ts";
import { POLICY_NAME } from "../control/mesh-service.ts";
import { readPolicy } from "../control/policy/policy-source.ts";
import { ControlError, startControl } from "../control/serve.ts";
import { readSettings, type Settings } from "../control/settings.ts";
import { Logger } from "../lib/log.ts";
import { writeStderr } from "../lib/stderr.ts";
import { NAMESPACE_DEFAULT, TRUST_DOMAIN_DEFAULT } from "../mesh/identity.ts";
import type { ControlRun, ControlTask } from "./control-config.ts";
import { openNotices } from "./open-notices.ts";
import { printed, statusOf } from "./printed.ts";
import { StartError } from "./start-error.ts";
import { untilSignal } from "./until-signal.ts";

/** How often it is looked whether a control plane has come. */
const START_LOOK_MS = 50;

/** Runs the control plane until SIGTERM or SIGINT. */
export async function control(config: ControlRun): Promise<number> {
  const log = new Logger({ level: config.logLevel, format: config.logFormat });
  try {
    const { shutdownGraceMs: graceMs } = config;
    const notices = await openNotices({ env: process.env, log, drainMs: graceMs });
    const running = await startControl(config, log);
    notices?.begin(running);
    await untilSignal();
    log.info("draining", { graceMs });
    notices?.drain();
    await running.stop();
    return 0;
  } catch (error) {
    if (error instanceof ControlError) throw new StartError(error.message);
    throw error;
  }
}

/** Does one thing in the folder. Prints what it came to. */
export async function controlTask(task: ControlTask): Promise<number> {
  const text = await perform(task);
  if (text instanceof Fault) throw new StartError(text.reason);
  return statusOf(await printed(text));
}

async function perform(task: ControlTask): Promise<string | Fault> {
  const { dir } = task;
  // It needs no control plane, and may be done where there is none.
  if (task.kind === "check-policy") return await checkPolicy(dir, task.path);
  const settings = await settingsOf(task);
  const nowMs = Date.now();
  if (settings === null) {
    return new Fault(`${dir} has no control plane yet: start outrigger control --dir ${dir}`);
  }
  switch (task.kind) {
    case "create-token":
      if (settings instanceof Fault) return settings;
      return await create(task, settings, nowMs);
    case "list-tokens":
      return tokensText(dir, nowMs);
    case "revoke-token": {
      const fault = await revokeToken(dir, task.id);
      return fault ?? `revoked ${task.id}\n`;
    }
    case "list-anchors":
      return anchorsText((await loadState(dir)) ?? new Fault(`${dir} has no authority yet`));
    case "add-anchor":
      return anchorsText(await addAnchor(dir, nowMs));
    case "promote-anchor":
      return anchorsText(await promoteAnchor(dir, nowMs, task));
    case "remove-anchor":
      return anchorsText(await removeAnchor(dir, nowMs, task));
    case "renew-issuer": {
      const state = await renewIssuer(dir, nowMs, { ifDue: false });
      return state instanceof Fault ? state : `issuer until ${dateOf(state.issuer.notAfterMs)}\n`;
    }
    default:
      return task satisfies never;
  }
}

/** A control plane that was started just before is waited for: then the two need no order. */
async function settingsOf(task: ControlTask): Promise<Settings | null | Fault> {
  const { dir } = task;
  const untilMs = performance.now() + (task.kind === "create-token" ? task.waitMs : 0);
  for (let isFirst = true; ; isFirst = false) {
    const settings = readSettings(dir);
    if (settings !== null || performance.now() >= untilMs) return settings;
    if (isFirst) writeStderr(`outrigger: waiting for a control plane in ${dir}\n`);
    await new Promise((resolve) => setTimeout(resolve, START_LOOK_MS));
  }
}

async function create(
  task: ControlTask & { kind: "create-token" },
  { address, trustDomain }: Settings,
  nowMs: number,
): Promise<string | Fault> {
  const { dir, name, namespace, ttlMs } = task;
  const { host, port } = task.address ?? address;
  const made = await createToken(dir, { name, namespace, trustDomain, host, port, ttlMs, nowMs });
  return made instanceof Fault ? made : `${made}\n`;
}

/** Names are completed as the control plane of the folder would, if it is one's. */
async function checkPolicy(dir: string, file: string | null): Promise<string | Fault> {
  const path = file ?? join(dir, POLICY_NAME);
  const settings = readSettings(dir);
  if (settings instanceof Fault) return settings;
  const trustDomain = settings?.trustDomain ?? TRUST_DOMAIN_DEFAULT;
  const defaults = { namespace: NAMESPACE_DEFAULT, trustDomain };
  const read = await readPolicy({ path, defaults });
  if ("refused" in read) return new Fault(read.refused);
  return `${path}: in order, services: ${read.policy.services.size}\n`;
}

function tokensText(dir: string, nowMs: number): string | Fault {
  const tokens = listTokens(dir, nowMs);
  if (tokens instanceof Fault) return tokens;
  const lines = tokens.map(
    ({ id, name, namespace, expiresMs }) =>
      `${id}  ${name}.${namespace}  until ${dateOf(expiresMs)}`,
  );
  return lines.map((line) => `${line}\n`).join("");
}

function anchorsText(state: AuthorityState | Fault): string | Fault {
  if (state instanceof Fault) return state;
  return listAnchors(state)
    .map(({ role, der }) => `${role.padEnd(6)}  sha256 ${fingerprintOf(der)}\n`)
    .join("");
}

function dateOf(ms: number): string {
  return new Date(ms).toISOString();
}
