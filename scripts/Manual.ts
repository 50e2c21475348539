/** What `man chat` shows. */
import packageJson from "../package.json" with { type: "json" }
import { descriptors } from "../src/cli.js"
import * as ManPage from "./ManPage.js"

export const manual: string = ManPage.roff({
  ...descriptors,
  version: packageJson.version,
  environment: [
    ["NO_COLOR, FORCE_COLOR", "Whether what is shown on a terminal has colours."],
    ["TERM", "With dumb, lines are printed and read, and nothing is drawn."],
    ["XDG_STATE_HOME", "Where a client keeps its files, in fernet-chat there."],
    [
      "OTEL_METRICS_EXPORTER, OTEL_EXPORTER_OTLP_PROTOCOL, OTEL_EXPORTER_OTLP_HEADERS, OTEL_EXPORTER_OTLP_TIMEOUT, " +
        "OTEL_METRIC_EXPORT_INTERVAL, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_SDK_DISABLED",
      "How a server sends its metrics, as OpenTelemetry says; gRPC is not spoken. " +
        "Those with METRICS_ in the name, as OTEL_EXPORTER_OTLP_METRICS_ENDPOINT, go before those without."
    ]
  ],
  files: [
    ["secret.key", "The room key: one a line, the first is used, all of them open. For its owner only."],
    ["server.key", "The server key, which admits members and opens no text."],
    ["chat.db", "The log of the server, encrypted, beside the key file. Further files of that name belong to it."],
    ["chat.sock", "The socket of the server for chat admin, beside the key file, while it runs."],
    ["~/.local/state/fernet-chat", "Who a client is, what it has yet to send and how far it has read, encrypted."]
  ],
  examples: [
    ["chat s --host 0.0.0.0", "Serve a chat to other machines."],
    ["chat c --nick ada", "Join it from the same directory."],
    ["chat invite --host 192.0.2.7", "Print what lets somebody else in."],
    ["chat send --nick backup the backup is done", "Say one text from a script."],
    ["chat admin say the server moves at noon", "Tell everybody, as the operator."],
    ["chat doctor", "Look whether a chat can be served and joined here."]
  ]
})
