import type { AmfValue } from "../../media/amf.ts";
import { canReconnect, enhancedCapabilities } from "./capabilities.ts";
import { appName, findStreamKey, PUBLISH_APP } from "./publish-url.ts";
import type { OutgoingMessage } from "./wire/chunk-writer.ts";
import {
  type Command,
  commandMessage,
  propertyOf,
  type Status,
  setChunkSizeMessage,
  setPeerBandwidthMessage,
  statusMessage,
  textOf,
  USER_CONTROL,
  userControlMessage,
  windowAckSizeMessage,
} from "./wire/messages.ts";

/** The window after which either side acknowledges; what most servers use. */
export const WINDOW_BYTES = 2_500_000;
/** Our messages are small: one chunk each. */
const OUT_CHUNK_BYTES = 65_536;

/** What a client wants to publish, as far as its commands tell. */
export interface PublishCommand {
  /** Message stream that statuses go to. */
  readonly streamId: number;
  readonly streamName: string;
  readonly streamKey: string | undefined;
}

/** What the owner of a connection does with what the client asked. */
export interface NetConnectionOptions {
  readonly send: (message: OutgoingMessage) => void;
  readonly onPublish: (command: PublishCommand) => void;
  readonly onUnpublish: () => void;
  /** The client asked for what we do not do; it is told `message`, then the connection ends. */
  readonly onRefused: (message: OutgoingMessage, reason: string) => void;
}

type Handler = (command: Command, streamId: number) => void;

/** The command side of one RTMP connection: `connect`, `createStream`, `publish` and their kin. Knows no socket. */
export class NetConnection {
  readonly #options: NetConnectionOptions;
  #connectObject: AmfValue = null;
  #isConnected = false;
  #lastStreamId = 0;
  #publishing: PublishCommand | undefined;

  readonly #handlers: Readonly<Record<string, Handler>> = {
    connect: (command) => this.#connect(command),
    createStream: (command) => this.#createStream(command),
    publish: (command, streamId) => this.#publish(command, streamId),
    deleteStream: (command) => this.#deleteStream(command),
    closeStream: () => this.#unpublish(),
    FCUnpublish: (command) => {
      this.#acknowledge(command);
      this.#unpublish();
    },
    releaseStream: (command) => this.#acknowledge(command),
    FCPublish: (command) => this.#acknowledge(command),
    FCSubscribe: (command) => this.#acknowledge(command),
    _checkbw: (command) => this.#acknowledge(command),
    getStreamLength: (command) => this.#reply(command, "_result", [null, 0]),
    play: (_command, streamId) => this.#refusePlay(streamId),
    play2: (_command, streamId) => this.#refusePlay(streamId),
    // Answers to what we said; we ask nothing.
    _result: () => {},
    _error: () => {},
    onStatus: () => {},
  };

  constructor(options: NetConnectionOptions) {
    this.#options = options;
  }

  /** How the client names itself in `connect`. */
  get flashVer(): string | undefined {
    return textOf(this.#connectObject, "flashVer") || undefined;
  }

  /** Answers one command that came on message stream `streamId`. */
  handle(command: Command, streamId: number): void {
    if (!this.#isConnected && command.name !== "connect") {
      this.#options.onRefused(
        commandMessage("_error", command.transactionId, [null, NOT_CONNECTED]),
        "no connect first",
      );
      return;
    }
    const handler = Object.hasOwn(this.#handlers, command.name) ? this.#handlers[command.name] : undefined;
    if (handler) handler(command, streamId);
    else
      this.#reply(command, "_error", [
        null,
        { ...UNKNOWN_CALL, description: `There is no ${command.name.slice(0, 64)}` },
      ]);
  }

  /** Tells the client that its publish is granted. */
  startPublishing(): void {
    const publishing = this.#publishing;
    if (!publishing) return;
    const status: Status = {
      level: "status",
      code: "NetStream.Publish.Start",
      description: "Publishing has begun.",
    };
    this.#options.send(userControlMessage(USER_CONTROL.streamBegin, publishing.streamId));
    // FMLE waits for it; others ignore it. Not before the grant, so that nobody takes it for one.
    this.#options.send(commandMessage("onFCPublish", 0, [null, { ...status }]));
    this.#options.send(statusMessage(publishing.streamId, status));
  }

  /** A status for the stream that is published, or for the connection. */
  status(status: Status): OutgoingMessage {
    return statusMessage(this.#publishing?.streamId ?? 0, status);
  }

  /** Asks a client of Enhanced RTMP v2 to connect anew; returns whether it understands that. */
  requestReconnect(description: string): boolean {
    if (!canReconnect(this.#connectObject)) return false;
    this.#options.send(
      statusMessage(0, { level: "status", code: "NetConnection.Connect.ReconnectRequest", description }),
    );
    return true;
  }

  #connect(command: Command): void {
    const connectObject = command.args[0] ?? null;
    const app = textOf(connectObject, "app");
    if (appName(app, tcUrlOf(connectObject)) !== PUBLISH_APP) {
      const description = `There is no such application here. Publish to rtmp://<host>/${PUBLISH_APP}/<stream key>.`;
      const info = { level: "error", code: "NetConnection.Connect.Rejected", description };
      this.#options.onRefused(commandMessage("_error", command.transactionId, [null, info]), "unknown application");
      return;
    }
    this.#connectObject = connectObject;
    this.#isConnected = true;
    this.#acceptConnect(command);
  }

  #acceptConnect(command: Command): void {
    const { send } = this.#options;
    send(windowAckSizeMessage(WINDOW_BYTES));
    send(setPeerBandwidthMessage(WINDOW_BYTES));
    send(setChunkSizeMessage(OUT_CHUNK_BYTES));
    const objectEncoding = propertyOf(this.#connectObject, "objectEncoding");
    const properties = { ...SERVER_PROPERTIES, ...enhancedCapabilities(this.#connectObject) };
    const info = { ...CONNECT_SUCCESS, objectEncoding: objectEncoding === 3 ? 3 : 0 };
    send(commandMessage("_result", command.transactionId, [properties, info]));
  }

  #createStream(command: Command): void {
    this.#lastStreamId += 1;
    this.#reply(command, "_result", [null, this.#lastStreamId]);
  }

  #publish(command: Command, streamId: number): void {
    if (this.#publishing) {
      const description = "This connection publishes already.";
      this.#options.send(statusMessage(streamId, { level: "error", code: "NetStream.Publish.BadName", description }));
      return;
    }
    const name = command.args[1];
    const streamName = typeof name === "string" ? name : "";
    const streamKey = findStreamKey({
      app: textOf(this.#connectObject, "app"),
      tcUrl: tcUrlOf(this.#connectObject),
      streamName,
    });
    this.#publishing = { streamId, streamName, streamKey };
    this.#options.onPublish(this.#publishing);
  }

  #deleteStream(command: Command): void {
    const streamId = command.args[1];
    if (typeof streamId !== "number" || streamId === this.#publishing?.streamId) this.#unpublish();
  }

  #unpublish(): void {
    const publishing = this.#publishing;
    if (!publishing) return;
    this.#publishing = undefined;
    this.#options.onUnpublish();
    this.#options.send(
      statusMessage(publishing.streamId, {
        level: "status",
        code: "NetStream.Unpublish.Success",
        description: "Publishing has ended.",
      }),
    );
  }

  #refusePlay(streamId: number): void {
    const description = "Nothing is played over RTMP here. Watch over HLS or DASH.";
    this.#options.onRefused(
      statusMessage(streamId, { level: "error", code: "NetStream.Play.Failed", description }),
      "play is not served",
    );
  }

  #acknowledge(command: Command): void {
    this.#reply(command, "_result", [null, undefined]);
  }

  #reply(command: Command, name: "_result" | "_error", args: readonly AmfValue[]): void {
    if (command.transactionId !== 0) this.#options.send(commandMessage(name, command.transactionId, args));
  }
}

const SERVER_PROPERTIES = { fmsVer: "FMS/3,5,3,888", capabilities: 31, mode: 1 };
const CONNECT_SUCCESS = {
  level: "status",
  code: "NetConnection.Connect.Success",
  description: "Connection succeeded.",
};
const NOT_CONNECTED = {
  level: "error",
  code: "NetConnection.Call.Failed",
  description: "The first command has to be connect.",
};
const UNKNOWN_CALL = { level: "error", code: "NetConnection.Call.Failed" };

/** Some encoders spell it in small letters. */
function tcUrlOf(connectObject: AmfValue): string {
  return textOf(connectObject, "tcUrl") || textOf(connectObject, "tcurl");
}
