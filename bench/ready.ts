/** Waiting until a started process answers. Returns null then, else what was wrong with it. */
import { readFileSync } from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import type { Child } from "./child.ts";
import type { Identities } from "./identities.ts";
import { isListening } from "./ports.ts";

const READY_TIMEOUT_MS = 10_000;
const READY_POLL_MS = 1; // how exactly the time to start is known
const ANSWER_TIMEOUT_MS = 2_000;

/** Waits until something accepts connections on the port, the child dies, or ten seconds are over. */
export function untilListening(child: Child, port: number): Promise<string | null> {
  return poll(child, async () =>
    (await isListening(port)) ? null : `nothing listens on its port ${port}`,
  );
}

/** Waits, in the same bounds, until `GET /` for the host gives a 200 with a body of `bodyBytes`: a
 * proxy that is quick at refusing must not win. */
export function untilAnswering(
  child: Child,
  port: number,
  host: string,
  bodyBytes: number,
): Promise<string | null> {
  return poll(child, async () => problemIn(await get(port, host), bodyBytes));
}

/** The same by HTTP/2 without TLS, of which the client knows beforehand (RFC 9113, section 3.3). */
export function untilAnsweringHttp2(
  child: Child,
  port: number,
  host: string,
  bodyBytes: number,
): Promise<string | null> {
  return poll(child, async () => problemIn(await getHttp2(port, host), bodyBytes));
}

/** The same over TLS 1.3 with the client's certificate; the proxy must prove to be the service. */
export function untilAnsweringTls(
  child: Child,
  port: number,
  host: string,
  bodyBytes: number,
  { client, service }: Identities,
): Promise<string | null> {
  const secure: https.RequestOptions = {
    servername: service.dnsName,
    cert: readFileSync(client.certificate),
    key: readFileSync(client.key),
    ca: readFileSync(client.anchor),
    minVersion: "TLSv1.3",
  };
  return poll(child, async () => problemIn(await get(port, host, secure), bodyBytes));
}

function problemIn(answer: string, bodyBytes: number): string | null {
  return answer === `200 with ${bodyBytes} bytes` ? null : `GET / gave ${answer}`;
}

async function poll(child: Child, look: () => Promise<string | null>): Promise<string | null> {
  const endsAt = performance.now() + READY_TIMEOUT_MS;
  for (;;) {
    const problem = await look();
    if (child.hasExited()) {
      return `exited with ${child.exitCode() ?? "a signal"}: ${child.complaint()}`;
    }
    if (problem === null) {
      return null;
    }
    if (performance.now() > endsAt) {
      return `${problem} after ${READY_TIMEOUT_MS / 1_000} s. ${child.complaint()}`.trim();
    }
    await sleep(READY_POLL_MS);
  }
}

/** `secure` is null without TLS. */
function get(
  port: number,
  host: string,
  secure: https.RequestOptions | null = null,
): Promise<string> {
  return new Promise((resolve) => {
    const read = (response: http.IncomingMessage): void => {
      let bodyBytes = 0;
      response.on("data", (chunk: Uint8Array) => {
        bodyBytes += chunk.length;
      });
      response.on("end", () => resolve(`${response.statusCode} with ${bodyBytes} bytes`));
      response.on("error", (error) => resolve(error.message));
    };
    const options: http.RequestOptions = {
      ...{ host: "127.0.0.1", port, headers: { host } },
      ...{ agent: false, timeout: ANSWER_TIMEOUT_MS },
    };
    const request =
      secure === null
        ? http.request(options, read)
        : https.request({ ...options, ...secure }, read);
    request.on("timeout", () => request.destroy(new Error("no answer")));
    request.on("error", (error) => resolve(error.message));
    request.end();
  });
}

function getHttp2(port: number, host: string): Promise<string> {
  return new Promise((resolve) => {
    const session = http2.connect(`http://127.0.0.1:${port}`);
    const end = (answer: string): void => {
      clearTimeout(bound);
      session.destroy();
      resolve(answer);
    };
    const bound = setTimeout(end, ANSWER_TIMEOUT_MS, "no answer");
    session.on("error", (error) => end(error.message));
    const stream = session.request({ ":path": "/", ":authority": host });
    let status = 0;
    let bodyBytes = 0;
    stream.on("response", (headers) => {
      status = Number(headers[":status"]);
    });
    stream.on("data", (chunk: Uint8Array) => {
      bodyBytes += chunk.length;
    });
    stream.on("end", () => end(`${status} with ${bodyBytes} bytes`));
    stream.on("error", (error) => end(error.message));
    stream.end();
  });
}
