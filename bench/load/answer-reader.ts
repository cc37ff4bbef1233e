/** Finds the end of one answer after another on a connection without pipelining. It knows the body's
 * length beforehand and looks only at the status: a load generator, not a client. */

export interface AnswerReader {
  push(chunk: Buffer): "incomplete" | "ok" | "not-ok";
}

const HEAD_END = Buffer.from("\r\n\r\n");
const STATUS_OFFSET = "HTTP/1.1 ".length;
const OK = Buffer.from("200");

export function answerReader(bodyBytes: number): AnswerReader {
  let head: Buffer | null = null; // an unfinished one
  let missingBytes = 0; // of a body
  let isOk = false;
  return {
    push(chunk) {
      let rest = chunk;
      if (missingBytes === 0) {
        const start: Buffer = head === null ? chunk : Buffer.concat([head, chunk]);
        const headEnd = start.indexOf(HEAD_END);
        head = headEnd === -1 ? start : null;
        if (headEnd === -1) {
          return "incomplete";
        }
        isOk = OK.every((byte, i) => start[STATUS_OFFSET + i] === byte);
        missingBytes = bodyBytes;
        rest = start.subarray(headEnd + HEAD_END.length);
      }
      missingBytes = Math.max(0, missingBytes - rest.length);
      if (missingBytes > 0) {
        return "incomplete";
      }
      return isOk ? "ok" : "not-ok";
    },
  };
}
