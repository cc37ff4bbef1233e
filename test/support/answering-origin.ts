/** An HTTP/1 origin that keeps every request as it came and answers as it is told, byte for byte. */
import { type Message, readRequest } from "./http1-message.ts";
import { type RawOrigin, rawOrigin } from "./raw.ts";

export type AnsweringOrigin = {
  readonly raw: RawOrigin;
  readonly port: number;
  /** Complete requests in the order in which they were complete. */
  readonly requests: readonly Message[];
  close(): Promise<void>;
};

export type Answer = {
  /** Bytes of the answer, interim ones too; one character each. */
  readonly bytes: string;
  /** Ends the connection behind them. */
  readonly closes: boolean;
};

/** Sends 100 to a request that expects it, and `answer` to a request that is complete. */
export async function answeringOrigin(
  answer: (request: Message) => Answer,
): Promise<AnsweringOrigin> {
  const requests: Message[] = [];
  const readUpTo = new Map<number, number>();
  const continuedAt = new Map<number, number>();
  const raw = await rawOrigin((socket, text, connection) => {
    for (;;) {
      const from = readUpTo.get(connection) ?? 0;
      const request = readRequest(text, from);
      if (request === null) {
        const head = text.slice(from);
        if (!expectsContinue(head) || continuedAt.get(connection) === from) return;
        continuedAt.set(connection, from);
        socket.write("HTTP/1.1 100 Continue\r\n\r\n");
        return;
      }
      readUpTo.set(connection, request.end);
      requests.push(request);
      const { bytes, closes } = answer(request);
      socket.write(Buffer.from(bytes, "latin1"));
      if (closes) socket.end();
    }
  });
  return { raw, port: raw.port, requests, close: () => raw.close() };
}

function expectsContinue(head: string): boolean {
  return head.includes("\r\n\r\n") && /\r\nexpect: *100-continue\r\n/i.test(head);
}
