import { HttpConnection, headerOf } from "./http-connection.ts";
import { serveLoad } from "./load-process.ts";

export interface AskingOptions {
  readonly port: number;
  readonly path: string;
  readonly connectionCount: number;
  readonly seconds: number;
  /** Accept-Encoding. */
  readonly accepts: string;
}

export interface AskedCounts {
  readonly perSecond: number;
  readonly bodyBytes: number;
  readonly encoding: string;
  readonly faultCount: number;
}

/** Connections that ask for one thing again and again, each as soon as it has been answered. */
function ask({ port, path, connectionCount, seconds, accepts }: AskingOptions): Promise<AskedCounts> {
  const request = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: ${accepts}\r\n\r\n`);
  let answerCount = 0;
  let faultCount = 0;
  let seen = { bodyBytes: 0, encoding: "" };
  const beganMs = performance.now();
  const endMs = beganMs + seconds * 1000;
  return new Promise((resolve) => {
    let openCount = connectionCount;
    const finish = (connection: HttpConnection) => {
      connection.close();
      openCount -= 1;
      if (openCount > 0) return;
      resolve({ perSecond: (answerCount * 1000) / (performance.now() - beganMs), faultCount, ...seen });
    };
    for (let index = 0; index < connectionCount; index++) {
      const connection: HttpConnection = new HttpConnection(port, () => {
        faultCount += 1;
        finish(connection);
      });
      const next = () => {
        if (performance.now() >= endMs) return finish(connection);
        connection.ask(
          request,
          () => false,
          ({ status, head, bodyBytes }) => {
            answerCount += 1;
            if (status !== 200) faultCount += 1;
            seen = { bodyBytes, encoding: headerOf(head, "Content-Encoding") };
            next();
          },
        );
      };
      next();
    }
  });
}

serveLoad({ ask });
