/** Requests and answers as they are everywhere: what budgets are measured with. */

const HEAD = "HTTP/1.1\r\nHost: web\r\nUser-Agent: budget\r\n";

/** To the service `web`. */
export const GET: string = `GET /index.html ${HEAD}\r\n`;
/** The same, and the connection is over behind it. */
export const LAST: string = `GET /index.html ${HEAD}Connection: close\r\n\r\n`;
/** What is answered. */
export const CONTENT: string = "x".repeat(64);
export const ANSWER: string = answerOf(CONTENT.length);

export function postOf(bytes: number): string {
  return `POST /index.html ${HEAD}Content-Length: ${bytes}\r\n\r\n${"x".repeat(bytes)}`;
}

export function answerOf(bytes: number): string {
  return [
    "HTTP/1.1 200 OK",
    "Server: origin",
    "Content-Type: text/plain",
    `Content-Length: ${bytes}`,
    'ETag: "65-40"',
    "Accept-Ranges: bytes",
    "",
    "x".repeat(bytes),
  ].join("\r\n");
}
